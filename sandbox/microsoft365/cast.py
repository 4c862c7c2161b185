"""People, tenants and app registration of the simulated Microsoft 365: synthetic, with constant ids."""

from dataclasses import dataclass, replace
from typing import Protocol

SIERRA = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
FOREIGN = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"
TENANTS = {SIERRA: "Sierra Health Network", FOREIGN: "Foreign Clinic"}

CLIENT_ID = "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631"
APP_NAME = "Antesala"

# Directory roles have the same template ids in every tenant (Entra built-in roles reference).
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
# Who may grant an application permissions of Graph for the whole tenant.
CONSENTING = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR})
TEAMS_ADMINISTRATOR = "69091246-20e8-4a56-aa4d-066075b2a7a8"
ORDINARY_MEMBER = "b79fbf4d-3ef9-4689-8143-76b194e85509"


class Sites(Protocol):
    """The addresses this simulator needs; `sandbox.addresses.Addresses` has them."""

    @property
    def app_url(self) -> str:
        """The function app, for browsers."""
        ...

    @property
    def m365_url(self) -> str:
        """The simulator, for browsers."""
        ...

    @property
    def m365_tls_url(self) -> str:
        """The simulator, for servers."""
        ...


@dataclass(frozen=True)
class Person:
    """One account of a directory.

    `home` is set on guests only: the tenant they come from. `wids` are the directory roles held tenant-wide.
    """

    oid: str
    tenant: str
    name: str
    upn: str
    job: str
    roles: tuple[str, ...] = ()
    wids: tuple[str, ...] = (ORDINARY_MEMBER,)
    policy: bool = False
    home: str | None = None

    @property
    def given_name(self) -> str:
        """First name, without a title."""
        return self.name.removeprefix("Dr. ").split(" ")[0]

    @property
    def surname(self) -> str:
        """Last word of the name."""
        return self.name.split(" ")[-1]

    @property
    def mail(self) -> str:
        """The mailbox; a guest's stands in the home tenant."""
        if self.home is None:
            return self.upn
        return self.upn.split("#EXT#", maxsplit=1)[0].replace("_", "@")

    @property
    def initials(self) -> str:
        """One or two letters for a round picture."""
        words = dict.fromkeys((self.given_name, self.surname))
        return "".join(word[:1] for word in words).upper()


def _sierra(number: int) -> str:
    return f"11111111-aaaa-4aaa-8aaa-{number:012d}"


MARISOL = Person(
    _sierra(1),
    SIERRA,
    "Marisol Ibarra",
    "marisol.ibarra@sierra.example",
    "Microsoft 365 administrator",
    roles=("Connector.Admin",),
    wids=(ORDINARY_MEMBER, TEAMS_ADMINISTRATOR, GLOBAL_ADMINISTRATOR),
)
TOMAS = Person(_sierra(2), SIERRA, "Tomas Quiroga", "tomas.quiroga@sierra.example", "EHR analyst")
VIDAL = Person(
    _sierra(3), SIERRA, "Dr. Elena Vidal", "elena.vidal@sierra.example", "Cardiologist", policy=True
)
LINDQVIST = Person(
    _sierra(4), SIERRA, "Dr. Noah Lindqvist", "noah.lindqvist@sierra.example", "Family physician", policy=True
)
VISITS_1 = Person(
    _sierra(5), SIERRA, "Visits Organizer 1", "visits1@sierra.example", "Scheduling account", policy=True
)
VISITS_2 = Person(
    _sierra(6), SIERRA, "Visits Organizer 2", "visits2@sierra.example", "Scheduling account", policy=True
)
RENATA = Person(
    _sierra(7),
    SIERRA,
    "Renata Solis",
    "renata.solis@sierra.example",
    "Operations analyst",
    roles=("Connector.Reader",),
)
OUTSIDER = Person(
    "22222222-bbbb-4bbb-8bbb-000000000001",
    FOREIGN,
    "Dr. Outsider",
    "dr.outsider@foreign.example",
    "Physician elsewhere",
)
OUTSIDE_ADMIN = Person(
    "22222222-bbbb-4bbb-8bbb-000000000002",
    FOREIGN,
    "Greta Overdal",
    "greta.overdal@foreign.example",
    "Microsoft 365 administrator elsewhere",
    roles=("Connector.Admin",),
    wids=(ORDINARY_MEMBER, GLOBAL_ADMINISTRATOR),
)
PEOPLE = (MARISOL, TOMAS, VIDAL, LINDQVIST, VISITS_1, VISITS_2, RENATA, OUTSIDER, OUTSIDE_ADMIN)


def as_guest(person: Person, tenant: str) -> Person:
    """The account that `person` of another tenant has as a B2B guest in `tenant`: own oid, own UPN."""
    return replace(
        person,
        oid="33333333-cccc-4ccc-8ccc-" + person.oid[-12:],
        tenant=tenant,
        upn=f"{person.upn.replace('@', '_')}#EXT#@sierra.example",
        roles=(),
        wids=(),
        policy=False,
        home=person.tenant,
    )


GRANTED = frozenset(
    {
        "OnlineMeetings.ReadWrite.All",
        "OnlineMeetingArtifact.Read.All",
        "VirtualAppointment.Read.All",
        "User.ReadBasic.All",
        "LicenseAssignment.Read.All",
    }
)


@dataclass(frozen=True)
class FederatedCredential:
    """The app registration's trust in another issuer's tokens, as managed identities use it (graph.md 8.1).

    `public_key` is the PEM key that signs them; `audience` is what Entra demands of the public cloud.
    """

    issuer: str
    subject: str
    public_key: str
    audience: str = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Registration:
    """The app registration: who the app is, how it proves it, where it may be answered, what it was granted.

    `api_roles` are the app roles of its own API that were assigned to itself (app-only tokens carry them).
    """

    redirect_uris: frozenset[str]
    certificates: tuple[str, ...]
    client_id: str = CLIENT_ID
    name: str = APP_NAME
    granted: frozenset[str] = GRANTED
    federated: tuple[FederatedCredential, ...] = ()
    api_scopes: frozenset[str] = frozenset({"Connector.ReadWrite", "Connector.Read"})
    api_roles: tuple[str, ...] = ()


def default_registration(sites: Sites, certificate: str) -> Registration:
    """Antesala as the sandbox registers it: both sign-in callbacks, the consent's, and one certificate."""
    callbacks = (
        "/config/signin/callback",
        "/config/organization/callback",
        "/launch/provider/signin/callback",
    )
    return Registration(frozenset(sites.app_url + path for path in callbacks), (certificate,))
