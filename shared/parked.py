"""What was parked, driven again or given up: rows of ``DeadLetters`` and their messages, brought together.

Each connection has a queue of parked messages, and the region has one for what is nobody's, because its seal
does not open. A message names its row by itself: its operation's id where the EHR refused it, a name made of
its text where it was poison.

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
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from shared.clock import Clock, timestamp
from shared.context import ContextSeal
from shared.errors import AntesalaError, OutsideError
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened
from shared.parked_search import BATCH, Limits, Parcel, Search, Tally, told
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.dead_letters import DeadLetter
from shared.store.queues import PARKED, Message, parked_queue
from shared.store.region import RegionStore

NOBODYS = "unknown"
"""Under which the rows of what cannot be opened stand, in the place of a connection."""
QUEUES = ("writeback", "attendance", "tend")
_NAMESPACE = UUID("2f1c61d2-93b5-5a5e-8a0e-6d1f4c7b9e37")


def poison_id(text: str) -> str:
    """The id of a poisoned message's row: the same however often the message is parked."""
    return str(uuid5(_NAMESPACE, text))


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

    def adopt(self, store: RegionStore) -> int:
        """Gives what lay in the region's queue of nobody to its connections; says how many found theirs.

        A message is nobody's when its seal did not open; once its key is back, it does. The row under its
        connection comes first, then the message, then nobody's row goes and nobody's message: what a crash
        leaves is adopted once more.
        """
        queue, held, found = store.queue(PARKED), list[Message](), 0
        until = self._clock.now() + timedelta(seconds=self._limits.seconds)
        try:
            while self._clock.now() < until and (messages := queue.receive(BATCH, self._limits.hide)):
                for message in messages:
                    if self._clock.now() < until and self._adopted(store, message):
                        store.dead_letters.remove(NOBODYS, poison_id(message.text))
                        queue.delete(message)
                        found += 1
                    else:
                        held.append(replace(message, text=""))
        finally:
            for message in held:
                with contextlib.suppress(OutsideError):
                    queue.release(message)
        return found

    def _adopted(self, store: RegionStore, message: Message) -> bool:
        parcel = self._opened(message.text)
        if parcel is None or not store.serves(parcel.connection):
            return False
        letters = store.dead_letters
        if not any(letters.get(parcel.connection, one) for one in parcel.letters):
            name = poison_id(message.text)
            letters.add(parcel.connection, name, queue=parcel.queue, reason="poison")
        store.queue(parked_queue(parcel.connection)).send(message.text)
        return True

    def _search(self, connection: str, letters: Iterable[DeadLetter]) -> Search:
        store = self._stores.of(connection)
        return Search(store, connection, letters, self._opened, self._clock, self._limits)

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
            # That it was tried before is not forgotten: what came of the last attempt nobody knows.
            attempt=min(message.attempt, 1),
            waits=False,
        )
        letters = (operation, poison_id(text))
        return Parcel(context.connection, "writeback", letters, operation, fresh.text(self._sealer))


def _sent(store: RegionStore, parcel: Parcel) -> bool:
    """False while a worker is at it; what was told already needs no copy."""
    stands = store.operations.reopen(parcel.connection, parcel.operation) if parcel.operation else None
    if stands is None:
        store.queue(parcel.queue).send(parcel.copy)
    return stands != "busy"


def _finished(store: RegionStore, letter: DeadLetter) -> bool:
    return letter.queue == "writeback" and told(store, letter.connection, letter.id)


def _queue_of(text: str) -> str:
    try:
        document: Any = json.loads(text)
    except ValueError as failure:
        raise MessageRefused("not JSON") from failure
    kind = document.get("kind", "attendance") if isinstance(document, dict) else ""
    if kind not in QUEUES:
        raise MessageRefused("kind")
    return str(kind)
