"""Launch values: what the record hands to the browser when somebody presses *Begin virtual visit*."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.ehr.people import Person, Side, Visit

LIFE_SECONDS = 300


@dataclass(frozen=True)
class Launch:
    """A launch value's meaning: who pressed the button, on which visit, for which side's client."""

    value: str
    person: Person
    visit: Visit
    side: Side
    group: bool
    expires: float


class Launches:
    """Issued and not yet used. A value is bound to its side, works once and lives five minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with none."""
        self._clock = clock
        self._issued: dict[str, Launch] = {}
        self._lock = threading.Lock()

    def issue(self, person: Person, visit: Visit, side: Side, group: bool) -> Launch:
        """Mint an opaque value of 256 random bits."""
        value = secrets.token_urlsafe(32)
        launch = Launch(value, person, visit, side, group, self._clock() + LIFE_SECONDS)
        with self._lock:
            self._issued[value] = launch
        return launch

    def find(self, value: str, side: str) -> Launch | None:
        """The launch of this value if it is unused, in time and meant for this side; else None."""
        launch = self._issued.get(value)
        if launch is None or launch.side != side or launch.expires <= self._clock():
            return None
        return launch

    def use(self, value: str) -> Launch | None:
        """Take it away: of two that ask at once, one gets None."""
        with self._lock:
            return self._issued.pop(value, None)
