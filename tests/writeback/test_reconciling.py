"""What reports add to what was seen live, as the EHR would be told it: two clocks, lost notifications."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from shared.graph.reports import Attendance, Report
from shared.visit.attribution import Launch
from shared.visit.operations import due
from shared.visit.roster import TOLERANCE, Roster, Sighting
from tests.visit.stage import (
    BEGIN,
    DEBOUNCE,
    NURSE,
    SECOND,
    VIDAL,
    doctor,
    guest,
    patient,
    roster_of,
    seen,
    staff,
    told,
)
from writeback_function.reconciling import reconciled

CAST = [doctor(), patient()]
SLACK = TOLERANCE / SECOND

type Spans = tuple[tuple[float, float], ...]


def record(oid: str, spans: Spans) -> Attendance:
    moments = tuple((BEGIN + timedelta(seconds=a), BEGIN + timedelta(seconds=b)) for a, b in spans)
    return Attendance("home" if oid else "external", oid, "Attendee", 0, moments)


def session(*records: tuple[str, Spans]) -> Report:
    moments = [second for _, spans in records for span in spans for second in span]
    first, last = (BEGIN + timedelta(seconds=one) for one in (min(moments), max(moments)))
    return Report(f"r{first}", first, last, tuple(record(*one) for one in records))


def after(roster: Roster, *reports: Report, over: bool = True) -> Roster:
    return reconciled(roster, reports, over=over)


def tells(
    roster: Roster, *reports: Report, over: bool = True, launches: Sequence[Launch] = CAST
) -> dict[str, list[tuple[str, float]]]:
    """What is told of each subject: first by what was seen live, then what the reports add to it."""
    live = due(seen(roster, launches), (), DEBOUNCE)
    more = due(seen(after(roster, *reports, over=over), launches), live, DEBOUNCE)
    found: dict[str, list[tuple[str, float]]] = {}
    for one in sorted([*live, *more], key=lambda one: one.at):
        found.setdefault(one.subject, []).extend(told([one]))
    return found


DOCTOR = "clinician:EMP-88101"


def test_a_lost_disconnect_should_be_known_from_the_report() -> None:
    live = roster_of(staff("d", "in", 5))
    assert tells(live, session((VIDAL, ((4, 600),)))) == {DOCTOR: [("connected", 5), ("disconnected", 600)]}


def test_a_lost_disconnect_of_the_patient_should_be_theirs() -> None:
    live = roster_of(guest("p", "waiting", 5), guest("p", "in", 20))
    said = tells(live, session(("", ((21, 600),)), (VIDAL, ((10, 610),))))
    assert said["patient"] == [("connected", 5), ("disconnected", 600)]


def test_what_a_report_adds_should_be_marked_and_nothing_else() -> None:
    live = roster_of(staff("d", "in", 5))
    view = seen(after(live, session((VIDAL, ((4, 600),)))), CAST)
    assert [one.reconstructed for one in due(view, (), DEBOUNCE)] == [False, True]


def test_a_second_join_that_was_lost_whole_should_be_added() -> None:
    live = roster_of(staff("d", "in", 5), staff("d", "out", 200))
    said = tells(live, session((VIDAL, ((4, 201), (300, 600)))))
    assert said == {
        DOCTOR: [("connected", 5), ("disconnected", 200), ("connected", 300), ("disconnected", 600)]
    }


def test_a_leaving_and_a_coming_back_that_were_lost_should_be_added() -> None:
    live = roster_of(staff("d", "in", 5), staff("e", "in", 301), staff("e", "out", 600))
    said = tells(live, session((VIDAL, ((4, 200), (300, 601)))))
    assert said[DOCTOR] == [
        ("connected", 5),
        ("disconnected", 200),
        ("connected", 301),
        ("disconnected", 600),
    ]


def test_a_second_join_of_the_patient_s_own_record_should_be_theirs() -> None:
    live = roster_of(guest("p", "in", 5), guest("p", "out", 200))
    said = tells(live, session(("", ((4, 201), (300, 600)))))
    assert said == {
        "patient": [("connected", 5), ("disconnected", 200), ("connected", 300), ("disconnected", 600)]
    }


def test_an_admission_that_was_lost_should_count_as_being_in_the_meeting() -> None:
    live = roster_of(guest("p", "waiting", 5), guest("p", "out", 600))
    view = seen(after(live, session(("", ((20, 604),)))), CAST, connected="meeting")
    assert told(due(view, (), DEBOUNCE)) == [("connected", 20), ("disconnected", 600)]


def test_a_leaving_without_its_coming_should_get_the_coming() -> None:
    live = roster_of(staff("d", "out", 600))
    assert tells(live, session((VIDAL, ((5, 608),)))) == {DOCTOR: [("connected", 5), ("disconnected", 600)]}


@pytest.mark.parametrize("early", [-SLACK, 0, SLACK])
@pytest.mark.parametrize("late", [-SLACK, 0, SLACK])
def test_clocks_that_differ_by_seconds_should_make_no_transition(early: float, late: float) -> None:
    live = roster_of(
        staff("d", "in", 5), staff("d", "out", 600), guest("p", "in", 30), guest("p", "out", 500)
    )
    report = session((VIDAL, ((5 + early, 600 + late),)), ("", ((30 + early, 500 + late),)))
    assert tells(live, report) == tells(live)
    assert len(tells(live)) == 2


@pytest.mark.parametrize(
    ("leaves", "more"),
    [(600 + SLACK, []), (600.001 + SLACK, [("connected", 600), ("disconnected", 615.001)])],
)
def test_the_tolerance_should_end_where_it_says(leaves: float, more: list[tuple[str, float]]) -> None:
    live = roster_of(staff("d", "in", 5), staff("d", "out", 600))
    said = tells(live, session((VIDAL, ((5, leaves),))))
    assert said == {DOCTOR: [("connected", 5), ("disconnected", 600), *more]}


@pytest.mark.parametrize(("back", "parts"), [(200 + SLACK, 1), (200.001 + SLACK, 2)])
def test_a_gap_in_a_report_should_count_from_the_tolerance_on(back: float, parts: int) -> None:
    said = tells(roster_of(staff("d", "in", 5)), session((VIDAL, ((5, 200), (back, 600)))))
    assert len(said[DOCTOR]) == 2 * parts


def test_a_short_return_that_was_lost_should_begin_when_the_report_says() -> None:
    live = roster_of(staff("d", "in", 5), staff("d", "out", 200))
    said = tells(live, session((VIDAL, ((5, 200), (203, 600)))))
    assert said[DOCTOR] == [
        ("connected", 5),
        ("disconnected", 200),
        ("connected", 203),
        ("disconnected", 600),
    ]


def test_two_devices_should_be_one_presence_of_one_person() -> None:
    live = roster_of(staff("d", "in", 5), staff("e", "in", 100), staff("e", "out", 300))
    said = tells(live, session((VIDAL, ((5, 600), (100, 300)))))
    assert said == {DOCTOR: [("connected", 5), ("disconnected", 600)]}


def test_several_sessions_should_be_taken_together() -> None:
    live = roster_of(staff("d", "in", 5))
    reports = [
        session((VIDAL, ((5, 200),))),
        session((VIDAL, ((900, 950),))),
        session((VIDAL, ((999, 1200),))),
    ]
    wanted = {
        DOCTOR: [
            ("connected", 5),
            ("disconnected", 200),
            ("connected", 900),
            ("disconnected", 950),
            ("connected", 999),
            ("disconnected", 1200),
        ]
    }
    for order in permutations(reports):
        assert tells(live, *order) == wanted


def test_reading_again_should_change_nothing() -> None:
    live = roster_of(staff("d", "in", 5), guest("p", "in", 6), guest("q", "in", 90), staff("d", "out", 100))
    reports = [
        session((VIDAL, ((5, 101), (300, 600))), ("", ((7, 400),)), ("", ((90, 500),)), (NURSE, ((1, 2),))),
        session(("", ((800, 900),))),
    ]
    once = after(live, *reports)
    assert after(once, *reports) == once
    assert Roster.from_document(once.document()) == once


LATE: list[tuple[Sighting, ...]] = [
    (staff("e", "in", 301), staff("e", "out", 601)),
    (staff("e", "in", 299), staff("e", "out", 590)),
    (staff("e", "in", 301),),
]


@pytest.mark.parametrize("late", LATE)
def test_an_event_that_comes_after_the_report_should_make_no_transition(late: tuple[Sighting, ...]) -> None:
    report = session((VIDAL, ((4, 200), (300, 600))))
    roster = after(roster_of(staff("d", "in", 5)), report)
    known = due(seen(roster, CAST), (), DEBOUNCE)
    for number in range(1, len(late) + 1):
        assert due(seen(roster.seen(late[:number]), CAST), known, DEBOUNCE) == ()
    again = after(roster.seen(late), report)
    assert due(seen(again, CAST), known, DEBOUNCE) == ()


def test_a_join_that_was_seen_to_last_should_be_left_as_it_was_seen() -> None:
    live = roster_of(staff("d", "in", 5), staff("d", "out", 600))
    assert tells(live, session((VIDAL, ((5, 200), (300, 600))))) == tells(live)


# -- whose presence: never the wrong person's


def test_somebody_of_another_session_should_not_be_taken_for_the_patient() -> None:
    live = roster_of(guest("p", "in", 5), guest("p", "out", 200))
    said = tells(live, session(("", ((5, 200),))), session(("", ((900, 1000),))))
    assert said["patient"] == [("connected", 5), ("disconnected", 200)]
    assert said["visit"][-1] == ("disconnected", 1000)


def test_two_records_at_the_time_of_one_external_should_be_nobody_in_particular() -> None:
    live = roster_of(guest("p", "in", 5))
    said = tells(live, session(("", ((5, 200),)), ("", ((50, 600),))))
    # Told live as the patient; when nobody from outside is there any more, they are not either.
    assert said["patient"] == [("connected", 5), ("disconnected", 600)]
    assert said["visit"] == [("connected", 5), ("disconnected", 600)]
    roster = after(live, session(("", ((5, 200),)), ("", ((50, 600),))))
    assert "patient" not in seen(roster, CAST).subjects


def test_two_records_within_the_time_of_one_external_should_still_be_two_people() -> None:
    live = roster_of(guest("p", "in", 5), guest("p", "out", 600))
    roster = after(live, session(("", ((5, 600),)), ("", ((50, 300),))))
    assert set(seen(roster, CAST).subjects) == {"visit"}


def test_two_externals_seen_live_should_stay_as_they_were_seen() -> None:
    live = roster_of(
        guest("p", "in", 5), guest("q", "in", 50), guest("p", "out", 300), guest("q", "out", 600)
    )
    assert tells(live, session(("", ((3, 301),)), ("", ((52, 605),)))) == tells(live)


def test_two_externals_of_whom_one_s_leaving_was_lost_should_both_be_gone() -> None:
    live = roster_of(guest("p", "in", 5), guest("q", "in", 50), guest("q", "out", 300))
    said = tells(live, session(("", ((5, 600),)), ("", ((50, 300),))))
    assert said == {"visit": [("connected", 5), ("disconnected", 600)]}


def test_a_colleague_of_the_report_should_be_nobody_s_clinician() -> None:
    live = roster_of(staff("d", "in", 5))
    assert set(tells(live, session((VIDAL, ((5, 600),)), (NURSE, ((9, 300),))))) == {DOCTOR}


# -- the end


def test_somebody_left_in_the_lobby_should_be_gone_with_the_last_session_once_the_visit_is_over() -> None:
    live = roster_of(guest("p", "waiting", 5))
    report = session((VIDAL, ((10, 300),)))
    assert tells(live, report)["patient"] == [("connected", 5), ("disconnected", 300)]
    assert tells(live, report, over=False)["patient"] == [("connected", 5)]


def test_a_call_of_which_there_is_no_report_yet_should_go_on() -> None:
    live = roster_of(staff("d", "in", 5), staff("d", "out", 200), staff("e", "in", 900))
    assert tells(live, session((VIDAL, ((5, 200),)))) == tells(live)


def test_no_report_should_say_nothing() -> None:
    live = roster_of(staff("d", "in", 5), guest("p", "waiting", 6))
    assert after(live) == live
