"""From an operation to the EHR: at least once in the queue, once in effect.

Claim, judge by all that is known now, tell, settle. A failure in passing puts a copy back with a growing
delay, for at least a day; a refusal for good parks the message, with a row that says why. Killing the process
between any two lines leaves either the message or its copy in the queue.

Trips to storage for one that is told at the first attempt: claim and lane in one, visit, connection, the mark
that it has begun, outcome and lane in one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared import trace
from shared.clock import Clock, Entropy, parse_timestamp
from shared.context import ContextSeal, VisitContext
from shared.ehr.registry import Adapters
from shared.errors import OutsideError, StatusRefused
from shared.events import failure as failure_of
from shared.events import note
from shared.messages import WritebackMessage
from shared.parked import PARKED
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.faults import StorageUnavailable
from shared.store.operations import Claim, Held, Waiting
from shared.store.region import RegionStore
from writeback_function.breaker import PAUSE, Breaker, Turn, Wait
from writeback_function.case import Case, find_case
from writeback_function.judging import Judging
from writeback_function.outbox import Outbox
from writeback_function.patience import NEVER, Patience, patience_for, status_of
from writeback_function.telling import tell_outcome

BUSY_SECONDS = 1.0
STORAGE_SECONDS = 30.0
LONGEST_DELAY = 24 * 3_600.0
"""Whatever an EHR asks for."""


class _Run:
    """One message on its way: what it is about, and how its end is written down."""

    def __init__(self, store: RegionStore, message: WritebackMessage, context: VisitContext) -> None:
        self.store = store
        self.message = message
        self.context = context
        name = (context.connection, context.visit_key)
        self.connection = context.connection
        self.operation = message.named.id(*name)
        self.lane = message.named.lane(*name)

    def waiting(self, reason: str = "", attempts: int = 0) -> Waiting:
        """The row that counts it while it waits."""
        return Waiting(self.operation, self.message.since, reason, attempts)

    def waited(self, held: Held) -> Waiting | None:
        """The row that goes with the outcome; a run that left off half way may have written one as well."""
        return self.waiting() if self.message.waits or held.resumed else None


class Deliver:
    """Tells EHRs."""

    def __init__(
        self,
        stores: Stores,
        contexts: ContextSeal,
        sealer: Sealer,
        adapters: Adapters,
        outbox: Outbox,
        clock: Clock,
        entropy: Entropy,
        *,
        hours: float,
        hurry: float = 1.0,
    ) -> None:
        """``hours``: for how long failures in passing are tried again. ``hurry``: see ``Settings.hurry``."""
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._adapters = adapters
        self._clock = clock
        self._entropy = entropy
        self._judging = Judging(sealer, outbox)
        self._seconds = hours * 3_600
        self._hurry = hurry
        self._breaker = Breaker(clock, PAUSE / hurry)

    def deliver(self, text: str) -> None:
        """Takes one message. A failure nobody foresaw is raised, and the message comes again."""
        message = WritebackMessage.read(text, self._sealer)
        context = self._contexts.open(message.context)
        run = _Run(self._stores.of(context.connection), message, context)
        with trace.entered(message.traceparent or context.trace):
            trace.about(context.visit_key)
            self._delivered(run)

    def _delivered(self, run: _Run) -> None:
        turn = self._breaker.enter(run.connection)
        if isinstance(turn, Wait):
            self._deferred(run, turn)
            return
        try:
            self._claimed(run, turn)
        except StorageUnavailable as failure:
            # The host's tries are over in minutes, an outage is not.
            if self._age(run.message) >= self._seconds:
                raise
            self._later(run.store, run.message, STORAGE_SECONDS + self._entropy.between(0, STORAGE_SECONDS))
            note("retry", **self._about(run), reason="storage", failure=failure_of(failure))
        finally:
            turn.leave()

    def _deferred(self, run: _Run, wait: Wait) -> None:
        """No attempt: however long the EHR is left alone, the message has its tries still before it."""
        if wait.why == "full":
            self._later(run.store, run.message, wait.seconds + self._entropy.between(0, wait.seconds))
            return
        self._later(
            run.store, run.message.deferred(), wait.seconds + self._entropy.between(0, 10 / self._hurry)
        )
        if not run.message.waits:
            run.store.operations.waits(run.connection, run.waiting("deferred"))
            note("deferred", **self._about(run))

    def _claimed(self, run: _Run, turn: Turn) -> None:
        operations = run.store.operations
        held = operations.take(run.connection, run.operation, run.lane, self._entropy.token(9))
        if isinstance(held, Claim):
            if held.state == "busy":
                self._later(run.store, run.message, BUSY_SECONDS)
            elif run.message.waits:
                operations.waits_no_more(run.connection, run.waiting())
            return
        try:
            self._judged(run, held, turn)
        except Exception:
            # Without its claim it comes again as what it is, and is poison in the end if it must be.
            self._let_go(run, held)
            raise

    def _let_go(self, run: _Run, held: Held) -> None:
        try:
            run.store.operations.give_back(held)
        except Exception as failure:  # noqa: BLE001 - must not hide why
            note("claim-kept", **self._about(run), failure=failure_of(failure))

    def _judged(self, run: _Run, held: Held, turn: Turn) -> None:
        # Read inside the lane: what another worker learned meanwhile counts.
        case = find_case(self._stores, run.context)
        if case is None:
            self._park(run, held, "visit-gone")
            return
        if run.message.kind == "outcome":
            self._concluded(run, held, turn, case)
            return
        try:
            adapter = self._adapters.of(case.approved)
        except LookupError:
            self._park(run, held, "adapter-missing")
            return
        operation = run.message.operation
        case = self._judging.begun(case, run.message)
        if operation not in case.ledger.begun:
            # Withdrawn: no outcome, for what is learned next may make it due again.
            run.store.operations.give_back(held)
            if (waited := run.waited(held)) is not None:
                run.store.operations.waits_no_more(run.connection, waited)
        elif self._judging.is_pointless(case, operation, adapter.semantics):
            run.store.operations.finish(held, "dropped", run.waited(held))
        else:
            telling = self._judging.telling(case, case.ledger.listed(operation))
            self._tell(run, held, turn, lambda: adapter.tell(case.approved, telling))

    def _concluded(self, run: _Run, held: Held, turn: Turn, case: Case) -> None:
        """An outcome is never overtaken; where nobody takes it any more there is nothing to tell."""
        adapter, conclusion = self._adapters.outcome(case.approved), run.message.conclusion
        if adapter is None:
            run.store.operations.finish(held, "dropped", run.waited(held))
        else:
            self._tell(run, held, turn, lambda: tell_outcome(adapter, case, conclusion))

    def _tell(self, run: _Run, held: Held, turn: Turn, tell: Callable[[], None]) -> None:
        """Calls the EHR and writes down what came of it. ``tell``: an adapter's, whatever it tells."""
        try:
            tell()
        except OutsideError as failure:
            self._failed(run, held, turn, failure)
            return
        turn.answered()
        run.store.operations.finish(held, "told", run.waited(held))
        if held.resumed:
            # The run that died may have been parking it.
            run.store.dead_letters.remove(run.connection, run.operation)
        note("told", **self._about(run))

    def _failed(self, run: _Run, held: Held, turn: Turn, failure: OutsideError) -> None:
        patience = patience_for(failure)
        asked = (failure.retry_after if isinstance(failure, StatusRefused) else None) or 0.0
        if patience.outage:
            turn.failed(asked)
        else:
            turn.answered()
        if patience is not NEVER and self._age(run.message) < patience.seconds(self._seconds):
            self._again(run, held, patience, max(asked, 0.0), failure)
            return
        self._park(run, held, patience.reason or type(failure).__name__, status_of(failure))

    def _again(self, run: _Run, held: Held, patience: Patience, asked: float, failure: OutsideError) -> None:
        """A copy with a delay first, then the claim back: a crash in between can only repeat."""
        grown = patience.pause(run.message.attempt) * self._entropy.between(0.8, 1.2) / self._hurry
        copy = run.message.again()
        self._later(run.store, copy, min(max(grown, asked), LONGEST_DELAY))
        run.store.operations.give_back(held, run.waiting(patience.name, copy.attempt))
        note("retry", **self._about(run), reason=patience.name, failure=failure_of(failure))

    def _park(self, run: _Run, held: Held, reason: str, status: int = 0) -> None:
        """Nothing is dropped silently: a row that says why, the message itself, and only then the outcome."""
        attempts = run.message.attempt + 1
        run.store.dead_letters.add(
            run.connection, run.operation, queue="writeback", reason=reason, status=status, attempts=attempts
        )
        # Whoever drives it again begins anew: nothing counts it meanwhile.
        parked = replace(run.message, waits=False)
        run.store.queue(PARKED).send(parked.text(self._sealer))
        run.store.operations.finish(held, "parked", run.waited(held))
        note("parked", **self._about(run), reason=reason, status=status)

    def _later(self, store: RegionStore, message: WritebackMessage, delay: float) -> None:
        store.queue("writeback").send(message.text(self._sealer), delay=delay)

    def _age(self, message: WritebackMessage) -> float:
        return (self._clock.now() - parse_timestamp(message.since)).total_seconds()

    def _about(self, run: _Run) -> dict[str, Any]:
        """What every line of a message has."""
        return {
            "connection": run.connection,
            "attempt": run.message.attempt,
            "age_seconds": self._age(run.message),
        }
