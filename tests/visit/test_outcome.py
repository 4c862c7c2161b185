from datetime import timedelta

from shared.visit.outcome import outcome, over_at, rests
from shared.visit.policy import window
from shared.visit.roster import Roster
from tests.visit.stage import NURSE, at, doctor, guest, patient, roster_of, seen, staff

CAST = [doctor(), patient()]


def judged(roster: Roster, complete: bool = True) -> str:
    return outcome(seen(roster, CAST), roster, complete=complete)


def test_two_who_met_in_the_meeting_should_have_had_their_visit() -> None:
    assert judged(roster_of(staff("d", "in", 0), guest("p", "in", 9)), complete=False) == "took-place"


def test_a_patient_left_in_the_lobby_should_not_have_had_a_visit() -> None:
    assert judged(roster_of(staff("d", "in", 0), guest("p", "waiting", 9))) == "unknown"


def test_nobody_seen_should_be_unknown() -> None:
    assert judged(Roster()) == "unknown"


def test_a_clinician_alone_should_mean_a_patient_no_show_only_once_all_reports_are_read() -> None:
    alone = roster_of(staff("d", "in", 0), staff("d", "out", 900))
    assert judged(alone) == "patient-no-show"
    assert judged(alone, complete=False) == "unknown"


def test_an_employee_who_may_be_the_patient_should_not_be_accused() -> None:
    assert judged(roster_of(staff("d", "in", 0), staff("n", "in", 5, NURSE))) == "unknown"


def test_a_patient_alone_should_mean_a_provider_no_show_unless_some_colleague_came() -> None:
    assert judged(roster_of(guest("p", "waiting", 9))) == "provider-no-show"
    assert judged(roster_of(guest("p", "waiting", 9), staff("n", "in", 50, NURSE))) == "unknown"


def test_an_unattributed_external_should_accuse_nobody() -> None:
    assert judged(roster_of(guest("a", "waiting", 9), guest("b", "waiting", 10))) == "unknown"


def test_a_visit_should_rest_some_hours_after_its_end_and_never_while_somebody_is_there() -> None:
    over = over_at(at(0), at(1800), at(-60))
    assert over == at(1800)
    gone = roster_of(guest("p", "out", 60))
    there = roster_of(guest("p", "in", 60))
    later = over + timedelta(hours=5)
    assert not rests(gone, over, over)
    assert rests(gone, over, later)
    assert not rests(there, over, later)
    assert rests(there, over, over + timedelta(days=4))


def test_a_visit_without_a_time_should_be_over_half_a_day_after_its_first_launch() -> None:
    assert over_at(None, None, at(0)) == at(12 * 3600)
    assert over_at(at(0), None, at(0)) == at(0)


def test_the_window_should_open_and_close_around_the_appointment() -> None:
    def state(minutes: float, *, enforced: bool = True) -> str:
        now = at(minutes * 60)
        return window(at(0), at(1800), now, enforced=enforced, opens_before=30, closes_after=240).state

    assert [state(-31), state(-30), state(0), state(270), state(271)] == [
        "early",
        "open",
        "open",
        "open",
        "late",
    ]
    assert state(-500, enforced=False) == "open"
    early = window(at(0), None, at(-3600), enforced=True, opens_before=30, closes_after=240)
    assert early.opens == at(-1800)
    assert window(None, None, at(0), enforced=True, opens_before=30, closes_after=240).state == "open"
