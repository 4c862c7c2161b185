import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.visit.intervals import Interval
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation
from shared.visit.roster import FACTS, PARTICIPANTS, Presence, Roster, Sighting
from tests.visit.stage import at, guest, roster_of, staff, us

LOBBY: frozenset[Presence] = frozenset({"waiting", "in"})
MEETING: frozenset[Presence] = frozenset({"in"})
PRESENCES: tuple[Presence, ...] = ("waiting", "in", "out")
SIGHTINGS = st.builds(
    guest,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(PRESENCES),
    st.integers(0, 300).map(lambda tenths: tenths / 10),
    st.sampled_from(["", "x", "y"]),
)


@given(st.lists(SIGHTINGS, max_size=25), st.lists(st.integers(0, 30), max_size=2), st.randoms())
def test_any_order_and_any_repetition_of_the_same_events_should_end_in_the_same_roster(
    sightings: list[Sighting], endings: list[int], shuffle: Random
) -> None:
    straight = roster_of(*sightings)
    for end in endings:
        straight = straight.ended(at(end))
    again = [*sightings, *sightings[: len(sightings) // 2]]
    shuffle.shuffle(again)
    twisted = Roster()
    for end in reversed(endings):
        twisted = twisted.ended(at(end))
    for one in again:
        twisted = twisted.seen([one])
    assert {**twisted.participants} == {**straight.participants}
    assert twisted.endings == straight.endings
    for person in straight.participants.values():
        assert twisted.now(twisted.participants[person.id]) == straight.now(person)


@given(st.lists(SIGHTINGS, max_size=40))
def test_a_roster_should_survive_its_row(sightings: list[Sighting]) -> None:
    told = (Operation("patient", "connected", us(1)), Operation("visit", "disconnected", us(2)))
    ledger = Ledger(roster_of(*sightings).ended(at(9)), told, frozenset(told[:1]), ("old",), "t", 2)
    assert Ledger.from_document(json.loads(json.dumps(ledger.document()))) == ledger


def test_a_late_event_should_not_undo_a_newer_one() -> None:
    roster = roster_of(guest("p", "out", 30), guest("p", "in", 10), guest("p", "waiting", 1))
    assert roster.now(roster.participants["p"]).presence == "out"


def test_lobby_then_admitted_should_count_from_the_lobby_or_from_the_meeting() -> None:
    roster = roster_of(guest("p", "in", 20), guest("p", "waiting", 5), guest("p", "out", 60))
    person = roster.participants["p"]
    assert roster.present(person, LOBBY) == (Interval(us(5), us(60)),)
    assert roster.present(person, MEETING) == (Interval(us(20), us(60)),)


def test_the_end_of_a_call_should_take_everybody_out_who_was_in_it() -> None:
    roster = roster_of(guest("p", "in", 5), guest("late", "in", 100)).ended(at(50))
    assert roster.present(roster.participants["p"], MEETING) == (Interval(us(5), us(50)),)
    assert roster.present(roster.participants["late"], MEETING) == (Interval(us(100)),)


def test_a_repeated_stage_should_not_restart_the_time_since_when_it_lasts() -> None:
    roster = roster_of(guest("p", "waiting", 5), guest("p", "waiting", 25))
    assert roster.now(roster.participants["p"]).at == us(5)


def test_at_one_instant_the_later_stage_should_count() -> None:
    roster = roster_of(guest("p", "in", 5), guest("p", "out", 5))
    assert roster.present(roster.participants["p"], MEETING) == ()


def test_an_identity_should_outlive_a_delta_without_one() -> None:
    roster = roster_of(staff("p", "in", 1), guest("p", "out", 9))
    assert roster.participants["p"].home
    assert roster.participants["p"].identity.startswith("1111")


@pytest.mark.parametrize("presence", PRESENCES)
def test_a_roster_should_stay_within_its_row(presence: Presence) -> None:
    crowd = [guest(f"{number:036}", presence, number) for number in range(PARTICIPANTS + 5)]
    roster = roster_of(*crowd, *(guest(f"{0:036}", presence, tick) for tick in range(300)))
    assert roster.crowded
    assert len(roster.participants) == PARTICIPANTS
    assert len(roster.participants[f"{0:036}"].facts) == FACTS
    assert len(json.dumps(roster.document(), separators=(",", ":"))) < 32_000
