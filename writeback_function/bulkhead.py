"""Keeps one region's hanging storage from using up the threads that all regions share.

Storage that is well answers within milliseconds, however many ask. So the number of requests under way is
not limited; but once several of a region have waited for long, the next ones are refused at once, and Graph
brings them again. So no more hang than came within ``SLOW``, and a few: about 30 at 50 requests a second.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.store.faults import StorageUnavailable

MOST_SLOW = 8
SLOW = timedelta(seconds=0.5)


class Bulkhead:
    """The requests that wait for storage now, by region."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[str, list[datetime]] = {}

    @contextmanager
    def place(self, region: str) -> Iterator[None]:
        """Counts the caller while it waits; StorageUnavailable when too many have waited for long."""
        now = self._clock.now()
        with self._lock:
            waiting = self._begun.setdefault(region, [])
            if sum(now - begun > SLOW for begun in waiting) >= MOST_SLOW:
                raise StorageUnavailable(f"region {region}: its storage is slow")
            waiting.append(now)
        try:
            yield
        finally:
            with self._lock:
                waiting.remove(now)
