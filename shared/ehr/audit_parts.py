"""What every AuditEvent of ours is made of. Pure (reference ehr.md 4.1; HL7 FHIR R4 AuditEvent)."""

import re
from collections.abc import Collection
from typing import Any

from shared.context import VisitContext

# Our own code system: the standard has no codes for presence in a video visit.
SYSTEM = "urn:uuid:5b0f9a0e-7d5c-4c0b-8c55-3f6f2b9d1a74"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
URI = "urn:ietf:rfc:3986"
SUCCESS, MINOR_FAILURE = "0", "4"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def coding(system: str, code: str, display: str) -> dict[str, str]:
    """A Coding."""
    return {"system": system, "code": code, "display": display}


def beginning(*subtypes: dict[str, str]) -> dict[str, Any]:
    """What kind of event it is."""
    return {
        "resourceType": "AuditEvent",
        "type": coding(DICOM, "110100", "Application Activity"),
        "subtype": list(subtypes),
        "action": "E",
    }


def source() -> dict[str, Any]:
    """Who reports it: this app."""
    server = coding(f"{_TERMINOLOGY}/security-source-type", "4", "Application Server")
    return {"observer": {"display": "Antesala"}, "type": [server]}


def connector() -> dict[str, Any]:
    """The app itself as an agent, which every event has."""
    kind = {"coding": [coding(DICOM, "110150", "Application")]}
    return {"type": kind, "who": {"display": "Antesala"}, "requestor": False}


def person(user: str, user_system: str, kinds: Collection[str]) -> dict[str, Any]:
    """Whoever has this EHR user ID: by reference where it is one to one of the ``kinds``, else by the ID."""
    kind, _, name = user.partition("/")
    if kind in kinds and _ID.fullmatch(name):
        return {"reference": user}
    system = {"system": user_system} if user_system else {}
    return {"identifier": {**system, "value": user}}


def operation_entity(operation: str) -> dict[str, Any]:
    """The operation, by which a server finds an event that it has already."""
    return _thing({"identifier": {"system": URI, "value": f"urn:uuid:{operation}"}})


def visit_entities(context: VisitContext) -> list[dict[str, Any]]:
    """The visit's resources where they are known, else its id as launched."""
    known = (("Appointment", context.appointment), ("Encounter", context.encounter))
    whats: list[dict[str, Any]] = [
        {"reference": f"{kind}/{name}"} for kind, name in known if _ID.fullmatch(name)
    ]
    return [_thing(what) for what in whats or [{"identifier": {"value": context.visit_id}}]]


def patient_entities(patient: str) -> list[dict[str, Any]]:
    """The patient, or nobody where the id is none of FHIR."""
    if not _ID.fullmatch(patient):
        return []
    person = coding(f"{_TERMINOLOGY}/audit-entity-type", "1", "Person")
    role = coding(f"{_TERMINOLOGY}/object-role", "1", "Patient")
    return [{"what": {"reference": f"Patient/{patient}"}, "type": person, "role": role}]


def _thing(what: dict[str, Any]) -> dict[str, Any]:
    return {"what": what, "type": coding(f"{_TERMINOLOGY}/audit-entity-type", "2", "System Object")}
