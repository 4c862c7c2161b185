"""What a visit amounted to: written into its row, and told once where it is taken."""

from datetime import timedelta

import pytest

from shared.errors import StatusRefused, Unreachable
from shared.graph.service import GraphRefused
from shared.visit.outcome import Conclusion
from tests.graph.fakes import ELENA, NOAH
from tests.writeback.house import KEY, guest, home
from tests.writeback.office import DAY, HOUR, Office

NAMED = Conclusion("took-place")


def play(office: Office, seconds: float = 3 * DAY) -> None:
    office.house.adapter.takes = True
    office.visit()
    office.begin()
    office.run_for(seconds)


def met(office: Office) -> None:
    office.reports.reports = (office.report(office.record(ELENA, (5, 600)), office.record("", (20, 590))),)


def outcomes(office: Office) -> list[str]:
    return [one.outcome for one in office.house.adapter.outcomes]


def test_a_visit_without_any_notification_should_be_known_from_its_reports(office: Office) -> None:
    met(office)
    play(office)
    (told,) = office.house.adapter.outcomes
    begin = office.house.begin
    assert (told.outcome, told.began, told.ended) == (
        "took-place",
        begin + timedelta(seconds=20),
        begin + timedelta(seconds=590),
    )
    assert told.context.visit_id == "S-1"
    row = office.house.row()
    assert (row.outcome, row.reported, row.outcome_sent) == ("took-place", True, True)


def test_a_visit_that_took_place_should_be_told_with_the_first_report(office: Office) -> None:
    met(office)
    play(office, HOUR)
    assert outcomes(office) == ["took-place"]


def test_an_outcome_should_be_handed_on_once_however_often_the_reports_are_read(office: Office) -> None:
    met(office)
    play(office, HOUR)
    assert outcomes(office) == ["took-place"]
    office.house.adapter.outcomes.clear()
    # Nothing but the row remembers it now: a second message would be told.
    office.house.region.operations.reopen(office.house.connection, NAMED.id(office.house.connection, KEY))
    office.run_for(3 * DAY)
    assert outcomes(office) == []


@pytest.mark.parametrize(
    ("oid", "outcome"), [(ELENA, "patient-no-show"), ("", "provider-no-show"), (NOAH, "unknown")]
)
def test_whoever_may_be_accused_should_be_so_after_the_last_reading_only(
    office: Office, oid: str, outcome: str
) -> None:
    office.reports.reports = (office.report(office.record(oid, (5, 600))),)
    play(office, 20 * HOUR)
    assert outcomes(office) == []
    assert office.house.row().outcome == outcome
    office.run_for(10 * HOUR)
    assert outcomes(office) == [outcome]


def test_no_report_should_be_unknown_and_accuse_nobody(office: Office) -> None:
    play(office, 60)
    office.house.sees(5, home("d"))
    office.house.sees(900, home("d", out=True))
    office.run_for(3 * DAY)
    assert outcomes(office) == ["unknown"]
    assert (office.house.row().outcome, office.house.row().reported) == ("unknown", False)


def test_reports_that_are_switched_off_should_be_unknown(office: Office) -> None:
    office.reports.down = GraphRefused(403, "Forbidden")
    play(office)
    assert (outcomes(office), office.house.row().reported) == (["unknown"], False)
    assert office.house.row().closed_at != ""


def test_who_met_without_any_report_should_have_met_all_the_same(office: Office) -> None:
    play(office, 60)
    office.house.sees(5, home("d"), guest("p"))
    office.house.sees(900, home("d", out=True), guest("p", out=True))
    office.run_for(2 * HOUR)
    assert outcomes(office) == []
    office.run_for(3 * DAY)
    assert outcomes(office) == ["took-place"]


def test_nobody_should_be_told_who_does_not_take_it(office: Office) -> None:
    met(office)
    office.visit()
    office.begin()
    office.run_for(3 * DAY)
    assert outcomes(office) == []
    assert office.house.row().outcome_sent
    assert office.house.row().outcome == "took-place"


def test_who_takes_it_no_more_when_it_is_told_should_be_spared(office: Office) -> None:
    met(office)
    office.house.adapter.down = Unreachable("ehr")
    play(office, HOUR)
    office.house.adapter.takes, office.house.adapter.down = False, None
    office.run_for(3 * DAY)
    assert (outcomes(office), office.house.dead(), office.house.waiting()) == ([], [], [])


def test_an_ehr_that_is_down_should_be_told_later_and_once(office: Office) -> None:
    met(office)
    office.house.adapter.down = Unreachable("ehr")
    play(office, 3 * HOUR)
    assert outcomes(office) == []
    office.house.adapter.down = None
    office.run_for(3 * DAY)
    assert outcomes(office) == ["took-place"]


def test_an_ehr_that_refuses_for_good_should_leave_a_dead_letter(office: Office) -> None:
    office.reports.reports = (office.report(office.record(NOAH, (5, 600))),)
    office.house.adapter.failures = [StatusRefused(422, "no")]
    play(office)
    assert outcomes(office) == []
    assert [(status, queue) for _, status, queue in office.house.dead()] == [(422, "writeback")]
    assert office.house.parked() == 1


def test_a_late_event_should_not_tell_a_second_outcome(office: Office) -> None:
    office.reports.reports = (office.report(office.record(ELENA, (5, 600))),)
    play(office, DAY + 2 * HOUR)
    assert outcomes(office) == ["patient-no-show"]
    office.house.sees(50, guest("p"))
    office.house.sees(500, guest("p", out=True))
    office.run_for(3 * DAY)
    assert outcomes(office) == ["patient-no-show"]
    assert office.house.row().outcome == "patient-no-show"
    # The record of who was there has it nevertheless.
    assert ("patient", "connected", 50, False) in office.said()


def test_an_outcome_should_hold_nothing_of_a_person(office: Office) -> None:
    met(office)
    play(office)
    row = office.house.row()
    assert "P-1" not in repr(row)
    assert "WPR" not in repr(row)
