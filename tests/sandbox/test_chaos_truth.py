"""What chaos holds a record against: the truth of a script, and that nothing wrong in a record passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sandbox.chaos.__main__ import main
from sandbox.chaos.compare import REPEATS, Entry, differences
from sandbox.chaos.hospitals import SCENES, contact, visit_key
from sandbox.chaos.report import compared
from sandbox.chaos.script import Actor, Plot, Step, plots
from sandbox.chaos.stage import Act
from sandbox.chaos.truth import SOMEBODY, Expected, Moment, Played, Presence, expected

DEBOUNCE = 15.0
CAST = {
    "clinician": Actor("clinician", "provider", "evidal", "oid-1", home=True),
    "patient": Actor("patient", "patient", "patient0001"),
    "elsewhere": Actor("elsewhere", "patient", "patient0001", "oid-9"),
    "proxy": Actor("proxy", "patient", "proxy0001"),
    "guest": Actor("guest"),
    "staff": Actor("staff", account="oid-2", home=True),
}


def truth(
    *steps: tuple[float, str, str], also: Sequence[str] = (), group: bool = False
) -> dict[str, Expected]:
    names = {actor for _, actor, _ in steps} | set(also)
    played = tuple(Step(at, actor, act) for at, actor, act in steps)  # type: ignore[arg-type]
    plot = Plot(1, "test", "evidal", 0.0, group, {name: CAST[name] for name in names}, played)
    return dict(expected(plot, [Played(one, Moment(one.at, one.at + 0.1)) for one in played]))


def spans(found: Expected) -> list[tuple[float, float | None]]:
    return [(one.start.low, one.end.low if one.end else None) for one in found.spans]


def test_patient_and_clinician_alone_are_both_named() -> None:
    found = truth(
        (0, "patient", "join"), (5, "clinician", "join"), (6, "patient", "admit"), (9, "clinician", "end")
    )
    assert spans(found["patient0001"]) == [(0, 9)]
    assert spans(found["evidal"]) == [(5, 9)]
    assert found["patient0001"].must
    assert found["evidal"].must
    assert not found[SOMEBODY].must
    assert found[SOMEBODY].ends == "disconnected"


@pytest.mark.parametrize(
    ("steps", "also", "group"),
    [
        (((0, "patient", "join"), (5, "guest", "join"), (9, "patient", "leave")), (), False),
        (((0, "patient", "join"), (5, "patient", "leave"), (9, "patient", "join")), (), False),
        (((0, "patient", "join"),), ("proxy",), False),
        (((0, "guest", "join"),), (), False),
        (((0, "patient", "join"),), (), True),
    ],
    ids=["guest beside", "returns as another", "parent launched too", "nobody launched", "group"],
)
def test_nobody_is_named_who_could_be_another(
    steps: tuple[tuple[float, str, str], ...], also: tuple[str, ...], group: bool
) -> None:
    found = truth(*steps, also=also, group=group)
    assert found[SOMEBODY].must
    assert not any(one.must for name, one in found.items() if name != SOMEBODY)
    if also or group or steps[0][1] == "guest":
        assert set(found) == {SOMEBODY}


def test_an_account_from_elsewhere_is_the_same_person_at_every_return() -> None:
    found = truth((0, "elsewhere", "join"), (5, "elsewhere", "leave"), (9, "elsewhere", "join"))
    assert found["patient0001"].must
    assert spans(found["patient0001"]) == [(0, 5), (9, None)]
    assert found["patient0001"].ends == "connected"


def test_staff_is_nobody_s() -> None:
    assert set(truth((0, "clinician", "join"), (1, "staff", "join"), (2, "staff", "leave"))) == {"evidal"}


def test_a_script_depends_on_its_seed_alone_and_has_every_kind() -> None:
    first = plots(7, 40, 60.0, 3.0)
    assert first == plots(7, 40, 60.0, 3.0) != plots(8, 40, 60.0, 3.0)
    assert len({one.kind for one in first}) == 9
    assert all(list(one.steps) == sorted(one.steps, key=lambda step: step.at) for one in first)


def span(start: float, end: float | None = None) -> Presence:
    return Presence(Moment(start, start + 0.1), None if end is None else Moment(end, end + 0.1))


VISIT = {
    "evidal": Expected((span(0, 30), span(40, 50), span(80)), True, "connected"),
    "patient0001": Expected((span(5, 60),), True, "disconnected"),
    SOMEBODY: Expected((span(5, 60),), False, "disconnected"),
}
RIGHT = [
    Entry("evidal", "connected", 0.05),
    Entry("patient0001", "connected", 5.05),
    Entry("evidal", "disconnected", 50.05),
    Entry("patient0001", "disconnected", 60.05),
    Entry("evidal", "connected", 80.05),
]


def judged(record: Sequence[Entry]) -> list[str]:
    return [one.what for one in differences(record, VISIT, "events", DEBOUNCE)]


def test_the_true_record_has_no_difference_in_any_order() -> None:
    assert judged(RIGHT) == judged(RIGHT[::-1]) == []


def test_a_brief_absence_may_be_told_but_then_whole() -> None:
    gone, back = Entry("evidal", "disconnected", 30.05), Entry("evidal", "connected", 40.05)
    assert judged([*RIGHT, gone, back]) == []
    assert judged([*RIGHT, gone]) == ["missing"]


@pytest.mark.parametrize("place", range(len(RIGHT)))
def test_every_single_missing_transition_is_found(place: int) -> None:
    assert "missing" in judged(RIGHT[:place] + RIGHT[place + 1 :])


@pytest.mark.parametrize("place", range(len(RIGHT)))
def test_every_transition_told_twice_is_found(place: int) -> None:
    again = replace(RIGHT[place], at=RIGHT[place].at + 0.01)
    assert judged([*RIGHT, again]) == ["duplicate"]
    assert judged([*RIGHT, RIGHT[place]]) == ["duplicate"]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (Entry("patient0001", "connected", 70.0), "wrong final state"),
        (Entry("patient0001", "connected", 70.0), "untrue"),
        (Entry("patient0001", "disconnected", 20.0), "untrue"),
        (Entry("patient0002", "connected", 6.0), "wrong person"),
        (Entry(SOMEBODY, "connected", 6.0), "wrong final state"),
        (Entry(SOMEBODY, "connected", 2.0), "untrue"),
    ],
)
def test_what_is_not_so_is_found(wrong: Entry, what: str) -> None:
    assert what in judged([*RIGHT, wrong])


WANTED = {"evidal": Expected((span(0, 9), span(40, 60)), True, "disconnected")}
ON, OFF = Entry("evidal", "connected", 1.0), Entry("evidal", "disconnected", 70.0)


def states(*record: Entry) -> list[str]:
    return [one.what for one in differences(record, WANTED, "states", DEBOUNCE)]


def test_of_states_the_last_one_told_counts() -> None:
    assert states(ON, OFF) == states(OFF) == []
    assert states(ON, OFF, replace(ON, at=71.0)) == ["wrong final state"]
    assert states() == ["missing"]
    assert states(OFF, replace(OFF, person="nlindqvist")) == ["wrong person"]


def test_a_state_that_was_told_before_it_came_about_is_untrue() -> None:
    early = {"evidal": Expected((span(5, 9),), True, "disconnected")}
    for one in (replace(ON, at=4.9), replace(OFF, at=8.9)):
        found = differences([one, OFF], early, "states", DEBOUNCE)
        assert [each.what for each in found] == ["untrue"]
    assert differences([replace(ON, at=5.0), replace(OFF, at=9.0)], early, "states", DEBOUNCE) == []


def test_states_that_change_more_often_than_people_moved_are_untrue() -> None:
    flapping = [replace(one, at=10.0 + number) for number in range(4) for one in (ON, OFF)]
    assert states(*flapping) == ["untrue"]
    # Two came and went, and one late effect was put right.
    assert states(*flapping[:6]) == []


def test_a_state_that_is_told_more_often_than_retries_explain_is_found() -> None:
    assert states(*[ON] * REPEATS, OFF) == []
    assert states(*[ON] * (REPEATS + 1), OFF) == ["duplicate"]


def a_day() -> tuple[list[Act], dict[str, Any]]:
    """One visit at the FHIR hospital, and its true record."""
    steps = (Step(0, "patient", "join"), Step(5, "patient", "leave"))
    plot = Plot(3, "test", "evidal", 0.0, False, {"patient": CAST["patient"]}, steps)
    played = [Played(one, Moment(one.at, one.at + 0.1)) for one in steps]
    told = {"visit": visit_key(plot), "person": "patient0001"}
    connections = [
        told | {"status": "connected", "at": 0.05, "received": 1.0},
        told | {"status": "disconnected", "at": 5.05, "received": 9.0},
    ]
    events = [{"id": name, "version": 1, "event": event(plot, name)} for name in ("a", "b")]
    record = {"connections": connections, "audit_events": events, "troubles": {}}
    return [Act(plot, SCENES["fhir"], played=played)], {"fhir": record}


def event(plot: Plot, operation: str) -> dict[str, Any]:
    named = {"what": {"reference": f"Appointment/{contact(plot).appointment_id}"}}
    return {"entity": [{"what": {"identifier": {"value": f"urn:uuid:{operation}"}}}, named]}


def test_a_whole_record_that_was_tampered_with_is_found_out() -> None:
    acts, records = a_day()
    assert compared(acts, records, DEBOUNCE).clean

    def found(change: Callable[[dict[str, Any]], object]) -> list[tuple[int, str]]:
        acts, records = a_day()
        change(records["fhir"])
        wrong = compared(acts, records, DEBOUNCE).wrong
        return [(act.plot.number if act else 0, one.what) for act, one in wrong]

    assert found(lambda record: record["connections"].pop(0)) == [(3, "missing")]
    assert (3, "wrong final state") in found(lambda record: record["connections"].pop(1))
    assert found(lambda record: record["audit_events"][1].update(version=2)) == [(3, "duplicate")]
    twin = {"id": "c", "version": 1, "event": event(acts[0].plot, "a")}
    assert found(lambda record: record["audit_events"].append(twin)) == [(3, "duplicate")]
    stranger = {"visit": visit_key(acts[0].plot), "person": "evidal", "status": "connected", "at": 1.0}
    assert found(lambda record: record["connections"].append(stranger)) == [(3, "wrong person")]
    nowhere = stranger | {"visit": "visit-9999", "person": "patient0001"}
    assert found(lambda record: record["connections"].append(nowhere)) == [(0, "wrong person")]


def test_the_report_says_what_each_record_speaks_for() -> None:
    acts, records = a_day()
    judged = compared(acts, records, DEBOUNCE).judged["fhir"]
    assert (judged.participants, judged.entries, judged.unseen) == (2, 2, 0)
    assert "every transition" in judged.sentence
    records["fhir"]["connections"].pop(0)
    assert compared(acts, records, DEBOUNCE).judged["fhir"].unseen == 1


@pytest.mark.parametrize("visits", ["0", "-1", "many"])
def test_a_run_without_visits_is_refused(visits: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--visits", visits])
    assert refused.value.code == 2
    assert "--visits" in capsys.readouterr().err
