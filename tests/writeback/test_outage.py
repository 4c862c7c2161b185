"""An EHR that is down for long: what waits, for how long, who is asked to mend it, and who is not held up."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.clock import SystemClock
from shared.errors import NoToken, OutsideError, StatusRefused, Unreachable
from shared.messages import WritebackMessage
from shared.store.faults import StorageUnavailable
from shared.store.operations import Undelivered, undelivered
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import HOURS, KEY, House, Trap, guest, home
from writeback_function.breaker import AT_ONCE, Turn
from writeback_function.deliver import LONGEST_ASKED, Deliver

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
    assert undelivered(house.region, house.connection) == (0, 0)
    with caplog.at_level(logging.INFO, "antesala.writeback"):
        house.run()
        assert len(house.adapter.calls) == 5
        # Those that were only deferred wait like those that were tried.
        assert undelivered(house.region, house.connection) == (7, 0)
        house.run_for(600)
        assert undelivered(house.region, house.connection) == (7, 600)
        house.adapter.down = None
        house.run_for(1_000)
    assert undelivered(house.region, house.connection) == (0, 0)
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


# -- another hospital ------------------------------------------------------------------------------


class Hanging:
    """An EHR where each call hangs until its time is up."""

    semantics = "event"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.most = self._now = 0
        self._lock = threading.Lock()

    def tell(self, approved: object, telling: object) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.seconds)
        with self._lock:
            self._now -= 1
        raise Unreachable("ehr")


class Locked:
    """A table of the memory that many threads use."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            with self._lock:
                found = getattr(self._inner, name)(*values, **named)
                return list(found) if isinstance(found, Iterator) else found

        return call


def locked_house(connection: str) -> House:
    from tests.writeback.house import MemoryTable

    tables: defaultdict[str, Locked] = defaultdict(lambda: Locked(MemoryTable()))
    return House(connection, lambda name: tables[name], cast("Any", SystemClock()), Trap())


def messages(house: House, number: int) -> list[str]:
    """One message each of so many visits, all due now."""
    house.visit()
    house.sees(0, guest("p"))
    row = house.row()
    message = WritebackMessage.read(house.waiting()[0].text, house.sealer)
    for place in range(number):
        house.region.visits.create(replace(row, key=f"{KEY}-{place}", etag=""))
    contexts = [replace(house.context, visit_key=f"{KEY}-{place}") for place in range(number)]
    return [replace(message, context=house.contexts.seal(context)).text(house.sealer) for context in contexts]


def test_a_hospital_that_hangs_should_not_hold_up_another() -> None:
    dead, well = locked_house("a" + "d" * 15), locked_house("a" + "w" * 15)
    hanging = Hanging(8.0)
    houses = {dead.connection: (dead, hanging), well.connection: (well, well.adapter)}
    stores: Any = SimpleNamespace(of=lambda connection: houses[connection][0].region)
    adapters: Any = SimpleNamespace(of=lambda approved: houses[approved.connection.id][1])
    deliver = Deliver(
        stores, dead.contexts, dead.sealer, adapters, SystemClock(), dead.entropy, debounce=15, hours=HOURS
    ).deliver
    first, others = messages(dead, 1_000), messages(well, 40)
    with ThreadPoolExecutor(16) as pool:
        begun = time.monotonic()
        # The host takes them in the order of the queue: all of the one hospital are before the other's.
        pending: list[Future[None]] = [pool.submit(deliver, text) for text in first]
        served = [pool.submit(deliver, text) for text in others]
        wait(served, 30)
        spent = time.monotonic() - begun
        assert len(well.adapter.held) == 40
        # Before the first of the calls that hang has come to its end.
        assert spent < hanging.seconds
        assert hanging.most <= AT_ONCE
        wait(pending, 60)
    # None is lost, and none but those that did call counts as an attempt.
    waiting = [WritebackMessage.read(one.text, dead.sealer) for one in dead.waiting()][1:]
    assert len(waiting) == 1_000
    assert sum(one.attempt for one in waiting) <= 2 * AT_ONCE
    assert dead.dead() == []


def test_one_that_is_told_at_once_should_make_few_trips(connection_id: str) -> None:
    house = memory_house(connection_id, FakeClock(), Trap())
    house.visit()
    house.sees(5, guest("p"))
    before = house.trap.count
    house.run()
    # Claims, visit, mark, outcome, and the EHR; the connection's row is not behind the trap.
    assert house.trap.count - before == 5
