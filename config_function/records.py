"""What the EHR analyst copies: the registration sheet before approval, the integration records after. Pure.

Sources: reference ehr.md 2.2 (FDI mnemonics and tokens), 2.3 (context strings of Microsoft's connector).
How each EHR's people call these things is ``config_function.wording``.
"""

from dataclasses import asdict, dataclass
from typing import Any

from config_function.kinds import KINDS, ContextTokens
from config_function.wording import WORDING
from shared.connection import Approved, Client, Connection, EhrKind, Revision, Side
from shared.ehr.scopes import backend_scope
from shared.launch.visit import GROUP_MEMBER, GROUP_VALUE
from shared.smart.authorize import approval_scopes, launch_scopes


@dataclass(frozen=True)
class Plan:
    """One record to make. ``opens``: what its launch URL asks for instead of the visit's meeting."""

    purpose: str
    side: Side
    name: str
    about: str
    group: bool = False
    opens: str = ""


PLANS = (
    Plan(
        "provider-visit",
        "provider",
        "Clinician: begin the visit",
        "The clinician presses it in the EHR and is in the meeting.",
    ),
    Plan(
        "patient-visit",
        "patient",
        "Patient: begin the visit",
        "The patient presses it in the patient portal and waits in the lobby.",
    ),
    Plan(
        "provider-group",
        "provider",
        "Clinician: begin a group visit",
        "As for a single visit, but all appointments of the group share one meeting.",
        group=True,
    ),
    Plan(
        "patient-group",
        "patient",
        "Patient: begin a group visit",
        "As for a single visit, but all appointments of the group share one meeting.",
        group=True,
    ),
    Plan(
        "provider-view",
        "provider",
        "Clinician: see who waits (live view)",
        "Shows who waits and who is in the visit, without joining it.",
        opens="view",
    ),
    Plan(
        "patient-device-test",
        "patient",
        "Patient: test this device",
        "Tries camera, microphone and speaker before the visit.",
        opens="device-test",
    ),
)
AUDIENCES = {
    "provider": "Clinicians and staff",
    "patient": "Patients",
    "backend": "Backend system, no user",
}


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

    def redirect(self, side: Side, connection: str) -> str:
        """The redirect URI of one door: each connection has its own, as RFC 9700 (4.4) asks."""
        return f"{self.public}/launch/{side}/callback/{connection}"

    def approval(self, connection: str) -> str:
        """The redirect URI of the approver's sign-in."""
        return f"{self.public}/config/ehr/callback/{connection}"


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
    """One integration record: what stands in it, and of its OAuth client what it must agree with.

    ``mnemonics``: the record's own fields where the EHR has such (Epic FDI).
    """

    name: str
    about: str
    purpose: str
    launch_url: str
    client_id: str
    redirect_uri: str
    jwks_url: str
    scopes: str
    apis: tuple[str, ...]
    context: str
    window: str
    mnemonics: tuple[tuple[str, str], ...] = ()


def registration(
    addresses: Addresses, connection: Connection, revision: Revision
) -> tuple[Registration, ...]:
    """The sheet, from the first draft on: it needs no client ID, it is how one gets them."""
    provider = (addresses.redirect("provider", connection.id), addresses.approval(connection.id))
    patient = (addresses.redirect("patient", connection.id),)
    rows = [
        _registration(addresses, connection, revision, "provider", provider),
        _registration(addresses, connection, revision, "patient", patient),
    ]
    if revision.writeback.adapter != "none":
        rows.append(_backend(addresses, connection, revision))
    return tuple(rows)


def records(addresses: Addresses, approved: Approved) -> tuple[Record, ...]:
    """The integration records of an approved revision."""
    # Only an EHR with a context string tells one visit of several patients from another.
    grouped = approved.revision.group and KINDS[approved.connection.kind].tokens is not None
    return tuple(_record(addresses, approved, plan) for plan in PLANS if grouped or not plan.group)


def changed_records(addresses: Addresses, serving: Approved, newer: Revision) -> tuple[str, ...]:
    """Names of the records that would be other, new or gone once the newer revision is approved."""
    before = {row.name: row for row in records(addresses, serving)}
    after = {row.name: row for row in records(addresses, Approved(serving.connection, newer))}
    return tuple(plan.name for plan in PLANS if before.get(plan.name) != after.get(plan.name))


def context_string(revision: Revision, tokens: ContextTokens | None, side: Side, *, group: bool) -> str:
    """The context string, for example ``sessionId=%CSN%&epicUserId=%EPICUSERID%``; empty without tokens."""
    if tokens is None:
        return ""
    parts = [f"{revision.visit_source.key}={tokens.conference if group else tokens.session}"]
    if group:
        # A launch sees no other difference between a group visit and a single one.
        parts.append(f"{GROUP_MEMBER}={GROUP_VALUE}")
    if revision.user_key(side):
        parts.append(f"{revision.user_key(side)}={tokens.user}")
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
    return Registration(
        client=side,
        audience=_audience(connection.kind, side),
        client_id=client.client_id,
        authentication=client.auth,
        algorithm=_algorithm(client),
        jwks_url=_keys(addresses, connection, client),
        launch_url=addresses.launch(side, connection.id),
        redirect_uris=redirects,
        scopes=_scopes(revision, side),
        apis=_apis(connection, revision, side),
    )


def _backend(addresses: Addresses, connection: Connection, revision: Revision) -> Registration:
    client = revision.backend
    api = KINDS[connection.kind].apis.get(revision.writeback.adapter)
    return Registration(
        client="backend",
        audience=_audience(connection.kind, "backend"),
        client_id=client.client_id,
        authentication=client.auth,
        algorithm=_algorithm(client),
        jwks_url=_keys(addresses, connection, client),
        launch_url="",
        redirect_uris=(),
        scopes=backend_scope(revision.writeback),
        apis=(api,) if api else (),
    )


def _audience(kind: EhrKind, client: str) -> str:
    return WORDING[kind].audiences.get(client, AUDIENCES[client])


def _scopes(revision: Revision, side: Side) -> str:
    scopes = launch_scopes(revision, side)
    if side == "patient":
        return scopes
    # One client serves launch and approval; a standalone launch asks for less, never for more.
    return " ".join(dict.fromkeys((*scopes.split(), *approval_scopes().split())))


def _apis(connection: Connection, revision: Revision, side: Side) -> tuple[str, ...]:
    """The EHR's own name of everything that the scopes read."""
    named = KINDS[connection.kind].apis
    scopes = [scope for scope in launch_scopes(revision, side).split() if "/" in scope]
    resources = [scope.partition("/")[2].partition(".")[0] for scope in scopes]
    return tuple(named[resource] for resource in resources if resource in named)


def _algorithm(client: Client) -> str:
    return client.alg if client.auth == "private_key_jwt" else ""


def _keys(addresses: Addresses, connection: Connection, client: Client) -> str:
    return addresses.jwks(connection.id) if client.auth == "private_key_jwt" else ""


def _record(addresses: Addresses, approved: Approved, plan: Plan) -> Record:
    connection, revision = approved.connection, approved.revision
    client = revision.client(plan.side)
    url = addresses.launch(plan.side, connection.id) + (f"?open={plan.opens}" if plan.opens else "")
    tokens = KINDS[connection.kind].tokens
    context = context_string(revision, tokens, plan.side, group=plan.group)
    return Record(
        name=plan.name,
        about=plan.about,
        purpose=plan.purpose,
        launch_url=url,
        client_id=client.client_id,
        redirect_uri=addresses.redirect(plan.side, connection.id),
        jwks_url=_keys(addresses, connection, client),
        scopes=_scopes(revision, plan.side),
        apis=_apis(connection, revision, plan.side),
        context=context,
        window=WORDING[connection.kind].window,
        mnemonics=_mnemonics(
            connection.kind, {"launch_url": url, "client_id": client.client_id, "context": context}
        ),
    )


def _mnemonics(kind: EhrKind, values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    words = WORDING[kind]
    if not words.fixed:
        return ()
    named = tuple((words.fields[member], value) for member, value in values.items())
    return (named[0], *words.fixed, *named[1:])
