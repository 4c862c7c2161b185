"""Queues what the EHR has still to be told about a visit, then marks it in the visit's row.

In this order, so that a crash in between queues it again; the claims in ``Operations`` make that harmless.
"""

from shared import trace
from shared.clock import Clock, timestamp
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, Picture, bearing
from writeback_function.case import Case

# Another fold may add facts before our marks; after so many rounds the next message goes on from there.
_ROUNDS = 4


class Outbox:
    """The operations of visits on their way into the queue."""

    def __init__(self, sealer: Sealer, clock: Clock, debounce: float, lateness: float = 0.0) -> None:
        """``debounce``: seconds within which a return makes a disconnect none.

        ``lateness``: seconds by which an event may be told late. Only that somebody came is queued for at
        once. A disconnect is held back for both, in case an event under way withdraws it. What puts right
        something told before waits for three times as long: it shows that events are even later just now.
        """
        self._sealer = sealer
        self._clock = clock
        self._debounce = round(debounce * 1_000_000)
        self._held = {"new": 0.0, "end": debounce + lateness, "correction": 3 * (debounce + lateness)}

    def at_rest(self, case: Case) -> bool:
        """Whether nothing is to be queued or withdrawn, by the case as it was read."""
        standing = self._now(case, case.ledger)
        return standing == case.ledger and not standing.due(case.picture(self._sealer), self._debounce)

    def hand_on(self, case: Case, context: str) -> Case:
        """The case after everything due was queued and marked. ``context``: the visit's, sealed."""
        for _ in range(_ROUNDS):
            standing = self._now(case, case.ledger)
            view = case.picture(self._sealer)
            found = standing.due(view, self._debounce)
            if not found and standing == case.ledger:
                break
            if case.approved.revision.writeback.adapter != "none":
                for operation in found:
                    self._send(case, operation, context, view)
            judged = case.ledger
            case = self._marked(case, found)
            if case.ledger == judged:
                break
        return case

    def _marked(self, case: Case, found: tuple[Operation, ...]) -> Case:
        """What was queued is marked if it is due still; without a mark its message is nothing."""

        def mark(ledger: Ledger) -> Ledger:
            standing = self._now(case, ledger)
            still = standing.due(case.picture(self._sealer, ledger), self._debounce)
            return standing.handed_on(one for one in found if one in still)

        return case.changed(mark)

    def _now(self, case: Case, ledger: Ledger) -> Ledger:
        return ledger.standing(case.picture(self._sealer, ledger), self._debounce)

    def _send(self, case: Case, operation: Operation, context: str, view: Picture) -> None:
        message = WritebackMessage(
            context=context,
            subject=operation.subject,
            status=operation.status,
            instant=operation.at,
            reconstructed=operation.reconstructed,
            since=timestamp(self._clock.now()),
            traceparent=trace.traceparent(),
        )
        delay = self._held[bearing(view, operation)]
        case.store.queue("writeback").send(message.text(self._sealer), delay=delay)
