"""What came back too often without a foreseen reason: parked as it is, with a row that says so."""

import logging

from shared.context import ContextSeal
from shared.errors import SealError
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened
from shared.parked import NOBODYS, poison_id
from shared.sealing import Sealer
from shared.store.operations import Waiting
from shared.store.queues import LONGEST, PARKED, parked_queue
from shared.store.region import RegionStore

log = logging.getLogger("antesala.writeback")


class Poison:
    """Takes what the host gave up on."""

    def __init__(self, sealer: Sealer, contexts: ContextSeal) -> None:
        self._sealer = sealer
        self._contexts = contexts

    def park(self, store: RegionStore, queue: str, body: bytes) -> None:
        """Takes a message of ``<queue>-poison``. The row comes first, and again if it must: it stays one.

        A crash in between can leave the message twice; it is never lost, and never without its row.
        """
        text = kept(body)
        connection = self._connection(queue, text) or NOBODYS
        store.dead_letters.add(connection, poison_id(text), queue=queue, reason="poison")
        store.queue(PARKED if connection == NOBODYS else parked_queue(connection)).send(text)
        if queue == "writeback" and connection != NOBODYS:
            self._counted_no_longer(store, text)
        extra = {"event": "parked", "connection": connection, "reason": "poison"}
        log.error("parked from %s: poison", queue, extra=extra)

    def _counted_no_longer(self, store: RegionStore, text: str) -> None:
        try:
            message = WritebackMessage.read(text, self._sealer)
            context = self._contexts.open(message.context)
            operation = message.named.id(context.connection, context.visit_key)
        except (MessageRefused, SealError, KeyError):
            # Nothing to count: it may be why it is poison.
            return
        store.operations.waits_no_more(context.connection, Waiting(operation, message.since))

    def _connection(self, queue: str, text: str) -> str:
        try:
            return self._contexts.open(self._sealed(queue, text)).connection
        except (MessageRefused, SealError, TypeError, AttributeError):
            # Whatever it is, it is kept: nobody comes after us.
            return ""

    def _sealed(self, queue: str, text: str) -> str:
        if queue == "attendance":
            return AttendanceMessage.read(text).context
        return str(opened(queue, text, self._sealer).get("c" if queue == "tend" else "context", ""))


def kept(body: bytes) -> str:
    """The message as text that the next queue takes.

    What is no UTF-8 or longer than any message of ours is not ours. Its bytes stay readable, its end may go.
    """
    text = body.decode("utf-8", "backslashreplace")
    return text.encode()[:LONGEST].decode("utf-8", "ignore")
