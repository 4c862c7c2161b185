"""What a device test found, as an AuditEvent of FHIR R4. Pure (reference ehr.md 4.1; HL7 FHIR R4 AuditEvent).

One word of a fixed list, about one person and, where it is known, one visit; nothing of the device itself.
"""

import re
from typing import Any

from shared.clock import timestamp
from shared.ehr.audit_event import DICOM, SYSTEM
from shared.ehr.port import DeviceTelling

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_REFERENCE = re.compile(r"(Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SUCCESS, _MINOR_FAILURE = "0", "4"


def device_event(telling: DeviceTelling, user_system: str = "", *, with_id: bool) -> dict[str, Any]:
    """The resource as JSON values; parameters as those of ``audit_event``."""
    works = telling.result == "works"
    event = {
        "resourceType": "AuditEvent",
        "type": _coding(DICOM, "110100", "Application Activity"),
        "subtype": [
            _coding(SYSTEM, "device-test", "Device test"),
            _coding(SYSTEM, f"device-test-{telling.result}", "Device works" if works else "Device fault"),
        ],
        "action": "E",
        "recorded": timestamp(telling.at),
        "outcome": _SUCCESS if works else _MINOR_FAILURE,
        "agent": [_tester(telling.user, user_system), _connector()],
        "source": {
            "observer": {"display": "Antesala"},
            "type": [_coding(f"{_TERMINOLOGY}/security-source-type", "4", "Application Server")],
        },
        "entity": _entities(telling),
    }
    return {**event, "id": telling.operation} if with_id else event


def _tester(user: str, user_system: str) -> dict[str, Any]:
    system = {"system": user_system} if user_system else {}
    named = {"reference": user} if _REFERENCE.fullmatch(user) else {"identifier": {**system, "value": user}}
    role = {"coding": [_coding(SYSTEM, "patient", "The patient's side")]}
    return {"role": [role], "who": named, "requestor": True}


def _connector() -> dict[str, Any]:
    kind = {"coding": [_coding(DICOM, "110150", "Application")]}
    return {"type": kind, "who": {"display": "Antesala"}, "requestor": False}


def _entities(telling: DeviceTelling) -> list[dict[str, Any]]:
    """The operation, by which a server finds an event that it has; the visit; the patient."""
    context = telling.context
    names = (("Appointment", context.appointment), ("Encounter", context.encounter)) if context else ()
    references = [f"{kind}/{name}" for kind, name in names if _ID.fullmatch(name)]
    whats: list[dict[str, Any]] = [{"reference": reference} for reference in references]
    if context is not None and not whats:
        whats = [{"identifier": {"value": context.visit_id}}]
    operation = {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{telling.operation}"}}
    thing = _coding(f"{_TERMINOLOGY}/audit-entity-type", "2", "System Object")
    found: list[dict[str, Any]] = [{"what": what, "type": thing} for what in (operation, *whats)]
    if _ID.fullmatch(telling.patient):
        person = _coding(f"{_TERMINOLOGY}/audit-entity-type", "1", "Person")
        role = _coding(f"{_TERMINOLOGY}/object-role", "1", "Patient")
        found.append({"what": {"reference": f"Patient/{telling.patient}"}, "type": person, "role": role})
    return found


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
