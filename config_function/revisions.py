"""What a revision must be before it may take its next step. Pure; ``connections`` carries it out.

    draft -> submitted -> verified -> approved        rejected (with a reason) from submitted or verified

An edit opens a new draft and voids the proof of the EHR sign-in. What names visits and users is frozen once a
revision of the connection was approved: another kind of id would make a second meeting for the same visit.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from config_function.field_rules import RULES
from config_function.fields import OPTIONS, get
from shared.clock import parse_timestamp
from shared.connection import Client, Connection, Endpoints, Proof, Revision, State
from shared.ehr.catalogue import SHEETS
from shared.ehr.scopes import needs_secret
from shared.errors import FieldRefusal, Refusal
from shared.texts import Sentence, Text

PROOF_LIFE = timedelta(hours=1)
FROZEN = ("visit_kind", "visit_key", "provider_user_key", "patient_user_key")
EDIT_AGAIN = Text(
    "This cannot change once approved, because it names visits and users. Make a new connection."
)

_NO_CLIENT = Text("Enter the client ID that the EHR gave you.")


def draft_of(before: Revision, wanted: Revision, by: str, at: str) -> Revision:
    """The draft that an edit makes: in place of a draft, else the next number; nothing proven or found."""
    fresh = before.state != "draft"
    return replace(
        wanted,
        number=before.number + 1 if fresh else before.number,
        state="draft",
        endpoints=Endpoints(),
        proof=Proof(),
        rejected_because="",
        changed_by=by,
        changed_at=at,
        etag="" if fresh else before.etag,
    )


def need_state(revision: Revision, allowed: Iterable[State]) -> None:
    """Refusal state-conflict unless the revision is in one of these states."""
    if revision.state not in tuple(allowed):
        raise Refusal("state-conflict", revision.state)


def need_frozen_unchanged(approved: Revision | None, wanted: Revision) -> None:
    """FieldRefusal for settings that were frozen by an earlier approval."""
    if approved is None:
        return
    rules = [rule for rule in RULES if rule.name in FROZEN]
    faults = {rule.name: EDIT_AGAIN for rule in rules if get(approved, rule) != get(wanted, rule)}
    if faults:
        raise FieldRefusal(faults)


def need_own_issuers(connection: Connection, wanted: Revision) -> None:
    """Other forms of a base are the same server's: a foreign address would let its launches in."""
    home = urlsplit(connection.fhir_base).netloc
    # What was typed need not be an address that can be taken apart: "https://[" is none.
    if any(issuer.removeprefix("https://").partition("/")[0] != home for issuer in wanted.issuers):
        raise FieldRefusal(
            {"issuers": Text("These addresses must be on the FHIR base's own server, %(home)s.", home=home)}
        )


def need_fitting_options(connection: Connection, wanted: Revision) -> None:
    """FieldRefusal for write-back options that are right one by one, but not together or for this base."""
    faults = _options(wanted, connection.fhir_base)
    given = {
        name: text for name, text in faults.items() if name.partition(".")[2] in wanted.writeback.options
    }
    if given:
        raise FieldRefusal(given)


def need_complete(revision: Revision, fhir_base: str) -> None:
    """FieldRefusal naming everything that is still to be decided before the approver is asked."""
    faults = _undecided(revision) | _unsecret(revision) | _options(revision, fhir_base)
    if revision.visit_source.kind in ("session", "conference") and not revision.visit_source.key:
        faults["visit_key"] = Text("Name the member of the token response that holds the visit's ID.")
    if revision.writeback.adapter != "none" and not revision.backend.client_id:
        faults["backend_client_id"] = Text("Write-back needs this client ID.")
    if revision.backend.auth != "client_secret_basic" and needs_secret(revision.writeback):
        faults["backend_auth"] = Text("With these options of the write-back the client needs a secret.")
    if revision.provider.client_id and revision.provider.client_id == revision.patient.client_id:
        # One client for both would let a patient's launch be redeemed at the clinicians' door.
        faults["patient_client_id"] = Text("Patients need a client of their own, not the clinicians'.")
    if faults:
        raise FieldRefusal(faults)


def _undecided(revision: Revision) -> dict[str, Sentence]:
    needed: dict[str, tuple[object, Sentence]] = {
        "provider_client_id": (revision.provider.client_id, _NO_CLIENT),
        "patient_client_id": (revision.patient.client_id, _NO_CLIENT),
        "approver": (revision.approver, Text("Choose who approves this connection.")),
        "organizers": (revision.organizers, Text("Choose at least one account.")),
    }
    return {name: sentence for name, (value, sentence) in needed.items() if not value}


def _options(revision: Revision, fhir_base: str) -> dict[str, Sentence]:
    sheet = SHEETS.get(revision.writeback.adapter)
    if sheet is None:
        return {"adapter": Text("This way of writing back does not exist any more. Choose another.")}
    faults = sheet.check(revision.writeback.options, fhir_base)
    return {f"{OPTIONS}.{name}": text for name, text in faults.items()}


def _unsecret(revision: Revision) -> dict[str, Sentence]:
    clients = {"provider": revision.provider, "patient": revision.patient}
    if revision.writeback.adapter != "none":
        clients["backend"] = revision.backend
    return {
        f"{side}_secret": Text("Enter the secret that the EHR gave you.")
        for side, client in clients.items()
        if client.client_id and client.auth == "client_secret_basic" and not client.secret_name
    }


def signing_clients(revision: Revision) -> list[Client]:
    """The clients that prove themselves with our own keys."""
    clients = (revision.provider, revision.patient, revision.backend)
    return [client for client in clients if client.client_id and client.auth == "private_key_jwt"]


def need_fresh_proof(revision: Revision, approver: str, now: datetime) -> None:
    """Refusal proof-missing unless this very approver signed in to the EHR for it within the hour."""
    if revision.proof.by != approver or not revision.proof.at:
        raise Refusal("proof-missing")
    age = now - parse_timestamp(revision.proof.at)
    if not timedelta(0) <= age <= PROOF_LIFE:
        raise Refusal("proof-missing", "older than an hour")
