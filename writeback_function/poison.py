"""What came back too often without a foreseen reason: parked as it is, with a row that says so."""

from shared import trace
from shared.context import ContextSeal, VisitContext
from shared.errors import SealError
from shared.events import note
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened
from shared.parked import NOBODYS, poison_id
from shared.sealing import Sealer
from shared.store.operations import Waiting
from shared.store.queues import LONGEST, PARKED, parked_queue
from shared.store.region import RegionStore


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
        context = self._context(queue, text)
        connection = context.connection if context is not None else NOBODYS
        store.dead_letters.add(connection, poison_id(text), queue=queue, reason="poison")
        store.queue(PARKED if connection == NOBODYS else parked_queue(connection)).send(text)
        if queue == "writeback" and connection != NOBODYS:
            self._counted_no_longer(store, text)
        with trace.entered(context.trace if context is not None else ""):
            trace.about(context.visit_key if context is not None else "")
            note("poisoned", connection=connection, queue=queue, reason="poison")

    def _counted_no_longer(self, store: RegionStore, text: str) -> None:
        try:
            message = WritebackMessage.read(text, self._sealer)
            context = self._contexts.open(message.context)
            operation = message.named.id(context.connection, context.visit_key)
        except (MessageRefused, SealError, KeyError):
            # Nothing to count: it may be why it is poison.
            return
        store.operations.waits_no_more(context.connection, Waiting(operation, message.since))

    def _context(self, queue: str, text: str) -> VisitContext | None:
        try:
            return self._contexts.open(self._sealed(queue, text))
        except (MessageRefused, SealError, TypeError, AttributeError):
            # Whatever it is, it is kept: nobody comes after us.
            return None

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
