"""The capacity model against sums that were done by hand."""

from dataclasses import fields, replace

import pytest

from bench.capacity import CASES, LIMITS, Day, Deployment, PerVisit, day, lines

NEED = PerVisit(
    launches=2, notifications=10, tells=4, looks=8, launch_trips=5, fold_trips=6, tell_trips=9, look_trips=6
)


def share(found: Day, name: str) -> float:
    return next(one.share for one in found.loads if one.limit.name == name)


def test_a_days_totals_should_be_a_visits_needs_times_the_visits() -> None:
    found = day(1_000, Deployment(), NEED)
    assert found.storage == 1_000 * (2 * 5 + 10 * 7 + 4 * 9 + 8 * 6)
    assert found.graph == 1_000 * NEED.graph_calls
    assert found.ehr == 1_000 * NEED.ehr_calls


def test_full_instances_should_be_paid_for_by_their_share() -> None:
    need = replace(NEED, launch_seconds=1.58, http_seconds=0.02, queue_seconds=0.12)
    found = day(1_000, Deployment(memory_gb=2, http_concurrency=16, queue_concurrency=24), need)
    http, queue = 2 * 1.6 + 10 * 0.02, 22 * 0.12
    assert found.gb_seconds == pytest.approx(1_000 * (http / 16 + queue / 24) * 2)
    assert found.gb_seconds_alone == pytest.approx(1_000 * (2 * 2 * 1.58 + 32) * 2)


def test_what_lives_for_hours_should_be_counted_by_its_life() -> None:
    """8,000 visits in eight hours are 1,000 an hour, of which each holds a subscription for five."""
    found = day(8_000, Deployment(busy_hours=8), replace(NEED, subscription_hours=5, untimed_hours=16))
    assert share(found, "Teams subscriptions that live at once") == pytest.approx(0.5)
    assert share(found, "Teams subscriptions, where no end of visits is known") == pytest.approx(0.8), (
        "all of the day's"
    )


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("Teams subscriptions that live at once", "tenants"),
        ("entities of one table partition", "connections"),
        ("requests of one storage account", "regions"),
        ("instances of the http group", "regions"),
        ("instances of the queue groups", "regions"),
        ("meetings of one organizer a month", "clinicians"),
    ],
)
def test_twice_as_many_of_a_limits_scope_should_halve_its_load(name: str, member: str) -> None:
    one = Deployment(clinicians=100)
    two = replace(one, **{member: 2 * getattr(one, member)})
    assert share(day(1e5, two, NEED), name) == pytest.approx(share(day(1e5, one, NEED), name) / 2)


def test_the_limit_that_is_met_first_should_be_the_one_with_the_largest_share() -> None:
    found = day(1e6, Deployment(), NEED)
    assert found.first.share == max(one.share for one in found.loads)
    assert found.beyond[0] == found.first
    assert all(one.share > 1 for one in found.beyond)


def test_an_organizer_pool_should_stand_in_for_the_clinicians() -> None:
    found = day(1_000, Deployment(organizers=11, clinicians=500), NEED)
    assert share(found, "meetings of one organizer a month") == pytest.approx(1.0)


def test_every_limit_and_case_should_be_in_the_tables() -> None:
    text = "\n".join(lines(PerVisit()))
    assert all(limit.name in text and limit.then in text for limit in LIMITS)
    assert all(f"| {name} |" in text for name in CASES)


def test_every_need_should_be_positive() -> None:
    assert all(getattr(PerVisit(), one.name) > 0 for one in fields(PerVisit))
