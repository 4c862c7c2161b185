from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.errors import OutsideError, StatusRefused, Unreachable
from shared.messages import MessageRefused, WritebackMessage
from shared.visit.ledger import Ledger
from shared.visit.roster import Sighting
from tests.writeback.house import HOURS, KEY, House, guest, home
from writeback_function.deliver import BUSY_SECONDS

pytestmark = pytest.mark.azurite
DOWN = StatusRefused(503)


def outcomes(house: House) -> list[str]:
    ledger = Ledger.from_document(house.row().roster)
    return [
        str(house.region.operations.outcome(house.connection, one.id(house.connection, KEY)))
        for one in ledger.told
    ]


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
    assert outcomes(house) == ["told"]
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


def test_after_its_hours_a_message_should_be_parked_as_given_up(house: House) -> None:
    house.visit()
    house.adapter.down = DOWN
    house.sees(5, guest("p"))
    house.run_for(HOURS * 3_600 - 1)
    assert house.dead() == []
    assert len(house.waiting()) == 1
    house.run_for(1_000)
    assert house.dead() == [("gave-up", 503, "writeback")]
    assert (house.parked(), house.waiting(), outcomes(house)) == (1, [], ["parked"])


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_an_ehr_refuses_for_good_should_be_parked_at_once(house: House, status: int) -> None:
    house.visit()
    house.adapter.failures = [StatusRefused(status)]
    house.sees(5, guest("p"))
    house.run_for(60)
    assert house.dead() == [("StatusRefused", status, "writeback")]
    assert (len(house.adapter.calls), house.parked(), house.waiting()) == (1, 1, [])
    assert outcomes(house) == ["parked"]
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


def test_the_breaker_should_spare_an_ehr_that_is_down(house: House) -> None:
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


def test_a_worker_that_died_should_block_only_for_its_lease(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    operation = Ledger.from_document(house.row().roster).told[0]
    for name in (operation.id(house.connection, KEY), operation.lane(house.connection, KEY)):
        house.region.operations.claim(house.connection, name, "a dead worker")
    house.run_for(80)
    assert house.adapter.calls == []
    house.run_for(30)
    assert len(house.adapter.held) == 1


# -- flaps and late facts --------------------------------------------------------------------------


def test_a_flap_within_the_debounce_should_tell_no_event(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.sees(65, guest("p"))
    house.run_for(120)
    assert house.adapter.said() == [("patient", "connected", 5)]
    # Withdrawn without an outcome: what comes next may make it due after all.
    assert outcomes(house) == ["told"]


def test_a_return_should_count_although_its_fold_died_before_it_judged(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.sees(60, guest("p", out=True))
    back = Sighting("p", "in", house.begin + timedelta(seconds=65))
    row = house.row()
    ledger = Ledger.from_document(row.roster)
    known = replace(ledger, roster=ledger.roster.seen([back]))
    house.region.visits.save(replace(row, roster=known.document()))
    house.run_for(120)
    assert house.adapter.said() == [("patient", "connected", 5)]


def test_a_flap_should_leave_the_state_connected(house: House) -> None:
    house.adapter.semantics = "state"
    house.visit()
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.sees(65, guest("p"))
    house.run_for(120)
    assert house.adapter.said()[-1][1] == "connected"
    assert "disconnected" not in [status for _, status, _ in house.adapter.said()]


def test_a_real_gap_should_be_told_as_two_events(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.sees(60, guest("p", out=True))
    house.run_for(60)
    house.sees(100, guest("p"))
    house.run()
    assert [status for _, status, _ in house.adapter.said()] == ["connected", "disconnected", "connected"]


def test_an_older_state_that_is_late_should_never_undo_a_newer_one(house: House) -> None:
    house.adapter.semantics = "state"
    house.visit()
    house.adapter.failures = [StatusRefused(503, retry_after=300)]
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.run_for(1_000)
    # Told once more, in case the EHR acted on the older one after all.
    assert house.adapter.said() == [("patient", "disconnected", 60)] * 2
    assert outcomes(house) == ["dropped", "told"]


def test_an_older_state_should_not_undo_a_newer_one_that_is_not_marked_yet(light: House) -> None:
    """Fold died between queueing and marking, and the EHR failed once for the older of the two."""
    house = light
    house.adapter.semantics = "state"
    house.visit()
    house.adapter.failures = [StatusRefused(503, retry_after=60)]
    text = house.text(house.item(house.event(60, guest("p", out=True))))
    house.sees(5, guest("p"))
    house.folding.fold(text)
    marked = house.row()
    house.region.visits.save(
        replace(marked, roster=replace(Ledger.from_document(marked.roster), told=()).document())
    )
    house.run_for(300)
    house.folding.fold(text)
    house.run_for(300)
    assert house.adapter.said()[-1][1] == "disconnected"


def test_events_out_of_order_should_all_be_told(house: House) -> None:
    house.visit()
    house.adapter.failures = [StatusRefused(503, retry_after=300)]
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.run_for(1_000)
    assert sorted(house.adapter.said(), key=lambda one: one[2]) == [
        ("patient", "connected", 5),
        ("patient", "disconnected", 60),
    ]


def test_the_same_should_be_told_at_every_attempt(house: House) -> None:
    """What is learned between two attempts must not make another event under the same id."""
    house.visit()
    house.sees(10, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.adapter.failures = [DOWN]
    house.run_for(16)
    house.sees(5, guest("p"))
    house.run_for(60)
    first, second = [one for one in house.adapter.calls if one.status == "disconnected"]
    assert first.began is not None
    assert second == first


def test_a_connect_that_nobody_can_be_named_for_any_more_should_not_be_told(house: House) -> None:
    house.visit()
    house.adapter.failures = [DOWN]
    house.sees(5, guest("p"))
    house.run()
    house.sees(7, guest("q"))
    house.run_for(120)
    assert [one.role for one in house.adapter.held] == ["unattributed"]
    house.sees(200, guest("p", out=True), guest("q", out=True))
    house.run_for(120)
    connects = [(one.role, one.at) for one in house.adapter.held if one.status == "connected"]
    assert len(connects) == len(set(connects)) == 1


# -- messages that cannot be taken -----------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", '{"v":2}', '{"v":1,"kind":"writeback","sealed":"abc"}'])
def test_a_message_that_is_not_ours_should_be_raised_for_the_poison_queue(house: House, text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, the host counts it
        house.delivering.deliver(text)


def test_poison_should_be_parked_with_a_row_that_says_so(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    (message,) = house.waiting()
    house.parking.park(house.region, "writeback", message.text.encode())
    assert house.dead() == [("poison", 0, "writeback")]
    assert house.waiting(house.lot)[0].text == message.text


def test_poison_of_the_other_queues_should_name_its_connection(house: House) -> None:
    house.visit()
    text = house.text(house.item(house.event(5, guest("p"))))
    house.parking.park(house.region, "attendance", text.encode())
    assert house.dead() == [("poison", 0, "attendance")]


def test_an_unknown_kind_should_not_be_read(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    message = WritebackMessage.read(house.waiting()[0].text, house.sealer)
    other = cast("Any", house.waiting()[0].text).replace('"writeback"', '"tend"')
    with pytest.raises(MessageRefused):
        WritebackMessage.read(other, house.sealer)
    assert message.attempt == 0
