"""One attempt at telling an EHR: whom, and how much time is left for all of its calls together."""

from datetime import datetime, timedelta

from shared.clock import Clock
from shared.connection import Approved
from shared.errors import Unreachable

MOST = timedelta(seconds=60)
"""What an attempt may take. Whoever tells holds a claim that expires (``shared.store.operations.LEASE``): the
rest of that is for storage, before and after."""


class Attempt:
    """Begins when it is made; every call of the attempt gets its time from here."""

    def __init__(self, approved: Approved, clock: Clock) -> None:
        self.approved = approved
        self._clock = clock
        self._until: datetime = clock.now() + MOST

    def left(self) -> float:
        """Seconds; 0 when the time is over."""
        return max(0.0, (self._until - self._clock.now()).total_seconds())

    def seconds(self, most: float) -> float:
        """What the next call may take, ``most`` at most; Unreachable when the time is over."""
        left = self.left()
        if not left:
            raise Unreachable("ehr-writeback: the time for one attempt is over")
        return min(most, left)
