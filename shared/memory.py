"""What was asked for last, kept in memory for a while, so that it need not be asked again."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta

from shared.clock import Clock


class Memory[K: Hashable, V]:
    """The ``size`` values used last, each fresh for ``kept``. Safe for many threads; asks nobody itself."""

    def __init__(self, clock: Clock, size: int, kept: timedelta = timedelta.max) -> None:
        self._clock = clock
        self._size = size
        self._kept = kept
        self._values: OrderedDict[K, tuple[datetime, V]] = OrderedDict()
        self._lock = threading.Lock()

    def fresh(self, key: K) -> V | None:
        """The value, unless there is none or its time is over."""
        found = self._find(key)
        return found[1] if found is not None and self._clock.now() - found[0] < self._kept else None

    def last(self, key: K) -> V | None:
        """The value however old, for want of a fresh one."""
        found = self._find(key)
        return found[1] if found is not None else None

    def put(self, key: K, value: V) -> None:
        """Remembers it from now on; what was used longest ago makes room."""
        with self._lock:
            self._values[key] = (self._clock.now(), value)
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)

    def _find(self, key: K) -> tuple[datetime, V] | None:
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found
