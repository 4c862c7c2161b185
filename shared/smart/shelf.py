"""What another server published, kept for a while: fresh, stale when it fails, never asked twice at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.clock import Clock
from shared.errors import OutsideError, Unreachable

FRESH = timedelta(hours=1)
STALE = timedelta(hours=24)
FAILED = timedelta(seconds=30)
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass
class _Slot[T]:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: T | None = None
    at: datetime = EPOCH
    error: OutsideError | None = None
    failed_at: datetime = EPOCH


class Shelf[K: Hashable, T]:
    """A bounded cache of documents that are fetched from outside.

    - a document serves an hour; when fetching it again fails, the old one serves for a day more;
    - a failure is remembered for 30 s, so that a flood of launches does not become a flood of requests;
    - one fetch at a time per key: others use what is there, or wait where nothing is.

    ``fetch`` may raise any OutsideError; with nothing on the shelf it reaches the caller.
    """

    def __init__(self, clock: Clock, size: int = 256) -> None:
        self._clock = clock
        self._size = size
        self._slots: OrderedDict[K, _Slot[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, fetch: Callable[[], T]) -> T:
        """The document of this key."""
        slot = self._slot(key)
        known = slot.value
        if known is not None and self._clock.now() - slot.at < FRESH:
            return known
        if not slot.lock.acquire(blocking=known is None):
            return self._stale(slot, Unreachable("a newer document is being fetched"))
        try:
            return self._refresh(slot, fetch)
        finally:
            slot.lock.release()

    def renew(self, key: K, fetch: Callable[[], T]) -> T:
        """A document fetched now, kept for everybody; a failure is its asker's alone and changes nothing."""
        value = fetch()
        slot = self._slot(key)
        slot.value, slot.at, slot.error = value, self._clock.now(), None
        return value

    def _refresh(self, slot: _Slot[T], fetch: Callable[[], T]) -> T:
        now = self._clock.now()
        if slot.value is not None and now - slot.at < FRESH:
            return slot.value
        if slot.error is not None and now - slot.failed_at < FAILED:
            return self._stale(slot, slot.error)
        try:
            slot.value = fetch()
        except OutsideError as error:
            slot.error, slot.failed_at = error, now
            return self._stale(slot, error)
        slot.at, slot.error = now, None
        return slot.value

    def _stale(self, slot: _Slot[T], error: OutsideError) -> T:
        if slot.value is not None and self._clock.now() - slot.at < FRESH + STALE:
            return slot.value
        raise error

    def _slot(self, key: K) -> _Slot[T]:
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot()
                while len(self._slots) > self._size:
                    self._slots.popitem(last=False)
            else:
                self._slots.move_to_end(key)
            return slot
