"""Queues ``tend`` once per visit: the durable home of what the EHR needs to recognise the visit."""

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.clock import Clock, parse_timestamp, timestamp
from shared.context import ContextSeal, VisitContext
from shared.errors import OutsideError
from shared.meeting.opening import Opening
from shared.sealing import Sealer
from shared.store.visits import Visit

log = logging.getLogger("antesala.meeting")

DELAY_SECONDS = 60.0
# A launch that made the row and has not said so for this long is dead; the next one queues tend in its place.
_DEAD_AFTER = timedelta(seconds=30)


class Tending:
    """The first ``tend`` message of every visit; ``tend`` itself queues its next ones."""

    def __init__(self, contexts: ContextSeal, sealer: Sealer, clock: Clock) -> None:
        self._contexts = contexts
        self._sealer = sealer
        self._clock = clock

    def ensure(self, opening: Opening, visit: Visit, fresh: bool) -> bool | None:
        """Queues ``tend`` if that falls to this launch. The answer is the row's ``tended``; None: leave it.

        ``fresh``: this launch made (or reopened) the row.
        """
        if fresh:
            return self._queue(opening)
        if visit.tended or self._clock.now() - parse_timestamp(visit.created_at) < _DEAD_AFTER:
            return None
        return self._queue(opening) if self._claimed(opening) else None

    def _claimed(self, opening: Opening) -> bool:
        won = False

        def claim(row: Visit) -> Visit | None:
            nonlocal won
            won = not row.tended
            return replace(row, tended=True) if won else None

        opening.store.visits.change(*opening.name, claim)
        return won

    def _queue(self, opening: Opening) -> bool:
        """False when the queue does not take it: the visit starts, and the next launch tries again."""
        try:
            opening.store.queue("tend").send(self._message(opening), delay=DELAY_SECONDS)
        except OutsideError:
            connection, visit = opening.name
            log.exception("tend not queued", extra={"connection": connection, "visit": visit})
            return False
        return True

    def _message(self, opening: Opening) -> str:
        return tend_message(self._contexts, self._sealer, opening.context, self._clock.now())


def tend_message(
    contexts: ContextSeal,
    sealer: Sealer,
    context: VisitContext,
    now: datetime,
    event: str = "",
    turn: str = "",
) -> str:
    """The text of a ``tend`` message; what is sealed names the visit, never a person.

    Its members: ``c`` the visit's sealed context, ``connection``, ``visit`` (its key), ``starts`` and
    ``ends`` (empty where unknown), ``at`` (now), ``event`` (a lifecycle event; such a message ends with the
    visit tended once) and ``turn`` (which message of the visit's chain it is).
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
    }
    message = {"v": 1, "kind": "tend", "sealed": sealer.seal("message", sealed)}
    return json.dumps(message, separators=(",", ":"))
