"""Oracle Health: an Appointment's status, moved by JSON Patch (reference ehr.md 3.2).

There is no resource for who is present, and no AuditEvent: a visit is told by the one status that its
appointment has. Which transition moves it where is a matter of options; what Oracle permits, of a table.
"""

from collections.abc import Mapping
from typing import Literal

from shared.clock import Clock
from shared.connection import Approved
from shared.context import VisitContext
from shared.ehr.attempt import Attempt
from shared.ehr.backend import Backend
from shared.ehr.oracle_options import NOTHING, SHEET
from shared.ehr.port import OutcomeTelling, Telling
from shared.ehr.status_moves import Found, StatusMoves
from shared.errors import AnswerRefused
from shared.outbound import Answer

# From where each status may be reached. Of the moves that are published for others only ``noshow`` is missing
# (unverified): from ``booked`` alone, for who arrived has come.
BEFORE: Mapping[str, frozenset[str]] = {
    "arrived": frozenset({"booked"}),
    "checked-in": frozenset({"booked", "arrived"}),
    "fulfilled": frozenset({"checked-in"}),
    "noshow": frozenset({"booked"}),
}


class OracleAdapter:
    """Tells the appointment's newest status; whoever cannot be named moves nothing."""

    semantics: Literal["state", "event"] = "state"

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._clock = clock
        self._moves = StatusMoves(backend, "Appointment")

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. AnswerRefused for a visit whose appointment is not known."""
        self._move(approved, telling.context, f"{telling.role}_{telling.status}")

    def takes_outcome(self, approved: Approved) -> bool:
        """See ``OutcomeAdapter.takes_outcome``: where an outcome moves the appointment."""
        values = SHEET.values(approved.revision.writeback.options)
        return any(values[name] != NOTHING for name in ("took_place", "patient_no_show"))

    def tell_outcome(self, approved: Approved, telling: OutcomeTelling) -> None:
        """See ``OutcomeAdapter.tell_outcome``. What is unknown moves nothing."""
        self._move(approved, telling.context, telling.outcome.replace("-", "_"))

    def _move(self, approved: Approved, context: VisitContext, happened: str) -> None:
        """``happened``: the option of that name says where the appointment is moved."""
        target = SHEET.values(approved.revision.writeback.options).get(happened, NOTHING)
        # Each patient of a group has an appointment of their own: none of them is the visit.
        if target == NOTHING or context.group:
            return
        if target not in BEFORE:
            raise AnswerRefused(f"the option {happened} names no status that an appointment is moved to")
        operations = [{"op": "replace", "path": "/status", "value": target}]
        attempt = Attempt(approved, self._clock)

        def write(url: str, found: Found) -> Answer:
            return self._moves.patch(attempt, url, found, operations)

        self._moves.move(attempt, appointment_of(context), BEFORE[target], write)


def appointment_of(context: VisitContext) -> str:
    """The id of the visit's appointment; AnswerRefused where the launch named none."""
    found = context.appointment or (context.visit_id if context.kind == "appointment" else "")
    if not found:
        raise AnswerRefused("the launch named no appointment, and no other record has a status to move")
    return found
