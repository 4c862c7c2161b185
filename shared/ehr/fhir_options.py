"""The options of writing to a FHIR R4 server (reference ehr.md 4.1 and 4.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.clock import Clock
from shared.ehr.options import Option, Sheet, scope
from shared.ehr.port import Adapter

if TYPE_CHECKING:
    from shared.ehr.senders import Senders

YES, NO = "yes", "no"
_SWITCH = ((NO, "No"), (YES, "Yes"))
_CHOOSE = "Choose one of the list."

_OPTIONS = (
    Option(
        "user_system",
        "Namespace of EHR user IDs",
        "A URI that goes with user IDs that are no FHIR references. Leave it empty to send none.",
        "A URI of up to 200 characters like urn:oid:1.2.3 or https://ehr.hospital.example/users.",
        pattern=r"[A-Za-z][A-Za-z0-9+.\-]*:[!#-;=?-~]+",
        most=200,
    ),
    Option(
        "outcome",
        "Also tell what a visit amounted to",
        "One more AuditEvent when the visit is over: it took place, or who did not come.",
        _CHOOSE,
        NO,
        choices=_SWITCH,
    ),
    Option(
        "encounter_status",
        "Also set the encounter's status",
        "In progress when the clinician connects, finished when the visit took place. What people set stays.",
        _CHOOSE,
        NO,
        choices=_SWITCH,
    ),
    # The form of SMART v1, which servers of v2 take, too.
    scope("system/AuditEvent.write"),
)


def _more_scopes(values: Mapping[str, str]) -> str:
    return "system/Encounter.read system/Encounter.write" if values["encounter_status"] == YES else ""


def _make(senders: "Senders", clock: Clock) -> Adapter:
    from shared.ehr.fhir import FhirAdapter

    return FhirAdapter(senders.bearer, clock)


SHEET = Sheet("fhir", "FHIR AuditEvent", _make, _OPTIONS, more_scopes=_more_scopes)
