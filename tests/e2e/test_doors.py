"""The doors' pages in a real browser: every state looked at by axe, wide and narrow, light and dark."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.connection import Policy
from shared.errors import Refusal
from shared.web import Request, Response, html
from tests.e2e.axe import inspect
from tests.e2e.camera import Camera
from tests.e2e.porch import Porch
from tests.e2e.visitor import visitor
from tests.launch import microsoft
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, PAGES, revision
from tests.launch.test_surroundings import IN_APP

pytestmark = pytest.mark.browser


def failing(code: str, audience: str) -> Any:
    def answer(request: Request) -> Response:
        return PAGES.failure(request, Refusal(code), audience, "Ab3x_9")  # type: ignore[arg-type]

    return answer


@pytest.mark.parametrize(
    ("code", "audience"),
    [
        ("flow-expired", "patient"),
        ("identity-invalid", "patient"),
        ("wrong-environment", "staff"),
    ],
)
def test_a_page_of_not_getting_in(porch: Porch, page: Page, camera: Camera, code: str, audience: str) -> None:
    porch.extra["/shown"] = failing(code, audience)
    page.goto(f"{porch.url}/shown")
    expect(page.locator(".foot")).to_have_text(f"{code} · Ab3x_9")
    inspect(page, camera, f"door-{audience}-{code}")


def test_the_page_closes_where_the_portal_opened_it_and_says_so_where_it_cannot(
    porch: Porch, page: Page
) -> None:
    porch.extra["/shown"] = failing("flow-expired", "patient")
    porch.extra["/portal"] = lambda _: html('<!doctype html><a href="/shown" target="_blank">Begin</a>')
    page.goto(f"{porch.url}/portal")
    with page.context.expect_page() as opened:
        page.get_by_text("Begin").click()
    with opened.value.expect_event("close"):
        # Later, because a click that closes its own page is never done.
        opened.value.evaluate("setTimeout(() => document.querySelector('[data-close]').click(), 50)")
    page.goto(f"{porch.url}/shown")
    page.get_by_role("button", name="Close this page").click()
    expect(page.get_by_text("Please close it yourself.")).to_be_visible()


def test_a_patients_refusal_is_in_the_language_of_their_browser(porch: Porch, browser: Browser) -> None:
    with visitor(browser, locale="es-MX") as somebody:
        page = somebody.new_page()
        page.goto(f"{porch.url}/launch/patient/{CONNECTION}?iss=x")
        assert page.evaluate("document.documentElement.lang") == "es"


def test_a_launch_in_a_frame_opens_its_own_window(porch: Porch, page: Page, camera: Camera) -> None:
    frame = f'<!doctype html><title>EHR</title><iframe title="x" src="{porch.launch("provider")}"></iframe>'
    policy = {"Content_Security_Policy": "frame-src *"}
    porch.extra["/ehr"] = lambda _: html(frame.replace("&", "&amp;")).with_headers(**policy)
    page.goto(f"{porch.url}/ehr")
    inside = page.frame_locator("iframe")
    expect(inside.get_by_role("heading", name="Your visit opens in its own window")).to_be_visible()
    with page.context.expect_page() as opened:
        inside.get_by_role("link", name="Open the visit").click()
    expect(opened.value.get_by_role("heading", name="Is this you?")).to_be_visible()
    assert len(porch.world.entra.begun) == 1
    page.goto(porch.launch("provider"))
    porch.extra["/framed"] = lambda one: html(PAGES.render("framed.html", one, href="/x"))
    page.goto(f"{porch.url}/framed")
    inspect(page, camera, "door-framed")


def test_an_apps_web_view_leads_to_the_browser_or_goes_on_by_itself(
    porch: Porch, browser: Browser, camera: Camera
) -> None:
    with visitor(browser, user_agent=IN_APP) as somebody:
        page = somebody.new_page()
        page.goto(porch.launch("patient"))
        expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()
    with visitor(browser, user_agent=IN_APP) as somebody:
        somebody.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
        page = somebody.new_page()
        page.goto(porch.launch("patient"))
        way_out = page.get_by_role("link", name="Open in the browser")
        expect(way_out).to_have_attribute(
            "href", re.compile(r"^x-safari-http://localhost:\d+/launch/patient/")
        )
        expect(page.get_by_role("button", name="Copy the link")).to_be_visible()
        inspect(page, camera, "door-web-view")
        page.get_by_role("link", name="Continue here").click()
        expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()


def test_the_clinicians_pages(porch: Porch, page: Page, camera: Camera) -> None:
    world = porch.world
    world.entra.account = microsoft.account(tenant=microsoft.FOREIGN)
    page.goto(porch.launch("provider"))
    expect(page.get_by_role("heading", name="This account belongs to another organization")).to_be_visible()
    inspect(page, camera, "door-refused")
    world.entra.account = microsoft.account()
    page.get_by_role("link", name="Choose another account").click()
    expect(page.get_by_text("will use Teams as Dr. Elena Vidal")).to_be_visible()
    inspect(page, camera, "door-confirm")
    page.reload()
    page.get_by_role("button", name="Yes, link and join the visit").click()
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()
    page.goto(f"{porch.url}/launch/provider/{CONNECTION}/account")
    expect(page.get_by_text("You are signed in as Dr. Elena Vidal.")).to_be_visible()
    inspect(page, camera, "door-account")
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("No EHR user is linked to your account.")).to_be_visible()
    assert not world.stores.region.ehr_users.rows


def test_a_shared_workstation_asks_once(porch: Porch, page: Page, camera: Camera) -> None:
    for user, account in (("EMP-1", microsoft.LINDQVIST), ("EMP-2", microsoft.VIDAL)):
        porch.members, porch.world.entra.account = {"epicUserId": user}, microsoft.account(account)
        page.goto(porch.launch("provider"))
        page.get_by_role("button", name="Yes, link and join the visit").click()
        expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()
    porch.members = {"epicUserId": "EMP-1"}
    page.goto(porch.launch("provider"))
    expect(page.get_by_role("heading", name="Continue as Dr. Noah Lindqvist")).to_be_visible()
    inspect(page, camera, "door-continue")
    page.get_by_role("button", name="Continue as Dr. Noah Lindqvist").click()
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()


def test_two_tabs_back_and_double_click(porch: Porch, page: Page) -> None:
    other = page.context.new_page()
    porch.members = {"sessionId": "111"}
    page.goto(porch.launch("provider"))
    porch.members = {"sessionId": "222"}
    other.goto(porch.launch("provider"))
    button = page.get_by_role("button", name="Yes, link and join the visit")
    button.dblclick(no_wait_after=True)
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()
    other.get_by_role("button", name="Yes, link and join the visit").click()
    expect(other.get_by_role("heading", name="Teams for provider")).to_be_visible()
    visits = {found.visit_id for found, _ in porch.world.rooms.opened}
    assert visits == {"111", "222"}
    assert len(porch.world.stores.region.ehr_users.rows) == 1
    page.go_back()
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()


def test_the_page_that_leads_on_works_by_itself(porch: Porch, page: Page, camera: Camera) -> None:
    porch.extra["/onward"] = lambda one: html(PAGES.render("launch_provider/onward.html", one, url="#here"))
    page.goto(f"{porch.url}/onward")
    inspect(page, camera, "door-onward")
    fields = {"launch": "x"}
    porch.extra["/post"] = lambda one: html(
        PAGES.render("post_redirect.html", one, action="/nowhere", fields=fields).replace("data-submit", "")
    )
    page.goto(f"{porch.url}/post")
    inspect(page, camera, "door-post-redirect")


def waiting(porch: Porch, wait: timedelta) -> None:
    """A join window that opens after this time."""
    world = porch.world
    world.use(revision(**BY_APPOINTMENT, policy=Policy(window=True), time_zone="America/Chicago"))
    starts = world.clock.now() + wait + timedelta(minutes=30)
    appointment = {
        "resourceType": "Appointment",
        "id": "appt-1",
        "status": "booked",
        "start": starts.isoformat(),
        "participant": [{"actor": {"reference": "Patient/pat-1"}}],
    }
    world.ehr.resources = {"Appointment/appt-1": appointment}
    porch.members = {"appointment": "appt-1"}


def test_who_is_early_is_taken_in_when_the_door_opens(porch: Porch, page: Page, camera: Camera) -> None:
    waiting(porch, timedelta(minutes=12))
    porch.extra["/portal"] = lambda _: html("<!doctype html><h1>Portal</h1>")
    page.goto(f"{porch.url}/portal")
    page.goto(porch.launch("patient"))
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"^1[12]:\d\d$"))
    expect(page.locator("[data-waiting] time")).to_have_text(re.compile(r"9:12"))
    inspect(page, camera, "door-waiting")
    porch.world.clock.pass_by(minutes=11, seconds=58)
    page.reload()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^0:0[0-3]$"))
    porch.world.clock.pass_by(seconds=2)
    expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Portal")).to_be_visible()
    assert len(porch.world.rooms.opened) == 1


def test_a_longer_wait_sends_back_to_the_portal(porch: Porch, page: Page, camera: Camera) -> None:
    waiting(porch, timedelta(hours=26))
    page.goto(porch.launch("patient"))
    expect(page.get_by_text("go to your portal and press Begin virtual visit again")).to_be_visible()
    expect(page.get_by_role("timer")).to_be_hidden()
    inspect(page, camera, "door-waiting-long")


def test_the_wait_needs_no_script(porch: Porch, browser: Browser) -> None:
    waiting(porch, timedelta(seconds=1))
    with visitor(browser, java_script_enabled=False) as somebody:
        page = somebody.new_page()
        page.goto(porch.launch("patient"))
        expect(page.get_by_text("03:00 (America/Chicago)")).to_be_visible()
        porch.world.clock.pass_by(seconds=2)
        expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()
