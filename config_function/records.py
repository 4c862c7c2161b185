"""What the EHR analyst copies: the registration sheet before approval, the integration records after. Pure.

Sources: reference ehr.md 2.2 (FDI mnemonics and tokens), 2.3 (context strings of Microsoft's connector).
"""

from dataclasses import asdict, dataclass
from typing import Any

from config_function.kinds import KINDS, ContextTokens
from shared.connection import Approved, Client, Connection, Revision, Side
from shared.ehr.scopes import backend_scope
from shared.launch.visit import GROUP_MEMBER, GROUP_VALUE
from shared.smart.authorize import approval_scopes, launch_scopes

# Shown as it stands in the record; a floating or external window is what a video visit needs.
_EXTERNAL_WINDOW = "external or floating window"


@dataclass(frozen=True)
class Addresses:
    """Where this deployment is reached by browsers (``public``) and by the EHR's servers (``server``)."""

    public: str
    server: str

    def jwks(self, connection: str) -> str:
        """Where the EHR reads our public keys."""
        return f"{self.server}/config/jwks/{connection}"

    def launch(self, side: Side, connection: str) -> str:
        """The launch URL of one door."""
        return f"{self.public}/launch/{side}/{connection}"

    def redirect(self, side: Side) -> str:
        """The redirect URI of one door."""
        return f"{self.public}/launch/{side}/callback"

    @property
    def approval(self) -> str:
        """The redirect URI of the approver's sign-in."""
        return f"{self.public}/config/ehr/callback"


@dataclass(frozen=True)
class Registration:
    """What to register for one OAuth client in the EHR."""

    client: str
    audience: str
    client_id: str
    authentication: str
    algorithm: str
    jwks_url: str
    launch_url: str
    redirect_uris: tuple[str, ...]
    scopes: str
    apis: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """One integration record. ``mnemonics``: the record's own fields where the EHR has such (Epic FDI)."""

    name: str
    purpose: str
    launch_url: str
    client_id: str
    redirect_uri: str
    context: str
    window: str
    mnemonics: tuple[tuple[str, str], ...] = ()


def registration(
    addresses: Addresses, connection: Connection, revision: Revision
) -> tuple[Registration, ...]:
    """The sheet, from the first draft on: it needs no client ID, it is how one gets them."""
    provider = (addresses.redirect("provider"), addresses.approval)
    rows = [
        _registration(addresses, connection, revision, "provider", provider),
        _registration(addresses, connection, revision, "patient", (addresses.redirect("patient"),)),
    ]
    if revision.writeback.adapter != "none":
        rows.append(_backend(addresses, connection, revision))
    return tuple(rows)


def records(addresses: Addresses, approved: Approved) -> tuple[Record, ...]:
    """The integration records of an approved revision."""
    connection, revision = approved.connection, approved.revision
    tokens = KINDS[connection.kind].tokens
    rows = [
        _record(addresses, approved, "provider", "Clinician: begin the visit", "session"),
        _record(addresses, approved, "patient", "Patient: begin the visit", "session"),
    ]
    # Only an EHR with a context string tells one visit of several patients from another.
    if revision.group and tokens is not None:
        rows += [
            _record(addresses, approved, "provider", "Clinician: begin a group visit", "conference"),
            _record(addresses, approved, "patient", "Patient: begin a group visit", "conference"),
        ]
    rows += [
        _record(addresses, approved, "provider", "Clinician: see who waits (live view)", "session", "view"),
        _record(addresses, approved, "patient", "Patient: test this device", "session", "device-test"),
    ]
    return tuple(rows)


def context_string(revision: Revision, tokens: ContextTokens | None, side: Side, visit: str) -> str:
    """The context string, for example ``sessionId=%CSN%&epicUserId=%EPICUSERID%``; empty without tokens."""
    if tokens is None:
        return ""
    parts = [f"{revision.visit_source.key}={tokens.conference if visit == 'conference' else tokens.session}"]
    if revision.user_key(side):
        parts.append(f"{revision.user_key(side)}={tokens.user}")
    if visit == "conference":
        # Nothing else tells a group's launch from one patient's: both are named by the same member.
        parts.append(f"{GROUP_MEMBER}={GROUP_VALUE}")
    if side == "provider" and revision.policy.departments:
        parts.append(f"departmentId={tokens.department}")
    return "&".join(parts)


def documents(rows: tuple[Registration, ...] | tuple[Record, ...]) -> list[dict[str, Any]]:
    """The rows as JSON values."""
    listed = []
    for row in rows:
        document = asdict(row)
        if isinstance(row, Record):
            document["mnemonics"] = dict(row.mnemonics)
        listed.append(document)
    return listed


def _registration(
    addresses: Addresses, connection: Connection, revision: Revision, side: Side, redirects: tuple[str, ...]
) -> Registration:
    client = revision.client(side)
    scopes = launch_scopes(revision, side)
    if side == "provider":
        # One client serves launch and approval; a standalone launch asks for less, never for more.
        scopes = " ".join(dict.fromkeys((*scopes.split(), *approval_scopes().split())))
    return Registration(
        client=side,
        audience="Clinicians and staff" if side == "provider" else "Patients",
        client_id=client.client_id,
        authentication=client.auth,
        algorithm=_algorithm(client),
        jwks_url=_keys(addresses, connection, client),
        launch_url=addresses.launch(side, connection.id),
        redirect_uris=redirects,
        scopes=scopes,
        apis=tuple(KINDS[connection.kind].apis.get(side, ())),
    )


def _backend(addresses: Addresses, connection: Connection, revision: Revision) -> Registration:
    client = revision.backend
    return Registration(
        client="backend",
        audience="Backend system, no user",
        client_id=client.client_id,
        authentication=client.auth,
        algorithm=_algorithm(client),
        jwks_url=_keys(addresses, connection, client),
        launch_url="",
        redirect_uris=(),
        scopes=backend_scope(revision.writeback),
        apis=tuple(KINDS[connection.kind].apis.get("backend", ())),
    )


def _algorithm(client: Client) -> str:
    return client.alg if client.auth == "private_key_jwt" else ""


def _keys(addresses: Addresses, connection: Connection, client: Client) -> str:
    return addresses.jwks(connection.id) if client.auth == "private_key_jwt" else ""


def _record(
    addresses: Addresses, approved: Approved, side: Side, name: str, visit: str, opens: str = ""
) -> Record:
    connection, revision = approved.connection, approved.revision
    tokens = KINDS[connection.kind].tokens
    url = addresses.launch(side, connection.id) + (f"?open={opens}" if opens else "")
    client_id = revision.client(side).client_id
    context = context_string(revision, tokens, side, visit)
    return Record(
        name=name,
        purpose=f"{side}-{opens or ('group' if visit == 'conference' else 'visit')}",
        launch_url=url,
        client_id=client_id,
        redirect_uri=addresses.redirect(side),
        context=context,
        window=_EXTERNAL_WINDOW,
        mnemonics=_mnemonics(url, client_id, context) if tokens is not None else (),
    )


def _mnemonics(url: str, client_id: str, context: str) -> tuple[tuple[str, str], ...]:
    return (("URL", url), ("PROTECTED", "1"), ("CLIENTID", client_id), ("CONTEXT", context))
