"""Deliveries: an EHR in trouble, one that refuses, and one effect however often a message comes."""

import pytest

from shared.errors import OutsideError, StatusRefused, Unreachable
from shared.visit.ledger import Ledger
from tests.writeback.house import HOURS, KEY, House, guest, home
from writeback_function.deliver import BUSY_SECONDS

pytestmark = pytest.mark.azurite
DOWN = StatusRefused(503)


# -- an EHR that is down ---------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Unreachable("ehr"), DOWN, StatusRefused(429), StatusRefused(500)])
def test_what_an_ehr_in_trouble_was_not_told_should_wait_and_be_told_later(
    house: House, failure: OutsideError
) -> None:
    house.visit()
    house.adapter.down = failure
    house.sees(5, guest("p"))
    house.run_for(3_600)
    assert len(house.adapter.calls) > 3
    assert house.adapter.held == []
    assert len(house.waiting()) == 1
    assert (house.parked(), house.dead()) == (0, [])
    house.adapter.down = None
    house.run_for(1_800)
    assert house.adapter.said() == [("patient", "connected", 5)]
    assert house.waiting() == []
    assert house.outcomes() == ["told"]
    # Told again under one id however often it took.
    assert len({one.operation for one in house.adapter.calls}) == 1


def test_the_delays_should_grow_and_stay_below_a_bound(house: House) -> None:
    house.visit()
    house.adapter.down = DOWN
    house.sees(5, guest("p"))
    delays: list[float] = []
    for _ in range(12):
        house.start()  # without the breaker's memory
        house.run()
        (waiting,) = house.waiting()
        delays.append(waiting.delay)
        house.clock.advance(waiting.delay)
    grown = [min(10 * 2**attempt, 900) for attempt in range(12)]
    assert all(0.8 * one <= delay <= 1.2 * one for one, delay in zip(grown, delays, strict=True))
    assert len(set(delays)) == len(delays)


def test_retry_after_should_be_honoured(house: House) -> None:
    house.visit()
    house.adapter.failures = [StatusRefused(429, retry_after=600)]
    house.sees(5, guest("p"))
    house.run_for(599)
    assert len(house.adapter.calls) == 1
    house.run_for(60)
    assert house.adapter.said() == [("patient", "connected", 5)]


def test_after_its_hours_a_message_should_be_parked_as_given_up(light: House) -> None:
    house = light
    house.visit()
    house.adapter.down = DOWN
    house.sees(5, guest("p"))
    house.run_for(HOURS * 3_600 - 1)
    assert house.dead() == []
    assert len(house.waiting()) == 1
    house.run_for(1_000)
    assert house.dead() == [("gave-up", 503, "writeback")]
    assert (house.parked(), house.waiting(), house.outcomes()) == (1, [], ["parked"])


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_an_ehr_refuses_for_good_should_be_parked_at_once(house: House, status: int) -> None:
    house.visit()
    house.adapter.failures = [StatusRefused(status)]
    house.sees(5, guest("p"))
    house.run_for(60)
    assert house.dead() == [("StatusRefused", status, "writeback")]
    assert (len(house.adapter.calls), house.parked(), house.waiting()) == (1, 1, [])
    assert house.outcomes() == ["parked"]
    # What was parked is the message itself: it can be driven again.
    text = house.waiting(house.lot)[0].text
    house.region.operations.reopen(house.connection, house.adapter.calls[0].operation)
    house.delivering.deliver(text)
    assert house.adapter.said() == [("patient", "connected", 5)]


def test_a_visit_that_is_gone_should_be_parked(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.approved = None
    house.run()
    assert house.dead() == [("visit-gone", 0, "writeback")]
    assert house.parked() == 1


def test_a_refusal_should_not_count_towards_an_outage(house: House) -> None:
    house.visit(*(house.doctor(f"EMP-{n}", f"oid-{n}") for n in range(7)))
    house.adapter.failures = [DOWN, DOWN, DOWN, DOWN, StatusRefused(404), DOWN]
    house.sees(5, *(home(f"d{n}", f"oid-{n}") for n in range(7)))
    house.run()
    assert len(house.adapter.calls) == 7
    assert len(house.adapter.held) == 1


def test_the_breaker_should_spare_an_ehr_that_is_down(light: House) -> None:
    house = light
    house.visit(house.doctor(), *(house.doctor(f"EMP-{n}", f"oid-{n}") for n in range(20)), house.patient())
    house.adapter.down = DOWN
    house.sees(5, *(home(f"d{n}", f"oid-{n}") for n in range(20)))
    house.run()
    assert len(house.adapter.calls) == 5
    assert len(house.waiting()) == 20
    house.adapter.down = None
    house.run_for(600)
    assert len(house.adapter.held) == 20
    assert house.dead() == []


# -- one effect however often ----------------------------------------------------------------------


def test_a_message_that_comes_twice_should_tell_once(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    (message,) = house.waiting()
    house.run()
    house.delivering.deliver(message.text)
    assert len(house.adapter.calls) == 1


def test_two_workers_at_once_should_tell_once(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    (message,) = house.waiting()
    house.adapter.meanwhile = lambda: house.delivering.deliver(message.text)
    house.run()
    assert len(house.adapter.calls) == 1
    assert [one.delay for one in house.waiting()] == [BUSY_SECONDS]
    house.run_for(60)
    assert (len(house.adapter.calls), house.waiting()) == (1, [])


def test_two_tellings_about_one_person_should_not_overtake_each_other(house: House) -> None:
    house.adapter.semantics = "state"
    house.visit()
    house.sees(5, guest("p"))

    def leaves() -> None:
        house.sees(60, guest("p", out=True))
        house.delivering.deliver(house.waiting()[-1].text)

    house.adapter.meanwhile = leaves
    house.run()
    assert house.adapter.said() == [("patient", "connected", 5)]
    house.run_for(60)
    assert house.adapter.said()[-1] == ("patient", "disconnected", 60)


def test_a_worker_that_died_should_block_only_for_its_lease(light: House) -> None:
    house = light
    house.visit()
    house.sees(5, guest("p"))
    operation = Ledger.from_document(house.row().roster).told[0]
    for name in (operation.id(house.connection, KEY), operation.lane(house.connection, KEY)):
        house.region.operations.claim(house.connection, name, "a dead worker")
    house.run_for(80)
    assert house.adapter.calls == []
    house.run_for(30)
    assert len(house.adapter.held) == 1
