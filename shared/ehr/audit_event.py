"""One transition as an AuditEvent of FHIR R4. Pure (reference ehr.md 4.1; HL7 FHIR R4 AuditEvent).

It names persons by reference or id, never by name, and is the same, byte for byte, at every attempt.
"""

import re
from typing import Any
from urllib.parse import quote

from shared.clock import timestamp
from shared.context import VisitContext
from shared.ehr.port import Telling

# Our own code system: the standard has no codes for presence in a video visit.
SYSTEM = "urn:uuid:5b0f9a0e-7d5c-4c0b-8c55-3f6f2b9d1a74"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_URI = "urn:ietf:rfc:3986"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PERSON = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
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
        "resourceType": "AuditEvent",
        "type": _coding(DICOM, "110100", "Application Activity"),
        "subtype": _subtypes(telling),
        "action": "E",
        "period": _period(telling),
        # The moment itself, not that of writing it down: a second attempt must not look like a change.
        "recorded": timestamp(telling.at),
        "outcome": "0",
        "purposeOfEvent": [{"coding": [_coding(_REASON, "TREAT", "treatment")]}],
        "agent": [_participant(telling, user_system), _connector()],
        "source": {
            "observer": {"display": "Antesala"},
            "type": [_coding(_SOURCE_TYPE, "4", "Application Server")],
        },
        "entity": [_operation(telling), *_visit(telling.context), *_patient(telling)],
    }
    if telling.reconstructed:
        event["outcomeDesc"] = "Reconstructed from an attendance report."
    return {**event, "id": telling.operation} if with_id else event


def condition(operation: str) -> str:
    """The ``If-None-Exist`` search by which a server finds that it has this event already."""
    return f"entity:identifier={quote(f'{_URI}|urn:uuid:{operation}', safe='')}"


def _subtypes(telling: Telling) -> list[dict[str, str]]:
    code, display = _ATTACH if telling.status == "connected" else _DETACH
    found = [
        _coding(SYSTEM, f"participant-{telling.status}", f"Participant {telling.status}"),
        _coding(DICOM, code, display),
    ]
    if telling.reconstructed:
        found.append(_coding(SYSTEM, "reconstructed", "Reconstructed afterwards"))
    return found


def _period(telling: Telling) -> dict[str, str]:
    if telling.status == "connected":
        return {"start": timestamp(telling.at)}
    start = {"start": timestamp(telling.began)} if telling.began else {}
    return {**start, "end": timestamp(telling.at)}


def _participant(telling: Telling, user_system: str) -> dict[str, Any]:
    role = {"coding": [_coding(SYSTEM, telling.role, _ABOUT[telling.role])]}
    return {"role": [role], "who": _who(telling, user_system), "requestor": True}


def _who(telling: Telling, user_system: str) -> dict[str, Any]:
    if telling.role == "unattributed" or not telling.user:
        return {"display": _ABOUT["unattributed"]}
    if _PERSON.fullmatch(telling.user):
        return {"reference": telling.user}
    system = {"system": user_system} if user_system else {}
    return {"identifier": {**system, "value": telling.user}}


def _connector() -> dict[str, Any]:
    kind = {"coding": [_coding(DICOM, "110150", "Application")]}
    return {"type": kind, "who": {"display": "Antesala"}, "requestor": False}


def _operation(telling: Telling) -> dict[str, Any]:
    identifier = {"system": _URI, "value": f"urn:uuid:{telling.operation}"}
    return {"what": {"identifier": identifier}, "type": _coding(_ENTITY_TYPE, "2", "System Object")}


def _visit(context: VisitContext) -> list[dict[str, Any]]:
    """The visit's resources where they are known, else its id as launched."""
    known = (("Appointment", context.appointment), ("Encounter", context.encounter))
    whats: list[dict[str, Any]] = [
        {"reference": f"{kind}/{name}"} for kind, name in known if _ID.fullmatch(name)
    ]
    kind = _coding(_ENTITY_TYPE, "2", "System Object")
    return [{"what": what, "type": kind} for what in whats or [{"identifier": {"value": context.visit_id}}]]


def _patient(telling: Telling) -> list[dict[str, Any]]:
    patient = telling.context.patient
    if telling.role != "patient" or not _ID.fullmatch(patient):
        return []
    return [
        {
            "what": {"reference": f"Patient/{patient}"},
            "type": _coding(_ENTITY_TYPE, "1", "Person"),
            "role": _coding(_OBJECT_ROLE, "1", "Patient"),
        }
    ]


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
