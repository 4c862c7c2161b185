"""A look through the parked messages of one connection, bounded in time.

A queue has no random access. A search receives messages, which hides them for a while; what it does not want
it hands back at its end, for whatever is handed back earlier would come again, and the search would never get
past it. What it had no time for is said to be left. Other connections have queues of their own: no search is
in their way.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shared.clock import Clock
from shared.errors import OutsideError
from shared.store.dead_letters import DeadLetter
from shared.store.queues import Message, parked_queue
from shared.store.region import RegionStore

BATCH = 32


@dataclass(frozen=True)
class Limits:
    """``hide`` in seconds, longer than ``seconds``, the time after which no further step is begun."""

    hide: int = 60
    seconds: float = 20.0


@dataclass(frozen=True)
class Tally:
    """What came of the letters that were asked for: dealt with, still there, or with no message to open."""

    done: int = 0
    left: int = 0
    unopened: int = 0


@dataclass(frozen=True)
class Parcel:
    """An opened message. ``operation``: its id, of a write-back; ``copy``: what goes back to ``queue``."""

    connection: str
    queue: str
    letters: tuple[str, ...]
    operation: str
    copy: str


class Search:
    """One look through a connection's queue for some of its letters."""

    def __init__(
        self,
        store: RegionStore,
        connection: str,
        letters: Iterable[DeadLetter],
        opened: Callable[[str], Parcel | None],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._store = store
        self._queue = store.queue(parked_queue(connection))
        self._connection = connection
        self._wanted = {letter.id: letter for letter in letters}
        self._opened = opened
        self._clock = clock
        self._limits = limits
        self._begun = clock.now()
        self._held: list[Message] = []
        self._done: set[str] = set()
        self._changed: set[str] = set()
        self._whole = False

    def run(self, act: Callable[[Parcel], bool]) -> None:
        """Does ``act`` for the message of each wanted letter, then takes message and row away.

        Where ``act`` says that it could do nothing now, both stay.
        """
        try:
            while self._left() and not self._late():
                found = self._queue.receive(BATCH, self._limits.hide)
                if not found:
                    # What others hold hidden was not seen by us.
                    self._whole = self._queue.length() <= len(self._held)
                    return
                for message in found:
                    if self._late() or not self._dealt_with(message, act):
                        self._held.append(replace(message, text=""))
        finally:
            self._hand_back()

    def missing(self) -> list[DeadLetter]:
        """The letters for which there is no message that opens; none unless all messages were seen."""
        return self._left() if self._whole else []

    def drop(self, letter: DeadLetter) -> None:
        """Forgets a row that stands for nothing any more."""
        if self._store.dead_letters.forget(letter):
            self._done.add(letter.id)

    def tally(self) -> Tally:
        """What came of them."""
        missing, left = len(self.missing()), len(self._wanted) - len(self._done)
        return Tally(len(self._done), left - missing, missing)

    def _left(self) -> list[DeadLetter]:
        passed = self._done | self._changed
        return [letter for name, letter in self._wanted.items() if name not in passed]

    def _late(self) -> bool:
        return (self._clock.now() - self._begun).total_seconds() > self._limits.seconds

    def _dealt_with(self, message: Message, act: Callable[[Parcel], bool]) -> bool:
        """Whether the message is gone; else it is to be handed back."""
        parcel = self._opened(message.text)
        if parcel is None or parcel.connection != self._connection:
            return False
        name = next((one for one in parcel.letters if one in self._wanted), "")
        row = self._store.dead_letters.get(self._connection, name) if name else None
        if row is None:
            return self._surplus(parcel, name) and self._queue.delete(message)
        if row.etag != self._wanted[name].etag:
            # Parked anew since it was looked at: nobody has decided about that.
            self._changed.add(name)
            return False
        if not act(parcel):
            self._changed.add(name)
            return False
        if not self._queue.delete(message):
            return False
        self.drop(row)
        return True

    def _surplus(self, parcel: Parcel, name: str) -> bool:
        """Whether a message without a row is the second of two, whose first was dealt with."""
        if name in self._done:
            return True
        names = [one for one in parcel.letters if self._store.dead_letters.get(self._connection, one)]
        return not names and told(self._store, self._connection, parcel.operation)

    def _hand_back(self) -> None:
        for message in self._held:
            # By itself it is seen again a little later.
            with contextlib.suppress(OutsideError):
                self._queue.release(message)


def told(store: RegionStore, connection: str, operation: str) -> bool:
    """Whether the operation ended in another way than here."""
    return bool(operation) and store.operations.outcome(connection, operation) not in (None, "parked")
