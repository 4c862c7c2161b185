from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from shared.clock import parse_timestamp, timestamp
from shared.errors import OutsideError, Unreachable
from shared.graph.reports import Attendance, Report
from shared.graph.subscriptions import Subscription
from shared.meeting.tending import tend_message
from shared.visit.ledger import Ledger
from tests.graph.fakes import ELENA, NOAH
from tests.writeback.house import KEY, House, guest, home
from writeback_function.tend import CHECKS, Graphs, Tend

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

    def of_meeting(self, tenant: str, organizer: str, meeting: str) -> tuple[Report, ...]:
        assert meeting == "M"
        self.reads += 1
        return self.reports


class Office:
    """Tending of the light house's visit."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.looks = 0
        self.subscriptions, self.reports = FakeSubscriptions(house), FakeReports()
        graphs = Graphs(cast("Any", self.subscriptions), cast("Any", self.reports))
        tools = (house.stores, house.contexts, house.sealer, house.pseudonyms)
        self.tend = Tend(*tools, graphs, house.handing, house.clock, house.entropy)

    def visit(self, hours: float = 48, **values: Any) -> None:
        """A visit whose subscription lives for so long."""
        expires = self.house.clock.now() + timedelta(hours=hours)
        self.subscriptions.alive["sub-1"] = expires
        known = {"subscription_expires": timestamp(expires), "join_url": JOIN, "meeting_id": "M"}
        self.house.visit(**{**known, **values})

    def first(self, event: str = "") -> str:
        house = self.house
        return tend_message(house.contexts, house.sealer, house.context, house.clock.now(), event)

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
            self.tend.tend(following.text)
            queue.remove(following)
        house.run_for(max((end - house.clock.now()).total_seconds(), 0))


@pytest.fixture
def office(light: House) -> Office:
    return Office(light)


# -- subscriptions ---------------------------------------------------------------------------------


def test_a_subscription_with_a_day_left_should_be_left_alone(office: Office) -> None:
    office.visit(hours=25)
    office.tend.tend(office.first())
    assert office.subscriptions.asked == []
    assert len(office.waiting) == 1


def test_a_subscription_with_less_than_a_day_left_should_be_renewed_once(office: Office) -> None:
    office.visit(hours=23.9)
    office.tend.tend(office.first())
    office.run_for(1_500)
    assert office.subscriptions.asked == ["renew"]
    row = office.house.row()
    assert parse_timestamp(row.subscription_expires) == office.subscriptions.alive["sub-1"]
    assert parse_timestamp(row.subscription_expires) > office.house.clock.now() + timedelta(hours=24)


def test_one_that_is_gone_should_be_made_anew_and_the_former_kept(office: Office) -> None:
    office.visit(hours=1)
    office.subscriptions.alive.clear()
    office.tend.tend(office.first())
    assert office.subscriptions.asked == ["renew", "create"]
    row = office.house.row()
    assert row.subscription_id == "sub-2"
    assert Ledger.from_document(row.roster).former == ("sub-1",)
    # What the former one still delivers counts.
    office.house.sees(5, guest("p"))
    office.house.run()
    assert office.house.adapter.said() == [("patient", "connected", 5)]


def test_one_that_was_never_written_down_should_be_found(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="")
    office.tend.tend(office.first())
    assert office.subscriptions.asked == ["create", "find"]
    assert office.house.row().subscription_id == "sub-1"
    assert Ledger.from_document(office.house.row().roster).former == ()


def test_one_that_exists_and_cannot_be_found_should_be_tried_again_soon(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="")
    office.subscriptions.alive.clear()
    office.subscriptions.conflict = True
    office.tend.tend(office.first())
    assert office.waiting == [120]
    office.subscriptions.conflict = False
    office.run_for(130)
    assert office.house.row().subscription_id != ""


def test_a_visit_without_a_meeting_should_be_subscribed_to_nothing(office: Office) -> None:
    office.visit(join_url="", meeting_id="", subscription_id="", subscription_expires="")
    office.tend.tend(office.first())
    assert office.subscriptions.asked == []


def test_reauthorization_should_be_answered_without_another_chain(office: Office) -> None:
    office.visit()
    office.tend.tend(office.first("reauthorizationRequired"))
    assert office.subscriptions.asked == ["reauthorize"]
    assert office.waiting == []


def test_reauthorization_of_one_that_is_gone_should_make_a_new_one(office: Office) -> None:
    office.visit()
    office.subscriptions.alive.clear()
    office.tend.tend(office.first("reauthorizationRequired"))
    assert office.subscriptions.asked == ["reauthorize", "create"]
    assert office.house.row().subscription_id == "sub-2"


def test_a_removed_subscription_should_be_made_anew_once(office: Office) -> None:
    office.visit()
    office.subscriptions.alive.clear()
    text = office.first("subscriptionRemoved")
    office.tend.tend(text)
    office.tend.tend(text)
    assert list(office.subscriptions.alive) == [office.house.row().subscription_id] == ["sub-2"]
    assert Ledger.from_document(office.house.row().roster).former == ("sub-1",)


def test_graph_that_is_down_should_be_asked_again_in_two_minutes(office: Office) -> None:
    office.visit(hours=1)
    office.subscriptions.down = Unreachable("graph")
    office.tend.tend(office.first())
    assert office.waiting == [120]
    office.run_for(600)
    assert office.subscriptions.asked == ["renew"] * 6
    office.subscriptions.down = None
    office.run_for(120)
    assert office.subscriptions.alive["sub-1"] > office.house.clock.now() + timedelta(hours=24)


# -- the chain -------------------------------------------------------------------------------------


def test_duplicates_should_make_one_chain(office: Office) -> None:
    office.visit()
    text = office.first()
    office.tend.tend(text)
    office.tend.tend(text)
    office.tend.tend(text)
    assert len(office.waiting) == 1


def test_a_crash_before_the_turn_was_written_should_leave_one_living_chain(office: Office) -> None:
    office.visit()
    text = office.first()
    office.tend.tend(text)
    row = office.house.row()
    lost = replace(Ledger.from_document(row.roster), turn="")
    office.house.region.visits.save(replace(row, roster=lost.document()))
    office.tend.tend(text)
    assert len(office.waiting) == 2
    office.run_for(2 * HOUR)
    assert len(office.waiting) == 1


@pytest.mark.parametrize("text", ["", "{", '{"v":1}', '{"v":1,"kind":"tend","sealed":"abc"}'])
def test_what_is_no_tend_message_should_end_there(office: Office, text: str) -> None:
    office.visit()
    office.tend.tend(text)
    assert office.waiting == []


def test_a_visit_that_is_gone_should_end_the_chain(office: Office) -> None:
    office.tend.tend(office.first())
    assert office.waiting == []


WITHOUT = {"join_url": "", "meeting_id": "", "subscription_id": "", "subscription_expires": ""}


@pytest.mark.parametrize("values", [{}, WITHOUT])
def test_a_visit_that_is_over_should_be_closed_with_few_looks(office: Office, values: dict[str, Any]) -> None:
    office.visit(hours=24.5, **values)
    office.house.clocked["tend"].send(office.first())
    office.run_for(3 * DAY)
    row = office.house.row()
    assert parse_timestamp(row.closed_at) >= office.house.begin + timedelta(days=1)
    assert office.waiting == []
    assert office.looks <= len(CHECKS) + 4
    assert office.subscriptions.asked.count("renew") <= 2
    if not values:
        assert office.subscriptions.alive == {}
        assert office.subscriptions.asked[-1] == "delete"
        assert office.reports.reads == len(CHECKS)


def test_a_visit_of_unknown_time_should_be_renewed_daily_at_most(office: Office) -> None:
    office.house.context = replace(office.house.context, starts=None, ends=None)
    office.visit(hours=24)
    office.house.clocked["tend"].send(office.first())
    office.run_for(4 * DAY)
    assert office.house.row().closed_at != ""
    assert 1 <= office.subscriptions.asked.count("renew") <= 3


def test_somebody_still_there_should_keep_the_visit_open_for_three_days(office: Office) -> None:
    office.visit()
    office.house.sees(5, home("d"))
    office.house.clocked["tend"].send(office.first())
    office.run_for(2 * DAY)
    assert office.house.row().closed_at == ""
    office.run_for(3 * DAY)
    assert office.house.row().closed_at != ""
    assert office.looks < 20


def test_a_subscription_that_cannot_be_deleted_should_not_keep_a_visit_open(office: Office) -> None:
    office.visit()
    office.house.clocked["tend"].send(office.first())
    office.run_for(DAY)
    office.subscriptions.down = Unreachable("graph")
    office.run_for(2 * DAY)
    assert office.house.row().closed_at != ""


def test_a_closed_visit_should_be_left_alone(office: Office) -> None:
    office.visit(closed_at=timestamp(office.house.clock.now()))
    office.tend.tend(office.first())
    office.tend.tend(office.first("subscriptionRemoved"))
    assert (office.subscriptions.asked, office.waiting) == ([], [])


# -- reports ---------------------------------------------------------------------------------------


def record(office: Office, kind: Any, oid: str, *spans: tuple[float, float]) -> Attendance:
    begin = office.house.begin
    intervals = tuple((begin + timedelta(seconds=a), begin + timedelta(seconds=b)) for a, b in spans)
    return Attendance(kind, oid, "Attendee", 0, intervals)


def report(office: Office, *records: Attendance, name: str = "r1") -> Report:
    begin = office.house.begin
    return Report(name, begin, begin + timedelta(minutes=30), records)


def said(office: Office) -> list[tuple[str, str, float, bool]]:
    marks = [one.reconstructed for one in office.house.adapter.held]
    return sorted((*one, mark) for one, mark in zip(office.house.adapter.said(), marks, strict=True))


def play(office: Office, live: Callable[[House], None] = lambda house: None) -> None:
    office.visit()
    live(office.house)
    office.house.clocked["tend"].send(office.first())
    office.run_for(3 * DAY)


def test_what_only_a_report_knows_should_be_told_as_reconstructed(office: Office) -> None:
    office.reports.reports = (
        report(
            office, record(office, "home", ELENA.upper(), (20, 700)), record(office, "external", "", (5, 600))
        ),
    )
    play(office)
    assert said(office) == [
        ("patient", "connected", 5, True),
        ("patient", "disconnected", 600, True),
        ("provider", "connected", 20, True),
        ("provider", "disconnected", 700, True),
    ]


def test_who_was_seen_live_should_stay_as_seen(office: Office) -> None:
    records = record(office, "home", ELENA, (21, 705)), record(office, "external", "", (6, 610))
    office.reports.reports = (report(office, *records),)

    def live(house: House) -> None:
        house.sees(5, guest("p"), home("d"))
        house.sees(600, guest("p", out=True), home("d", out=True))

    play(office, live)
    assert said(office) == [
        ("patient", "connected", 5, False),
        ("patient", "disconnected", 600, False),
        ("provider", "connected", 5, False),
        ("provider", "disconnected", 600, False),
    ]


def test_who_was_not_seen_live_should_be_added_beside_who_was(office: Office) -> None:
    records = record(office, "home", ELENA, (21, 705)), record(office, "external", "", (6, 610))
    office.reports.reports = (report(office, *records),)

    def live(house: House) -> None:
        house.sees(5, guest("p"))
        house.sees(600, guest("p", out=True))

    play(office, live)
    assert said(office) == [
        ("patient", "connected", 5, False),
        ("patient", "disconnected", 600, False),
        ("provider", "connected", 21, True),
        ("provider", "disconnected", 705, True),
    ]


def test_no_report_should_say_nothing(office: Office) -> None:
    play(office)
    assert said(office) == []
    assert office.reports.reads == len(CHECKS)


@pytest.mark.parametrize("sessions", [1, 2])
def test_two_externals_of_reports_should_be_nobody_in_particular(office: Office, sessions: int) -> None:
    first, second = record(office, "external", "", (5, 300)), record(office, "external", "", (400, 600))
    office.reports.reports = (
        (report(office, first, second),)
        if sessions == 1
        else (report(office, first), report(office, second, name="r2"))
    )
    play(office)
    assert {role for role, *_ in said(office)} == {"unattributed"}


def test_records_in_another_order_at_the_next_reading_should_be_the_same_people(office: Office) -> None:
    records = [
        record(office, "external", "", (5, 300)),
        record(office, "external", "", (50, 600)),
        record(office, "home", NOAH, (10, 90)),
    ]
    office.visit()
    office.house.clocked["tend"].send(office.first())
    office.reports.reports = (report(office, *records),)
    office.run_for(HOUR)
    before = Ledger.from_document(office.house.row().roster).roster
    office.reports.reports = (report(office, *reversed(records)),)
    office.run_for(2 * DAY)
    assert len(before.participants) == 3
    assert Ledger.from_document(office.house.row().roster).roster == before
