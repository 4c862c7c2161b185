"""What became of each appointment: its status, whoever set it, its video links, its version; kept on disk.

Every change makes a new version, so that of two who change at once the second has to look again.
"""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.ehr.storage import Document

CONNECTOR = "connector"
BOOKED = "booked"


@dataclass(frozen=True)
class StatusChange:
    """A status, when it was set (Unix seconds), and by whom: a login, or `connector` for an app."""

    status: str
    at: float
    by: str


@dataclass(frozen=True)
class Rooms:
    """The links of a video visit and from when to when they work (ISO instants, as they were given)."""

    provider: str
    patient: str
    start: str
    end: str


@dataclass(frozen=True)
class Booking:
    """One appointment's state. `history`: oldest first; empty while it is as it was booked."""

    version: int = 1
    history: tuple[StatusChange, ...] = ()
    rooms: Rooms | None = None

    @property
    def status(self) -> str:
        """The newest."""
        return self.history[-1].status if self.history else BOOKED

    @property
    def version_id(self) -> str:
        """As `meta.versionId` says it: two numbers, as the video links have a version of their own there."""
        return f"{self.version}-{1 if self.rooms else 0}"

    def moved(self, change: StatusChange) -> "Booking":
        """The next version, with another status."""
        return replace(self, version=self.version + 1, history=(*self.history, change))


class Appointments:
    """The bookings of one hospital by appointment id; an unknown id is one that nobody touched yet."""

    def __init__(self, document: Document) -> None:
        """Take up what an earlier run kept."""
        self._document = document
        self._lock = threading.Lock()
        self._bookings = {name: _booking(kept) for name, kept in document.loaded.items()}

    def of(self, name: str) -> Booking:
        """As it is now."""
        return self._bookings.get(name, Booking())

    def change(self, name: str, step: Callable[[Booking], Booking]) -> Booking:
        """Replace a booking by what `step` makes of it, alone; what `step` raises leaves it as it was."""
        with self._lock:
            self._bookings[name] = step(self.of(name))
            self._document.save({key: asdict(one) for key, one in self._bookings.items()})
            return self._bookings[name]


def _booking(kept: dict[str, Any]) -> Booking:
    history = tuple(StatusChange(**one) for one in kept["history"])
    return Booking(kept["version"], history, Rooms(**kept["rooms"]) if kept["rooms"] else None)
