from collections.abc import Callable

import pytest

from shared.visit.ledger import Ledger
from tests.graph.fakes import ELENA, NOAH
from tests.writeback.house import House, guest, home
from tests.writeback.office import DAY, HOUR, Office
from writeback_function.tend import CHECKS


def play(office: Office, live: Callable[[House], None] = lambda house: None) -> None:
    office.visit()
    live(office.house)
    office.begin()
    office.run_for(3 * DAY)


def test_what_only_a_report_knows_should_be_told_as_reconstructed(office: Office) -> None:
    office.reports.reports = (
        office.report(office.record(ELENA.upper(), (20, 700)), office.record("", (5, 600))),
    )
    play(office)
    assert office.said() == [
        ("patient", "connected", 5, True),
        ("patient", "disconnected", 600, True),
        ("provider", "connected", 20, True),
        ("provider", "disconnected", 700, True),
    ]


def test_who_was_seen_live_should_stay_as_seen(office: Office) -> None:
    records = office.record(ELENA, (12, 612)), office.record("", (-4, 594))
    office.reports.reports = (office.report(*records),)

    def live(house: House) -> None:
        house.sees(5, guest("p"), home("d"))
        house.sees(600, guest("p", out=True), home("d", out=True))

    play(office, live)
    assert office.said() == [
        ("patient", "connected", 5, False),
        ("patient", "disconnected", 600, False),
        ("provider", "connected", 5, False),
        ("provider", "disconnected", 600, False),
    ]


def test_who_was_not_seen_live_should_be_added_beside_who_was(office: Office) -> None:
    records = office.record(ELENA, (21, 705)), office.record("", (6, 610))
    office.reports.reports = (office.report(*records),)

    def live(house: House) -> None:
        house.sees(5, guest("p"))
        house.sees(600, guest("p", out=True))

    play(office, live)
    assert office.said() == [
        ("patient", "connected", 5, False),
        ("patient", "disconnected", 600, False),
        ("provider", "connected", 21, True),
        ("provider", "disconnected", 705, True),
    ]


def test_no_report_should_say_nothing(office: Office) -> None:
    play(office)
    assert office.said() == []
    assert office.reports.reads == len(CHECKS)


@pytest.mark.parametrize("sessions", [1, 2])
def test_two_externals_of_reports_should_be_nobody_in_particular(office: Office, sessions: int) -> None:
    first, second = office.record("", (5, 300)), office.record("", (400, 600))
    office.reports.reports = (
        (office.report(first, second),)
        if sessions == 1
        else (office.report(first), office.report(second, name="r2"))
    )
    play(office)
    assert {role for role, *_ in office.said()} == {"unattributed"}


def test_records_in_another_order_at_the_next_reading_should_be_the_same_people(office: Office) -> None:
    records = [
        office.record("", (5, 300)),
        office.record("", (50, 600)),
        office.record(NOAH, (10, 90)),
    ]
    office.visit()
    office.begin()
    office.reports.reports = (office.report(*records),)
    office.run_for(HOUR)
    before = Ledger.from_document(office.house.row().roster).roster
    office.reports.reports = (office.report(*reversed(records)),)
    office.run_for(2 * DAY)
    assert len(before.participants) == 3
    assert Ledger.from_document(office.house.row().roster).roster == before
