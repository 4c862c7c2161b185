"""What a device test found, as an AuditEvent of FHIR R4. Pure (reference ehr.md 4.1; HL7 FHIR R4 AuditEvent).

One word of a fixed list, about one person and, where it is known, one visit; nothing of the device itself.
"""

from typing import Any

from shared.clock import timestamp
from shared.ehr import audit_parts as parts
from shared.ehr.audit_parts import SYSTEM, coding
from shared.ehr.port import DeviceTelling

_PEOPLE = ("Patient", "RelatedPerson")


def device_event(telling: DeviceTelling, user_system: str = "", *, with_id: bool) -> dict[str, Any]:
    """The resource as JSON values; parameters as those of ``audit_event``."""
    works = telling.result == "works"
    context = telling.context
    event = {
        **parts.beginning(
            coding(SYSTEM, "device-test", "Device test"),
            coding(SYSTEM, f"device-test-{telling.result}", "Device works" if works else "Device fault"),
        ),
        "recorded": timestamp(telling.at),
        "outcome": parts.SUCCESS if works else parts.MINOR_FAILURE,
        "agent": [_tester(telling.user, user_system), parts.connector()],
        "source": parts.source(),
        "entity": [
            parts.operation_entity(telling.operation),
            *(parts.visit_entities(context) if context is not None else []),
            *parts.patient_entities(telling.patient),
        ],
    }
    return {**event, "id": telling.operation} if with_id else event


def _tester(user: str, user_system: str) -> dict[str, Any]:
    role = {"coding": [coding(SYSTEM, "patient", "The patient's side")]}
    return {"role": [role], "who": parts.person(user, user_system, _PEOPLE), "requestor": True}
