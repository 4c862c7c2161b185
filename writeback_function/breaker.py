"""A circuit breaker per connection: one hospital's outage neither burns its messages nor slows another's.

Kept in the process: it only spares calls. What it does not know after a restart, a few calls teach again.
"""

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.clock import Clock

FAILURES = 5
PAUSE = timedelta(seconds=30)


@dataclass(frozen=True)
class _State:
    failures: int = 0
    until: datetime | None = None


class Breaker:
    """Counts failures in a row; after ``FAILURES`` of them, one call in ``PAUSE`` is let through."""

    def __init__(self, clock: Clock, pause: timedelta = PAUSE) -> None:
        self._clock = clock
        self._pause = pause
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def closed_for(self, connection: str) -> float:
        """Seconds for which this connection's EHR should be left alone; 0: go on, and tell how it went."""
        now = self._clock.now()
        with self._lock:
            state = self._states.get(connection, _State())
            if state.until is None:
                return 0.0
            if now < state.until:
                return (state.until - now).total_seconds()
            # This call tries; the others wait for what becomes of it.
            self._states[connection] = replace(state, until=now + self._pause)
            return 0.0

    def failed(self, connection: str) -> None:
        """The EHR did not do its part in passing."""
        with self._lock:
            failures = self._states.get(connection, _State()).failures + 1
            until = self._clock.now() + self._pause if failures >= FAILURES else None
            self._states[connection] = _State(failures, until)

    def answered(self, connection: str) -> None:
        """The EHR answered, whatever it said."""
        with self._lock:
            self._states.pop(connection, None)
