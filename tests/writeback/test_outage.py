"""An EHR that is down for long: what waits, for how long, who is asked to mend it, and who is not held up."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.errors import NoToken, OutsideError, StatusRefused
from shared.messages import WritebackMessage
from shared.store.faults import StorageUnavailable
from shared.store.operations import Undelivered
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import HOURS, House, guest, home
from tests.writeback.memory import Trap
from writeback_function.breaker import Turn
from writeback_function.deliver import LONGEST_ASKED

DAY = HOURS * 3_600
DOWN = StatusRefused(503)


def waits(house: House) -> Undelivered:
    found: Undelivered = house.region.operations.undelivered(house.connection)
    return found


# -- how long --------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [1_800.0, 7 * 24 * 3_600.0])
def test_retry_after_should_be_capped_at_an_hour(light: House, asked: float) -> None:
    light.visit()
    light.adapter.failures = [StatusRefused(503, retry_after=asked)]
    light.sees(5, guest("p"))
    light.run()
    assert [one.delay for one in light.waiting()] == [min(asked, LONGEST_ASKED)]


def test_a_retry_that_comes_after_its_hours_should_be_tried_once_more(light: House) -> None:
    light.visit()
    light.adapter.failures = [DOWN]
    light.sees(5, guest("p"))
    light.run()
    light.waiting()[0].seen += timedelta(seconds=DAY)
    light.run_for(DAY + 100)
    assert len(light.adapter.calls) == 2
    assert (light.adapter.said(), light.dead()) == ([("patient", "connected", 5)], [])


def test_one_that_was_only_deferred_should_be_tried_before_it_is_given_up(light: House) -> None:
    light.visit()
    light.adapter.down = DOWN
    light.sees(5, guest("p"))
    (message,) = light.waiting()
    for _ in range(5):
        turn = light.delivering._breaker.enter(light.connection)
        assert isinstance(turn, Turn)
        turn.failed()
        turn.leave()
    light.run()
    light.clock.advance(DAY + 3_600)
    assert light.adapter.calls == []
    assert len(light.waiting()) == 1
    assert message not in light.waiting()
    light.adapter.down = None
    light.run_for(60)
    assert (light.adapter.said(), light.dead()) == ([("patient", "connected", 5)], [])


@pytest.mark.parametrize(
    ("failure", "reason", "status"),
    [
        (NoToken("no token: status 401 invalid_client", 401), "no-token", 401),
        (NoToken("the backend client's secret or signing keys are not stored"), "no-token", 0),
        (StatusRefused(401), "no-token", 401),
    ],
)
def test_what_people_can_mend_should_wait_for_them_for_a_day(
    light: House, caplog: pytest.LogCaptureFixture, failure: OutsideError, reason: str, status: int
) -> None:
    light.visit()
    light.adapter.down = failure
    with caplog.at_level(logging.WARNING):
        light.sees(5, guest("p"))
        light.run()
    assert 720 <= light.waiting()[0].delay <= 1_080
    assert waits(light).reason == "people"
    assert [getattr(one, "reason", "") for one in caplog.records] == ["people"]
    light.run_for(DAY - 10)
    assert light.dead() == []
    assert 80 < len(light.adapter.calls) < 125
    light.run_for(2_000)
    assert light.dead() == [(reason, status, "writeback")]
    assert waits(light).count == 0


def test_what_others_hold_should_be_given_up_after_an_hour(light: House) -> None:
    light.visit()
    light.adapter.down = StatusRefused(409)
    light.sees(5, guest("p"))
    light.run_for(3_500)
    assert (light.dead(), len(light.adapter.calls) > 5) == ([], True)
    light.run_for(2_000)
    assert light.dead() == [("StatusRefused", 409, "writeback")]


@pytest.mark.parametrize("failure", [StatusRefused(423), StatusRefused(409), StatusRefused(422)])
def test_what_concerns_one_record_should_not_keep_the_others_waiting(
    light: House, failure: OutsideError
) -> None:
    light.visit(*(light.doctor(f"EMP-{n}", f"oid-{n}") for n in range(9)))
    light.adapter.failures = [failure] * 8
    light.sees(5, *(home(f"d{n}", f"oid-{n}") for n in range(9)))
    light.run()
    assert (len(light.adapter.calls), len(light.adapter.held)) == (9, 1)


# -- what is counted -------------------------------------------------------------------------------


def test_what_waits_should_be_counted_until_it_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.visit(*(house.doctor(f"EMP-{n}", f"oid-{n}") for n in range(7)))
    house.adapter.down = DOWN
    house.sees(5, *(home(f"d{n}", f"oid-{n}") for n in range(7)))
    assert (waits(house).count, waits(house).age) == (0, 0)
    with caplog.at_level(logging.INFO, "antesala.writeback"):
        house.run()
        assert len(house.adapter.calls) == 5
        # Those that were only deferred wait like those that were tried.
        assert (waits(house).count, waits(house).age) == (7, 0)
        house.run_for(600)
        assert (waits(house).count, waits(house).age) == (7, 600)
        house.adapter.down = None
        house.run_for(1_000)
    assert (waits(house).count, waits(house).age) == (0, 0)
    said = {(one.__dict__["event"], one.__dict__["connection"]) for one in caplog.records}
    assert said == {(event, house.connection) for event in ("retry", "deferred", "told")}
    last = caplog.records[-1].__dict__
    assert (last["event"], last["attempt"] > 3, 600 < last["age_seconds"] < 1_700) == ("told", True, True)


@pytest.mark.parametrize("ending", ["parked", "withdrawn", "overtaken", "told by another"])
def test_what_ends_in_another_way_should_be_counted_no_longer(light: House, ending: str) -> None:
    house = light
    house.adapter.semantics = "state"
    house.visit()
    house.adapter.failures = [StatusRefused(503, retry_after=120)]
    house.sees(5, guest("p"))
    house.run()
    assert waits(house).count == 1
    (copy,) = house.waiting()
    if ending == "parked":
        house.adapter.failures = [StatusRefused(404)]
    elif ending == "withdrawn":
        row = house.row()
        house.region.visits.save(replace(row, roster={}))
    elif ending == "overtaken":
        house.sees(60, guest("p", out=True))
    else:
        message = WritebackMessage.read(copy.text, house.sealer)
        house.delivering.deliver(replace(message, attempt=0, waits=False).text(house.sealer))
        assert house.region.operations._table.get(house.connection, _row_of(house)) is not None
    house.run_for(300)
    assert house.waiting() == []
    assert list(house.region.operations._table.rows(house.connection, "waiting-", "waiting.")) == []


def _row_of(house: House) -> str:
    (row,) = house.region.operations._table.rows(house.connection, "waiting-", "waiting.")
    return str(row.rk)


# -- storage ---------------------------------------------------------------------------------------


def test_storage_that_fails_should_make_no_poison_within_a_day(
    light: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = light
    house.visit()
    house.sees(5, guest("p"))

    def fail(*_: object) -> None:
        raise StorageUnavailable("table Visits")

    with monkeypatch.context() as patched:
        patched.setattr("shared.store.visits.Visits.get", fail)
        house.run_for(3_600)
    assert (house.poisoned, len(house.waiting())) == ([], 1)
    house.run_for(120)
    assert house.adapter.said() == [("patient", "connected", 5)]


def test_what_nobody_foresaw_should_be_poison_in_the_end(light: House) -> None:
    """Its claim must not make copies of it, whose tries begin anew each time."""
    house = light
    house.visit()
    house.adapter.down = cast("Any", ZeroDivisionError())
    house.sees(5, guest("p"))
    house.run_for(600)
    assert (house.poisoned, house.waiting()) == (["ZeroDivisionError"], [])


def test_one_that_is_told_at_once_should_make_few_trips(connection_id: str) -> None:
    house = memory_house(connection_id, FakeClock(), Trap())
    house.visit()
    house.sees(5, guest("p"))
    before = house.trap.count
    house.run()
    # Claims, visit, mark, outcome, and the EHR; the connection's row is not behind the trap.
    assert house.trap.count - before == 5
