from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import parse_timestamp, timestamp
from shared.errors import Unreachable
from shared.visit.ledger import Ledger
from tests.writeback.house import guest, home
from tests.writeback.office import DAY, HOUR, Office
from writeback_function.tend import CHECKS

# -- subscriptions ---------------------------------------------------------------------------------


def test_a_subscription_with_a_day_left_should_be_left_alone(office: Office) -> None:
    office.visit(hours=25)
    office.tend.tend(office.first())
    assert office.subscriptions.asked == []
    assert len(office.waiting) == 1


def test_a_subscription_with_less_than_a_day_left_should_be_renewed_once(office: Office) -> None:
    office.visit(hours=23.9)
    office.tend.tend(office.first())
    office.run_for(1_500)
    assert office.subscriptions.asked == ["renew"]
    row = office.house.row()
    assert parse_timestamp(row.subscription_expires) == office.subscriptions.alive["sub-1"]
    assert parse_timestamp(row.subscription_expires) > office.house.clock.now() + timedelta(hours=24)


def test_one_that_is_gone_should_be_made_anew_and_the_former_kept(office: Office) -> None:
    office.visit(hours=1)
    office.subscriptions.alive.clear()
    office.tend.tend(office.first())
    assert office.subscriptions.asked == ["renew", "create"]
    row = office.house.row()
    assert row.subscription_id == "sub-2"
    assert Ledger.from_document(row.roster).former == ("sub-1",)
    # What the former one still delivers counts.
    office.house.sees(5, guest("p"))
    office.house.run()
    assert office.house.adapter.said() == [("patient", "connected", 5)]


def test_one_that_was_never_written_down_should_be_found(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="")
    office.tend.tend(office.first())
    assert office.subscriptions.asked == ["create", "find"]
    assert office.house.row().subscription_id == "sub-1"
    assert Ledger.from_document(office.house.row().roster).former == ()


def test_one_that_exists_and_cannot_be_found_should_be_tried_again_soon(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="")
    office.subscriptions.alive.clear()
    office.subscriptions.conflict = True
    office.tend.tend(office.first())
    assert office.waiting == [120]
    office.subscriptions.conflict = False
    office.run_for(130)
    assert office.house.row().subscription_id != ""


def test_a_visit_without_a_meeting_should_be_subscribed_to_nothing(office: Office) -> None:
    office.visit(join_url="", meeting_id="", subscription_id="", subscription_expires="")
    office.tend.tend(office.first())
    assert office.subscriptions.asked == []


def test_reauthorization_should_be_answered_without_another_chain(office: Office) -> None:
    office.visit()
    office.tend.tend(office.first("reauthorizationRequired"))
    assert office.subscriptions.asked == ["reauthorize"]
    assert office.waiting == []


def test_reauthorization_of_one_that_is_gone_should_make_a_new_one(office: Office) -> None:
    office.visit()
    office.subscriptions.alive.clear()
    office.tend.tend(office.first("reauthorizationRequired"))
    assert office.subscriptions.asked == ["reauthorize", "create"]
    assert office.house.row().subscription_id == "sub-2"


def test_a_removed_subscription_should_be_made_anew_once(office: Office) -> None:
    office.visit()
    office.subscriptions.alive.clear()
    text = office.first("subscriptionRemoved")
    office.tend.tend(text)
    office.tend.tend(text)
    assert list(office.subscriptions.alive) == [office.house.row().subscription_id] == ["sub-2"]
    assert Ledger.from_document(office.house.row().roster).former == ("sub-1",)


def test_graph_that_is_down_should_be_asked_again_ever_less_often(office: Office) -> None:
    office.visit(hours=1)
    office.subscriptions.down = Unreachable("graph")
    office.tend.tend(office.first())
    assert office.waiting == [120]
    office.run_for(600)
    assert office.subscriptions.asked == ["renew"] * 3
    office.run_for(HOUR)
    assert office.subscriptions.asked == ["renew"] * 8
    office.subscriptions.down = None
    office.run_for(900)
    assert office.subscriptions.alive["sub-1"] > office.house.clock.now() + timedelta(hours=24)


# -- the chain -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("text", ["", "{", '{"v":1}', '{"v":1,"kind":"tend","sealed":"abc"}'])
def test_what_is_no_tend_message_should_end_there(office: Office, text: str) -> None:
    office.visit()
    office.tend.tend(text)
    assert office.waiting == []


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
