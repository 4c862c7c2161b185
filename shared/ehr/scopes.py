"""What our backend client asks for, by adapter: shown on the registration sheet and sent to the EHR alike.

Sources: SMART App Launch 2.2, Backend Services (a scope is required); reference ehr.md 1.5 and 2.6.
"""

from collections.abc import Mapping

from shared.connection import Writeback

BACKEND_SCOPES: Mapping[str, str] = {
    # The form of SMART v1, which servers of v2 take, too.
    "fhir": "system/AuditEvent.write",
    # Epic grants what is registered, whatever is asked for; but to ask for nothing is no valid request.
    "epic": "system/Encounter.read",
    "oracle": "system/Appointment.write",
    "none": "",
}


def backend_scope(writeback: Writeback) -> str:
    """The scopes of this write-back, space-separated; its option ``scope`` replaces the usual ones."""
    return writeback.options.get("scope", "").strip() or BACKEND_SCOPES[writeback.adapter]
