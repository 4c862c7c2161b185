"""From an operation to the EHR: at least once in the queue, once in effect.

Claim, judge by all that is known now, tell, settle. A failure in passing puts a copy back with a growing
delay, for at least a day; a refusal for good parks the message, with a row that says why. Killing the process
between any two lines leaves either the message or its copy in the queue.
"""

import logging
from typing import Literal

from shared.clock import Clock, Entropy, parse_timestamp
from shared.context import ContextSeal, VisitContext
from shared.ehr.port import Adapter, Telling
from shared.ehr.registry import Adapters
from shared.errors import OutsideError, SealError, StatusRefused
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.region import RegionStore
from shared.visit.attribution import PATIENT, clinician_user, patient_user
from shared.visit.intervals import moment
from shared.visit.operations import Operation, Picture, began, superseded
from writeback_function.breaker import PAUSE, Breaker
from writeback_function.case import Case, find_case, launches_of
from writeback_function.fold import Handing

log = logging.getLogger("antesala.writeback")

BUSY_SECONDS = 1.0
_FIRST_DELAY = 10.0
_LONGEST_DELAY = 900.0


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
        hours: float,
        hurry: float = 1.0,
    ) -> None:
        """``debounce`` in seconds; ``hours``: for how long failures in passing are tried again.

        ``hurry``: see ``Settings.hurry``.
        """
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._adapters = adapters
        self._clock = clock
        self._entropy = entropy
        self._handing = Handing(sealer, clock, debounce)
        self._seconds = hours * 3_600
        self._hurry = hurry
        self._breaker = Breaker(clock, PAUSE / hurry)

    def deliver(self, text: str) -> None:
        """Takes one message. A failure nobody foresaw is raised, and the message comes again."""
        message = WritebackMessage.read(text, self._sealer)
        context = self._contexts.open(message.context)
        case = find_case(self._stores, context)
        if case is None:
            self._park(self._stores.of(context.connection), message, context, "visit-gone")
            return
        pause = self._breaker.closed_for(context.connection)
        if pause:
            self._later(case.store, message, pause + self._entropy.between(0, 10 / self._hurry))
            return
        self._claimed(case, message)

    def _claimed(self, case: Case, message: WritebackMessage) -> None:
        operation, owner = message.operation, self._entropy.token(9)
        connection, name = case.visit.connection, operation.id(*case.name)
        lane = operation.lane(*case.name)
        claim = case.store.operations.claim(connection, name, owner)
        if claim.state == "settled":
            return
        if claim.state == "busy" or case.store.operations.claim(connection, lane, owner).state != "mine":
            if claim.state == "mine":
                case.store.operations.release(connection, name, owner)
            self._later(case.store, message, BUSY_SECONDS)
            return
        try:
            self._judged(case, message, owner)
        finally:
            case.store.operations.release(connection, lane, owner)

    def _judged(self, case: Case, message: WritebackMessage, owner: str) -> None:
        # Read again inside the lane: what another worker learned meanwhile counts.
        case = find_case(self._stores, case.context) or case
        operation = message.operation
        connection, name = case.visit.connection, operation.id(*case.name)
        try:
            adapter = self._adapters.of(case.approved)
        except LookupError:
            self._park(case.store, message, case.context, "adapter-missing", name=name)
            return
        case = self._begun(case, message)
        if operation not in case.ledger.begun:
            # Withdrawn: no outcome, for what is learned next may make it due again.
            case.store.operations.release(connection, name, owner)
        elif adapter.semantics == "state" and self._overtaken(case, operation):
            case.store.operations.settle(connection, name, "dropped")
        else:
            telling = self._telling(case, case.picture(self._sealer), operation)
            self._tell(case, message, adapter, telling, owner)

    def _begun(self, case: Case, message: WritebackMessage) -> Case:
        """The case in which the operation may reach the EHR, unless newer facts have withdrawn it.

        What its fold had no time to mark is marked here first.
        """
        operation = message.operation
        case = self._handing.hand_on(case, message.context)
        return case.changed(lambda ledger: ledger.begin(operation) or ledger)

    def _overtaken(self, case: Case, operation: Operation) -> bool:
        """Whether the EHR knows a newer state of this subject already: telling this one would undo it.

        A newer one that is only on its way is no reason to keep a connect from the record.
        """
        operations, connection = case.store.operations, case.visit.connection
        return any(
            superseded([one], operation) and operations.outcome(connection, one.id(*case.name)) == "told"
            for one in case.ledger.begun
        )

    def _telling(self, case: Case, view: Picture, operation: Operation) -> Telling:
        user = clinician_user(operation.subject)
        role: Literal["provider", "patient", "unattributed"] = "provider" if user else "unattributed"
        # Who was told as the patient has to leave as the patient, even if nobody is taken for them any more:
        # otherwise the EHR would show them as connected for ever.
        known = operation.subject in view.subjects or operation.status == "disconnected"
        if operation.subject == PATIENT and known:
            role, user = "patient", patient_user(launches_of(case.visit, self._sealer))
        start = began(view, operation)
        return Telling(
            operation=operation.id(*case.name),
            status=operation.status,
            at=moment(operation.at),
            began=moment(start) if start is not None else None,
            role=role,
            user=user,
            reconstructed=operation.reconstructed,
            context=case.context,
        )

    def _tell(
        self, case: Case, message: WritebackMessage, adapter: Adapter, telling: Telling, owner: str
    ) -> None:
        connection, store = case.visit.connection, case.store
        try:
            adapter.tell(case.approved, telling)
        except OutsideError as failure:
            if failure.transient and self._age(message) < self._seconds:
                self._breaker.failed(connection)
                self._again(case, message, telling.operation, owner, failure)
                return
            if not failure.transient:
                self._breaker.answered(connection)
            reason = "gave-up" if failure.transient else type(failure).__name__
            status = failure.status if isinstance(failure, StatusRefused) else 0
            self._park(store, message, case.context, reason, status, telling.operation)
            return
        self._breaker.answered(connection)
        store.operations.settle(connection, telling.operation, "told")
        log.info("told", extra={"event": "told", "connection": connection, "age_seconds": self._age(message)})

    def _again(
        self, case: Case, message: WritebackMessage, name: str, owner: str, failure: OutsideError
    ) -> None:
        """A copy with a delay first, then the claim back: a crash in between can only repeat."""
        asked = failure.retry_after if isinstance(failure, StatusRefused) else None
        grown = min(_FIRST_DELAY * 2**message.attempt, _LONGEST_DELAY) / self._hurry
        delay = max(grown * self._entropy.between(0.8, 1.2), asked or 0.0)
        self._later(case.store, message.again(), min(delay, 24 * 3_600.0))
        case.store.operations.release(case.visit.connection, name, owner)
        extra = {"event": "retry", "connection": case.visit.connection, "age_seconds": self._age(message)}
        log.warning("told later: %s", failure, extra=extra)

    def _park(
        self,
        store: RegionStore,
        message: WritebackMessage,
        context: VisitContext,
        reason: str,
        status: int = 0,
        name: str = "",
    ) -> None:
        """Nothing is dropped silently: a row that says why, the message itself, and only then the outcome."""
        connection = context.connection
        name = name or message.operation.id(connection, context.visit_key)
        attempts = message.attempt + 1
        store.dead_letters.add(
            connection, name, queue="writeback", reason=reason, status=status, attempts=attempts
        )
        store.queue("writeback-parked").send(message.text(self._sealer))
        store.operations.settle(connection, name, "parked")
        extra = {"event": "parked", "connection": connection, "reason": reason, "status": status}
        log.error("parked: %s %d", reason, status, extra=extra)

    def _later(self, store: RegionStore, message: WritebackMessage, delay: float) -> None:
        store.queue("writeback").send(message.text(self._sealer), delay=delay)

    def _age(self, message: WritebackMessage) -> float:
        return (self._clock.now() - parse_timestamp(message.since)).total_seconds()


class Poison:
    """What came back too often without a foreseen reason: parked as it is, with a row that says so."""

    def __init__(self, sealer: Sealer, contexts: ContextSeal, clock: Clock) -> None:
        self._sealer = sealer
        self._contexts = contexts
        self._clock = clock

    def park(self, store: RegionStore, queue: str, text: str, message_id: str) -> None:
        """Takes a message of ``<queue>-poison``."""
        store.queue("writeback-parked").send(text)
        connection = self._connection(queue, text) or "unknown"
        store.dead_letters.add(connection, message_id, queue=queue, reason="poison")
        extra = {"event": "parked", "connection": connection, "reason": "poison"}
        log.error("parked from %s: poison", queue, extra=extra)

    def _connection(self, queue: str, text: str) -> str:
        try:
            return self._contexts.open(self._sealed(queue, text)).connection
        except (MessageRefused, SealError):
            return ""

    def _sealed(self, queue: str, text: str) -> str:
        if queue == "attendance":
            return AttendanceMessage.read(text).context
        return str(opened(queue, text, self._sealer).get("c" if queue == "tend" else "context", ""))
