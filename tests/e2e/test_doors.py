"""The doors' pages in a real browser: every state looked at by axe, wide and narrow, light and dark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from launch_patient.device_test import DeviceTest
from sandbox.ehr.hospital import FHIR
from sandbox.onboarding import Onboarding
from sandbox.run import Sandbox
from sandbox.timeline import Timeline
from shared.connection import Policy, Writeback
from shared.errors import Refusal
from shared.store.visits import Person
from shared.visit.roster import Presence, Roster, Sighting
from shared.web import Request, Response, html
from tests.e2e.axe import inspect
from tests.e2e.camera import NARROW, WIDE, Camera
from tests.e2e.chromium import MADE_UP_CONSENT, MADE_UP_DEVICES, start
from tests.e2e.house import CLINICIAN, PATIENT
from tests.e2e.porch import Porch
from tests.launch import microsoft
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, PAGES, revision
from tests.launch.test_device_results import Clerk
from tests.launch.test_surroundings import IN_APP

pytestmark = pytest.mark.browser

DEVICES = ["camera", "microphone"]


@pytest.fixture
def porch() -> Iterator[Porch]:
    with Porch() as one:
        yield one


@contextmanager
def context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Somebody's browser; script errors and refusals of the page's policy are failures."""
    complaints: list[str] = []
    usual = {"viewport": WIDE, "permissions": DEVICES, "locale": "en-US", "reduced_motion": "reduce"}
    chosen = {**usual, **options}
    somebody = browser.new_context(**chosen)
    somebody.set_default_timeout(10_000)
    somebody.on("weberror", lambda one: complaints.append(str(one.error)))
    somebody.on(
        "console",
        lambda one: complaints.append(one.text) if "Content Security Policy" in one.text else None,
    )
    try:
        yield somebody
    finally:
        somebody.close()
    assert complaints == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with context(browser) as somebody:
        yield somebody.new_page()


# -- pages of not getting in


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
        opened.value.get_by_role("button", name="Close this page").click()
    page.goto(f"{porch.url}/shown")
    page.get_by_role("button", name="Close this page").click()
    expect(page.get_by_text("Please close it yourself.")).to_be_visible()


def test_a_patients_refusal_is_in_the_language_of_their_browser(porch: Porch, browser: Browser) -> None:
    with context(browser, locale="es-MX") as somebody:
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
    with context(browser, user_agent=IN_APP) as somebody:
        page = somebody.new_page()
        page.goto(porch.launch("patient"))
        expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()
    with context(browser, user_agent=IN_APP) as somebody:
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


# -- the clinician's link


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


# -- the wait


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
    with context(browser, java_script_enabled=False) as somebody:
        page = somebody.new_page()
        page.goto(porch.launch("patient"))
        expect(page.get_by_text("03:00 (America/Chicago)")).to_be_visible()
        porch.world.clock.pass_by(seconds=2)
        expect(page.get_by_role("heading", name="Teams for patient")).to_be_visible()


# -- the device test


def report_to(porch: Porch) -> Clerk:
    clerk = Clerk()
    porch.world.use(revision(writeback=Writeback("fhir")))
    porch.devices = DeviceTest(cast("Any", porch.world.services), clerk)
    return clerk


def check(page: Page, **expected: str) -> None:
    page.get_by_role("button", name=re.compile("Start the check|Check again")).click()
    for part, text in expected.items():
        expect(page.locator(f"[data-result={part}]")).to_contain_text(text)


def heard(page: Page, answer: str = "Yes") -> None:
    page.get_by_role("button", name="Play a sound").click()
    page.get_by_role("button", name=answer, exact=True).click()


def test_a_device_that_works_is_told_to_the_clinic_once(porch: Porch, page: Page, camera: Camera) -> None:
    clerk = report_to(porch)
    page.goto(porch.launch("patient", open="device-test"))
    expect(page.get_by_text("Your clinic is told only whether your device works.")).to_be_visible()
    inspect(page, camera, "door-device")
    check(page, browser="Works", camera="Works", microphone="Works", connection="Works")
    heard(page)
    expect(page.locator("[data-summary]")).to_contain_text("Your clinic knows now that your device works.")
    inspect(page, camera, "door-device-works")
    check(page, microphone="Works", connection="Works")
    page.goto("about:blank")
    assert [one.result for one in clerk.told] == ["works"]


def test_without_a_launch_nothing_is_sent(porch: Porch, page: Page) -> None:
    clerk = report_to(porch)
    page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
    expect(page.get_by_text("Nothing is sent.")).to_be_visible()
    check(page, microphone="Works", connection="Works")
    heard(page)
    expect(page.locator("[data-summary]")).to_have_text(
        "Everything works. You are ready for your visit. You can close this page."
    )
    page.goto("about:blank")
    assert not clerk.told
    assert not porch.count("POST")


@pytest.mark.parametrize(
    ("without", "says"),
    [(MADE_UP_CONSENT, "Your browser did not give permission."), (MADE_UP_DEVICES, "None was found")],
)
def test_a_fault_is_told_when_the_page_is_left(
    porch: Porch, browser: Browser, camera: Camera, without: str, says: str
) -> None:
    clerk = report_to(porch)
    other = start(browser.browser_type, without)
    with context(other, permissions=[], viewport=NARROW) as somebody:
        page = somebody.new_page()
        page.goto(porch.launch("patient", open="device-test"))
        check(page, browser="Works", camera=says, microphone=says, connection="Works")
        heard(page)
        expect(page.locator("[data-summary]")).to_contain_text("Something does not work yet.")
        if without == MADE_UP_CONSENT:
            inspect(page, camera, "door-device-denied")
        assert not clerk.told, "it may still be mended"
        page.goto(f"{porch.url}/healthz")
        page.wait_for_timeout(200)
    other.close()
    assert [one.result for one in clerk.told] == ["several"]


def test_one_fault_is_named_and_a_mended_one_is_forgotten(porch: Porch, page: Page) -> None:
    clerk = report_to(porch)
    page.goto(porch.launch("patient", open="device-test"))
    check(page, microphone="Works", connection="Works")
    heard(page, "No")
    expect(page.locator("[data-summary]")).to_contain_text("Something does not work yet.")
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.locator("[data-summary]")).to_contain_text("Your clinic knows now")
    assert [one.result for one in clerk.told] == ["works"]


def test_no_network_is_said_and_looked_at_again_when_it_is_back(porch: Porch, page: Page) -> None:
    page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
    page.context.set_offline(True)
    check(page, connection="The service did not answer. Check your internet connection.")
    page.context.set_offline(False)
    expect(page.locator("[data-result=connection]")).to_contain_text("Works")


def test_a_browser_without_calls_is_told_which_ones_work(porch: Porch, browser: Browser) -> None:
    with context(browser) as somebody:
        somebody.add_init_script("delete window.RTCPeerConnection")
        page = somebody.new_page()
        page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
        check(page, browser="current Edge, Chrome, Safari or Firefox")
    with context(browser, user_agent=IN_APP) as somebody:
        somebody.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
        page = somebody.new_page()
        page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
        check(page, camera="Open this page in Safari, Chrome or Edge.")


# -- the live view

AT = "2030-03-01T09:00:00.000Z"
BOTH = (Person("patient", "sealed", AT), Person("provider", "EMP-88101", AT, microsoft.VIDAL))


def seen(porch: Porch, *steps: tuple[str, Presence, int, str], live: str = "live") -> None:
    """What the visit's row shows from now on: who, presence, minute, object id of staff."""
    world = porch.world
    key = world.services.pseudonyms.visit_keys(CONNECTION, "session", "880014417731")[0]
    sightings = [
        Sighting(name, presence, world.clock.now() + timedelta(minutes=minute), bool(oid), oid)
        for name, presence, minute, oid in steps
    ]
    roster = Roster().seen(sightings).document()
    world.stores.region.visits.put(CONNECTION, key, roster=roster, persons=BOTH, live=live)


def test_people_come_and_go_in_the_live_view(porch: Porch, page: Page, camera: Camera) -> None:
    page.goto(porch.launch("provider"))
    page.get_by_role("button", name="Yes, link and join the visit").click()
    expect(page.get_by_role("heading", name="Teams for provider")).to_be_visible()
    page.clock.install()
    page.goto(porch.launch("provider", open="view"))
    people = page.locator("[data-people]")
    expect(people).to_have_text("Nobody yet.")
    inspect(page, camera, "door-view-nobody")

    def after(*steps: tuple[str, Presence, int, str], live: str = "live") -> None:
        seen(porch, *steps, live=live)
        page.clock.run_for(3_100)

    vidal, guest = ("1", "in", 1, microsoft.VIDAL), ("2", "waiting", 2, "")
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
    expect(page.get_by_text("Live signals are not available for this visit.")).to_be_visible()
    page.context.set_offline(True)
    page.clock.run_for(3_100)
    expect(page.get_by_text("No connection to the service. Trying again.")).to_be_visible()
    page.context.set_offline(False)
    page.clock.run_for(9_100)
    expect(page.get_by_text("Live signals are not available for this visit.")).to_be_visible()
    porch.world.stores.region.ehr_users.unlink(CONNECTION, "EMP-88101")
    page.clock.run_for(3_100)
    expect(page.get_by_text("This view is closed.")).to_be_visible()
    expect(people).to_be_hidden()
    inspect(page, camera, "door-view-closed")


# -- the whole sandbox


@pytest.mark.sandbox
@pytest.mark.slow
def test_the_hospitals_schedule_shows_what_the_device_test_found(
    sandbox: Sandbox, browser: Browser, camera: Camera
) -> None:
    at = sandbox.addresses
    hospital, bundle = FHIR(at), str(sandbox.authority.bundle)
    timeline = Timeline(bundle, lambda _: None)
    try:
        Onboarding(hospital, at, timeline).connect()
        wanted = {"as": PATIENT, "visit": hospital.visits[0].key}
        answer = timeline.ask(PATIENT, "opens it", "POST", f"{hospital.tls_url}/sandbox/launch", wanted)
    finally:
        timeline.close()
    with context(browser) as somebody:
        page = somebody.new_page()
        page.goto(f"{answer['url']}&open=device-test")
        check(page, microphone="Works", connection="Works")
        heard(page)
        expect(page.locator("[data-summary]")).to_contain_text("Your clinic knows now", timeout=20_000)
        page.goto(f"{hospital.browser_url}/schedule?as={CLINICIAN}")
        shown = page.locator(f"tr[data-visit='{hospital.visits[0].key}'] [data-device]")
        expect(shown).to_have_text(re.compile(r"^Device works \(\d\d:\d\d\)$"))
        camera.take(page, "hospital-device-test")
