"""A visit that is tended: Graph's subscriptions and reports in memory, the chain obeying the clock."""

from datetime import datetime, timedelta
from typing import Any, cast

from shared.clock import timestamp
from shared.context import VisitContext
from shared.errors import OutsideError
from shared.graph.reports import Attendance, Report
from shared.graph.subscriptions import Subscription
from shared.meeting.tending import tend_message
from shared.messages import opened
from tests.writeback.house import HIDDEN_SECONDS, KEY, House
from tests.writeback.memory import Crash, Trapped
from writeback_function.concluding import Concluding
from writeback_function.tend import Graphs, Tend

JOIN = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_1%40thread.v2/0"
HOUR, DAY = 3_600.0, 86_400.0


class FakeSubscriptions:
    """Graph's subscriptions: what exists, what was asked, and whether Graph is there."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.alive: dict[str, datetime] = {}
        self.asked: list[str] = []
        self.down: OutsideError | None = None
        self.conflict = False

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down is not None:
            raise self.down

    def create(self, tenant: str, join_url: str, context: str, state: str, expires: datetime) -> Any:
        self._ask("create")
        assert (join_url, self.house.contexts.open(context).visit_key) == (JOIN, KEY)
        if self.conflict or self.alive:
            return None
        name = f"sub-{self.asked.count('create') + 1}"
        self.alive[name] = expires
        return Subscription(name, expires)

    def find(self, tenant: str, join_url: str) -> Any:
        self._ask("find")
        return next((Subscription(*one) for one in self.alive.items()), None)

    def renew(self, tenant: str, name: str, expires: datetime) -> Any:
        self._ask("renew")
        if name not in self.alive:
            return None
        assert expires - self.house.clock.now() <= timedelta(minutes=4_200)
        self.alive[name] = expires
        return Subscription(name, expires)

    def reauthorize(self, tenant: str, name: str) -> bool:
        self._ask("reauthorize")
        return name in self.alive

    def delete(self, tenant: str, name: str) -> bool:
        self._ask("delete")
        return self.alive.pop(name, None) is not None


class FakeReports:
    def __init__(self) -> None:
        self.reports: tuple[Report, ...] = ()
        self.reads = 0
        self.down: OutsideError | None = None

    def of_meeting(self, tenant: str, organizer: str, meeting: str) -> tuple[Report, ...]:
        assert meeting == "M"
        self.reads += 1
        if self.down is not None:
            raise self.down
        return self.reports


class Office:
    """Tending of the light house's visit."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.looks = 0
        self.subscriptions, self.reports = FakeSubscriptions(house), FakeReports()
        self.start()

    def start(self) -> None:
        """A new process."""
        house = self.house
        house.start()
        graph = (Trapped(one, house.trap) for one in (self.subscriptions, self.reports))
        graphs = Graphs(*cast("Any", graph))
        tools = (house.stores, house.contexts, house.sealer, house.pseudonyms)
        concluding = Concluding(house.sealer, house.clock, lambda _: house.adapter.takes)
        self.tend = Tend(*tools, graphs, house.outbox, concluding, house.clock, house.entropy)

    def visit(self, hours: float = 48, **values: Any) -> None:
        """A visit whose subscription lives for so long."""
        expires = self.house.clock.now() + timedelta(hours=hours)
        self.subscriptions.alive["sub-1"] = expires
        known = {"subscription_expires": timestamp(expires), "join_url": JOIN, "meeting_id": "M"}
        self.house.visit(**{**known, **values})

    def first(self, event: str = "") -> str:
        house = self.house
        return tend_message(house.contexts, house.sealer, house.context, house.clock.now(), event)

    def begin(self) -> None:
        """The visit's first message is queued, as a launch does."""
        self.house.clocked["tend"].send(self.first())

    def record(self, oid: str, *spans: tuple[float, float]) -> Attendance:
        """Of a home user, or without an object id of somebody from outside; seconds since the begin."""
        begin = self.house.begin
        intervals = tuple((begin + timedelta(seconds=a), begin + timedelta(seconds=b)) for a, b in spans)
        return Attendance("home" if oid else "external", oid, "Attendee", 0, intervals)

    def report(self, *records: Attendance, name: str = "r1") -> Report:
        """One session: from the first coming to the last leaving."""
        moments = [moment for one in records for span in one.intervals for moment in span]
        return Report(name, min(moments), max(moments), records)

    def said(self) -> list[tuple[str, str, float, bool]]:
        """Role, status, seconds, reconstructed; by role."""
        adapter = self.house.adapter
        marks = [one.reconstructed for one in adapter.held]
        return sorted((*one, mark) for one, mark in zip(adapter.said(), marks, strict=True))

    def contexts(self) -> list[VisitContext]:
        """Of the messages that wait."""
        house = self.house
        values = [opened("tend", one.text, house.sealer) for one in house.waiting("tend")]
        return [house.contexts.open(one["c"]) for one in values]

    @property
    def waiting(self) -> list[float]:
        return [one.delay for one in self.house.waiting("tend")]

    def run_for(self, seconds: float) -> None:
        """The chain, from one message to the next; attendance and write-back go on beside it."""
        house, end = self.house, self.house.clock.now() + timedelta(seconds=seconds)
        queue = house.waiting("tend")
        while (following := min(queue, key=lambda one: one.seen, default=None)) and following.seen <= end:
            house.run_for(max((following.seen - house.clock.now()).total_seconds(), 0))
            self.looks += 1
            try:
                self.tend.tend(following.text)
            except Crash:
                self.start()
                following.seen = house.clock.now() + timedelta(seconds=HIDDEN_SECONDS)
            else:
                queue.remove(following)
        house.run_for(max((end - house.clock.now()).total_seconds(), 0))
