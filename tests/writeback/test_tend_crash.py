"""The process dies at every call to the outside, before its effect or right after it: one chain goes on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from shared.clock import parse_timestamp
from shared.errors import Unreachable
from shared.store.faults import StorageUnavailable
from shared.visit.ledger import Ledger
from tests.fakes import FakeClock
from tests.graph.fakes import ELENA
from tests.writeback.conftest import memory_house
from tests.writeback.house import guest, home
from tests.writeback.memory import Trap, Trapped
from tests.writeback.office import DAY, HOUR, Office
from writeback_function.case import find_case
from writeback_function.tend import _turned

END = [
    ("patient", "connected", 6, False),
    ("patient", "disconnected", 590, True),
    ("provider", "connected", 5, False),
    ("provider", "disconnected", 600, False),
]


def play(trap: Trap) -> Office:
    """A visit from its first message to its closing; the patient's leaving is known from a report."""
    office = Office(memory_house("aabcdefgh2345672", FakeClock(), Trap()))
    house = office.house
    office.visit(hours=20)
    house.adapter.takes = True
    house.sees(5, home("d"))
    house.sees(6, guest("p"))
    house.sees(600, home("d", out=True))
    house.run_for(700)
    records = office.record(ELENA, (5, 600)), office.record("", (6, 590))
    office.reports.reports = (office.report(*records),)
    office.begin()
    house.trap.at, house.trap.when = house.trap.count + trap.at if trap.at else 0, trap.when
    begun = house.trap.count
    office.run_for(3 * DAY)
    trap.count, trap.sprung = house.trap.count - begun, house.trap.sprung
    return office


def calls() -> int:
    trap = Trap()
    play(trap)
    return trap.count


CALLS = calls()


@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_at_any_call_should_change_nothing_in_the_end(when: Literal["before", "after"]) -> None:
    assert CALLS > 60
    for place in range(1, CALLS + 1):
        trap = Trap(place, when)
        office = play(trap)
        row = office.house.row()
        assert trap.sprung, place
        # An EHR that was told before the crash is told again, by the same name.
        assert sorted(set(office.said())) == END, place
        assert len({one.operation for one in office.house.adapter.held}) == len(END), place
        told = {(one.operation, one.outcome) for one in office.house.adapter.outcomes}
        assert [outcome for _, outcome in told] == ["took-place"], place
        assert (office.waiting, office.subscriptions.alive) == ([], {}), place
        assert parse_timestamp(row.closed_at) >= office.house.begin + timedelta(days=1), place
        assert (row.outcome, row.outcome_sent, row.reported) == ("took-place", True, True)
        # One chain: nobody looked much more often than without the crash.
        assert office.looks <= 14, place


def test_every_message_that_comes_twice_should_leave_one_chain(office: Office) -> None:
    office.visit(hours=20)
    office.begin()
    queue = office.house.waiting("tend")
    steps = 0
    while queue:
        assert len(queue) == 1
        message = queue[0]
        office.house.clock.advance(max((message.seen - office.house.clock.now()).total_seconds(), 0))
        for _ in range(3):
            office.tend.tend(message.text)
        queue.remove(message)
        steps += 1
    assert office.house.row().closed_at != ""
    assert steps <= 10


def test_a_successor_that_comes_before_its_turn_was_written_should_take_the_chain(office: Office) -> None:
    office.visit()
    office.begin()
    office.run_for(60)
    row = office.house.row()
    forgot = replace(Ledger.from_document(row.roster), turn="")
    office.house.region.visits.save(replace(row, roster=forgot.document()))
    office.run_for(HOUR)
    assert len(office.waiting) == 1
    office.tend.tend(office.first())
    assert len(office.waiting) == 1


def test_a_run_that_was_overtaken_should_not_take_the_chain_back(office: Office) -> None:
    office.visit(roster=Ledger(turn="third").document())
    case = find_case(office.house.stores, office.house.context)
    assert case is not None
    assert not _turned(case, "first", "second")
    assert Ledger.from_document(office.house.row().roster).turn == "third"


class Failing:
    """Storage that fails from one call on, for a while."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.after = -1
        self.down = False

    def call(self, fn: Any) -> Any:
        self.after -= 1
        if self.after == 0:
            self.down = True
        if self.down:
            raise StorageUnavailable("visits")
        return fn()


@pytest.mark.parametrize("after", range(1, 7))
def test_storage_that_fails_in_the_middle_should_be_waited_for(office: Office, after: int) -> None:
    office.visit(hours=1)
    failing = Failing(office.house.region.visits)
    office.house.region.visits = Trapped(failing.inner, failing)  # type: ignore[arg-type]
    office.begin()
    failing.after = after
    office.run_for(3 * HOUR)
    assert len(office.waiting) >= 1
    failing.down = False
    office.run_for(HOUR)
    assert len(office.waiting) == 1
    office.run_for(3 * DAY)
    assert office.house.row().closed_at != ""
    assert office.waiting == []


def test_reports_that_cannot_be_read_should_be_waited_for_and_given_up(office: Office) -> None:
    office.visit()
    office.reports.down = Unreachable("graph")
    office.begin()
    office.run_for(2 * DAY)
    assert (office.house.row().closed_at, office.house.row().outcome) == ("", "")
    office.run_for(5 * DAY)
    assert (office.house.row().closed_at != "", office.house.row().outcome) == (True, "unknown")
    assert office.waiting == []
