"""The live view: what it shows, to whom, and what it never shows."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from shared.store.visits import Person
from shared.visit.intervals import instant
from shared.visit.outcome import Outcome
from shared.visit.roster import Presence, Roster, Sighting
from tests.launch import microsoft
from tests.launch.conftest import CONNECTION, Shown, World, revision
from tests.launch.ehr import BASE

NINE = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)
AT = "2030-03-01T09:00:00.000Z"


@pytest.fixture
def url(world: World) -> str:
    world.linked()
    return world.launch(query=f"iss={BASE}&launch=l&open=view").location


def show(world: World, url: str, connection: str = CONNECTION) -> Shown:
    route = {"connection": connection, "handle": url.rpartition("/")[2]}
    return world.browser.open(world.view.state, f"{url}/state", route=route)


def put(world: World, *sightings: Sighting, persons: tuple[Person, ...] = (), **values: Any) -> None:
    key = world.services.pseudonyms.visit_keys(CONNECTION, "session", "880014417731")[0]
    roster = Roster().seen(sightings).document()
    world.stores.region.visits.put(CONNECTION, key, roster=roster, persons=persons, **values)


def sighting(name: str, presence: Presence, minute: int, oid: str = "") -> Sighting:
    return Sighting(name, presence, NINE + timedelta(minutes=minute), bool(oid), oid)


PATIENT = (Person("patient", "sealed", AT), Person("provider", "EMP-88101", AT, microsoft.VIDAL))


def test_nobody_is_shown_before_anybody_came(world: World, url: str) -> None:
    page = world.browser.open(
        world.view.page, url, route={"connection": CONNECTION, "handle": url.rpartition("/")[2]}
    )
    assert f'data-visit-view="{url}/state"' in page.text
    assert json.loads(show(world, url).text)["people"] == []


def test_who_waits_and_who_is_in_since_when(world: World, url: str) -> None:
    put(
        world,
        sighting("1", "in", 1, microsoft.VIDAL),
        sighting("2", "waiting", 2),
        persons=PATIENT,
        live="live",
    )
    state = json.loads(show(world, url).text)
    assert state["live"] == "live"
    assert state["people"] == [
        {
            "role": "staff",
            "presence": "in",
            "since": "2030-03-01T09:01:00.000Z",
            "name": "Dr. Elena Vidal",
            "number": 0,
        },
        {
            "role": "patient",
            "presence": "waiting",
            "since": "2030-03-01T09:02:00.000Z",
            "name": "",
            "number": 0,
        },
    ]


def test_guests_are_numbered_where_nobody_can_tell_who_is_who(world: World, url: str) -> None:
    put(world, sighting("1", "waiting", 2), sighting("2", "in", 3), persons=PATIENT)
    people = json.loads(show(world, url).text)["people"]
    assert [(one["role"], one["number"]) for one in people] == [("guest", 1), ("guest", 2)]


def test_a_group_never_has_the_patient(world: World, url: str) -> None:
    put(world, sighting("1", "waiting", 2), persons=PATIENT, group=True)
    assert [one["role"] for one in json.loads(show(world, url).text)["people"]] == ["guest"]


def test_somebody_who_came_back_is_one_line(world: World, url: str) -> None:
    put(
        world,
        sighting("1", "in", 1, microsoft.VIDAL),
        sighting("1", "out", 4, microsoft.VIDAL),
        sighting("9", "in", 5, microsoft.VIDAL),
    )
    (one,) = json.loads(show(world, url).text)["people"]
    assert (one["presence"], one["since"]) == ("in", "2030-03-01T09:05:00.000Z")


def test_names_are_asked_once_in_five_minutes_and_may_fail(world: World, url: str) -> None:
    put(world, sighting("1", "in", 1, microsoft.VIDAL))
    for _ in range(3):
        show(world, url)
    assert len(world.people.asked) == 1
    world.clock.pass_by(minutes=6)
    world.people.down = True
    assert json.loads(show(world, url).text)["people"][0]["name"] == "Dr. Elena Vidal"


def test_another_browser_should_see_nothing(world: World, url: str) -> None:
    world.browser.cookies.clear()
    assert show(world, url).reason == "view-unknown"


def test_a_handle_should_not_open_another_connections_view(world: World, url: str) -> None:
    assert show(world, url, "abcdefghijklmnor").reason == "view-unknown"


def test_a_view_should_not_pass_under_another_handle(world: World, url: str) -> None:
    (name,) = world.browser.named("view")
    world.browser.cookies["__Host-view-other"] = world.browser.cookies[name]
    assert show(world, f"/launch/provider/{CONNECTION}/visit/other").reason == "view-unknown"


def test_a_view_should_close_after_twelve_hours(world: World, url: str) -> None:
    world.clock.pass_by(hours=12, seconds=1)
    assert show(world, url).reason == "view-unknown"


def page(world: World, url: str) -> Shown:
    route = {"connection": CONNECTION, "handle": url.rpartition("/")[2]}
    return world.browser.open(world.view.page, url, route=route)


def test_a_view_should_close_when_the_clinician_is_unlinked(world: World, url: str) -> None:
    world.stores.region.ehr_users.unlink(CONNECTION, "EMP-88101")
    assert show(world, url).reason == "view-unknown"
    assert page(world, url).reason == "view-unknown"


def test_a_view_should_close_when_somebody_else_is_linked(world: World, url: str) -> None:
    users = world.stores.region.ehr_users
    ((key, link),) = users.rows.items()
    users.rows[key] = replace(link, oid=microsoft.LINDQVIST)
    assert show(world, url).reason == "view-unknown"


def test_a_view_should_close_when_the_connection_no_longer_serves(world: World, url: str) -> None:
    world.use(replace(revision(), state="rejected"))
    assert show(world, url).reason == "view-unknown"


def test_a_view_survives_a_new_revision(world: World, url: str) -> None:
    world.use(replace(revision(), number=2))
    assert show(world, url).status == 200


def test_a_request_for_the_state_looks_at_the_connection_once(world: World, url: str) -> None:
    put(world, sighting("1", "waiting", 1))
    before = world.stores.region.connections.reads
    show(world, url)
    assert world.stores.region.connections.reads - before == 1
    assert not world.people.asked


@pytest.mark.parametrize("what", ["page", "state"])
def test_a_view_closes_when_its_organization_is_removed(world: World, url: str, what: str) -> None:
    assert show(world, url).status == 200
    world.tenants.remove(microsoft.TENANT)
    route = {"connection": CONNECTION, "handle": url.rpartition("/")[2]}
    shown = world.browser.open(getattr(world.view, what), url, route=route)
    assert (shown.reason, shown.text) == ("view-unknown", "")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ("", False, False)),
        ({"outcome": "took-place"}, ("took-place", False, False)),
        (
            {"outcome": "patient-no-show", "reported": True, "outcome_sent": True},
            ("patient-no-show", True, True),
        ),
    ],
)
def test_a_view_should_say_how_the_visit_went_and_what_that_rests_on(
    world: World, url: str, values: dict[str, Any], shown: tuple[str, bool, bool]
) -> None:
    put(world, sighting("1", "out", 1, microsoft.VIDAL), **values)
    state = json.loads(show(world, url).text)
    assert (state["outcome"], state["reported"], state["final"]) == shown


def test_a_leaving_that_only_a_report_knows_should_be_shown(world: World, url: str) -> None:
    put(world, sighting("1", "in", 1, microsoft.VIDAL))
    key = world.services.pseudonyms.visit_keys(CONNECTION, "session", "880014417731")[0]
    roster = Roster().seen([sighting("1", "in", 1, microsoft.VIDAL)])
    left = roster.gone(microsoft.VIDAL, [instant(NINE + timedelta(minutes=5))])
    world.stores.region.visits.put(CONNECTION, key, roster=left.document())
    (one,) = json.loads(show(world, url).text)["people"]
    assert (one["presence"], one["since"]) == ("out", "2030-03-01T09:05:00.000Z")


def test_the_page_should_have_words_for_every_outcome(world: World, url: str) -> None:
    text = page(world, url).text
    for outcome in get_args(Outcome.__value__):
        assert f'data-{outcome}="' in text
