"""The pages of the simulated Microsoft 365 in a real browser: signing in, joining, waiting, being admitted.

Set SANDBOX_SCREENSHOTS to a folder to keep a picture of each page.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sandbox.microsoft365.cast import LINDQVIST, MARISOL, TOMAS, VIDAL
from sandbox.serving import serve
from tests.sandbox.m365 import Cloud, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("authority")) as made:
        yield made


@pytest.fixture
def someone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def other(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, where somebody wants to see it."""
    if folder := os.environ.get("SANDBOX_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def closed(cloud: Cloud) -> tuple[str, str]:
    """A meeting with a lobby: the staff's link and the patient's."""
    made = cloud.meeting(subject="Video visit")
    path = f"/v1.0/users/{VIDAL.oid}/onlineMeetings/{quote(made['id'])}"
    wanted = {"lobbyBypassSettings": {"scope": "organization"}, "allowedPresenters": "organization"}
    assert cloud.graph("PATCH", path, wanted).status_code == 200
    patients = cloud.graph("GET", f"{path}/getVirtualAppointmentJoinWebUrl").json()["value"]
    return made["joinWebUrl"], patients


def test_a_clinician_should_sign_in_and_admit_a_patient(
    cloud: Cloud, someone: BrowserContext, other: BrowserContext
) -> None:
    staff_link, patient_link = closed(cloud)
    patient = other.new_page()
    patient.set_viewport_size({"width": 320, "height": 640})
    patient.goto(patient_link)
    no_sideways_scrolling(patient)
    picture(patient, "patient-before-320")
    patient.get_by_label("Your name").fill("A Patient")
    patient.get_by_role("button", name="Join now").click()
    expect(
        patient.get_by_role("heading", name="Someone in the meeting should let you in soon")
    ).to_be_visible()
    no_sideways_scrolling(patient)
    picture(patient, "patient-lobby-320")

    doctor = someone.new_page()
    doctor.goto(staff_link)
    picture(doctor, "staff-accounts")
    doctor.get_by_role("button", name=VIDAL.name).click()
    expect(doctor.get_by_text(f"You join as {VIDAL.name}")).to_be_visible()
    picture(doctor, "staff-before")
    doctor.get_by_role("button", name="Join now").click()
    expect(doctor.get_by_role("button", name="Admit A Patient")).to_be_visible()
    picture(doctor, "staff-waiting")
    doctor.get_by_role("button", name="Admit A Patient").click()
    expect(patient.get_by_role("list", name="In this meeting").get_by_role("listitem")).to_have_count(2)
    expect(patient.get_by_role("button", name="End meeting")).to_be_hidden()
    no_sideways_scrolling(patient)
    picture(doctor, "staff-meeting")
    picture(patient, "patient-meeting-320")

    patient.get_by_role("button", name="Leave").click()
    expect(patient.get_by_role("heading", name="You left the meeting")).to_be_visible()
    picture(patient, "patient-after-320")
    expect(doctor.get_by_role("list", name="In this meeting").get_by_role("listitem")).to_have_count(1)
    doctor.get_by_role("button", name="End meeting").click()
    expect(doctor.get_by_role("heading", name="You left the meeting")).to_be_visible()
    meeting = next(one for one in cloud.world.meetings if one.join_url == staff_link)
    assert len(meeting.reports) == 1


def test_single_sign_on_should_reach_into_the_meeting_and_a_closed_tab_should_leave_it(
    cloud: Cloud, someone: BrowserContext
) -> None:
    staff_link, _ = closed(cloud)
    someone.new_page().goto(staff_link)
    page = someone.pages[0]
    page.get_by_role("button", name=LINDQVIST.name).click()
    again, _ = closed(cloud)
    page.goto(again)
    page.get_by_role("button", name="Join now").click()
    expect(page.get_by_text("Dr. Noah Lindqvist (you)")).to_be_visible()
    page.goto("about:blank")
    meeting = next(one for one in cloud.world.meetings if one.join_url == again)
    page.wait_for_timeout(500)
    assert cloud.world.calls.of(meeting) is None


def test_the_sign_in_pages_should_lead_back_to_the_app(cloud: Cloud, someone: BrowserContext) -> None:
    landed: list[dict[str, str]] = []
    app = Flask("app")

    def callback() -> str:
        from flask import request

        landed.append(request.values.to_dict())
        return "Welcome back"

    app.add_url_rule("/config/signin/callback", "callback", callback, methods=["GET", "POST"])
    server = serve(app, cloud.addresses.host_http)
    try:
        page = someone.new_page()
        page.set_viewport_size({"width": 1200, "height": 860})
        client = cloud.msal("organizations")
        flow = client.initiate_auth_code_flow(
            ["User.Read"], redirect_uri=cloud.redirect_uri, response_mode="form_post", prompt="select_account"
        )
        page.goto(flow["auth_uri"])
        picture(page, "picker")
        page.get_by_text("Use another account").click()
        expect(page.get_by_role("button", name="Dr. Outsider")).to_be_visible()
        page.set_viewport_size({"width": 320, "height": 700})
        no_sideways_scrolling(page)
        picture(page, "picker-320")
        page.emulate_media(color_scheme="dark")
        picture(page, "picker-dark-320")
        page.get_by_role("button", name=MARISOL.name).click()
        expect(page.get_by_text("Welcome back")).to_be_visible()
        assert (
            client.acquire_token_by_auth_code_flow(flow, landed[0])["id_token_claims"]["oid"] == MARISOL.oid
        )
    finally:
        server.close()


def test_every_dead_end_should_say_so(cloud: Cloud, someone: BrowserContext) -> None:
    page = someone.new_page()
    page.goto(f"{cloud.pages}/meet/123?p=456")
    expect(page.get_by_role("heading", name="This link leads to no meeting")).to_be_visible()
    picture(page, "no-meeting")
    page.goto(f"{cloud.pages}/organizations/oauth2/v2.0/authorize?response_type=code")
    expect(page.get_by_role("heading", name="Sorry, signing in did not work")).to_be_visible()
    picture(page, "problem")
    params = (
        f"client_id={cloud.world.registration.client_id}&redirect_uri={quote(cloud.redirect_uri)}&state=1"
        f"&scope={quote(cloud.world.graph + '/.default')}"
    )
    page.goto(f"{cloud.pages}/organizations/v2.0/adminconsent?{params}")
    page.get_by_role("button", name=TOMAS.name).click()
    expect(page.get_by_role("heading", name="Need admin approval")).to_be_visible()
    picture(page, "approval-needed")
    page.get_by_role("button", name="Use another account").click()
    page.get_by_role("button", name=MARISOL.name).click()
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    picture(page, "consent")
    page.goto(f"{cloud.pages}/")
    picture(page, "home")


def test_a_join_of_somebody_else_should_not_be_steered(cloud: Cloud) -> None:
    staff_link, _ = closed(cloud)
    api = f"{cloud.pages}/teams/api"
    seat = cloud.session.post(f"{api}/join", json={"url": staff_link, "name": "A", "anonymous": True}).json()
    stolen = {"participant": seat["participant"], "key": "guess"}
    for what in ("state", "leave", "admit", "end"):
        assert cloud.session.post(f"{api}/{what}", json=stolen).status_code == 403
    assert cloud.session.post(f"{api}/state", json=seat).json() == {"state": "lobby"}
    for what in ("admit", "end"):
        own = {**seat, "who": seat["participant"]}
        assert cloud.session.post(f"{api}/{what}", json=own).status_code == 403
