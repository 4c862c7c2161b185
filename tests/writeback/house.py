"""A visit and the three queue functions around it, on rows that may be real and queues that obey a clock."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from shared.clock import parse_timestamp, timestamp
from shared.connection import Approved, Connection, Policy, Revision, Writeback
from shared.context import ContextSeal, VisitContext
from shared.graph.notifications import Notifications
from shared.graph.subscriptions import client_state
from shared.messages import AttendanceMessage
from shared.sealing import Pseudonyms, Sealer
from shared.store.dead_letters import DeadLetters
from shared.store.operations import Operations
from shared.store.queues import PARKED, parked_queue
from shared.store.table import Table
from shared.store.visits import Person, Visit, Visits
from shared.visit.ledger import Ledger
from tests.fakes import FakeClock, SeededEntropy
from tests.graph.fakes import ELENA, NOAH, TENANT
from tests.writeback.memory import ClockQueue, RecordingAdapter, Trap, Trapped, Waiting
from writeback_function.deliver import Deliver
from writeback_function.fold import Fold
from writeback_function.outbox import Outbox
from writeback_function.poison import Poison

KEY = "visit-key-1"
SUBSCRIPTION = "sub-1"
DOCTOR_USER, PATIENT_USER = "EMP-88101", "WPR-5519902"
MOST_DELIVERIES = 5
HIDDEN_SECONDS = 30.0
HOURS = 24.0


class Open(Notifications):
    """The real reading of notifications without their cryptography, which ``test_forged`` has."""

    def __init__(self) -> None:
        pass

    def authentic(self, item: Any, validation_tokens: Any, received: datetime | None = None) -> None:
        pass

    def decrypt(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return dict(item["event"])


class House:
    """One hospital's region, one visit, its queues and the functions that take them."""

    def __init__(self, connection: str, table: Callable[[str], Any], clock: FakeClock, trap: Trap) -> None:
        self.connection, self.clock, self.trap = connection, clock, trap
        self.begin = clock.now()
        self.entropy = SeededEntropy()
        self.sealer = Sealer([b"s" * 32], clock)
        self.pseudonyms = Pseudonyms([b"v" * 32])
        self.contexts = ContextSeal(self.sealer)
        self.context = self._context()
        self.sealed = self.contexts.seal(self.context)
        self.approved: Approved | None = _approved(connection)
        self.lot = parked_queue(connection)
        names = ("attendance", "writeback", self.lot, PARKED, "tend")
        self.clocked = {name: ClockQueue(clock) for name in names}
        self.region = self._region(table)
        self.stores: Any = SimpleNamespace(of=lambda _: self.region, region=lambda _: self.region)
        self.adapter = RecordingAdapter(clock)
        self.notifications: Notifications = Open()
        self.poisoned: list[str] = []
        self.lateness = 0.0
        self.start()

    def _context(self) -> VisitContext:
        ends = self.begin + timedelta(minutes=30)
        return VisitContext(
            self.connection, KEY, "session", "S-1", patient="P-1", starts=self.begin, ends=ends
        )

    def _region(self, table: Callable[[str], Any]) -> Any:
        def trapped(name: str) -> Table:
            return cast("Table", Trapped(table(name), self.trap))

        return SimpleNamespace(
            name="americas",
            serves=lambda connection: connection == self.connection,
            visits=Visits(trapped("Visits"), self.entropy, lambda _: None),
            operations=Operations(trapped("Operations"), self.clock),
            dead_letters=DeadLetters(trapped("DeadLetters"), self.clock),
            connections=SimpleNamespace(approved=lambda _: self.approved),
            approved_lately=lambda _: self.approved,
            queue=lambda name: Trapped(self.clocked[name], self.trap),
        )

    def start(self) -> None:
        """A new process: nothing in memory is left."""
        self.trap.revive()
        self.outbox = Outbox(self.sealer, self.clock, 15, self.lateness)
        self.folding = Fold(
            self.stores, self.contexts, self.pseudonyms, self.notifications, self.outbox, self.clock
        )
        told = cast(
            "Any", SimpleNamespace(of=lambda _: Trapped(self.adapter, self.trap), outcome=self._taking)
        )
        self.delivering = Deliver(
            self.stores,
            self.contexts,
            self.sealer,
            told,
            self.outbox,
            self.clock,
            self.entropy,
            hours=HOURS,
        )
        self.parking = Poison(self.sealer, self.contexts)

    def _taking(self, approved: Approved) -> Any:
        return Trapped(self.adapter, self.trap) if self.adapter.takes else None

    # -- the visit -----------------------------------------------------------------------------------

    def visit(self, *persons: Person, **values: Any) -> None:
        known = Visit(
            self.connection,
            KEY,
            1,
            timestamp(self.begin - timedelta(minutes=5)),
            subscription_id=SUBSCRIPTION,
        )
        self.region.visits.create(replace(known, persons=persons or self.cast(), **values))

    def cast(self) -> tuple[Person, ...]:
        return self.doctor(), self.patient()

    def doctor(self, user: str = DOCTOR_USER, oid: str = ELENA) -> Person:
        return Person("provider", user, timestamp(self.begin - timedelta(minutes=2)), oid)

    def patient(self, user: str = PATIENT_USER) -> Person:
        sealed = self.sealer.seal("person", user)
        return Person("patient", sealed, timestamp(self.begin - timedelta(minutes=1)))

    def row(self) -> Visit:
        found = self.region.visits.get(self.connection, KEY)
        assert found is not None
        return cast("Visit", found)

    # -- what Graph says -----------------------------------------------------------------------------

    def item(self, event: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        values = {
            "subscriptionId": SUBSCRIPTION,
            "clientState": client_state(self.pseudonyms, self.connection, KEY),
            "tenantId": TENANT,
            "event": event,
        }
        return {**values, **changes}

    def text(self, item: Mapping[str, Any], tokens: tuple[str, ...] = ("t",)) -> str:
        return AttendanceMessage(self.sealed, item, tokens, self.clock.now()).text()

    def event(
        self, seconds: float, *deltas: Mapping[str, Any], kind: str = "rosterUpdated"
    ) -> dict[str, Any]:
        at = timestamp(self.begin + timedelta(seconds=seconds))
        return {
            "id": f"event-{seconds}",
            "eventType": kind,
            "eventDateTime": at,
            "participants@delta": list(deltas),
        }

    def sees(self, seconds: float, *deltas: Mapping[str, Any], kind: str = "rosterUpdated") -> None:
        """Graph's notification of this event is folded at once."""
        self.folding.fold(self.text(self.item(self.event(seconds, *deltas, kind=kind))))

    # -- the host ------------------------------------------------------------------------------------

    def due(self, *names: str) -> list[tuple[str, Waiting]]:
        now = self.clock.now()
        return [
            (name, one)
            for name in names or ("attendance", "writeback")
            for one in self.clocked[name].messages
            if one.seen <= now
        ]

    def run(self) -> None:
        """The host takes every message that is seen now, once, in order."""
        for name, message in self.due():
            self._take(name, message)

    def _take(self, name: str, message: Waiting) -> None:
        queue = self.clocked[name]
        message.deliveries += 1
        try:
            self.function(name)(message.text)
        except Exception as failure:  # noqa: BLE001 - as the host does
            self.start()
            message.seen = self.clock.now() + timedelta(seconds=HIDDEN_SECONDS)
            if message.deliveries >= MOST_DELIVERIES:
                queue.messages.remove(message)
                self.poisoned.append(type(failure).__name__)
            return
        queue.messages.remove(message)

    def function(self, name: str) -> Callable[[str], None]:
        return self.folding.fold if name == "attendance" else self.delivering.deliver

    def run_for(self, seconds: float) -> None:
        """The host runs while time passes: from one message that is seen to the next."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while True:
            self.run()
            moments = [
                one.seen for name in ("attendance", "writeback") for one in self.clocked[name].messages
            ]
            following = min(moments, default=None)
            if following is None or following > end:
                break
            self.clock.advance(max((following - self.clock.now()).total_seconds(), 0.001))
        self.clock.advance(max((end - self.clock.now()).total_seconds(), 0))

    def waiting(self, name: str = "writeback") -> list[Waiting]:
        return self.clocked[name].messages

    def dead(self) -> list[tuple[str, int, str]]:
        letters = self.region.dead_letters.of_connection(self.connection)
        return [(one.reason, one.status, one.queue) for one in letters]

    def outcomes(self) -> list[str]:
        """How each operation handed on has ended."""
        operations = self.region.operations
        told = Ledger.from_document(self.row().roster).told
        return [str(operations.outcome(self.connection, one.id(self.connection, KEY))) for one in told]

    def parked(self) -> int:
        return len(self.clocked[self.lot].messages)


def guest(name: str, *, lobby: bool = False, out: bool = False, identity: str = "") -> dict[str, Any]:
    person = {"id": identity, "displayName": "Zephyrina Quill"} if identity else {"displayName": "Z"}
    return _delta(name, {"guest": person}, lobby=lobby, out=out)


def home(name: str, oid: str = ELENA, *, out: bool = False) -> dict[str, Any]:
    return _delta(name, {"user": {"id": oid, "tenantId": TENANT}}, lobby=False, out=out)


def nurse(name: str, *, out: bool = False) -> dict[str, Any]:
    return home(name, NOAH, out=out)


def _delta(name: str, identity: Mapping[str, Any], *, lobby: bool, out: bool) -> dict[str, Any]:
    delta: dict[str, Any] = {"id": name, "isInLobby": lobby, "info": {"identity": identity}}
    return {**delta, "removedState": {"reason": "left"}} if out else delta


def _approved(connection: str) -> Approved:
    head = Connection(
        connection, TENANT, "americas", "test", "fhir", "https://e.invalid/R4", "2026-01-01T00:00:00.000Z"
    )
    revision = Revision(
        connection, 1, "approved", "Sierra", writeback=Writeback("fhir"), policy=Policy(connected="lobby")
    )
    return Approved(head, revision)


def seconds_since(begin: datetime, text: str) -> float:
    return (parse_timestamp(text) - begin).total_seconds()
