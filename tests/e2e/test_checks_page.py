"""The page of checks in a real browser: it runs by itself, says what is wrong, and tries any clinician."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, Route, expect

from sandbox.ehr.hospital import EPIC
from sandbox.microsoft365.cast import MARISOL, VIDAL, VISITS_2
from sandbox.onboarding import Onboarding
from sandbox.run import Sandbox
from sandbox.timeline import Timeline
from tests.e2e.camera import Camera
from tests.e2e.persons import Person, person


@pytest.fixture
def connection(sandbox: Sandbox) -> str:
    """The address of a hospital's connection that is in service."""
    at = sandbox.addresses
    timeline = Timeline(str(sandbox.authority.bundle), lambda _: None)
    return f"{at.app_url}/config/connections/{Onboarding(EPIC(at), at, timeline).connect()}"


@pytest.fixture
def admin(browser: Browser, sandbox: Sandbox) -> Iterator[Person]:
    with person(browser) as somebody:
        somebody.context.grant_permissions(["clipboard-read", "clipboard-write"])
        somebody.page.goto(f"{sandbox.addresses.app_url}/config/")
        somebody.page.get_by_role("button", name=MARISOL.name).click()
        expect(somebody.page.get_by_role("heading", name="Connections", exact=True)).to_be_visible()
        yield somebody
        assert somebody.complaints == []


@pytest.fixture
def no_policy(sandbox: Sandbox) -> Iterator[None]:
    """No access policy for an organizer and for a clinician, in whose licence Teams is switched off, too."""
    url = f"{sandbox.addresses.m365_tls_url}/sandbox/failures"
    wrong = {"no_policy_for": [VISITS_2.oid, VIDAL.oid], "teams_off_for": [VIDAL.oid]}
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(sandbox.authority.bundle)
        assert session.put(url, json=wrong, timeout=10).ok
        yield
        assert session.put(url, json={}, timeout=10).ok


def row(page: Page, name: str) -> Locator:
    return page.locator("li[data-check]").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_a_missing_policy_should_be_shown_with_lines_to_copy(
    connection: str, admin: Person, no_policy: None, camera: Camera
) -> None:
    page = admin.page
    page.goto(f"{connection}/checks")
    expect(page.locator("[data-sum]")).to_have_text("Works: 14 · Does not work: 1")
    missing = row(page, f"Application access policy: {VISITS_2.name}")
    expect(missing.locator(".badge")).to_have_text("Does not work")
    missing.get_by_role("button", name="Copy").click()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0] == "Connect-MicrosoftTeams"
    assert lines[2] == f'Grant-CsApplicationAccessPolicy -PolicyName Antesala -Identity "{VISITS_2.oid}"'
    camera.take_all(page, "epic-portal-checks-no-policy")


def test_a_clinician_should_be_found_while_typing_and_tried(
    connection: str, admin: Person, no_policy: None
) -> None:
    page = admin.page
    page.goto(f"{connection}/checks")
    page.get_by_label("Name or address").fill("Dr. El")
    page.get_by_role("button", name=VIDAL.name).click()
    for name in ("Application access policy", "Teams licence"):
        expect(row(page, f"{name}: {VIDAL.name}").locator(".badge")).to_have_text("Does not work")
    page.get_by_label("Name or address").fill("Nobody of this name")
    expect(page.locator("[data-found-sum]")).to_have_text("Nobody was found.")


def test_no_more_than_six_checks_should_run_at_once(connection: str, admin: Person) -> None:
    page = admin.page
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/checks/*", hold)
    page.goto(f"{connection}/checks")
    expect(page.locator("li[aria-busy]")).to_have_count(6)
    expect(page.locator("[data-sum]")).to_have_text("Checks are running.")
    page.wait_for_timeout(300)
    assert len(waiting) == 6
    waiting.pop().fulfill(content_type="text/html", body="<html>")
    expect(page.get_by_text("This page did not get an answer.")).to_be_visible()
    expect(page.locator("li[aria-busy]")).to_have_count(6)
    page.unroute_all(behavior="ignoreErrors")
