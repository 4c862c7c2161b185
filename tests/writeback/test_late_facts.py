"""What is told when people come straight back, and when facts or attempts come late."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StatusRefused
from shared.visit.ledger import Ledger
from shared.visit.roster import Sighting
from tests.writeback.house import House, guest

pytestmark = pytest.mark.azurite
DOWN = StatusRefused(503)


def test_a_flap_within_the_debounce_should_tell_no_event(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("p", out=True))
    house.sees(65, guest("p"))
    house.run_for(120)
    assert house.adapter.said() == [("patient", "connected", 5)]
    # Withdrawn without an outcome: what comes next may make it due after all.
    assert house.outcomes() == ["told"]


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
    assert house.outcomes() == ["dropped", "told"]


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
