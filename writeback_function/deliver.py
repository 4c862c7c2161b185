"""From an operation to the EHR: at least once in the queue, once in effect.

Claim, judge by all that is known now, tell, settle. A failure in passing puts a copy back with a growing
delay, for at least a day; a refusal for good parks the message, with a row that says why. Killing the process
between any two lines leaves either the message or its copy in the queue.

Trips to storage for one that is told at the first attempt: claim and lane in one, visit, connection, the mark
that it has begun, outcome and lane in one.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from shared.clock import Clock, Entropy, parse_timestamp
from shared.context import ContextSeal, VisitContext
from shared.ehr.port import Telling
from shared.ehr.registry import Adapters
from shared.errors import OutsideError, StatusRefused
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.store import ChangedMeanwhile, Stores
from shared.store.faults import StorageUnavailable
from shared.store.operations import Claim, Held, Waiting
from shared.store.queues import parked_queue
from shared.store.region import RegionStore
from shared.visit.attribution import PATIENT, clinician_user, patient_user
from shared.visit.intervals import moment
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, superseded
from writeback_function.breaker import PAUSE, Breaker, Turn, Wait
from writeback_function.case import Case, find_case, launches_of
from writeback_function.fold import Handing
from writeback_function.patience import NEVER, Patience, patience_for, status_of
from writeback_function.telling import tell_outcome

log = logging.getLogger("antesala.writeback")

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
        clock: Clock,
        entropy: Entropy,
        *,
        debounce: float,
        lateness: float = 0.0,
        hours: float,
        hurry: float = 1.0,
    ) -> None:
        """``debounce`` and ``lateness``: see ``Handing``. ``hurry``: see ``Settings.hurry``.

        ``hours``: for how long failures in passing are tried again.
        """
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._adapters = adapters
        self._clock = clock
        self._entropy = entropy
        self._handing = Handing(sealer, clock, debounce, lateness)
        self._debounce = round(debounce * 1_000_000)
        self._seconds = hours * 3_600
        self._hurry = hurry
        self._breaker = Breaker(clock, PAUSE / hurry)

    def deliver(self, text: str) -> None:
        """Takes one message. A failure nobody foresaw is raised, and the message comes again."""
        message = WritebackMessage.read(text, self._sealer)
        context = self._contexts.open(message.context)
        run = _Run(self._stores.of(context.connection), message, context)
        turn = self._breaker.enter(run.connection)
        if isinstance(turn, Wait):
            self._deferred(run, turn)
            return
        try:
            self._claimed(run, turn)
        except StorageUnavailable as failure:
            # The host's tries are over in minutes, an outage is not.
            if self._age(message) >= self._seconds:
                raise
            self._later(run.store, message, STORAGE_SECONDS + self._entropy.between(0, STORAGE_SECONDS))
            log.warning("storage: %s", failure, extra=self._extra("retry", run, reason="storage"))
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
            log.info("deferred", extra=self._extra("deferred", run))

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
            log.warning("claim not given back: %s", failure, extra=self._extra("claim-kept", run))

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
        case = self._begun(case, run.message)
        if operation not in case.ledger.begun:
            # Withdrawn: no outcome, for what is learned next may make it due again.
            run.store.operations.give_back(held)
            if (waited := run.waited(held)) is not None:
                run.store.operations.waits_no_more(run.connection, waited)
        elif self._unsayable(case, operation) or (
            adapter.semantics == "state" and self._overtaken(case, operation)
        ):
            run.store.operations.finish(held, "dropped", run.waited(held))
        else:
            telling = self._telling(case, case.ledger.listed(operation))
            self._tell(run, held, turn, lambda: adapter.tell(case.approved, telling))

    def _concluded(self, run: _Run, held: Held, turn: Turn, case: Case) -> None:
        """An outcome is never overtaken; where nobody takes it any more there is nothing to tell."""
        adapter, conclusion = self._adapters.outcome(case.approved), run.message.conclusion
        if adapter is None:
            run.store.operations.finish(held, "dropped", run.waited(held))
        else:
            self._tell(run, held, turn, lambda: tell_outcome(adapter, case, conclusion))

    def _begun(self, case: Case, message: WritebackMessage) -> Case:
        """The case in which the operation may reach the EHR, unless newer facts have withdrawn it.

        What its fold had no time to mark is marked here first. Mostly there is no such thing, and the row is
        as it was read: then one write does it.
        """
        operation = message.operation
        if self._at_rest(case):
            begun = case.ledger.begin(operation)
            if begun is None or begun == case.ledger:
                return case
            if (saved := self._saved(case, begun)) is not None:
                return saved
        case = self._handing.hand_on(case, message.context)
        return case.changed(lambda ledger: ledger.begin(operation) or ledger)

    def _at_rest(self, case: Case) -> bool:
        ledger, view = case.ledger, case.picture(self._sealer)
        return ledger.standing(view, self._debounce) == ledger and not ledger.due(view, self._debounce)

    def _saved(self, case: Case, ledger: Ledger) -> Case | None:
        """The case with this ledger; None where somebody else has changed the row."""
        try:
            visit = case.store.visits.save(replace(case.visit, roster=ledger.document()))
        except ChangedMeanwhile:
            return None
        return replace(case, visit=visit)

    def _overtaken(self, case: Case, operation: Operation) -> bool:
        """Whether the EHR knows a newer state of this subject already: telling this one would undo it.

        A newer one that is only on its way is no reason to keep a connect from the record.
        """
        operations, connection = case.store.operations, case.visit.connection
        return any(
            superseded([one], operation) and operations.outcome(connection, one.id(*case.name)) == "told"
            for one in case.ledger.begun
        )

    def _unsayable(self, case: Case, operation: Operation) -> bool:
        """Whether nobody is taken for the patient any more who was, when this connect was handed on.

        The visit's own connect says what can be said; a disconnect is told all the same, as the patient's:
        otherwise the EHR might show them as connected for ever.
        """
        if operation.subject != PATIENT or operation.status != "connected":
            return False
        return PATIENT not in case.picture(self._sealer).subjects

    def _telling(self, case: Case, operation: Operation) -> Telling:
        user = clinician_user(operation.subject)
        role: Literal["provider", "patient", "unattributed"] = "provider" if user else "unattributed"
        if operation.subject == PATIENT:
            role, user = "patient", patient_user(launches_of(case.visit, self._sealer))
        return Telling(
            operation=operation.id(*case.name),
            status=operation.status,
            at=moment(operation.at),
            began=moment(operation.began) if operation.began else None,
            role=role,
            user=user,
            reconstructed=operation.reconstructed,
            context=case.context,
        )

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
        log.info("told", extra=self._extra("told", run))

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
        log.warning("told later: %s", failure, extra=self._extra("retry", run, reason=patience.name))

    def _park(self, run: _Run, held: Held, reason: str, status: int = 0) -> None:
        """Nothing is dropped silently: a row that says why, the message itself, and only then the outcome."""
        attempts = run.message.attempt + 1
        run.store.dead_letters.add(
            run.connection, run.operation, queue="writeback", reason=reason, status=status, attempts=attempts
        )
        # Whoever drives it again begins anew: nothing counts it meanwhile.
        parked = replace(run.message, waits=False)
        run.store.queue(parked_queue(run.connection)).send(parked.text(self._sealer))
        run.store.operations.finish(held, "parked", run.waited(held))
        extra = self._extra("parked", run, reason=reason, status=status)
        log.error("parked: %s %d", reason, status, extra=extra)

    def _later(self, store: RegionStore, message: WritebackMessage, delay: float) -> None:
        store.queue("writeback").send(message.text(self._sealer), delay=delay)

    def _age(self, message: WritebackMessage) -> float:
        return (self._clock.now() - parse_timestamp(message.since)).total_seconds()

    def _extra(self, event: str, run: _Run, **more: Any) -> dict[str, Any]:
        known = {"event": event, "connection": run.connection, "attempt": run.message.attempt}
        return {**known, "age_seconds": self._age(run.message), **more}
