"""Whether a linked account is still in the directory, asked seldom and never in the way of a visit."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.errors import OutsideError
from shared.graph.people import People

_KEPT = timedelta(hours=1)
_MOST = 1_000


class Directory:
    """Remembers for an hour who was there: memory only, object ids only."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def lacks(self, tenant: str, oid: str) -> bool:
        """Whether the directory says that it knows nobody of this id; a silent directory says nothing."""
        now = self._clock.now()
        with self._lock:
            seen = self._seen.get((tenant, oid))
        if seen is not None and now - seen < _KEPT:
            return False
        try:
            if self._people.get(tenant, oid) is None:
                return True
        except OutsideError:
            return False
        with self._lock:
            self._seen[tenant, oid] = now
            self._seen.move_to_end((tenant, oid))
            while len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        return False
