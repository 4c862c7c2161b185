"""The chain of a visit's messages: one of it, and its end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import parse_timestamp, timestamp
from shared.errors import SealBroken, Unreachable
from shared.visit.ledger import Ledger
from tests.writeback.house import home
from tests.writeback.office import DAY, HOUR, Office
from writeback_function.tend import CHECKS


def test_duplicates_should_make_one_chain(office: Office) -> None:
    office.visit()
    text = office.first()
    office.tend.tend(text)
    office.tend.tend(text)
    office.tend.tend(text)
    assert len(office.waiting) == 1


def test_a_crash_before_the_turn_was_written_should_leave_one_living_chain(office: Office) -> None:
    office.visit()
    text = office.first()
    office.tend.tend(text)
    row = office.house.row()
    lost = replace(Ledger.from_document(row.roster), turn="")
    office.house.region.visits.save(replace(row, roster=lost.document()))
    office.tend.tend(text)
    assert len(office.waiting) == 2
    office.run_for(2 * HOUR)
    assert len(office.waiting) == 1


@pytest.mark.parametrize("text", ["", "{", '{"v":2}'])
def test_what_is_no_tend_message_should_end_there(office: Office, text: str) -> None:
    office.visit()
    office.tend.tend(text)
    assert office.waiting == []


@pytest.mark.parametrize("text", ['{"v":1}', '{"v":1,"kind":"tend","sealed":"abc"}'])
def test_what_does_not_open_may_be_a_visit_s_only_one_and_should_come_again(
    office: Office, text: str
) -> None:
    office.visit()
    with pytest.raises(SealBroken):
        office.tend.tend(text)


def test_a_visit_that_is_gone_should_end_the_chain(office: Office) -> None:
    office.tend.tend(office.first())
    assert office.waiting == []


WITHOUT = {"join_url": "", "meeting_id": "", "subscription_id": "", "subscription_expires": ""}


@pytest.mark.parametrize("values", [{}, WITHOUT])
def test_a_visit_that_is_over_should_be_closed_with_few_looks(office: Office, values: dict[str, Any]) -> None:
    office.visit(hours=24.5, **values)
    office.house.clocked["tend"].send(office.first())
    office.run_for(3 * DAY)
    row = office.house.row()
    assert parse_timestamp(row.closed_at) >= office.house.begin + timedelta(days=1)
    assert office.waiting == []
    assert office.looks <= len(CHECKS) + 4
    assert office.subscriptions.asked.count("renew") <= 2
    if not values:
        assert office.subscriptions.alive == {}
        assert office.subscriptions.asked[-1] == "delete"
        assert office.reports.reads == len(CHECKS)


def test_a_visit_of_unknown_time_should_be_renewed_daily_at_most(office: Office) -> None:
    office.house.context = replace(office.house.context, starts=None, ends=None)
    office.visit(hours=24)
    office.house.clocked["tend"].send(office.first())
    office.run_for(4 * DAY)
    assert office.house.row().closed_at != ""
    assert 1 <= office.subscriptions.asked.count("renew") <= 3


def test_somebody_still_there_should_keep_the_visit_open_for_three_days(office: Office) -> None:
    office.visit()
    office.house.sees(5, home("d"))
    office.house.clocked["tend"].send(office.first())
    office.run_for(2 * DAY)
    assert office.house.row().closed_at == ""
    office.run_for(3 * DAY)
    assert office.house.row().closed_at != ""
    assert office.looks < 20


def test_a_subscription_that_cannot_be_deleted_should_not_keep_a_visit_open(office: Office) -> None:
    office.visit()
    office.house.clocked["tend"].send(office.first())
    office.run_for(DAY)
    office.subscriptions.down = Unreachable("graph")
    office.run_for(2 * DAY)
    assert office.house.row().closed_at != ""


def test_a_closed_visit_should_be_left_alone(office: Office) -> None:
    office.visit(closed_at=timestamp(office.house.clock.now()))
    office.tend.tend(office.first())
    office.tend.tend(office.first("subscriptionRemoved"))
    assert (office.subscriptions.asked, office.waiting) == ([], [])
