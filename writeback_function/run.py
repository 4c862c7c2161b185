"""One message of the ``writeback`` queue on its way."""

from shared.context import VisitContext
from shared.messages import WritebackMessage
from shared.store.operations import Held, Waiting
from shared.store.region import RegionStore


class Run:
    """One message on its way: what it is about, and how its end is written down."""

    def __init__(self, store: RegionStore, message: WritebackMessage, context: VisitContext) -> None:
        self.store = store
        self.message = message
        self.context = context
        name = (context.connection, context.visit_key)
        self.connection = context.connection
        self.operation = message.named.id(*name)
        self.lane = message.named.lane(*name)
        self.lasting = False
        """Whether its EHR keeps states: then what is told late may undo what is newer."""

    def waiting(self, reason: str = "", attempts: int = 0) -> Waiting:
        """The row that counts it while it waits."""
        return Waiting(self.operation, self.message.since, reason, attempts)

    def waited(self, held: Held) -> Waiting | None:
        """The row that goes with the outcome; a run that left off half way may have written one as well."""
        return self.waiting() if self.message.waits or held.resumed else None
