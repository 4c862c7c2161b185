"""The device test in a real browser: devices there, absent, refused; and what the clinic hears."""

import re
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page, expect

from launch_patient.device_test import DeviceTest
from sandbox.ehr.hospital import FHIR
from sandbox.onboarding import Onboarding
from sandbox.run import Sandbox
from sandbox.timeline import Timeline
from shared.connection import Writeback
from tests.e2e.axe import inspect
from tests.e2e.camera import NARROW, Camera
from tests.e2e.chromium import MADE_UP_CONSENT, MADE_UP_DEVICES, start
from tests.e2e.house import CLINICIAN, PATIENT
from tests.e2e.porch import Porch
from tests.e2e.visitor import visitor
from tests.launch.conftest import CONNECTION, revision
from tests.launch.test_device_results import Clerk
from tests.launch.test_surroundings import IN_APP

pytestmark = pytest.mark.browser


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
    ready = "Everything works. You are ready for your visit. You can close this page."
    expect(page.locator("[data-summary]")).to_have_text(ready)
    page.goto("about:blank")
    assert [one.result for one in clerk.told] == ["works"]
    assert porch.count("POST /launch/patient") == 1


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
    with visitor(other, permissions=[], viewport=NARROW) as somebody:
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
    with visitor(browser) as somebody:
        somebody.add_init_script("delete window.RTCPeerConnection")
        page = somebody.new_page()
        page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
        check(page, browser="current Edge, Chrome, Safari or Firefox")
    with visitor(browser, user_agent=IN_APP) as somebody:
        somebody.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
        page = somebody.new_page()
        page.goto(f"{porch.url}/launch/patient/{CONNECTION}/device-test")
        check(page, camera="Open this page in Safari, Chrome or Edge.")


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
    with visitor(browser) as somebody:
        page = somebody.new_page()
        page.goto(f"{answer['url']}&open=device-test")
        check(page, microphone="Works", connection="Works")
        heard(page)
        expect(page.locator("[data-summary]")).to_contain_text("Your clinic knows now", timeout=20_000)
        page.goto(f"{hospital.browser_url}/schedule?as={CLINICIAN}")
        shown = page.locator(f"tr[data-visit='{hospital.visits[0].key}'] [data-device]")
        expect(shown).to_have_text(re.compile(r"^Device works \(\d\d:\d\d\)$"))
        camera.take(page, "hospital-device-test")
