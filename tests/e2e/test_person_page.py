"""An administrator answers a person in a real browser: looks, downloads, erases."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sandbox.ehr.hospital import EPIC
from sandbox.microsoft365.cast import MARISOL, VIDAL
from sandbox.onboarding import Onboarding
from sandbox.run import Sandbox
from sandbox.timeline import Timeline
from shared.clock import SystemClock, timestamp
from shared.settings import Settings
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.store.visits import Person as Launcher
from shared.store.visits import Visit
from tests.e2e.axe import Inspector
from tests.e2e.camera import Camera
from tests.e2e.persons import Person, person

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.slow]

# As long as any, and nowhere to break it.
EHR_USER = "EMP-88101-" + "x" * 60


@pytest.fixture
def connection(sandbox: Sandbox) -> str:
    """A connection in service with two visits of one clinician: one is over, one is not."""
    at = sandbox.addresses
    timeline = Timeline(str(sandbox.authority.bundle), lambda _: None)
    name = Onboarding(EPIC(at), at, timeline).connect()
    store, now = stores(sandbox).of(name), SystemClock().now()
    store.ehr_users.link(Link(name, EHR_USER, VIDAL.oid, "mac", timestamp(now)))
    launcher = Launcher("provider", EHR_USER, timestamp(now), VIDAL.oid)
    over = Visit(name, "over", 1, timestamp(now), persons=(launcher,), closed_at=timestamp(now))
    store.visits.create(over)
    store.visits.create(replace(over, key="under-way", closed_at=""))
    return name


@pytest.fixture
def admin(browser: Browser, sandbox: Sandbox) -> Iterator[Person]:
    with person(browser) as somebody:
        somebody.page.goto(f"{sandbox.addresses.app_url}/config/")
        somebody.page.get_by_role("button", name=MARISOL.name).click()
        expect(somebody.page.get_by_role("heading", name="Connections", exact=True)).to_be_visible()
        yield somebody


def stores(sandbox: Sandbox) -> Stores:
    return Stores(Settings.from_environ(sandbox.environ()), SystemClock())


def test_a_person_should_be_answered_and_erased(
    connection: str, admin: Person, sandbox: Sandbox, camera: Camera, tmp_path: Path
) -> None:
    page, look = admin.page, Inspector(camera.folder)
    page.goto(f"{sandbox.addresses.app_url}/config/connections/{connection}/clinicians")
    look.take_all(page, "portal-clinicians-with-person")
    page.get_by_role("link", name="Personal data of one person").click()
    look.take_all(page, "portal-person")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("Give one EHR user ID")).to_be_visible()
    look.take_all(page, "portal-person-wrong")
    page.get_by_label("EHR user ID").fill(EHR_USER)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Erasing has to wait")).to_be_visible()
    expect(page.get_by_role("button", name="Erase")).to_have_count(0)
    look.take_all(page, "portal-person-waits")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as JSON").click()
    saved.value.save_as(tmp_path / "file.json")
    document = json.loads((tmp_path / "file.json").read_text("utf-8"))
    assert {visit["visit"] for visit in document["visits"]} == {"over", "under-way"}
    close(sandbox, connection)
    page.get_by_role("button", name="Find").click()
    look.take_all(page, "portal-person-found")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_role("heading", name="Erase this for good?")).to_be_visible()
    look.take_all(page, "portal-person-question")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_text("Nothing is stored about this EHR user ID any more.")).to_be_visible()
    look.take_all(page, "portal-person-erased")
    assert not [url for url in admin.pages if "88101" in url]
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("erased what was stored about one EHR user ID")).to_be_visible()


def close(sandbox: Sandbox, connection: str) -> None:
    now = timestamp(SystemClock().now() + timedelta(seconds=1))
    visits = stores(sandbox).of(connection).visits
    visits.change(connection, "under-way", lambda row: replace(row, closed_at=now))
