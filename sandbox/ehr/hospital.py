"""What one kind of hospital does differently from another, as data: a new one is a profile, not a branch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.addresses import Addresses
from sandbox.ehr.people import (
    EPIC_PEOPLE,
    EPIC_VISITS,
    FHIR_PEOPLE,
    FHIR_VISITS,
    ORACLE_PEOPLE,
    ORACLE_VISITS,
    Person,
    Visit,
)

AUDIT_INTERACTIONS = ("read", "create", "update")
# Oracle Health numbers its customers' domains; the number is in the path of every address.
_TENANT = "3d7c1b52-90e4-4f6a-b8d1-6a2f95c04e7b"


@dataclass(frozen=True)
class Hospital:
    """A hospital's addresses, habits, people and visits of the day."""

    kind: str
    """`epic`, `fhir` or `oracle`; also the name of its icon."""
    name: str
    chart: str
    """The product name of the clinicians' record, as its pages call it."""
    portal: str
    """The product name of the patients' portal."""
    browser_url: str
    tls_url: str
    fhir_path: str
    """Path of the FHIR base; the base is what launches send as `iss` and expect as `aud`."""
    oauth_path: str
    issuer: str
    """OIDC issuer: of the id_token, of the openid-configuration, and of RFC 9207's `iss`."""
    jwks_path: str
    clients: Mapping[str, str]
    """OAuth client id of each side: provider, patient, backend."""
    people: tuple[Person, ...]
    visits: tuple[Visit, ...]
    token_type: str = "Bearer"
    stylesheets: tuple[str, ...] = ()
    """In order; empty for the one that is named like the kind."""
    user_token_seconds: int = 3600
    backend_token_seconds: int = 300
    token_path: str = ""
    """Path of the token endpoint where it is not beside `authorize`."""
    v1_scopes: bool = False
    """Whether scopes exist in SMART v1 form only, resource by resource (ehr.md 3.1)."""
    fixed_members: Mapping[str, Any] = field(default_factory=dict)
    """Members of every EHR launch's token answer; strings may hold %TOKENS%."""
    appointment_member: str = "fhirContext"
    """Where an EHR launch names the appointment: in `fhirContext`, or as a bare id in the member so named.

    Empty where a launch names the encounter alone.
    """
    context_strings: bool = False
    """Whether the registration holds a CONTEXT string whose keys arrive in the token answer (ehr.md 2.2)."""
    extra_scopes: tuple[str, ...] = ()
    """Granted on top of what was asked for, because permissions come from the registration (ehr.md 2.1)."""
    absolute_fhir_user: bool = True
    client_id_header: str = ""
    """Header that every API call must carry with the token's client id."""
    status_path: str = ""
    """Path of the connection status service (ehr.md 2.6); empty where there is none."""
    status_methods: tuple[str, ...] = ("POST", "GET")
    audit_events: tuple[str, ...] = ()
    """Interactions on AuditEvent; empty where the resource does not exist."""
    moves_appointments: bool = False
    """Whether an app may move an appointment's status and set its video links (ehr.md 3.2)."""
    search_parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Search parameters of a resource type where they are not everybody's."""
    outcome_in_search: bool = False
    """Whether every search set also holds an OperationOutcome entry (ehr.md 2.7)."""

    @property
    def fhir_base(self) -> str:
        """The FHIR base URL, without a trailing slash."""
        return self.tls_url + self.fhir_path

    @property
    def authorize_url(self) -> str:
        """Where browsers are sent: plain http on loopback."""
        return f"{self.browser_url}{self.oauth_path}/authorize"

    @property
    def token_url(self) -> str:
        """The token endpoint, which is also the only audience that a client assertion may have."""
        return self.tls_url + (self.token_path or f"{self.oauth_path}/token")

    @property
    def jwks_url(self) -> str:
        """Where the keys of the id_tokens are published."""
        return self.tls_url + self.jwks_path

    def person(self, login: str) -> Person | None:
        """The person of this login name."""
        return next((one for one in self.people if one.login == login), None)

    def person_by_reference(self, reference: str) -> Person | None:
        """The person whose FHIR reference this is, relative or below our own base."""
        relative = reference.removeprefix(self.fhir_base + "/")
        return next((one for one in self.people if one.reference == relative), None)

    def visit(self, name: str) -> Visit | None:
        """The visit that the record knows under this id."""
        return next((one for one in self.visits if name in one.names), None)


def EPIC(addresses: Addresses) -> Hospital:  # noqa: N802 (the sandbox's contract spells it so)
    """An Epic-like hospital: FDI context, bare appointment id, status service, no AuditEvent (ehr.md 2)."""
    tls = addresses.epic_tls_url
    return Hospital(
        kind="epic",
        name="Sierra Vista Medical Center",
        chart="Meridian Chart",
        portal="MyMeridian",
        browser_url=addresses.epic_url,
        tls_url=tls,
        fhir_path="/interconnect/api/FHIR/R4",
        oauth_path="/interconnect/oauth2",
        issuer=f"{tls}/interconnect/oauth2",
        jwks_path="/interconnect/api/epic/2019/Security/Open/PublicKeys/530005/OIDC",
        clients=_clients("epic", "6f1c"),
        people=EPIC_PEOPLE,
        visits=EPIC_VISITS,
        token_type="bearer",
        user_token_seconds=3240,
        fixed_members={
            "need_patient_banner": "false",
            "__epic.dstu2.patient": "%PATIENTFHIRID%",
            "loginDepartment": "%LOGINDEPTID%",
        },
        appointment_member="appointment",
        context_strings=True,
        extra_scopes=("user/Practitioner.read",),
        client_id_header="Epic-Client-ID",
        status_path="/interconnect/api/epic/2018/Telehealth/ContextLinking/SetExternalConnectionStatus",
        outcome_in_search=True,
    )


def FHIR(addresses: Addresses) -> Hospital:  # noqa: N802
    """A plain FHIR R4 hospital: `fhirContext`, relative `fhirUser`, AuditEvent with update-as-create."""
    tls = addresses.fhir_tls_url
    return Hospital(
        kind="fhir",
        name="Lagunita Community Hospital",
        chart="OpenWard",
        portal="Lagunita Patient Door",
        browser_url=addresses.fhir_url,
        tls_url=tls,
        fhir_path="/fhir",
        oauth_path="/oauth2",
        issuer=f"{tls}/fhir",
        jwks_path="/oauth2/jwks",
        clients=_clients("fhir", "2b9d"),
        people=FHIR_PEOPLE,
        visits=FHIR_VISITS,
        fixed_members={"need_patient_banner": True},
        absolute_fhir_user=False,
        audit_events=AUDIT_INTERACTIONS,
    )


def ORACLE(addresses: Addresses) -> Hospital:  # noqa: N802
    """An Oracle-like hospital: tenant in every path, v1 scopes, encounter context, Appointment PATCH."""
    tls = addresses.oracle_tls_url
    tenant = f"/tenants/{_TENANT}"
    return Hospital(
        kind="oracle",
        name="Ribera Alta Hospital",
        chart="Compass Chart",
        portal="MyRibera",
        browser_url=addresses.oracle_url,
        tls_url=tls,
        fhir_path=f"/r4/{_TENANT}",
        oauth_path=f"{tenant}/protocols/oauth2/profiles/smart-v1/personas/ehr",
        token_path=f"{tenant}/hosts/fhir-ehr/protocols/oauth2/profiles/smart-v1/token",
        issuer=f"{tls}{tenant}",
        jwks_path=f"{tenant}/oidc/idsps/ehr/jwks",
        clients=_clients("oracle", "84e0"),
        people=ORACLE_PEOPLE,
        visits=ORACLE_VISITS,
        stylesheets=("fhir", "oracle"),
        user_token_seconds=570,
        backend_token_seconds=570,
        v1_scopes=True,
        fixed_members={"need_patient_banner": True, "tenant": _TENANT},
        appointment_member="",
        moves_appointments=True,
        search_parameters={
            "Appointment": ("_id", "patient", "practitioner", "date"),
            "Encounter": ("_id", "patient"),
        },
    )


def _clients(prefix: str, suffix: str) -> Mapping[str, str]:
    return {side: f"{prefix}-{side}-{suffix}" for side in ("provider", "patient", "backend")}
