"""What a visit amounted to, as an AuditEvent of FHIR R4. Pure (reference ehr.md 4.1).

It names the visit and nobody: who came stands in the events of the persons.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.clock import timestamp
from shared.ehr import audit_parts as parts
from shared.ehr.audit_parts import SYSTEM, coding
from shared.ehr.port import OutcomeTelling
from shared.visit.outcome import Outcome

# What it is called, and whether the visit was a success; of an unknown one that cannot be said.
_OUTCOMES: Mapping[Outcome, tuple[str, str]] = {
    "took-place": ("The visit took place", parts.SUCCESS),
    "patient-no-show": ("The patient did not come", parts.MINOR_FAILURE),
    "provider-no-show": ("The clinician did not come", parts.MINOR_FAILURE),
    "unknown": ("Whether the visit took place is not known", ""),
}


def outcome_event(telling: OutcomeTelling, now: datetime, *, with_id: bool) -> dict[str, Any]:
    """The resource as JSON values. ``now`` counts only where no time of the visit is known."""
    display, success = _OUTCOMES[telling.outcome]
    event = {
        **parts.beginning(
            coding(SYSTEM, "visit-outcome", "Outcome of the visit"),
            coding(SYSTEM, f"visit-outcome-{telling.outcome}", display),
        ),
        # A time of the visit, not that of writing it down: a second attempt must not look like a change.
        "recorded": timestamp(telling.ended or telling.context.ends or telling.context.starts or now),
        "agent": [parts.connector()],
        "source": parts.source(),
        "entity": [parts.operation_entity(telling.operation), *parts.visit_entities(telling.context)],
    }
    met = {"start": telling.began, "end": telling.ended}
    period = {name: timestamp(moment) for name, moment in met.items() if moment is not None}
    said = {"period": period, "outcome": success, "id": telling.operation if with_id else ""}
    return {**event, **{name: value for name, value in said.items() if value}}
