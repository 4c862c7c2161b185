"""What a launch does with a visit that stands already: another policy, another time, after the end."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.clock import timestamp
from shared.connection import Policy
from shared.errors import Refusal, Unreachable
from shared.meeting.tending import MOVED
from shared.visit.ledger import Ledger
from shared.visit.roster import Roster, Sighting
from tests.graph.fakes import NOW, graph_error
from tests.graph.test_rooms import CONNECTION, PATIENT, PROVIDER, House, approved_with, house_of_rooms

house = house_of_rooms

STRICT = approved_with(policy=Policy(lobby="organizer"))
HALF = timedelta(minutes=30)


def times(starts: datetime) -> dict[str, Any]:
    return {"starts": starts, "ends": starts + HALF}


def messages(house: House) -> list[dict[str, Any]]:
    texts = [text for text, _ in house.stores.store.tend.sent]
    return [house.sealer.open("message", json.loads(text)["sealed"]) for text in texts]


def change(house: House, **values: Any) -> None:
    house.stores.store.visits.change(CONNECTION, house.row.key, lambda row: replace(row, **values))


# -- another policy


@pytest.mark.parametrize("launcher", [PROVIDER, PATIENT])
def test_a_policy_approved_later_should_be_applied_by_the_next_launch_once(
    house: House, launcher: Any
) -> None:
    house.open(PROVIDER)
    house.graph.sent.clear()
    for _ in range(2):
        house.open(launcher, STRICT)
    (patch,) = house.graph.asked("PATCH", "")
    assert patch.body["lobbyBypassSettings"]["scope"] == "organizer"
    assert house.graph.meeting(house.row.meeting_id)["lobbyBypassSettings"]["scope"] == "organizer"
    assert not house.graph.asked("POST", "createOrGet")


@pytest.mark.parametrize(
    "failure", [{"patch": graph_error(503, "ServiceUnavailable")}, {"keeps_lobby": True}, {"down": True}]
)
def test_a_patient_should_wait_outside_until_the_stricter_lobby_stands(
    house: House, failure: dict[str, Any]
) -> None:
    house.open(PATIENT)
    for name, value in failure.items():
        setattr(house.graph.failures, name, value)
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT, STRICT)
    assert house.open(PROVIDER, STRICT).provider_url
    house.graph.failures = type(house.graph.failures)()
    assert house.open(PATIENT, STRICT).patient_url
    assert house.row.guarded.startswith("organizer/")


def test_an_answer_that_shows_no_lobby_should_be_asked_again(house: House) -> None:
    house.graph.failures.terse = True
    assert house.open(PATIENT).patient_url
    assert house.asked[1].startswith("PATCH ")
    assert house.asked[2] == house.asked[1].replace("PATCH", "GET")


def test_an_answer_that_shows_no_lobby_should_not_be_believed(house: House) -> None:
    house.graph.failures.terse = house.graph.failures.keeps_lobby = True
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT)
    assert not house.row.join_url


def test_a_phone_that_passes_the_lobby_should_not_be_believed_away(house: House) -> None:
    house.open(PATIENT)
    house.graph.failures.keeps_lobby = True
    house.graph.meeting(house.row.meeting_id)["lobbyBypassSettings"] = {
        "scope": "organizer",
        "isDialInBypassEnabled": True,
    }
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT, STRICT)


# -- another time


def test_a_visit_that_was_moved_should_be_subscribed_to_anew_before_anybody_is_sent_there(
    house: House,
) -> None:
    house.open(PROVIDER, **times(NOW))
    house.graph.sent.clear()
    later = NOW + timedelta(days=2)
    assert house.open(PATIENT, **times(later)).live
    asked = [f"{one.method} {one.path.split('/')[2]}" for one in house.graph.sent if "/beta/" in one.path]
    assert asked == ["DELETE subscriptions", "POST subscriptions"]
    row = house.row
    assert (row.starts, row.ends, row.subscription_id) == (timestamp(later), timestamp(later + HALF), "sub-2")
    assert len(house.graph.subscriptions) == 1
    meeting = house.graph.meeting(row.meeting_id)
    assert (meeting["startDateTime"], meeting["endDateTime"]) == (row.starts, row.ends)
    first, woken = messages(house)
    assert (first["event"], woken["event"]) == ("", MOVED)
    assert house.contexts.open(woken["c"]).ends == later + HALF
    # And once: the next launch finds all of it done.
    house.graph.sent.clear()
    house.open(PROVIDER, **times(later))
    assert (house.graph.sent, len(messages(house))) == ([], 2)


def test_the_former_subscription_of_a_moved_visit_should_still_count(house: House) -> None:
    house.open(PROVIDER, **times(NOW))
    former = house.row.subscription_id
    change(house, subscription_id="sub-former")
    house.open(PROVIDER, **times(NOW + HALF))
    assert former
    assert Ledger.from_document(house.row.roster).former == ("sub-former",)


def test_a_call_that_runs_should_keep_its_subscription_when_the_visit_moves(house: House) -> None:
    house.open(PROVIDER, **times(NOW))
    there = Ledger(Roster().seen([Sighting("p", "waiting", NOW)]))
    change(house, roster=there.document())
    house.graph.sent.clear()
    house.open(PATIENT, **times(NOW + HALF))
    assert not [one for one in house.graph.sent if "/beta/" in one.path]
    assert messages(house)[-1]["event"] == MOVED


def test_a_moved_visit_whose_subscription_is_refused_should_say_so(house: House) -> None:
    house.open(PROVIDER, **times(NOW))
    house.graph.failures.subscription = graph_error(403, "Forbidden", "limit")
    assert not house.open(PROVIDER, **times(NOW + HALF)).live
    assert (house.row.live, house.row.subscription_id) == ("live-unavailable", "")


def test_a_meeting_that_cannot_be_moved_should_hold_nobody_up(house: House) -> None:
    house.open(PROVIDER, **times(NOW))
    house.graph.failures.patch = graph_error(400, "BadRequest")
    assert house.open(PATIENT, **times(NOW + HALF)).patient_url
    assert house.row.ends == timestamp(NOW + HALF + HALF)


def test_a_launch_that_knows_no_time_should_move_nothing(house: House) -> None:
    house.open(PROVIDER, **times(NOW))
    house.graph.sent.clear()
    house.open(PATIENT)
    assert house.row.ends == timestamp(NOW + HALF)
    assert not [one for one in house.graph.sent if "/beta/" in one.path]
    assert len(messages(house)) == 1


# -- after the end


def test_who_comes_back_should_begin_a_chain_that_lives(house: House) -> None:
    house.open(PROVIDER)
    turned = replace(Ledger(), turn="of the chain that ended", checks=6)
    change(house, closed_at=timestamp(NOW), roster=turned.document(), subscription_id="sub-old")
    house.graph.subscriptions.clear()
    house.clock.move(days=2)
    assert house.open(PATIENT).live
    ledger = Ledger.from_document(house.row.roster)
    assert messages(house)[-1]["turn"] == ledger.turn != "of the chain that ended"
    assert house.row.reopened_at == timestamp(house.clock.now())
    assert ledger.former == ("sub-old",)


def test_who_comes_back_while_the_queue_is_down_should_be_let_in_and_the_next_one_reopen(
    house: House,
) -> None:
    house.open(PROVIDER)
    change(house, closed_at=timestamp(NOW))
    house.stores.store.tend.down = True
    assert house.open(PATIENT).patient_url
    assert house.row.closed_at
    house.stores.store.tend.down = False
    house.open(PROVIDER)
    assert house.row.closed_at == ""


def test_a_launch_that_dies_between_queue_and_row_should_leave_the_next_one_to_tend(house: House) -> None:
    house.stores.store.tend.down = True
    house.open(PROVIDER)
    house.stores.store.tend.down = False
    house.clock.move(seconds=31)
    writing = house.stores.store.visits.change

    def dies(*_: Any, **__: Any) -> Any:
        raise Unreachable("storage")

    house.stores.store.visits.change = dies  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        house.open(PATIENT)
    assert len(messages(house)) == 1
    house.stores.store.visits.change = writing  # type: ignore[method-assign]
    house.open(PATIENT)
    assert house.row.tended
