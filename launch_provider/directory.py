"""Whether a linked account is still in the directory, asked seldom and never in the way of a visit."""

from datetime import timedelta

from shared.clock import Clock
from shared.errors import OutsideError
from shared.graph.people import People
from shared.memory import Memory

_KEPT = timedelta(hours=1)
_MOST = 1_000


class Directory:
    """Remembers for an hour who was there: memory only, object ids only."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._seen: Memory[tuple[str, str], bool] = Memory(clock, _MOST, _KEPT)

    def lacks(self, tenant: str, oid: str) -> bool:
        """Whether the directory says that it knows nobody of this id; a silent directory says nothing."""
        if self._seen.fresh((tenant, oid)):
            return False
        try:
            if self._people.get(tenant, oid) is None:
                return True
        except OutsideError:
            return False
        self._seen.put((tenant, oid), True)
        return False
