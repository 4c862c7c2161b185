"""Who is early: told when, taken in when the server says so, and never sooner."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.connection import Policy
from shared.errors import Refusal
from shared.launch.waiting import in_words
from tests.launch import microsoft
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, Shown, World, revision
from tests.launch.ehr import BASE

NINE = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)


def appointment(starts: datetime, **changes: Any) -> dict[str, Any]:
    known = {
        "resourceType": "Appointment",
        "id": "appt-1",
        "status": "booked",
        "start": starts.isoformat(),
        "end": (starts + timedelta(minutes=30)).isoformat(),
        "participant": [{"actor": {"reference": "Patient/pat-1"}}],
    }
    return {**known, **changes}


def early(world: World, minutes: int, side: str = "patient", zone: str = "UTC", **settings: Any) -> Shown:
    """A launch this many minutes before the door opens; it opens half an hour before the visit."""
    policy = Policy(window=True, opens_before=30, closes_after=240)
    world.use(revision(**BY_APPOINTMENT, policy=policy, time_zone=zone, **settings))
    starts = world.clock.now() + timedelta(minutes=minutes + 30)
    world.ehr.resources = {
        "Appointment/appt-1": appointment(starts),
        "Practitioner/prac-vidal": {"resourceType": "Practitioner", "id": "prac-vidal"},
    }
    return world.launch(side, members={"appointment": "appt-1"})


def look(world: World, url: str, connection: str = CONNECTION, side: str = "patient") -> Shown:
    door = world.patient if side == "patient" else world.provider
    route = {"connection": connection, "handle": url.rpartition("/")[2]}
    return world.browser.open(door.waiting, url, route=route)


@pytest.mark.parametrize("side", ["patient", "provider"])
def test_who_is_early_waits_and_is_taken_in(world: World, side: str) -> None:
    if side == "provider":
        world.use(revision(**BY_APPOINTMENT))
        world.ehr.resources = {"Appointment/appt-1": appointment(world.clock.now())}
        world.launch(side, members={"appointment": "appt-1"})
        world.press(world.sign_in())
        world.rooms.opened.clear()
    shown = early(world, 20, side)
    assert re.fullmatch(rf"/launch/{side}/{CONNECTION}/wait/[A-Za-z0-9_-]{{32}}", shown.location)
    page = look(world, shown.location, side=side)
    assert 'data-waiting="1201"' in page.text
    assert "09:20 (UTC)" in page.text
    assert not world.rooms.opened
    assert world.outcomes[-1] == "too-early"
    world.clock.pass_by(minutes=19, seconds=59)
    assert look(world, shown.location, side=side).status == 200
    world.clock.pass_by(seconds=1)
    entered = look(world, shown.location, side=side)
    assert (entered.status, len(world.rooms.opened)) == (303, 1)
    assert world.outcomes[-1] == "ok"
    assert look(world, shown.location, side=side).location == entered.location, "a reload repeats it"
    assert len(world.rooms.opened) == 1


def test_a_reload_of_the_launch_leads_back_to_the_waiting_page(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT, policy=Policy(window=True)))
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE + timedelta(minutes=50))}
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1", {"appointment": "appt-1"})
    first = world.leg2(url, "patient")
    world.services.flow.once._answers.clear()  # as on another instance of the app
    assert world.leg2(url, "patient").location == first.location


def test_a_long_wait_is_said_and_returns_to_the_portal(world: World) -> None:
    shown = early(world, 56)
    page = look(world, shown.location)
    assert 'data-waiting=""' in page.text
    assert "come back then" in page.text
    assert "09:56 (UTC)" in page.text
    world.clock.pass_by(minutes=60, seconds=1)
    assert look(world, shown.location).reason == "flow-expired"
    assert not world.browser.named("ticket")
    assert not world.rooms.opened


def test_a_ticket_should_open_nothing_in_another_browser(world: World) -> None:
    shown = early(world, 20)
    world.clock.pass_by(minutes=21)
    world.browser.cookies.clear()
    assert look(world, shown.location).reason == "flow-unknown"
    assert not world.rooms.opened


def test_a_ticket_should_open_nothing_under_another_connection_or_handle(world: World) -> None:
    shown = early(world, 20)
    world.clock.pass_by(minutes=21)
    assert look(world, shown.location, "abcdefghijklmnor").reason == "flow-unknown"
    (name,) = world.browser.named("ticket")
    world.browser.cookies["__Host-ticket-other"] = world.browser.cookies[name]
    assert look(world, f"/launch/patient/{CONNECTION}/wait/other").reason == "flow-unknown"
    assert not world.rooms.opened


def test_a_patients_ticket_should_not_open_the_clinicians_door(world: World) -> None:
    shown = early(world, 20)
    world.clock.pass_by(minutes=21)
    assert look(world, shown.location, side="provider").reason == "flow-unknown"
    assert not world.rooms.opened


def test_a_revision_approved_while_waiting_ends_the_wait(world: World) -> None:
    shown = early(world, 20)
    world.use(revision(**BY_APPOINTMENT, number=2))
    world.clock.pass_by(minutes=21)
    assert look(world, shown.location).reason == "flow-expired"


def test_a_ticket_survives_a_room_that_is_not_ready(world: World) -> None:
    shown = early(world, 20)
    world.clock.pass_by(minutes=21)
    world.rooms.refusal = Refusal("meeting-unavailable")
    assert look(world, shown.location).reason == "meeting-unavailable"
    world.rooms.refusal = None
    assert look(world, shown.location).location == world.rooms.patient_url


def test_a_clinician_without_a_link_is_linked_after_the_wait(world: World) -> None:
    shown = early(world, 20, "provider")
    assert not world.entra.begun
    world.clock.pass_by(minutes=20)
    assert look(world, shown.location, side="provider").location.startswith("https://login.example/")
    assert 'content="0;url=https://teams.example/provider"' in world.press(world.sign_in()).text
    assert look(world, shown.location, side="provider").location == "https://teams.example/provider"


def test_a_link_that_changed_while_waiting_should_not_be_used(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE)}
    world.launch("provider", members={"appointment": "appt-1"})
    world.press(world.sign_in())
    world.rooms.opened.clear()
    shown = early(world, 20, "provider")
    users = world.stores.region.ehr_users
    ((key, link),) = users.rows.items()
    users.rows[key] = type(link)(*key, microsoft.LINDQVIST, link.sub_mac, link.linked_at)
    world.clock.pass_by(minutes=20)
    assert look(world, shown.location, side="provider").reason == "flow-expired"
    assert not world.rooms.opened


def test_the_live_view_has_no_door(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE)}
    world.launch("provider", members={"appointment": "appt-1"})
    world.press(world.sign_in())
    world.use(revision(**BY_APPOINTMENT, policy=Policy(window=True)))
    for hours in (-9, 9):
        world.ehr.resources = {"Appointment/appt-1": appointment(NINE + timedelta(hours=hours))}
        shown = world.launch(
            "provider", members={"appointment": "appt-1"}, query=f"iss={BASE}&launch=l&open=view"
        )
        assert "/visit/" in shown.location


def test_a_moved_appointment_counts_as_it_is_now(world: World) -> None:
    shown = early(world, 20)
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE)}
    assert world.launch("patient", members={"appointment": "appt-1"}).location == world.rooms.patient_url
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE, status="cancelled")}
    assert world.launch("patient", members={"appointment": "appt-1"}).reason == "visit-cancelled"
    assert "/wait/" in shown.location


# Clocks are put forward on 2030-03-10 at 2:00 in Chicago and on 2030-03-31 at 1:00 UTC in Madrid, and back on
# 2030-11-03 at 2:00 in Chicago.
@pytest.mark.parametrize(
    ("start", "door"),
    [
        ("2030-03-10T01:50:00-06:00", "2030-03-10T07:20:00+00:00"),
        ("2030-03-10T03:10:00-05:00", "2030-03-10T07:40:00+00:00"),
        ("2030-11-03T01:15:00-05:00", "2030-11-03T05:45:00+00:00"),
        ("2030-11-03T01:15:00-06:00", "2030-11-03T06:45:00+00:00"),
        ("2030-03-31T03:05:00+02:00", "2030-03-31T00:35:00+00:00"),
    ],
)
def test_the_door_opens_to_the_second_whatever_the_clocks_do(world: World, start: str, door: str) -> None:
    world.use(revision(**BY_APPOINTMENT, policy=Policy(window=True, opens_before=30)))
    world.ehr.resources = {"Appointment/appt-1": appointment(NINE, start=start, end=None)}
    world.clock.moment = datetime.fromisoformat(door) - timedelta(seconds=1)
    shown = world.launch("patient", members={"appointment": "appt-1"})
    assert 'data-waiting="2"' in look(world, shown.location).text
    world.clock.pass_by(seconds=1)
    assert look(world, shown.location).location == world.rooms.patient_url


@pytest.mark.parametrize(
    ("moment", "zone", "says"),
    [
        ("2030-03-10T07:59:00+00:00", "America/Chicago", "01:59 (America/Chicago)"),
        ("2030-03-10T08:00:00+00:00", "America/Chicago", "03:00 (America/Chicago)"),
        ("2030-03-11T08:00:00+00:00", "America/Chicago", "2030-03-11 03:00 (America/Chicago)"),
        ("2030-03-10T08:00:00+00:00", "Mars/Olympus", "08:00 (UTC)"),
    ],
)
def test_the_clinics_own_clock_says_when(moment: str, zone: str, says: str) -> None:
    now = datetime(2030, 3, 10, 7, 0, tzinfo=UTC)
    assert in_words(datetime.fromisoformat(moment), now, zone) == says


def test_the_page_holds_nothing_but_the_time(world: World) -> None:
    shown = early(world, 20)
    text = look(world, shown.location).text
    for secret in ("appt-1", "pat-1", "Patient/"):
        assert secret not in text
        assert secret not in str(world.browser.cookies)
