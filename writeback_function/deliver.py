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
from shared.context import ContextSeal
from shared.ehr.registry import Adapters
from shared.errors import OutsideError, StatusRefused
from shared.events import failure as failure_of
from shared.events import note
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.faults import StorageUnavailable
from shared.store.operations import Claim, Held, Outcome
from shared.store.queues import parked_queue
from shared.store.region import RegionStore
from shared.visit.operations import Operation
from writeback_function.breaker import PAUSE, Breaker, Turn, Wait
from writeback_function.case import Case, find_case
from writeback_function.judging import Judging
from writeback_function.outbox import Outbox
from writeback_function.patience import NEVER, Patience, patience_for, status_of
from writeback_function.run import Run
from writeback_function.telling import tell_outcome

BUSY_SECONDS = 1.0
STORAGE_SECONDS = 30.0
LONGEST_ASKED = 3_600.0
"""Who asks for more is told again after an hour all the same: one answer must not cost a record its day."""
ASKED_SHARE = 0.2
"""How much of the time left an asked pause may take: several tries come after it before one gives up."""
SETTLED_SECONDS = 120.0
"""By then a call that was given up as unanswered has had its effect, or has none."""


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
        run = Run(self._stores.of(context.connection), message, context)
        with trace.entered(message.traceparent or context.trace):
            trace.about(context.visit_key)
            self._delivered(run)

    def _delivered(self, run: Run) -> None:
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
            # Whether it came to an attempt, or to a row of what is parked, is not known any more.
            tried = replace(run.message, attempt=max(run.message.attempt, 1))
            self._later(run.store, tried, STORAGE_SECONDS + self._entropy.between(0, STORAGE_SECONDS))
            note("retry", **self._about(run), reason="storage", failure=failure_of(failure))
        finally:
            turn.leave()

    def _deferred(self, run: Run, wait: Wait) -> None:
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

    def _claimed(self, run: Run, turn: Turn) -> None:
        operations = run.store.operations
        held = operations.take(run.connection, run.operation, run.lane, self._entropy.token(9))
        if isinstance(held, Claim):
            if held.state == "busy":
                self._later(run.store, run.message, BUSY_SECONDS)
                return
            if run.message.waits:
                operations.waits_no_more(run.connection, run.waiting())
            if held.outcome == "parked" and run.message.attempt and run.message.kind == "presence":
                self._put_right(run, turn)
            return
        try:
            self._judged(run, held, turn)
        except Exception:
            # Without its claim it comes again as what it is, and is poison in the end if it must be.
            self._let_go(run, held)
            raise

    def _let_go(self, run: Run, held: Held) -> None:
        try:
            run.store.operations.give_back(held)
        except Exception as failure:  # noqa: BLE001 - must not hide why
            note("claim-kept", **self._about(run), failure=failure_of(failure))

    def _judged(self, run: Run, held: Held, turn: Turn) -> None:
        # Read inside the lane: what another worker learned meanwhile counts.
        case = find_case(self._stores, run.context)
        if case is None:
            self._park(run, held, "visit-gone")
            return
        if case.approved.revision.writeback.adapter == "none":
            # Switched off while it was on its way.
            self._drop(run, held, "adapter-none")
            return
        if run.message.kind == "outcome":
            self._concluded(run, held, turn, case)
            return
        try:
            adapter = self._adapters.of(case.approved)
        except LookupError:
            self._park(run, held, "adapter-missing")
            return
        run.lasting = adapter.semantics == "state"
        operation = run.message.operation
        case = self._judging.begun(case, run.message)

        def tell(one: Operation) -> None:
            adapter.tell(case.approved, self._judging.telling(case, one))

        if operation not in case.ledger.begun:
            self._withdrawn(run, held)
        elif self._judging.unsayable(case, operation):
            self._drop(run, held, "nobody")
        elif run.lasting and (newer := self._judging.newer(case, operation)) is not None:
            self._overtaken(run, held, turn, tell, newer)
        else:
            self._tell(run, held, turn, lambda: tell(case.ledger.listed(operation)))

    def _withdrawn(self, run: Run, held: Held) -> None:
        """No outcome, for what is learned next may make it due again."""
        run.store.operations.give_back(held)
        if (waited := run.waited(held)) is not None:
            run.store.operations.waits_no_more(run.connection, waited)

    def _concluded(self, run: Run, held: Held, turn: Turn, case: Case) -> None:
        """An outcome is never overtaken; where nobody takes it any more there is nothing to tell."""
        adapter, conclusion = self._adapters.outcome(case.approved), run.message.conclusion
        if adapter is None:
            self._drop(run, held, "adapter-silent")
        else:
            self._tell(run, held, turn, lambda: tell_outcome(adapter, case, conclusion))

    def _overtaken(
        self, run: Run, held: Held, turn: Turn, tell: Callable[[Operation], None], newer: Operation
    ) -> None:
        """The EHR knows a newer state of this subject already: telling this one would undo it.

        Unless it was tried before. What was given up as unanswered may have reached the EHR after the newer
        state did, so that one is told once more.
        """
        if not (run.message.attempt or held.resumed):
            self._drop(run, held, "overtaken")
        else:
            self._tell(run, held, turn, lambda: tell(newer), "dropped")

    def _put_right(self, run: Run, turn: Turn) -> None:
        """As ``_overtaken``, after a last attempt without an answer: what is parked is not tried again."""
        operations, owner = run.store.operations, self._entropy.token(9)
        if operations.claim(run.connection, run.lane, owner).state != "mine":
            self._later(run.store, run.message, BUSY_SECONDS)
            return
        try:
            case = find_case(self._stores, run.context)
            newer = self._judging.newer(case, run.message.operation) if case is not None else None
            adapter = self._adapters.of(case.approved) if case is not None else None
            if case and adapter and newer and adapter.semantics == "state":
                adapter.tell(case.approved, self._judging.telling(case, newer))
                turn.answered()
        except LookupError:
            note("dropped", **self._about(run), reason="adapter-missing")
        except OutsideError as failure:
            if self._age(run.message) >= 2 * self._seconds:
                raise
            copy = run.message.again()
            self._later(run.store, copy, patience_for(failure).pause(copy.attempt) / self._hurry)
            note("retry", **self._about(run), reason="once-more", failure=failure_of(failure))
        finally:
            operations.release(run.connection, run.lane, owner)

    def _drop(self, run: Run, held: Held, reason: str) -> None:
        """Nobody is told, and that is right."""
        run.store.operations.finish(held, "dropped", run.waited(held))
        self._no_letter(run, held)
        note("dropped", **self._about(run), reason=reason)

    def _no_letter(self, run: Run, held: Held) -> None:
        """Takes away the row of a parking that did not come to its end.

        What was parked before this message was handed on is of a message that is driven again: that goes
        together with its row.
        """
        if not (run.message.attempt or held.resumed):
            return
        letter = run.store.dead_letters.get(run.connection, run.operation)
        if letter is not None and letter.at >= run.message.since:
            run.store.dead_letters.forget(letter)

    def _tell(
        self, run: Run, held: Held, turn: Turn, tell: Callable[[], None], outcome: Outcome = "told"
    ) -> None:
        """Calls the EHR and writes down what came of it. ``tell``: an adapter's, whatever it tells."""
        try:
            tell()
        except OutsideError as failure:
            self._failed(run, held, turn, failure)
            return
        turn.answered()
        run.store.operations.finish(held, outcome, run.waited(held))
        self._no_letter(run, held)
        note("told", **self._about(run))

    def _failed(self, run: Run, held: Held, turn: Turn, failure: OutsideError) -> None:
        patience = patience_for(failure)
        asked = (failure.retry_after if isinstance(failure, StatusRefused) else None) or 0.0
        if patience.outage:
            turn.failed(asked)
        else:
            turn.answered()
        left = patience.seconds(self._seconds) - self._age(run.message)
        if patience is not NEVER and left > 0:
            self._again(run, held, patience, min(asked, LONGEST_ASKED, left * ASKED_SHARE), failure)
            return
        if run.lasting and (patience.outage or run.message.attempt):
            self._later(run.store, replace(run.message.again(), waits=False), SETTLED_SECONDS / self._hurry)
        self._park(run, held, patience.reason or type(failure).__name__, status_of(failure))

    def _again(self, run: Run, held: Held, patience: Patience, asked: float, failure: OutsideError) -> None:
        """A copy with a delay first, then the claim back: a crash in between can only repeat."""
        grown = patience.pause(run.message.attempt) * self._entropy.between(0.8, 1.2) / self._hurry
        copy = run.message.again()
        self._later(run.store, copy, max(grown, asked))
        run.store.operations.give_back(held, run.waiting(patience.name, copy.attempt))
        note("retry", **self._about(run), reason=patience.name, failure=failure_of(failure))

    def _park(self, run: Run, held: Held, reason: str, status: int = 0) -> None:
        """Nothing is dropped silently: a row that says why, the message itself, and only then the outcome."""
        attempts = run.message.attempt + 1
        run.store.dead_letters.add(
            run.connection, run.operation, queue="writeback", reason=reason, status=status, attempts=attempts
        )
        # Whoever drives it again begins anew: nothing counts it meanwhile.
        parked = replace(run.message, waits=False)
        run.store.queue(parked_queue(run.connection)).send(parked.text(self._sealer))
        run.store.operations.finish(held, "parked", run.waited(held))
        note("parked", **self._about(run), reason=reason, status=status)

    def _later(self, store: RegionStore, message: WritebackMessage, delay: float) -> None:
        store.queue("writeback").send(message.text(self._sealer), delay=delay)

    def _age(self, message: WritebackMessage) -> float:
        return (self._clock.now() - parse_timestamp(message.since)).total_seconds()

    def _about(self, run: Run) -> dict[str, Any]:
        """What every line of a message has."""
        return {
            "connection": run.connection,
            "attempt": run.message.attempt,
            "age_seconds": self._age(run.message),
        }
