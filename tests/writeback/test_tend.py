"""The subscription of a visit that is tended, and a visit that moves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import parse_timestamp, timestamp
from shared.errors import Unreachable
from shared.graph.service import GraphRefused
from shared.meeting.tending import MOVED
from shared.visit.ledger import Ledger
from tests.graph.fakes import ELENA
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


def test_a_visit_that_is_not_live_should_say_so_until_it_is(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="", live="live-unavailable")
    office.subscriptions.alive.clear()
    office.subscriptions.down = GraphRefused(403, "Forbidden", "the limit of 10,000 subscriptions")
    office.begin()
    office.run_for(60)
    assert office.house.row().live == "live-unavailable"
    office.subscriptions.down = None
    office.run_for(1_000)
    row = office.house.row()
    assert (row.live, row.subscription_id) == ("live", "sub-3")


def test_a_visit_whose_subscription_is_lost_should_say_so(office: Office) -> None:
    office.visit(hours=1, live="live")
    office.subscriptions.alive.clear()
    office.subscriptions.conflict = True
    office.tend.tend(office.first())
    row = office.house.row()
    assert (row.live, row.subscription_id) == ("live-unavailable", "")
    assert Ledger.from_document(row.roster).former == ("sub-1",)


def test_a_quota_should_not_be_burned(office: Office) -> None:
    office.visit(subscription_id="", subscription_expires="")
    office.subscriptions.alive.clear()
    office.subscriptions.down = GraphRefused(403, "Forbidden", "the limit of 10,000 subscriptions")
    office.begin()
    office.run_for(DAY)
    # Fifteen minutes at first, then every two hours and at each reading of the reports; not after the visit.
    assert office.subscriptions.asked == ["create"] * len(office.subscriptions.asked)
    assert 4 <= len(office.subscriptions.asked) <= 10
    assert office.reports.reads == len(CHECKS) - 1


@pytest.mark.parametrize(("asked", "waits"), [(600.0, 600), (30.0, 120), (1e9, 7_200)])
def test_graph_that_says_when_should_be_asked_then(office: Office, asked: float, waits: float) -> None:
    office.house.context = replace(office.house.context, ends=office.house.begin + timedelta(hours=9))
    office.visit(hours=1)
    office.subscriptions.down = GraphRefused(429, "TooManyRequests", "", asked)
    office.tend.tend(office.first())
    assert office.waiting == [waits]


def test_a_subscription_should_live_through_three_days(office: Office) -> None:
    ends = office.house.begin + timedelta(days=3)
    office.house.context = replace(office.house.context, ends=ends)
    office.visit(hours=70)
    office.begin()
    for _ in range(72):
        office.run_for(HOUR)
        assert min(office.subscriptions.alive.values()) > office.house.clock.now()
    assert office.subscriptions.asked == ["renew"] * len(office.subscriptions.asked)
    assert 1 <= len(office.subscriptions.asked) <= 3


def test_a_visit_at_rest_should_give_its_subscription_back(office: Office) -> None:
    office.visit(live="live")
    office.begin()
    office.run_for(5 * HOUR)
    row = office.house.row()
    assert (office.subscriptions.alive, row.subscription_id, row.closed_at, row.live) == (
        {},
        "",
        "",
        "unknown",
    )
    # What comes late still counts, and no event about it makes another.
    office.tend.tend(office.first("subscriptionRemoved"))
    assert office.subscriptions.alive == {}
    office.house.sees(5, guest("p"))
    office.house.run()
    assert office.house.adapter.said() == [("patient", "connected", 5)]


def test_missed_events_should_be_looked_up_at_once(office: Office) -> None:
    office.visit()
    office.house.sees(5, home("d"))
    office.house.clock.advance(900)
    office.reports.reports = (office.report(office.record(ELENA, (5, 600))),)
    office.tend.tend(office.first("missed"))
    office.run_for(60)
    assert office.said() == [("provider", "connected", 5, False), ("provider", "disconnected", 600, True)]
    assert (office.waiting, office.house.row().outcome) == ([], "")


def test_reauthorization_should_be_tried_again_when_graph_was_down(office: Office) -> None:
    office.visit()
    office.subscriptions.down = Unreachable("graph")
    office.tend.tend(office.first("reauthorizationRequired"))
    assert office.waiting == [120]
    office.subscriptions.down = None
    office.run_for(130)
    assert office.subscriptions.asked == ["reauthorize"] * 2
    assert office.waiting == []


# -- a visit that moves


def test_a_visit_that_was_moved_should_be_kept_until_its_new_end(office: Office) -> None:
    office.visit()
    office.begin()
    office.run_for(HOUR)
    assert Ledger.from_document(office.house.row().roster).checks == 2
    later = office.house.begin + timedelta(days=2)
    moved: dict[str, Any] = {"starts": timestamp(later), "ends": timestamp(later + timedelta(minutes=30))}
    office.house.region.visits.save(replace(office.house.row(), **moved))
    office.house.context = replace(
        office.house.context, starts=later, ends=later + timedelta(minutes=30), appointment="A-2"
    )
    office.house.clocked["tend"].send(office.first(MOVED))
    office.run_for(60)
    assert Ledger.from_document(office.house.row().roster).checks == 0
    office.run_for(2 * DAY - 2 * HOUR)
    assert office.house.row().closed_at == ""
    assert min(office.subscriptions.alive.values()) > office.house.clock.now()
    assert [one.appointment for one in office.contexts()] == ["A-2"]
    office.run_for(2 * DAY)
    assert parse_timestamp(office.house.row().closed_at) >= later + timedelta(days=1)


def test_a_message_that_moved_nobody_should_still_leave_one_chain(office: Office) -> None:
    office.visit()
    office.begin()
    office.run_for(120)
    for _ in range(3):
        office.tend.tend(office.first(MOVED))
    office.run_for(HOUR)
    assert len(office.waiting) == 1
