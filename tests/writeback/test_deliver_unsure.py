"""What is told, and told once more, when nobody knows what became of an earlier attempt."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.connection import Writeback
from shared.ehr.port import Telling
from shared.errors import OutsideError, StatusRefused, Unreachable
from shared.store.faults import StorageUnavailable
from shared.visit.ledger import Ledger
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import HOURS, KEY, House, guest
from tests.writeback.memory import Trap
from tests.writeback.undelivered import letters, parking
from writeback_function.deliver import LONGEST_ASKED
from writeback_function.patience import OUTAGE

DOWN = StatusRefused(503)
LOST = Unreachable("ehr")


def acts_late(house: House, telling: Telling) -> None:
    """The EHR acts on a call whose answer nobody waits for any more."""
    house.adapter.held.append(telling)


# -- a call without an answer, and a newer state ---------------------------------------------------


@pytest.fixture
def states(light: House) -> House:
    light.adapter.semantics = "state"
    light.visit()
    return light


def test_a_late_effect_of_an_overtaken_call_should_not_last(states: House) -> None:
    house = states
    house.adapter.failures = [LOST, LOST]
    house.sees(5, guest("p"))
    house.run()
    house.sees(7, guest("p", out=True))
    house.run_for(16)
    connect = house.adapter.calls[1]
    acts_late(house, connect)
    assert [one.status for one in house.adapter.held] == ["disconnected", "connected"]
    house.run_for(60)
    assert [one.status for one in house.adapter.held][2:] == ["disconnected"]
    assert len({one.operation for one in house.adapter.held if one.status == "disconnected"}) == 1
    assert (house.outcomes(), house.waiting(), house.dead()) == (["dropped", "told"], [], [])


def test_what_was_overtaken_before_its_first_attempt_should_cost_no_call(states: House) -> None:
    house = states
    house.sees(5, guest("p"))
    (first,) = house.waiting()
    house.clocked["writeback"].messages.remove(first)
    house.sees(60, guest("p", out=True))
    house.run_for(16)
    house.clocked["writeback"].messages.append(first)
    house.run()
    assert house.adapter.said() == [("patient", "disconnected", 60)]
    assert house.outcomes() == ["dropped", "told"]


def test_a_worker_that_died_over_its_call_should_have_the_newer_state_told_once_more(states: House) -> None:
    house = states
    house.sees(5, guest("p"))
    (message,) = house.waiting()
    operation = Ledger.from_document(house.row().roster).told[0]
    names = operation.id(house.connection, KEY), operation.lane(house.connection, KEY)
    house.sees(60, guest("p", out=True))
    message.seen += timedelta(seconds=200)
    house.run_for(16)
    for name in names:
        house.region.operations.claim(house.connection, name, "a dead worker")
    house.run_for(300)
    assert [one.status for one in house.adapter.held] == ["disconnected", "disconnected"]


def test_a_newer_state_that_cannot_be_told_once_more_should_be_tried_again(states: House) -> None:
    house = states
    house.adapter.failures = [LOST, LOST]
    house.sees(5, guest("p"))
    house.run()
    house.sees(7, guest("p", out=True))
    house.run_for(16)
    house.adapter.failures = [LOST, StatusRefused(503)]
    house.run_for(600)
    assert [one.status for one in house.adapter.held] == ["disconnected", "disconnected"]
    assert house.outcomes() == ["dropped", "told"]


def test_a_late_effect_of_a_call_that_was_given_up_should_not_last(states: House) -> None:
    house = states
    house.adapter.down = LOST
    house.sees(5, guest("p"))
    house.run_for(HOURS * 3_600 - 1)
    while not house.dead():
        house.run_for(1)
    connect = house.adapter.calls[-1]
    house.start()  # without the breaker's memory
    house.adapter.down = None
    house.sees(90_000, guest("p", out=True))
    house.run_for(16)
    acts_late(house, connect)
    assert house.adapter.said()[-1][1] == "connected"
    house.adapter.failures = [LOST]
    house.run_for(2_000)
    assert house.adapter.said()[-1] == ("patient", "disconnected", 90_000)
    assert (house.outcomes(), house.waiting()) == (["parked", "told"], [])


def test_what_is_driven_again_after_it_was_overtaken_should_have_the_newer_state_told(
    connection_id: str,
) -> None:
    house = memory_house(connection_id, FakeClock(), Trap())
    house.adapter.semantics = "state"
    house.visit()
    house.adapter.down = LOST
    house.sees(5, guest("p"))
    house.run_for(HOURS * 3_600 + 2_000)
    house.adapter.down = None
    house.sees(90_000, guest("p", out=True))
    house.run_for(2_000)
    told = len(house.adapter.held)
    assert parking(house).send_again(house.connection, letters(house)).done == 1
    house.run_for(60)
    assert len(house.adapter.held) == told + 1
    assert house.adapter.said()[-1][1] == "disconnected"
    assert (house.dead(), house.outcomes()) == ([], ["dropped", "told"])


# -- parking that does not come to its end ---------------------------------------------------------


def test_what_is_told_after_parking_failed_half_way_should_leave_no_row(light: House) -> None:
    house = light
    house.visit()
    house.adapter.failures = [StatusRefused(403)]
    queue = house.clocked[house.lot]
    send = queue.send

    def fails(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("queue")

    queue.send = fails  # type: ignore[method-assign]
    house.sees(5, guest("p"))
    house.run()
    assert (house.dead(), house.parked()) == ([("StatusRefused", 403, "writeback")], 0)
    queue.send = send  # type: ignore[method-assign]
    house.run_for(600)
    assert house.adapter.said() == [("patient", "connected", 5)]
    assert (house.dead(), house.outcomes()) == ([], ["told"])


# -- an adapter that was switched off --------------------------------------------------------------


def test_what_waits_when_write_back_is_switched_off_should_not_count_as_told(
    light: House, caplog: pytest.LogCaptureFixture
) -> None:
    house = light
    house.visit()
    house.adapter.failures = [StatusRefused(503)]
    house.sees(5, guest("p"))
    house.run()
    assert house.approved is not None
    revision = replace(house.approved.revision, writeback=Writeback("none"))
    house.approved = replace(house.approved, revision=revision)
    with caplog.at_level("INFO", "antesala.writeback"):
        house.run_for(600)
    assert (house.adapter.held, house.outcomes(), house.waiting()) == ([], ["dropped"], [])
    assert house.region.operations.undelivered(house.connection).count == 0
    assert "dropped: adapter-none" in caplog.text


# -- how long an EHR may ask to be left alone ------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [StatusRefused(429, retry_after=86_400), StatusRefused(503, retry_after=1e9)]
)
def test_one_answer_should_not_cost_a_record_its_day(light: House, failure: OutsideError) -> None:
    house = light
    house.visit()
    house.adapter.failures = [failure]
    house.sees(5, guest("p"))
    house.run()
    assert [one.delay for one in house.waiting()] == [LONGEST_ASKED]
    house.run_for(LONGEST_ASKED + 1)
    assert house.adapter.said() == [("patient", "connected", 5)]


@pytest.mark.parametrize("hours", [1, 12, 22, 23, 23.5])
def test_several_tries_should_follow_the_last_long_pause(light: House, hours: float) -> None:
    """The EHR asks to be left alone when most of the day is over, and is down ever after."""
    house = light
    house.visit()
    house.adapter.down = DOWN
    house.sees(5, guest("p"))
    house.run_for(hours * 3_600)
    house.adapter.failures = [StatusRefused(429, retry_after=86_400)]
    while house.adapter.failures:
        house.run_for(1)
    (waiting,) = house.waiting()
    before = len(house.adapter.calls)
    house.run_for(HOURS * 3_600)
    long = waiting.delay > OUTAGE.longest * 1.2
    assert long == (hours < 22.5)
    assert len(house.adapter.calls) - before >= (3 if long else 1)
    assert house.dead() == [("gave-up", 503, "writeback")]
