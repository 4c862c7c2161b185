"""Queues ``tend`` once per visit: the durable home of what the EHR needs to recognise the visit."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

from shared import trace
from shared.clock import Clock, Entropy, parse_timestamp, timestamp
from shared.context import ContextSeal, VisitContext
from shared.errors import OutsideError
from shared.events import failure as failure_of
from shared.events import note
from shared.meeting.opening import Opening
from shared.sealing import Sealer
from shared.store.visits import Visit
from shared.visit.ledger import Ledger

DELAY_SECONDS = 60.0
MOVED = "moved"
"""The event of a message that a launch sends when the appointment turned out to be at another time."""
# A launch that made the row and has not said so for this long is dead; the next one queues tend in its place.
_DEAD_AFTER = timedelta(seconds=30)


class Tending:
    """The first ``tend`` message of every visit; ``tend`` itself queues its next ones."""

    def __init__(self, contexts: ContextSeal, sealer: Sealer, clock: Clock, entropy: Entropy) -> None:
        self._contexts = contexts
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy

    def ensure(self, opening: Opening, visit: Visit, fresh: bool) -> bool | None:
        """Queues ``tend`` if that falls to this launch. The answer is the row's ``tended``; None: leave it.

        ``fresh``: this launch made the row. Several launches may queue the first message of a visit that one
        of them left untended: they all are its first, and so begin one chain (``writeback_function.tend``).
        """
        if fresh:
            return self._queue(opening)
        if visit.tended or self._clock.now() - parse_timestamp(visit.created_at) < _DEAD_AFTER:
            return None
        return self._queue(opening)

    def reopened(self, opening: Opening, visit: Visit) -> Visit:
        """Somebody comes back after the end: a chain of its own, and all that a new visit gets.

        Queued first, then written by one of those who come: a message whose turn was not written is nothing,
        and without it the next launch reopens.
        """
        turn, now = self._entropy.token(9), timestamp(self._clock.now())
        if not self._queue(opening, turn):
            return visit

        def reopen(row: Visit) -> Visit | None:
            ledger = replace(Ledger.from_document(row.roster).replaced(row.subscription_id), turn=turn)
            fresh = replace(row, closed_at="", live="unknown", subscription_id="", subscription_expires="")
            fresh = replace(fresh, tended=True, reopened_at=now, roster=ledger.document())
            return fresh if row.closed_at else None

        return opening.store.visits.change(*opening.name, reopen)

    def woken(self, opening: Opening) -> None:
        """Lets tend look at once and go on with the context of this launch; its next look would anyhow."""
        try:
            self._send(opening, event=MOVED, delay=0.0)
        except OutsideError as failure:
            note("tend-not-woken", connection=opening.context.connection, failure=failure_of(failure))

    def _queue(self, opening: Opening, turn: str = "") -> bool:
        """False when the queue does not take it: the visit starts, and the next launch tries again."""
        try:
            self._send(opening, turn=turn)
        except OutsideError as failure:
            note("tend-not-queued", connection=opening.context.connection, failure=failure_of(failure))
            return False
        return True

    def _send(
        self, opening: Opening, *, event: str = "", turn: str = "", delay: float = DELAY_SECONDS
    ) -> None:
        now = self._clock.now()
        text = tend_message(self._contexts, self._sealer, opening.context, now, event, turn)
        opening.store.queue("tend").send(text, delay=delay)


def tend_message(
    contexts: ContextSeal,
    sealer: Sealer,
    context: VisitContext,
    now: datetime,
    event: str = "",
    turn: str = "",
    after: str = "",
    troubles: int = 0,
) -> str:
    """The text of a ``tend`` message; what is sealed names the visit, never a person.

    Its members: ``c`` the visit's sealed context, ``connection``, ``visit`` (its key), ``starts`` and
    ``ends`` (empty where unknown), ``at`` (now), ``event`` (a lifecycle event, or ``MOVED``), ``turn``
    (which message of the visit's chain it is), ``after`` (the turn that it follows), ``troubles`` (how many
    looks before it failed in a row) and ``traceparent`` (whose work it goes on with).
    """
    sealed = {
        "c": contexts.seal(context),
        "connection": context.connection,
        "visit": context.visit_key,
        "starts": timestamp(context.starts) if context.starts else "",
        "ends": timestamp(context.ends) if context.ends else "",
        "at": timestamp(now),
        "event": event,
        "turn": turn,
        "after": after,
        "troubles": troubles,
        "traceparent": trace.traceparent(),
    }
    message = {"v": 1, "kind": "tend", "sealed": sealer.seal("message", sealed)}
    return json.dumps(message, separators=(",", ":"))
