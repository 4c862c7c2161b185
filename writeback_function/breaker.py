"""A circuit breaker per connection: one hospital's outage neither burns its messages nor slows another's.

- After ``FAILURES`` failures in a row one call in ``PAUSE`` is let through, until one is answered.
- Of one connection at most ``AT_ONCE`` calls run in this process, and ``IN_DOUBT`` once a call has failed or
  was long in answering: calls that take their time must leave threads to the others, whatever comes of them.
- Where all of them are under way, the next waits for a moment, unless one hangs already: then it is to come
  again later, like behind an open breaker.

Kept in the process: it only spares calls. What it does not know after a restart, a few calls teach again.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shared.clock import Clock

FAILURES = 5
PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=5)
# Of the 16 threads that an instance has by default. A busy machine is no reason to hold a healthy EHR back.
AT_ONCE = 12
IN_DOUBT = 4
FULL_SECONDS = 1.0
_HANGS = timedelta(seconds=3)
_MOMENT = 0.25
_KEPT = 1_000


@dataclass(eq=False)
class _State:
    failures: int = 0
    until: datetime | None = None
    trying: "Turn | None" = None
    slow: bool = False
    inside: "dict[Turn, datetime]" = field(default_factory=dict)

    @property
    def room(self) -> bool:
        return len(self.inside) < (IN_DOUBT if self.failures or self.slow else AT_ONCE)

    @property
    def idle(self) -> bool:
        return not self.failures and not self.slow and not self.inside


@dataclass(frozen=True)
class Wait:
    """Not now: again in ``seconds``. ``down``: the EHR is; ``full``: enough calls are under way to it."""

    seconds: float
    why: Literal["down", "full"]


class Turn:
    """The right to call one connection's EHR once; ``leave`` when all is done, whatever came of it."""

    def __init__(self, breaker: "Breaker", connection: str) -> None:
        self._breaker = breaker
        self.connection = connection

    def failed(self, asked: float = 0.0) -> None:
        """The EHR did not do its part in passing; ``asked``: how many seconds it wants to be left alone."""
        self._breaker.failed(self.connection, asked)

    def answered(self) -> None:
        """The EHR answered, whatever it said."""
        self._breaker.answered(self)

    def leave(self) -> None:
        """Makes room for the next. A try that did not come to a call leaves the trying to the next, too."""
        self._breaker.leave(self)


class Breaker:
    """The breakers of this process. Safe for many threads; remembers no more than ``_KEPT`` connections."""

    def __init__(self, clock: Clock, pause: timedelta = PAUSE) -> None:
        self._clock = clock
        self._pause = pause
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._changed = threading.Condition()

    def enter(self, connection: str) -> Turn | Wait:
        """The turn, or for how long this connection's EHR should be left alone."""
        with self._changed:
            wait = self._closed(connection) or self._full(connection)
            if wait is not None:
                return wait
            state = self._state(connection)
            turn = Turn(self, connection)
            state.inside[turn] = self._clock.now()
            if state.until is not None:
                # This call tries; the others wait for what becomes of it.
                state.until, state.trying = self._clock.now() + self._pause, turn
            return turn

    def failed(self, connection: str, asked: float = 0.0) -> None:
        """See ``Turn.failed``."""
        with self._changed:
            state = self._state(connection)
            state.failures, state.trying = state.failures + 1, None
            if state.failures >= FAILURES:
                pause = min(max(self._pause, timedelta(seconds=asked)), LONGEST_PAUSE)
                state.until = self._clock.now() + pause

    def answered(self, turn: Turn) -> None:
        """See ``Turn.answered``."""
        with self._changed:
            state, now = self._state(turn.connection), self._clock.now()
            state.failures, state.until, state.trying = 0, None, None
            state.slow = now - state.inside.get(turn, now) >= _HANGS
            self._changed.notify_all()

    def leave(self, turn: Turn) -> None:
        """See ``Turn.leave``."""
        with self._changed:
            state = self._state(turn.connection)
            state.inside.pop(turn, None)
            if state.trying is turn:
                state.until, state.trying = self._clock.now(), None
            if state.idle:
                self._states.pop(turn.connection, None)
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many connections it remembers."""
        return len(self._states)

    def _closed(self, connection: str) -> Wait | None:
        until = self._state(connection).until
        left = (until - self._clock.now()).total_seconds() if until is not None else 0.0
        return Wait(left, "down") if left > 0 else None

    def _full(self, connection: str) -> Wait | None:
        """Waits for room where that is a matter of moments. Anything may have changed after that."""
        state = self._state(connection)
        if state.room:
            return None
        if self._clock.now() - min(state.inside.values()) < _HANGS:
            self._changed.wait_for(lambda: self._state(connection).room, _MOMENT)
        return self._closed(connection) or (
            None if self._state(connection).room else Wait(FULL_SECONDS, "full")
        )

    def _state(self, connection: str) -> _State:
        state = self._states.setdefault(connection, _State())
        self._states.move_to_end(connection)
        while len(self._states) > _KEPT:
            self._states.popitem(last=False)
        return state
