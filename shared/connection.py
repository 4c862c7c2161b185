"""A connection: one FHIR base of one organization in one environment, and its settings' revisions.

Pure data. Who may change what is ruled by ``config_function``; rows are ``shared.store.connections``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, cast

type Region = Literal["americas", "emea", "apac"]
type Environment = Literal["test", "production"]
type EhrKind = Literal["epic", "oracle", "fhir"]
type State = Literal["draft", "submitted", "verified", "approved", "rejected"]
type Side = Literal["provider", "patient"]
type VisitKind = Literal["session", "conference", "appointment", "encounter"]

REGION_LETTERS: Mapping[str, Region] = {"a": "americas", "e": "emea", "p": "apac"}
CONNECTION_ID = r"[aep][a-z2-7]{15}"


def region_of(connection_id: str) -> Region:
    """The region that a connection's id names by its first letter; KeyError for any other letter."""
    return REGION_LETTERS[connection_id[:1]]


@dataclass(frozen=True)
class Client:
    """One OAuth client as the analyst registered it in the EHR.

    ``auth``: ``private_key_jwt`` (our keys), ``client_secret_basic`` (the secret lies in the secrets port
    under ``secret_name``) or ``none`` (public). ``alg`` counts for our keys only (SMART 2.2, asymmetric
    authentication).
    """

    client_id: str
    auth: Literal["private_key_jwt", "client_secret_basic", "none"] = "private_key_jwt"
    alg: Literal["RS384", "ES384"] = "RS384"
    secret_name: str = ""


@dataclass(frozen=True)
class VisitSource:
    """By which kind of id a visit is named, and where the EHR says it.

    ``key``: the member of the token response that carries the id (Epic: ``sessionId``); for ``appointment``
    and ``encounter`` an empty key means the standard place (``fhirContext`` / ``encounter``).
    """

    kind: VisitKind = "session"
    key: str = "sessionId"


@dataclass(frozen=True)
class UserSource:
    """Where the EHR user ID comes from: a token response member, or (empty key) the id_token's fhirUser."""

    provider_key: str = ""
    patient_key: str = ""


@dataclass(frozen=True)
class Policy:
    """How visits run. Times in minutes; the join window needs an appointment time that is known."""

    lobby: Literal["organization", "organizer", "invited", "organizationExcludingGuests"] = "organization"
    presenters: Literal["organization", "organizer"] = "organization"
    chat: Literal["enabled", "disabled", "limited"] = "limited"
    connected: Literal["lobby", "meeting"] = "lobby"
    window: bool = False
    opens_before: int = 30
    closes_after: int = 240
    departments: bool = False


@dataclass(frozen=True)
class Writeback:
    """Which adapter tells the EHR (a code of ``shared.ehr.catalogue``), and what of its options is set.

    Whatever is not verified of a contract is an option.
    """

    adapter: str = "none"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoints:
    """What discovery showed at submission: shown, approved, and pinned by origin from then on."""

    issuer: str = ""
    authorization: str = ""
    token: str = ""
    jwks: str = ""


@dataclass(frozen=True)
class Proof:
    """Who proved by an EHR sign-in that the base is theirs; bound to approver, connection, revision."""

    by: str = ""
    at: str = ""


@dataclass(frozen=True)
class Revision:
    """One version of a connection's settings. ``approver`` and ``organizers`` are Entra object ids.

    ``frames``: origins whose pages may show a launch in a frame; none means any.
    """

    connection: str
    number: int
    state: State
    name: str
    approver: str = ""
    issuers: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    provider: Client = Client("")
    patient: Client = Client("")
    backend: Client = Client("")
    user_source: UserSource = UserSource()
    visit_source: VisitSource = VisitSource()
    group: bool = False
    organizers: tuple[str, ...] = ()
    policy: Policy = Policy()
    writeback: Writeback = Writeback()
    time_zone: str = "UTC"
    endpoints: Endpoints = Endpoints()
    proof: Proof = Proof()
    rejected_because: str = ""
    changed_by: str = ""
    changed_at: str = ""
    etag: str = field(default="", compare=False)

    def client(self, side: Side) -> Client:
        """The OAuth client of one of the two doors."""
        return self.provider if side == "provider" else self.patient

    def user_key(self, side: Side) -> str:
        """The token response member that names the EHR user at this door; empty: the id_token's fhirUser."""
        return self.user_source.provider_key if side == "provider" else self.user_source.patient_key

    def document(self) -> dict[str, Any]:
        """The revision as JSON values, for its row."""
        document = asdict(self)
        del document["etag"]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any], etag: str = "") -> Self:
        """Reads a row back; members unknown to this version are ignored (an older app after a rollback)."""
        return cast("Self", _build(cls, {**document, "etag": etag}))


@dataclass(frozen=True)
class Connection:
    """The part of a connection that never changes, and which of its revisions is approved (0: none).

    ``copied_from``: the connection whose settings it began with (production from test), or empty.
    """

    id: str
    tenant: str
    region: Region
    environment: Environment
    kind: EhrKind
    fhir_base: str
    created_at: str
    latest: int = 1
    approved: int = 0
    copied_from: str = ""
    etag: str = field(default="", compare=False)

    def document(self) -> dict[str, Any]:
        """The connection as JSON values, for its row."""
        document = asdict(self)
        del document["etag"]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any], etag: str = "") -> Self:
        """Reads a row back."""
        return cast("Self", _build(cls, {**document, "etag": etag}))


_PARTS: Mapping[str, type] = {
    "provider": Client,
    "patient": Client,
    "backend": Client,
    "user_source": UserSource,
    "visit_source": VisitSource,
    "policy": Policy,
    "writeback": Writeback,
    "endpoints": Endpoints,
    "proof": Proof,
}
_TUPLES = frozenset({"issuers", "frames", "organizers"})


def _build(kind: type, document: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for member in fields(kind):
        if member.name not in document:
            continue
        value = document[member.name]
        part = _PARTS.get(member.name)
        if part is not None and isinstance(value, Mapping):
            value = _build(part, value)
        elif member.name in _TUPLES:
            value = tuple(value)
        values[member.name] = value
    return kind(**values)


@dataclass(frozen=True)
class Approved:
    """What a launch works with: the connection and its approved revision."""

    connection: Connection
    revision: Revision

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every ``iss`` that may launch: the FHIR base and its approved other forms."""
        return (self.connection.fhir_base, *self.revision.issuers)
