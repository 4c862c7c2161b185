"""The live view in a real browser: people come and go, and so does the network."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.store.visits import Person
from shared.visit.roster import Presence, Roster, Sighting
from tests.e2e.axe import inspect
from tests.e2e.camera import Camera
from tests.e2e.porch import Porch
from tests.launch import microsoft
from tests.launch.conftest import CONNECTION

pytestmark = pytest.mark.browser


AT = "2030-03-01T09:00:00.000Z"
BOTH = (Person("patient", "sealed", AT), Person("provider", "EMP-88101", AT, microsoft.VIDAL))


type Step = tuple[str, Presence, int, str]


def seen(porch: Porch, *steps: Step, live: str = "live", **values: Any) -> None:
    """What the visit's row shows from now on: who, presence, minute, object id of staff."""
    world = porch.world
    key = world.services.pseudonyms.visit_keys(CONNECTION, "session", "880014417731")[0]
    sightings = [
        Sighting(name, presence, world.clock.now() + timedelta(minutes=minute), bool(oid), oid)
        for name, presence, minute, oid in steps
    ]
    roster = Roster().seen(sightings).document()
    world.stores.region.visits.put(CONNECTION, key, roster=roster, persons=BOTH, live=live, **values)


def test_people_come_and_go_in_the_live_view(porch: Porch, page: Page, camera: Camera) -> None:
    page.goto(porch.launch("provider"))
    page.get_by_role("button", name="Yes, link and join the visit").click()
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()
    page.clock.install()
    page.goto(porch.launch("provider", open="view"))
    people = page.locator("[data-people]")
    expect(people).to_have_text("Nobody yet.")
    inspect(page, camera, "door-view-nobody")

    def after(*steps: Step, live: str = "live", **values: Any) -> None:
        seen(porch, *steps, live=live, **values)
        page.clock.run_for(3_100)

    vidal: Step = ("1", "in", 1, microsoft.VIDAL)
    guest: Step = ("2", "waiting", 2, "")
    after(vidal, guest)
    expect(people.locator("[data-presence=in]")).to_contain_text("Dr. Elena Vidal in the meeting since")
    expect(people.locator("[data-presence=waiting]")).to_contain_text("Patient waiting in the lobby since")
    inspect(page, camera, "door-view")
    after(vidal, guest, ("2", "in", 3, ""))
    expect(people.locator("[data-presence=in]")).to_have_count(2)
    after(vidal, guest, ("2", "in", 3, ""), ("2", "out", 4, ""), ("3", "waiting", 5, ""))
    expect(people.get_by_text("Guest 1")).to_be_visible()
    expect(people.get_by_text("Guest 2")).to_be_visible()
    after(vidal, live="live-unavailable")
    expect(page.get_by_text("Live signals are not available right now")).to_be_visible()
    inspect(page, camera, "door-view-unavailable")
    page.context.set_offline(True)
    page.clock.run_for(3_100)
    expect(page.get_by_text("No connection to the service. Trying again.")).to_be_visible()
    page.context.set_offline(False)
    page.clock.run_for(9_100)
    expect(page.get_by_text("Live signals are not available right now")).to_be_visible()
    gone: Step = ("1", "out", 9, microsoft.VIDAL)
    after(vidal, gone, live="unknown", outcome="patient-no-show", reported=True)
    expect(page.get_by_role("heading", name="The visit is over")).to_be_visible()
    expect(page.get_by_text("The patient was not there.")).to_be_visible()
    expect(page.get_by_text("Attendance reports are still awaited; this may change.")).to_be_visible()
    inspect(page, camera, "door-view-awaited")
    after(vidal, gone, live="unknown", outcome="took-place", reported=True, outcome_sent=True)
    expect(page.get_by_text("The visit took place.")).to_be_visible()
    expect(page.get_by_text("completed from the attendance reports")).to_be_visible()
    after(live="unknown", outcome="unknown", reported=False, outcome_sent=True)
    expect(page.get_by_text("Microsoft Teams has no attendance report of this visit.")).to_be_visible()
    expect(people).to_be_hidden()
    inspect(page, camera, "door-view-unknown")
    porch.world.stores.region.ehr_users.unlink(CONNECTION, "EMP-88101")
    page.clock.run_for(3_100)
    expect(page.get_by_text("This view is closed.")).to_be_visible()
    expect(people).to_be_hidden()
    inspect(page, camera, "door-view-closed")
