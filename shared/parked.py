"""What was parked, driven again or given up: rows of ``DeadLetters`` and their messages, brought together.

A queue has no random access. A search receives from ``writeback-parked``, hidden for a bounded time and in a
bounded number of rounds; what it does not want it hands back at its end, and what it had no time for is said
to be left. A message names its row by itself: its operation's id where the EHR refused it, a name made of its
text where it was poison.

The order of driving one again, and why no crash between two steps loses or doubles anything:

1. *Reopen* the operation. Before sending: a worker that met the copy earlier would drop it as settled. Only
   what is ``parked`` is reopened, so what was told meanwhile stays told. What a worker is parking now is left
   to the next time, for the worker's last word would close it again behind the copy.
2. *Send* a copy. From here on a second copy does no harm: an operation is claimed before it is told, a call
   event is folded once, a visit's upkeep knows its turn.
3. *Delete* the parked message. Before the row: a message without its row would be seen by nobody.
4. *Forget* the row, as it was read. The copy may have been refused again meanwhile: that row is a new one.

After a crash the row is still there: the next time finds the message, or learns from the operation that all
is done. Giving up is the last two steps alone; the operation stays ``parked``, which is final.
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

from shared.clock import Clock, timestamp
from shared.context import ContextSeal
from shared.errors import AntesalaError, OutsideError
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.dead_letters import DeadLetter
from shared.store.queues import Message
from shared.store.region import RegionStore

PARKED = "writeback-parked"
QUEUES = ("writeback", "attendance", "tend")
NOBODYS = "unknown"
"""The connection of what cannot be opened."""
_NAMESPACE = UUID("2f1c61d2-93b5-5a5e-8a0e-6d1f4c7b9e37")
_BATCH = 32


def poison_id(text: str) -> str:
    """The id of a poisoned message's row: the same however often the message is parked."""
    return str(uuid5(_NAMESPACE, text))


@dataclass(frozen=True)
class Limits:
    """``hide`` in seconds, longer than ``seconds``, the time after which no further step is begun."""

    hide: int = 60
    rounds: int = 64
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


class Parked:
    """Finds parked messages by their rows. The caller decides who may, and for which connection."""

    def __init__(
        self,
        stores: Stores,
        contexts: ContextSeal,
        sealer: Sealer,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._clock = clock
        self._limits = limits or Limits()

    def send_again(self, connection: str, letters: Iterable[DeadLetter]) -> Tally:
        """Puts the letters back on their way. What cannot be opened stays, and its row says so."""
        store = self._stores.of(connection)
        search = self._search(connection, letters)
        search.run(lambda parcel: _sent(store, parcel))
        for letter in search.missing():
            if _finished(store, letter):
                search.drop(letter)
            elif not letter.unopened:
                store.dead_letters.mark_unopened(letter)
        return search.tally()

    def discard(self, connection: str, letters: Iterable[DeadLetter]) -> Tally:
        """Gives the letters up for good; where no message is left to be opened, the row alone."""
        search = self._search(connection, letters)
        search.run(lambda _: True)
        for letter in search.missing():
            search.drop(letter)
        return search.tally()

    def _search(self, connection: str, letters: Iterable[DeadLetter]) -> "_Search":
        store = self._stores.of(connection)
        return _Search(store, connection, letters, self._opened, self._clock, self._limits)

    def _opened(self, text: str) -> Parcel | None:
        """None for what this app cannot open (any more)."""
        try:
            queue = _queue_of(text)
            if queue == "writeback":
                return self._operation(text)
            sealed = (
                AttendanceMessage.read(text).context
                if queue == "attendance"
                else opened(queue, text, self._sealer).get("c")
            )
            connection = self._contexts.open(str(sealed)).connection
        except (AntesalaError, KeyError, TypeError, ValueError):
            # What is parked as poison may be of any shape.
            return None
        return Parcel(connection, queue, (poison_id(text),), "", text)

    def _operation(self, text: str) -> Parcel:
        message = WritebackMessage.read(text, self._sealer)
        context = self._contexts.open(message.context)
        operation = message.named.id(context.connection, context.visit_key)
        # As if it were handed on now, and sealed by the newest key.
        fresh = replace(
            message,
            context=self._contexts.seal(context),
            since=timestamp(self._clock.now()),
            attempt=0,
            waits=False,
        )
        letters = (operation, poison_id(text))
        return Parcel(context.connection, "writeback", letters, operation, fresh.text(self._sealer))


class _Search:
    """One look through the queue for some letters of one connection."""

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
        self._queue = store.queue(PARKED)
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
            for _ in range(self._limits.rounds):
                if not self._left() or self._late():
                    return
                found = self._queue.receive(_BATCH, self._limits.hide)
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
        return not names and _told(self._store, self._connection, parcel.operation)

    def _hand_back(self) -> None:
        for message in self._held:
            # By itself it is seen again a little later.
            with contextlib.suppress(OutsideError):
                self._queue.release(message)


def _sent(store: RegionStore, parcel: Parcel) -> bool:
    """False while a worker is at it; what was told already needs no copy."""
    stands = store.operations.reopen(parcel.connection, parcel.operation) if parcel.operation else None
    if stands is None:
        store.queue(parcel.queue).send(parcel.copy)
    return stands != "busy"


def _finished(store: RegionStore, letter: DeadLetter) -> bool:
    return letter.queue == "writeback" and _told(store, letter.connection, letter.id)


def _told(store: RegionStore, connection: str, operation: str) -> bool:
    """Whether the operation ended in another way than here."""
    return bool(operation) and store.operations.outcome(connection, operation) not in (None, "parked")


def _queue_of(text: str) -> str:
    try:
        document: Any = json.loads(text)
    except ValueError as failure:
        raise MessageRefused("not JSON") from failure
    kind = document.get("kind", "attendance") if isinstance(document, dict) else ""
    if kind not in QUEUES:
        raise MessageRefused("kind")
    return str(kind)
