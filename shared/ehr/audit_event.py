"""One transition as an AuditEvent of FHIR R4. Pure (reference ehr.md 4.1; HL7 FHIR R4 AuditEvent).

It names persons by reference or id, never by name, and is the same, byte for byte, at every attempt.
"""

from typing import Any
from urllib.parse import quote

from shared.clock import timestamp
from shared.ehr import audit_parts as parts
from shared.ehr.audit_parts import DICOM, SYSTEM, URI, coding
from shared.ehr.port import Telling

_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PEOPLE = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
_ATTACH, _DETACH = ("110124", "Attach"), ("110125", "Detach")
_ABOUT = {
    "provider": "The clinician",
    "patient": "The patient's side",
    "unattributed": "Somebody from outside; who it was is not known",
}


def audit_event(telling: Telling, user_system: str = "", *, with_id: bool) -> dict[str, Any]:
    """The resource as JSON values.

    ``user_system``: the namespace of EHR user IDs that are no FHIR references. ``with_id``: the operation is
    the resource's id, as a PUT needs it.
    """
    event = {
        **parts.beginning(*_subtypes(telling)),
        "period": _period(telling),
        # The moment itself, not that of writing it down: a second attempt must not look like a change.
        "recorded": timestamp(telling.at),
        "outcome": parts.SUCCESS,
        "purposeOfEvent": [{"coding": [coding(_REASON, "TREAT", "treatment")]}],
        "agent": [_participant(telling, user_system), parts.connector()],
        "source": parts.source(),
        "entity": [
            parts.operation_entity(telling.operation),
            *parts.visit_entities(telling.context),
            *(parts.patient_entities(telling.context.patient) if telling.role == "patient" else []),
        ],
    }
    if telling.reconstructed:
        event["outcomeDesc"] = "Reconstructed from an attendance report."
    return {**event, "id": telling.operation} if with_id else event


def condition(operation: str) -> str:
    """The ``If-None-Exist`` search by which a server finds that it has this event already."""
    return f"entity:identifier={quote(f'{URI}|urn:uuid:{operation}', safe='')}"


def _subtypes(telling: Telling) -> list[dict[str, str]]:
    code, display = _ATTACH if telling.status == "connected" else _DETACH
    found = [
        coding(SYSTEM, f"participant-{telling.status}", f"Participant {telling.status}"),
        coding(DICOM, code, display),
    ]
    if telling.reconstructed:
        found.append(coding(SYSTEM, "reconstructed", "Reconstructed afterwards"))
    return found


def _period(telling: Telling) -> dict[str, str]:
    if telling.status == "connected":
        return {"start": timestamp(telling.at)}
    start = {"start": timestamp(telling.began)} if telling.began else {}
    return {**start, "end": timestamp(telling.at)}


def _participant(telling: Telling, user_system: str) -> dict[str, Any]:
    role = {"coding": [coding(SYSTEM, telling.role, _ABOUT[telling.role])]}
    return {"role": [role], "who": _who(telling, user_system), "requestor": True}


def _who(telling: Telling, user_system: str) -> dict[str, Any]:
    if telling.role == "unattributed" or not telling.user:
        return {"display": _ABOUT["unattributed"]}
    return parts.person(telling.user, user_system, _PEOPLE)
