from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.visit.attribution import PATIENT, VISIT, clinician
from shared.visit.intervals import covered
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, bearing, due, standing, superseded
from shared.visit.roster import Presence, Sighting, report_participant
from tests.visit.stage import (
    DEBOUNCE,
    VIDAL,
    Desk,
    at,
    doctor,
    guest,
    patient,
    roster_of,
    seen,
    staff,
    told,
    us,
)

CAST = [doctor(), patient()]
DOCTOR = clinician("EMP-88101")
PRESENCES: tuple[Presence, ...] = ("waiting", "in", "out")


def plan(*sightings: Sighting, before: Sequence[Operation] = ()) -> tuple[Operation, ...]:
    return due(seen(roster_of(*sightings), CAST), before, DEBOUNCE)


def test_a_whole_visit_should_tell_each_person_in_and_out_once() -> None:
    operations = plan(
        guest("p", "waiting", 0),
        staff("d", "in", 20),
        guest("p", "in", 30),
        staff("d", "out", 600),
        guest("p", "out", 610),
    )
    assert told(operations, PATIENT) == [("connected", 0), ("disconnected", 610)]
    assert told(operations, DOCTOR) == [("connected", 20), ("disconnected", 600)]


def test_policy_meeting_should_count_the_patient_from_admission() -> None:
    roster = roster_of(guest("p", "waiting", 0), guest("p", "in", 30))
    view = seen(roster, CAST, connected="meeting")
    assert told(due(view, (), DEBOUNCE)) == [("connected", 30)]


def test_a_clinician_in_the_lobby_should_not_be_connected_yet() -> None:
    assert plan(staff("d", "waiting", 0)) == ()


def test_what_was_handed_on_should_not_be_due_again() -> None:
    first = plan(guest("p", "in", 5))
    assert plan(guest("p", "in", 5), before=first) == ()


def test_a_late_beginning_should_not_tell_the_same_presence_twice() -> None:
    first = plan(guest("p", "in", 30))
    assert plan(guest("p", "in", 30), guest("p", "waiting", 0), before=first) == ()


def test_an_out_alone_should_say_nothing_until_the_in_arrives() -> None:
    assert plan(guest("p", "out", 60)) == ()
    assert told(plan(guest("p", "out", 60), guest("p", "in", 5))) == [("connected", 5), ("disconnected", 60)]


def test_a_late_earlier_presence_should_add_exactly_what_was_missing() -> None:
    first = plan(guest("p", "in", 100))
    later = plan(guest("p", "in", 100), guest("p", "in", 5), guest("p", "out", 50), before=first)
    assert told(later) == [("connected", 5), ("disconnected", 50)]


def test_a_short_gap_known_in_time_should_be_no_gap() -> None:
    assert told(plan(guest("p", "in", 5), guest("p", "out", 20), guest("p", "in", 25))) == [("connected", 5)]


def test_a_gap_of_the_debounce_time_should_be_a_gap() -> None:
    operations = plan(guest("p", "in", 5), guest("p", "out", 20), guest("p", "in", 35))
    assert told(operations) == [("connected", 5), ("disconnected", 20), ("connected", 35)]


def test_a_flap_whose_disconnect_waits_should_leave_no_trace() -> None:
    facts = [guest("p", "in", 5), guest("p", "out", 20)]
    first = plan(*facts)
    view = seen(roster_of(*facts, guest("p", "in", 25)), CAST)
    left = standing(view, first, first[:1], DEBOUNCE)
    assert told(left) == [("connected", 5)]
    assert due(view, left, DEBOUNCE) == ()


def test_a_flap_whose_disconnect_has_begun_should_be_told_to_its_end() -> None:
    facts = [guest("p", "in", 5), guest("p", "out", 20)]
    first = plan(*facts)
    view = seen(roster_of(*facts, guest("p", "in", 25)), CAST)
    assert standing(view, first, first, DEBOUNCE) == first
    assert told(due(view, first, DEBOUNCE)) == [("connected", 25)]


def test_a_return_after_the_debounce_time_should_withdraw_nothing() -> None:
    facts = [guest("p", "in", 5), guest("p", "out", 20)]
    first = plan(*facts)
    view = seen(roster_of(*facts, guest("p", "in", 35)), CAST)
    assert standing(view, first, (), DEBOUNCE) == first


def test_a_gap_that_shrinks_in_time_should_take_the_return_with_it() -> None:
    facts = [guest("p", "in", 5), guest("p", "out", 20), guest("p", "in", 40)]
    first = plan(*facts)
    view = seen(roster_of(*facts, guest("p", "in", 30)), CAST)
    assert standing(view, first, first[:1], DEBOUNCE) == first[:1]
    returned = [first[0], first[2]]
    assert standing(view, first, returned, DEBOUNCE) == first
    assert due(view, first[:1], DEBOUNCE) == due(view, first, DEBOUNCE) == ()


def test_a_second_device_learned_late_should_withdraw_or_correct_a_disconnect() -> None:
    facts = [staff("laptop", "in", 0), staff("laptop", "out", 50)]
    first = plan(*facts)
    view = seen(roster_of(*facts, staff("phone", "in", 40)), CAST)
    assert standing(view, first, first[:1], DEBOUNCE) == first[:1]
    fix = due(view, standing(view, first, first, DEBOUNCE), DEBOUNCE)
    assert [(one.status, one.at) for one in fix] == [("connected", us(50) + 1)]


def test_a_second_external_should_end_what_is_said_of_the_patient_when_everybody_is_gone() -> None:
    facts = [guest("p", "in", 5)]
    first = plan(*facts)
    facts.append(guest("interpreter", "in", 60))
    second = plan(*facts, before=first)
    assert told(second, PATIENT) == []
    assert told(second, VISIT) == [("connected", 5)]
    facts += [guest("p", "out", 100), guest("interpreter", "out", 200)]
    third = plan(*facts, before=[*first, *second])
    assert told(third, PATIENT) == [("disconnected", 200)]
    assert told(third, VISIT) == [("disconnected", 200)]
    assert plan(*facts, before=[*first, *second, *third]) == ()


def test_a_patient_who_is_attributed_no_more_should_not_be_told_as_connected() -> None:
    first = plan(guest("p", "in", 5))
    view = seen(roster_of(guest("p", "in", 5), guest("interpreter", "in", 60)), CAST)
    assert standing(view, first, (), DEBOUNCE) == ()


def test_only_the_newest_state_should_count_where_states_are_told() -> None:
    connected, gone = plan(guest("p", "in", 5), guest("p", "out", 60))
    assert superseded([connected, gone], connected)
    assert not superseded([connected], connected)
    assert not superseded([connected, gone], gone)


def test_what_somebody_does_should_bear_a_name() -> None:
    view = seen(roster_of(guest("p", "in", 5), guest("p", "out", 60)), CAST)
    connected, gone = due(view, (), DEBOUNCE)
    assert [bearing(view, one) for one in (connected, gone)] == ["new", "end"]
    later = seen(roster_of(guest("p", "in", 5), guest("p", "out", 90)), CAST)
    wrong = (connected, gone)
    righted = due(later, wrong, DEBOUNCE)
    assert [(one.status, bearing(later, one)) for one in righted] == [
        ("connected", "correction"),
        ("disconnected", "end"),
    ]


def test_a_disconnect_should_know_what_it_ends_as_it_was_when_handed_on() -> None:
    view = seen(roster_of(guest("p", "in", 5), guest("p", "out", 60)), CAST)
    connected, gone = due(view, (), DEBOUNCE)
    assert (connected.began, gone.began) == (0, us(5))
    known = Ledger().handed_on([connected, gone])
    assert Ledger.from_document(known.document()).listed(replace(gone, began=0)).began == us(5)


def test_what_only_a_report_knows_should_be_marked_reconstructed() -> None:
    name = report_participant(0, VIDAL)
    live = [staff("d", "in", 10)]
    first = plan(*live)
    found = plan(*live, staff(name, "in", 9), staff("d", "out", 60), staff(name, "out", 300), before=first)
    assert [(one.status, one.reconstructed) for one in found] == [("disconnected", True)]
    assert [one.reconstructed for one in first] == [False]


def test_ids_should_be_stable_and_differ_in_everything_that_counts() -> None:
    one = Operation(PATIENT, "connected", us(5))
    ids = {
        one.id("c", "v"),
        one.id("d", "v"),
        one.id("c", "w"),
        Operation(VISIT, "connected", us(5)).id("c", "v"),
        Operation(PATIENT, "disconnected", us(5)).id("c", "v"),
        Operation(PATIENT, "connected", us(6)).id("c", "v"),
        one.lane("c", "v"),
    }
    assert len(ids) == 7
    assert one.id("c", "v") == Operation(PATIENT, "connected", us(5), True).id("c", "v")


# A script: per join a sequence of stages at increasing times; the truth is what its facts say.
JOINS = st.lists(
    st.tuples(st.sampled_from(["p", "d1", "d2"]), st.sampled_from(PRESENCES), st.integers(0, 120)),
    min_size=1,
    max_size=14,
)


def sighting(name: str, presence: Presence, second: int) -> Sighting:
    return guest(name, presence, second) if name == "p" else staff(name, presence, second)


@settings(max_examples=300, deadline=None)
@given(JOINS, st.randoms(use_true_random=False), st.sampled_from(["state", "event"]))
def test_any_order_duplication_and_interleaving_should_end_with_the_truth_in_the_ehr(
    script: list[tuple[str, Presence, int]], dice: Random, semantics: Literal["state", "event"]
) -> None:
    events = [sighting(*one) for one in script]
    events += dice.sample(events, k=len(events) // 3)
    dice.shuffle(events)
    desk = Desk(CAST, semantics)
    for event in events:
        desk.fold(event)
        while desk.waiting and dice.random() < 0.5:
            desk.deliver(dice.randrange(100))
    while desk.waiting:
        desk.deliver(dice.randrange(100))
    truth = desk.view
    for subject in (PATIENT, DOCTOR):
        ended = covered(truth.spans(subject), us(100_000)) if subject in truth.subjects else False
        assert desk.says(subject) in (("connected",) if ended else ("disconnected", ""))
    assert len({(one.subject, one.at) for one in desk.ehr}) == len(desk.ehr)
    assert due(truth, desk.ledger.told, DEBOUNCE) == ()


# Graph gives times in tenths of microseconds: one participant has one stage at an instant. Of two devices at
# once the second may disprove a disconnect whose return was told already: then "connected" stands twice.
DISTINCT = st.lists(
    st.tuples(st.sampled_from(["p", "d1"]), st.sampled_from(PRESENCES), st.integers(0, 120)),
    min_size=1,
    max_size=14,
    unique_by=lambda one: (one[0], one[2]),
)


@settings(max_examples=300, deadline=None)
@given(DISTINCT, st.randoms(use_true_random=False))
def test_events_told_should_alternate_for_a_person_with_one_device(
    script: list[tuple[str, Presence, int]], dice: Random
) -> None:
    events = [sighting(*one) for one in script]
    dice.shuffle(events)
    desk = Desk(CAST, "event")
    for event in events:
        desk.fold(event)
        while desk.waiting and dice.random() < 0.5:
            desk.deliver(dice.randrange(100))
    while desk.waiting:
        desk.deliver(dice.randrange(100))
    for subject in (PATIENT, DOCTOR):
        states = [one.status for one in sorted(desk.ehr, key=lambda one: one.at) if one.subject == subject]
        assert all(one != other for one, other in pairwise(states))
        assert not states or states[0] == "connected"


@pytest.mark.parametrize("semantics", ["state", "event"])
def test_delivery_in_reverse_should_end_right(semantics: Literal["state", "event"]) -> None:
    desk = Desk(CAST, semantics)
    desk.fold(guest("p", "in", 5))
    desk.fold(guest("p", "out", 60))
    desk.fold(guest("p", "in", 100))
    while desk.waiting:
        desk.deliver(-1)
    assert desk.says(PATIENT) == "connected"


def test_the_end_of_the_call_should_disconnect_everybody_once() -> None:
    roster = roster_of(guest("p", "in", 5), staff("d", "in", 6)).ended(at(60))
    first = due(seen(roster, CAST), (), DEBOUNCE)
    assert told(first) == [("connected", 5), ("connected", 6), ("disconnected", 60), ("disconnected", 60)]
    late = roster.seen([guest("p", "out", 61), staff("d", "out", 59)])
    assert due(seen(late, CAST), first, DEBOUNCE) == ()
