"""The life of a connection: create, edit, submit, verify, approve, reject; every change is audited.

Whoever may not see a connection gets the same answer as for one that does not exist. Every change names the
version it was made from; where somebody else was faster it is refused and nothing is lost.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from config_function import endpoints, fields, revisions
from config_function.access import Caller, View, is_approver, may_appoint, may_create, may_edit, may_see
from config_function.bases import Bases
from config_function.kinds import KINDS
from config_function.vault import ClientSecrets
from shared.clock import Clock, Entropy, timestamp
from shared.connection import (
    CONNECTION_ID,
    REGION_LETTERS,
    Connection,
    EhrKind,
    Endpoints,
    Environment,
    Proof,
    Region,
    Revision,
)
from shared.errors import FieldRefusal, Refusal
from shared.keys import SigningKeys
from shared.settings import Settings
from shared.smart.discovery import Discovery
from shared.smart.id_token import IdTokens
from shared.store import RegionStore, Stores
from shared.store.audit import LINKINGS, Entry
from shared.store.connections import Connections as Rows
from shared.texts import Sentence, Text

_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
REASON_LIMIT = 500
LINKINGS_READ = 50
# Line breaks are kept; no other control character, and nothing that begins a tag.
REASON = r"^[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f<>]*$"


@dataclass(frozen=True)
class NewConnection:
    """What never changes once a connection exists, and its name.

    ``copy_of``: the connection whose settings it begins with, or empty.
    """

    environment: Environment
    kind: EhrKind
    region: Region
    name: str
    fhir_base: str
    copy_of: str = ""


class Connections:
    """The rules carried out on the real store."""

    def __init__(
        self,
        *,
        settings: Settings,
        stores: Stores,
        discovery: Discovery,
        id_tokens: IdTokens,
        bases: Bases,
        secrets: ClientSecrets,
        keys: SigningKeys,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._discovery = discovery
        self._id_tokens = id_tokens
        self._bases = bases
        self._secrets = secrets
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    # -- seeing -----------------------------------------------------------------------------------------

    def all(self, caller: Caller) -> list[View]:
        """Every connection the caller may see, by name."""
        views = [
            view
            for store in self._stores.all()
            for standing in store.connections.of_tenant(caller.tenant)
            if may_see(caller, view := View(*standing))
        ]
        return sorted(views, key=lambda view: (view.latest.name.lower(), view.connection.id))

    def load(self, caller: Caller, connection_id: str) -> View:
        """One connection; Refusal not-found for an unknown one and for one of somebody else alike."""
        rows = self._rows(connection_id)
        connection = rows.get(connection_id)
        # Looked at before anything else is read: time must not tell somebody else's from none either.
        if connection is None or connection.tenant != caller.tenant:
            raise Refusal("not-found")
        standing = rows.standing(connection_id)
        if standing is None or not may_see(caller, view := View(*standing)):
            raise Refusal("not-found")
        return view

    def owner(self, connection_id: str) -> str | None:
        """The tenant of a connection of an organization that is served here; None for any other."""
        try:
            connection = self._rows(connection_id).get(connection_id)
        except Refusal:
            return None
        if connection is None or connection.tenant not in self._settings.tenants:
            return None
        return connection.tenant

    def history(
        self, caller: Caller, connection_id: str, entries: int
    ) -> tuple[View, list[Revision], list[Entry]]:
        """The connection, its revisions, and so many entries of who changed what at most, newest first.

        Linkings are read apart: every clinician writes some, and no number of them may push an approval out.
        """
        view = self.load(caller, connection_id)
        region = self._region(connection_id)
        own = region.audit.recent(caller.tenant, entries, connection_id, never=LINKINGS)
        linkings = region.audit.recent(caller.tenant, LINKINGS_READ, connection_id, only=LINKINGS)
        audit = sorted([*own, *linkings], key=lambda entry: entry.at, reverse=True)
        return view, region.connections.revisions(connection_id), audit

    # -- changing ---------------------------------------------------------------------------------------

    def create(self, caller: Caller, new: NewConnection, values: Mapping[str, Any] | None = None) -> View:
        """A new connection with its first draft, on the defaults of its kind and the given settings."""
        if not may_create(caller):
            raise Refusal("not-allowed")
        copied = self._copied(caller, new)
        typed, base = self._beginning(caller, new, {**copied, **(values or {})})
        connection = Connection(
            self._new_id(new.region),
            caller.tenant,
            new.region,
            new.environment,
            new.kind,
            base,
            timestamp(self._clock.now()),
            copied_from=new.copy_of,
        )
        empty = Revision(connection.id, 1, "draft", new.name)
        wanted, secrets = self._wanted(connection, empty, typed)
        revision = replace(wanted, changed_by=caller.oid, changed_at=connection.created_at)
        self._secrets.write(secrets)
        self._rows(connection.id).create(connection, revision)
        self._audit(caller, "created", connection, "revision 1")
        return self.load(caller, connection.id)

    def edit(self, caller: Caller, connection_id: str, version: str, values: Mapping[str, Any]) -> View:
        """Settings by field name; what is left out stays. Opens a new draft unless nothing differs.

        Secrets reach the vault once every rule has passed, and before a revision names them.
        """
        view = self._for_change(caller, connection_id, version, may_edit)
        typed = fields.read(values, view.latest.writeback.adapter)
        if typed.get("approver", view.latest.approver) != view.latest.approver and not may_appoint(caller):
            raise FieldRefusal({"approver": Text("Only an administrator chooses the approver.")})
        wanted, secrets = self._wanted(view.connection, view.latest, typed)
        revisions.need_frozen_unchanged(view.approved, wanted)
        if wanted == view.latest:
            return view
        revision = revisions.draft_of(view.latest, wanted, caller.oid, timestamp(self._clock.now()))
        self._secrets.write(secrets)
        self._save(view, revision)
        changed = [rule.name for rule, _, _ in fields.differences(view.latest, revision)]
        self._audit(caller, "edited", view.connection, f"revision {revision.number}: {', '.join(changed)}")
        return self.load(caller, connection_id)

    def submit(self, caller: Caller, connection_id: str, version: str) -> View:
        """Asks the approver: everything must be decided, and the EHR's endpoints are read and recorded.

        Refusal keys-missing where a client signs with keys that the organization does not have.
        """
        view = self._for_change(caller, connection_id, version, may_edit)
        revisions.need_state(view.latest, ("draft", "rejected"))
        revisions.need_complete(view.latest, view.connection.fhir_base)
        for client in revisions.signing_clients(view.latest):
            self._keys.current(view.connection.tenant, client.alg)
        found = self._endpoints(view)
        revision = replace(view.latest, endpoints=found, rejected_because="", proof=Proof())
        return self._advance(caller, view, replace(revision, state="submitted"), "submitted")

    def verify(self, caller: Caller, connection_id: str, number: int) -> View:
        """Records that the approver signed in to the EHR; may be repeated while it waits for approval."""
        view = self._for_approver(caller, connection_id, number)
        revisions.need_state(view.latest, ("submitted", "verified"))
        proof = Proof(caller.oid, timestamp(self._clock.now()))
        return self._advance(caller, view, replace(view.latest, state="verified", proof=proof), "verified")

    def approve(self, caller: Caller, connection_id: str, number: int) -> View:
        """Makes the revision the one that launches use; only with the approver's own fresh proof."""
        view = self._for_approver(caller, connection_id, number)
        revisions.need_state(view.latest, ("submitted", "verified"))
        revisions.need_fresh_proof(view.latest, caller.oid, self._clock.now())
        self._still_found(view)
        return self._advance(caller, view, replace(view.latest, state="approved"), "approved")

    def reject(self, caller: Caller, connection_id: str, number: int, reason: str) -> View:
        """Sends the revision back with a reason; what was approved before goes on serving."""
        view = self._for_approver(caller, connection_id, number)
        revisions.need_state(view.latest, ("submitted", "verified"))
        text = reason.strip().replace("\r\n", "\n")
        if not 1 <= len(text) <= REASON_LIMIT or not re.fullmatch(REASON, text):
            raise FieldRefusal(
                {
                    "reason": Text(
                        "Say in 1 to %(limit)s characters what should change, without < or >.",
                        limit=REASON_LIMIT,
                    )
                }
            )
        rejected = replace(view.latest, state="rejected", rejected_because=text, proof=Proof())
        return self._advance(caller, view, rejected, "rejected")

    def delete(self, caller: Caller, connection_id: str, version: str) -> None:
        """Takes away a connection that never went into service; Refusal state-conflict for one that did."""
        view = self._for_change(caller, connection_id, version, lambda one, _: may_create(one))
        if view.approved is not None:
            raise Refusal("state-conflict", "it was approved")
        self._rows(connection_id).remove(view.connection)
        self._audit(caller, "deleted", view.connection, f"revision {view.latest.number}")

    # -- steps ------------------------------------------------------------------------------------------

    def _for_change(
        self, caller: Caller, connection_id: str, version: str, allowed: Callable[[Caller, View], bool]
    ) -> View:
        view = self.load(caller, connection_id)
        if not allowed(caller, view):
            raise Refusal("not-allowed")
        if version != version_of(view):
            raise Refusal("changed-meanwhile")
        return view

    def _for_approver(self, caller: Caller, connection_id: str, number: int) -> View:
        view = self.load(caller, connection_id)
        if not is_approver(caller, view):
            raise Refusal("not-allowed")
        if number != view.latest.number:
            raise Refusal("changed-meanwhile")
        return view

    def _wanted(
        self, connection: Connection, before: Revision, typed: Mapping[str, Any]
    ) -> tuple[Revision, dict[str, str]]:
        """The revision that is asked for, and the secrets that it names, by name, to be written."""
        wanted = fields.apply(before, typed)
        revisions.need_own_issuers(connection, wanted)
        if wanted.writeback != before.writeback:
            revisions.need_fitting_options(connection, wanted)
        return self._secrets.named(wanted, typed)

    def _advance(self, caller: Caller, view: View, revision: Revision, what: str) -> View:
        now = timestamp(self._clock.now())
        self._save(view, replace(revision, changed_by=caller.oid, changed_at=now), publish=what == "approved")
        self._audit(caller, what, view.connection, f"revision {revision.number}")
        return self.load(caller, view.connection.id)

    def _save(self, view: View, revision: Revision, *, publish: bool = False) -> None:
        """One transaction. The head goes along wherever a concurrent edit must be noticed."""
        number = revision.number
        serving = number if publish else view.connection.approved
        head = replace(view.connection, latest=number, approved=serving)
        self._rows(view.connection.id).save(head, revision, publish=publish)

    def _beginning(
        self, caller: Caller, new: NewConnection, values: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """The settings and the base; what is wrong with either is said at once."""
        faults: dict[str, Sentence] = {}
        typed: dict[str, Any] = {}
        base = ""
        try:
            typed = fields.read({**KINDS[new.kind].defaults, **values, "name": new.name})
        except FieldRefusal as refusal:
            faults |= refusal.fields
        try:
            base = self._own_base(caller, new)
        except FieldRefusal as refusal:
            faults |= refusal.fields
        if faults:
            raise FieldRefusal(faults)
        return typed, base

    def _copied(self, caller: Caller, new: NewConnection) -> dict[str, Any]:
        """The settings that another connection of the same kind of EHR hands on."""
        if not new.copy_of:
            return {}
        try:
            view = self.load(caller, new.copy_of)
        except Refusal as refusal:
            raise FieldRefusal({"copy_of": Text("There is no such connection.")}) from refusal
        if view.connection.kind != new.kind:
            raise FieldRefusal({"kind": Text("A copy is of the same kind of EHR.")})
        if new.fhir_base.strip().rstrip("/") == view.connection.fhir_base:
            taken = Text(
                "This is the base of %(name)s itself. Enter that of the other environment.",
                name=view.latest.name,
            )
            raise FieldRefusal({"fhir_base": taken})
        return fields.handed_on(view.latest)

    def _own_base(self, caller: Caller, new: NewConnection) -> str:
        if not self._settings.region_enabled(new.region):
            raise FieldRefusal({"region": Text("This region is not offered here.")})
        report = self._bases.inspect(new.fhir_base, new.kind)
        if not report.usable:
            raise FieldRefusal({"fhir_base": report.fault})
        for view in self.all(caller):
            if (view.connection.fhir_base, view.connection.environment) == (report.base, new.environment):
                raise FieldRefusal(
                    {"fhir_base": Text("%(name)s already connects this base.", name=view.latest.name)}
                )
        return report.base

    def _endpoints(self, view: View) -> Endpoints:
        shown = endpoints.found(self._discovery, self._id_tokens, view)
        endpoints.need_same_servers(self._discovery, view, shown)
        return shown

    def _still_found(self, view: View) -> None:
        """What is approved is what was shown: a change since the submission is Refusal endpoint-changed."""
        try:
            now = self._endpoints(view)
        except FieldRefusal as refusal:
            raise Refusal("endpoint-changed", "another form of the base, since it was submitted") from refusal
        if now != view.latest.endpoints:
            raise Refusal("endpoint-changed", "since it was submitted")

    def _rows(self, connection_id: str) -> Rows:
        return self._region(connection_id).connections

    def _region(self, connection_id: str) -> RegionStore:
        if not re.fullmatch(CONNECTION_ID, connection_id):
            raise Refusal("not-found")
        try:
            return self._stores.of(connection_id)
        except Refusal as refusal:
            raise Refusal("not-found") from refusal

    def _new_id(self, region: Region) -> str:
        letter = next(letter for letter, name in REGION_LETTERS.items() if name == region)
        return letter + self._entropy.choose(_ID_LETTERS, 15)

    def _audit(self, caller: Caller, what: str, connection: Connection, detail: str) -> None:
        self._stores.of(connection.id).audit.record(
            caller.tenant, caller.oid, what, connection.id, timestamp(self._clock.now()), detail
        )


def version_of(view: View) -> str:
    """The version that a change must name: new with every save of the connection or its newest revision."""
    marks = f"{view.connection.etag} {view.latest.number} {view.latest.etag}"
    return hashlib.sha256(marks.encode()).hexdigest()[:24]
