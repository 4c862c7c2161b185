"""A whole visit in real browsers: administrator, analyst and approver, clinician, patient."""

from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from sandbox.run import Sandbox
from tests.e2e.camera import Camera
from tests.e2e.house import CLINICIAN, PATIENT, SIDES, House, house
from tests.e2e.persons import Person, person
from tests.e2e.setting_up import SettingUp

WRITE_BACK = 20_000
"""Milliseconds: one debounce of two seconds, queues polled by a busy machine, and the page's own two."""


@dataclass(frozen=True)
class Visit:
    """One visit at one hospital."""

    house: House
    camera: Camera
    teams_url: str

    def begin(self, somebody: Person) -> Page:
        """Press *Begin virtual visit* of this visit: the new window."""
        row = somebody.page.locator(f"tr[data-visit='{self.house.visit}'], .cards > li.now").first
        return somebody.window(row.get_by_role("button", name="Begin virtual visit").click)

    def link(self, clinician: Person, window: Page) -> None:
        """Sign in to Microsoft 365 and confirm, asked only at the first launch."""
        self.picture(window, "microsoft-sign-in")
        window.get_by_role("button", name="Elena Vidal").click()
        expect(window.get_by_role("heading", name="Is this you?")).to_be_visible()
        self.camera.take_all(window, f"{self.house.kind}-launch-confirm")
        window.get_by_role("button", name="Yes, link and join the visit").click()
        expect(window.get_by_role("heading", name="Ready to join?")).to_be_visible()
        assert window.url.startswith(self.teams_url)

    def wait_in_lobby(self, patient: Person) -> Page:
        """The patient joins with the browser and a first name of their choice."""
        window = self.begin(patient)
        expect(window.get_by_role("heading", name="Enter your name to join")).to_be_visible()
        assert all("/signin" not in page and "/authorize" not in page for page in patient.pages)
        self.picture(window, "teams-patient-join")
        window.get_by_label("Your name").fill("Zephyrina")
        window.get_by_role("button", name="Join now").click()
        expect(window.get_by_text("You are in the lobby.")).to_be_visible()
        self.picture(window, "teams-patient-lobby")
        return window

    def again_straight(self, clinician: Person) -> None:
        """A second launch shows no page between the schedule and Teams."""
        seen = len(clinician.pages)
        window = self.begin(clinician)
        expect(window.get_by_role("heading", name="Ready to join?")).to_be_visible()
        assert [urlsplit(page).path.split("/")[1] for page in clinician.pages[seen:]] in (["meet"], ["l"])
        assert clinician.pages[-1].startswith(self.teams_url)
        window.close()

    def view(self, clinician: Person, launch_url: str) -> None:
        """The live view tells who waits and who is in, by a launch of its own."""
        page = clinician.context.new_page()
        page.goto(launch_url)
        expect(page.locator("[data-presence=waiting]")).to_have_count(1, timeout=WRITE_BACK)
        expect(page.locator("[data-presence=in]")).to_contain_text("Elena Vidal")
        self.camera.take_all(page, f"{self.house.kind}-launch-view")
        page.close()

    def marked(self, clinician: Person, presence: str) -> None:
        """Both people's marks on the schedule become `presence`, without a reload."""
        for login in (CLINICIAN, PATIENT):
            mark = clinician.page.locator(
                f"tr[data-visit='{self.house.visit}'] .marks li.{presence}[data-person={login}]"
            )
            expect(mark).to_be_visible(timeout=WRITE_BACK)

    def picture(self, page: Page, name: str) -> None:
        """One screenshot of this hospital's visit."""
        self.camera.take(page, f"{self.house.kind}-{name}")


def set_up(app_url: str, place: House, camera: Camera, admin: Person, analyst: Person) -> str:
    """From an empty portal to a connection in service; returns its address in the portal."""
    steps = SettingUp(app_url, place, camera)
    steps.sign_in(admin, "Marisol Ibarra")
    connection = steps.create(admin.page)
    sheet = admin.context.new_page()
    sheet.goto(f"{connection}/registration")
    camera.take_all(sheet, f"{place.kind}-portal-sheet")
    hospital = analyst.context.new_page()
    clients = steps.register(sheet, hospital)
    assert set(clients) == set(SIDES)
    steps.decide(admin.page, connection, clients)
    steps.sign_in(analyst, "Tomas Quiroga")
    steps.approve(analyst.page)
    steps.paste_contexts(analyst.page, hospital)
    steps.check(admin.page, connection)
    return connection


def meet(visit: Visit, clinician: Person, patient: Person, view_url: str) -> None:
    """Launches, lobby, meeting and goodbye; the hospital's schedule follows."""
    window = visit.begin(clinician)
    visit.link(clinician, window)
    visit.picture(window, "teams-clinician-join")
    window.get_by_role("button", name="Join now").click()
    expect(window.locator("#tiles > li")).to_have_count(1)
    room = visit.wait_in_lobby(patient)
    expect(window.get_by_role("heading", name="Waiting in the lobby")).to_be_visible()
    visit.picture(window, "teams-clinician-lobby")
    visit.view(clinician, view_url)
    window.get_by_role("button", name="Admit").click()
    for page in (window, room):
        expect(page.locator("#tiles > li")).to_have_count(2)
    visit.picture(window, "teams-clinician-meeting")
    visit.picture(room, "teams-patient-meeting")
    visit.marked(clinician, "in")
    visit.camera.take_all(clinician.page, f"{visit.house.kind}-hospital-connected")
    visit.again_straight(clinician)
    for page in (room, window):
        page.get_by_role("button", name="Leave", exact=True).click()
        expect(page.get_by_role("heading", name="You left the meeting")).to_be_visible()
    visit.marked(clinician, "out")
    visit.picture(clinician.page, "hospital-disconnected")


def check_device(patient: Person, camera: Camera, kind: str, door: str) -> None:
    """The device test finds the browser's made-up camera and microphone."""
    page = patient.context.new_page()
    page.goto(f"{door}/device-test")
    page.get_by_role("button", name="Start the check").click()
    for device in ("browser", "camera", "connection"):
        expect(page.locator(f"[data-result={device}]")).to_contain_text("Works")
    camera.take_all(page, f"{kind}-launch-device")
    page.close()


def view_launch(sandbox: Sandbox, place: House) -> str:
    """The launch address of the clinician's live view, as the hospital's record of it would open it."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = sandbox.environ()["ANTESALA_CA_BUNDLE"]
        answer = session.post(
            f"{place.tls_url}/sandbox/launch", json={"as": CLINICIAN, "visit": place.visit}, timeout=10
        )
    answer.raise_for_status()
    return f"{answer.json()['url']}&open=view"


@pytest.mark.browser
@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fhir", "epic"])
def test_four_people_should_play_a_whole_visit(
    kind: str, sandbox: Sandbox, browser: Browser, camera: Camera
) -> None:
    at = sandbox.addresses
    place = house(kind, at)
    with ExitStack() as stack:
        admin, analyst, clinician, patient = (stack.enter_context(person(browser)) for _ in range(4))
        connection = set_up(at.app_url, place, camera, admin, analyst)
        clinician.page.goto(f"{place.url}/schedule?as={CLINICIAN}")
        camera.take_all(clinician.page, f"{kind}-hospital-schedule")
        patient.page.goto(f"{place.url}/portal?as={PATIENT}")
        camera.take_all(patient.page, f"{kind}-hospital-portal")
        check_device(patient, camera, kind, f"{at.app_url}/launch/patient/{connection.rsplit('/', 1)[1]}")
        meet(Visit(place, camera, at.m365_url), clinician, patient, view_launch(sandbox, place))
        admin.page.goto(f"{connection}/history")
        camera.take_all(admin.page, f"{kind}-portal-history")
        people = (admin, analyst, clinician, patient)
        complaints = [one for somebody in people for one in somebody.complaints]
    assert [one for one in complaints if _of_ours(one, at.app_url)] == []


def _of_ours(complaint: tuple[str, str], app_url: str) -> bool:
    where, text = complaint
    return urlsplit(where).netloc == urlsplit(app_url).netloc or "Content Security Policy" in text
