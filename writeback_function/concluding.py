"""Writes down how a visit went, and hands that on to the EHR once, where it is taken there.

A visit that took place is told as soon as a report has confirmed who was there and nobody is there any more;
whatever may accuse somebody, and what is unknown, waits for the last reading of the reports. Facts first,
then the message, then its mark: a crash in between repeats a message whose operation has one name.
"""

from collections.abc import Callable
from dataclasses import replace

from shared.clock import Clock
from shared.connection import Approved
from shared.sealing import Sealer
from shared.store.visits import Visit
from shared.visit.outcome import anybody, concluded
from writeback_function.case import Case
from writeback_function.telling import outcome_message


class Concluding:
    """The outcomes of visits."""

    def __init__(self, sealer: Sealer, clock: Clock, takes: Callable[[Approved], bool]) -> None:
        """``takes``: whether the connection's adapter takes outcomes."""
        self._sealer = sealer
        self._clock = clock
        self._takes = takes

    def conclude(self, case: Case, context: str, *, last: bool) -> Case:
        """The case with its outcome by what is known now. ``last``: nothing more will be read."""
        if case.visit.outcome_sent:
            return case
        roster = case.ledger.roster
        found = concluded(case.picture(self._sealer), roster, complete=case.visit.reported)
        case = _written(case, lambda row: replace(row, outcome=found.outcome))
        sure = found.outcome == "took-place" and case.visit.reported and not anybody(roster)
        if not (last or sure):
            return case
        if self._takes(case.approved):
            message = outcome_message(context, found, self._clock.now())
            case.store.queue("writeback").send(message.text(self._sealer))
        return _written(case, lambda row: replace(row, outcome_sent=True))


def _written(case: Case, fn: Callable[[Visit], Visit]) -> Case:
    def write(row: Visit) -> Visit | None:
        new = fn(row)
        return None if new == row or row.outcome_sent else new

    return case.rewritten(write)
