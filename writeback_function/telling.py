"""What a visit amounted to, told once: the message for the ``writeback`` queue, and the adapter's call.

A late event after that (a notification that came days late) changes the record of who was there, but tells
no second outcome: whoever reads it in the EHR may have acted on it.
"""

from datetime import datetime

from shared import trace
from shared.clock import timestamp
from shared.ehr.port import OutcomeAdapter, OutcomeTelling
from shared.messages import WritebackMessage
from shared.visit.intervals import moment
from shared.visit.outcome import Conclusion
from writeback_function.case import Case


def outcome_message(context: str, conclusion: Conclusion, now: datetime) -> WritebackMessage:
    """For the ``writeback`` queue. ``context``: the visit's, sealed."""
    return WritebackMessage(
        context=context,
        subject=conclusion.outcome,
        status="",
        instant=conclusion.began,
        reconstructed=False,
        since=timestamp(now),
        kind="outcome",
        ended=conclusion.ended,
        traceparent=trace.traceparent(),
    )


def tell_outcome(adapter: OutcomeAdapter, case: Case, conclusion: Conclusion) -> None:
    """Returns when the EHR has it; OutsideErrors as they come."""
    began, ended = (moment(at) if at else None for at in (conclusion.began, conclusion.ended))
    name = conclusion.id(*case.name)
    adapter.tell_outcome(case.approved, OutcomeTelling(name, conclusion.outcome, began, ended, case.context))
