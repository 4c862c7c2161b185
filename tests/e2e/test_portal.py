"""The portal in real browsers: both languages, every role, the keyboard alone, and what goes wrong."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.addresses import Addresses
from sandbox.microsoft365.cast import MARISOL, RENATA, TOMAS
from sandbox.run import Sandbox
from shared.clock import SystemClock, timestamp
from shared.settings import Settings
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.texts import catalog
from tests.e2e.axe import Inspector
from tests.e2e.camera import Camera
from tests.e2e.house import house
from tests.e2e.keyboard import Keyboard
from tests.e2e.persons import Person, person
from tests.e2e.setting_up import SettingUp

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.slow]

PAGES = ("", "/registration", "/records", "/checks", "/clinicians", "/launches", "/history")


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose portal is empty at first, whatever other tests have set up in theirs."""
    with Sandbox(Addresses.free(), tmp_path_factory.mktemp("portal")) as running:
        yield running


@pytest.fixture
def inspector(camera: Camera) -> Inspector:
    return Inspector(camera.folder)


@pytest.fixture
def portal(own_sandbox: Sandbox) -> str:
    return f"{own_sandbox.addresses.app_url}/config/"


def enter(somebody: Person, portal: str, name: str) -> Page:
    """Signed in, wherever the portal then leads."""
    somebody.page.goto(portal)
    somebody.page.get_by_role("button", name=name).click()
    somebody.page.wait_for_url(f"{portal}**")
    return somebody.page


@pytest.mark.parametrize("kind", ["epic", "fhir"])
def test_a_hospital_should_be_set_up_in_spanish(
    kind: str, own_sandbox: Sandbox, browser: Browser, inspector: Inspector
) -> None:
    at, say = own_sandbox.addresses, catalog("es").gettext
    # The pages are the same for both; what keeps people out is looked for once.
    camera = Inspector(inspector.folder / "es") if kind == "epic" else Camera(inspector.folder / "es")
    steps = SettingUp(at.app_url, house(kind, at), camera, say)
    with person(browser, "es-ES") as admin, person(browser, "es-ES") as analyst:
        connection = steps.play(admin, analyst)
        for page in PAGES:
            admin.page.goto(f"{connection}{page}")
            assert admin.page.locator("html").get_attribute("lang") == "es"
            steps.camera.take_all(admin.page, f"{kind}-portal{page.replace('/', '-') or '-overview'}")
        assert [*admin.complaints, *analyst.complaints] == []


def test_the_language_should_be_switched_on_the_page(
    portal: str, browser: Browser, inspector: Inspector
) -> None:
    with person(browser) as reader:
        page = enter(reader, portal, RENATA.name)
        page.get_by_role("link", name="Espa\u00f1ol").click()
        expect(page.get_by_role("heading", name=catalog("es").gettext("Connections"))).to_be_visible()
        page.goto(f"{portal}guide")
        assert page.locator("html").get_attribute("lang") == "es"
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("heading", name="Set-up guide")).to_be_visible()
        inspector.take_all(page, "portal-guides")


def test_the_whole_wizard_should_be_done_by_keyboard_alone(
    own_sandbox: Sandbox, portal: str, browser: Browser, inspector: Inspector
) -> None:
    place = house("fhir", own_sandbox.addresses)
    with person(browser) as admin:
        page = enter(admin, portal, MARISOL.name)
        keys = Keyboard(page)
        page.goto(f"{portal}connections/new")
        keys.choose(page.locator("input[name=kind][value=fhir]"))
        keys.choose(page.locator("input[name=environment][value=production]"))
        keys.type(page.locator("#fhir_base"), place.base)
        expect(page.locator("[data-base-verdict] .ok")).to_have_count(2)
        keys.type(page.locator("#name"), "By keyboard")
        keys.choose(page.locator("input[name=region][value=emea]"))
        keys.press(page.get_by_role("button", name="Create and continue"))
        page.wait_for_url("**/edit/ehr")
        keys.type(page.locator("#provider_client_id"), "provider-keys")
        keys.type(page.locator("#patient_client_id"), "patient-keys")
        keys.press(page.get_by_role("button", name="Save and continue"))
        page.wait_for_url("**/edit/writeback")
        keys.type(page.locator("#backend_client_id"), "backend-keys")
        keys.press(page.get_by_role("button", name="Save and continue"))
        page.wait_for_url("**/edit/people")
        keys.type(page.locator("#q-approver"), "Tomas")
        expect(page.locator("input[name=approver]")).to_have_count(1)
        keys.choose(page.locator("input[name=approver]"))
        keys.type(page.locator("#q-organizers"), "Visits")
        organizers = page.locator("input[name=organizers][type=checkbox]")
        expect(organizers).to_have_count(2)
        keys.tick(organizers.first)
        inspector.take_all(page, "portal-keyboard-people")
        keys.press(page.get_by_role("button", name="Save and continue"))
        page.wait_for_url("**/edit/visits")
        keys.press(page.get_by_role("button", name="Save and review"))
        keys.press(page.get_by_role("button", name="Submit for approval"))
        expect(page.get_by_text("It waits for the approver:")).to_be_visible()
        assert admin.complaints == []


def test_what_is_wrong_should_be_said_beside_the_field(
    own_sandbox: Sandbox, portal: str, browser: Browser, inspector: Inspector
) -> None:
    place = house("epic", own_sandbox.addresses)
    with person(browser) as admin:
        page = enter(admin, portal, MARISOL.name)
        page.goto(f"{portal}connections/new")
        page.locator("#fhir_base").press_sequentially(f"{place.base}/metadata", delay=1)
        offer = page.locator("[data-base-verdict] button")
        expect(offer).to_have_text(f"Use this address: {place.base}")
        inspector.take_all(page, "portal-new-suggestion")
        offer.click()
        expect(page.locator("#fhir_base")).to_have_value(place.base)
        page.locator("input[name=kind][value=epic]").check()
        page.locator("input[name=region][value=americas]").check()
        page.locator("#name").fill("Inside")
        page.locator("#fhir_base").fill("https://127.0.0.1/fhir")
        page.get_by_role("button", name="Create and continue").click()
        expect(page.locator("#fhir_base-wrong")).to_contain_text("points inside")
        expect(page.get_by_role("alert")).to_be_focused()
        inspector.take_all(page, "portal-new-wrong")
        page.goto(portal)
        page.get_by_role("link", name="Sierra epic", exact=True).click()
        page.get_by_role("link", name="Change settings").first.click()
        page.locator("#provider_client_id").fill("with spaces")
        page.get_by_role("button", name="Save and continue").click()
        expect(page.locator("#provider_client_id")).to_have_value("with spaces")
        expect(page.locator("#provider_client_id-wrong")).to_be_visible()
        inspector.take_all(page, "portal-edit-wrong")


def test_two_administrators_should_lose_nothing_when_both_save(
    portal: str, browser: Browser, inspector: Inspector
) -> None:
    with person(browser) as first, person(browser) as second:
        for somebody in (first, second):
            page = enter(somebody, portal, MARISOL.name)
            page.get_by_role("link", name="Sierra fhir", exact=True).click()
            page.get_by_role("link", name="Change settings").first.click()
        for somebody, name in ((first, "Sierra fhir, renamed"), (second, "Sierra fhir, otherwise")):
            somebody.page.locator("#name").fill(name)
            somebody.page.get_by_role("button", name="Save and close").click()
        page = second.page
        expect(page.get_by_text("Somebody else saved first.")).to_be_visible()
        expect(page.locator("#name")).to_have_value("Sierra fhir, otherwise")
        expect(page.get_by_text("Sierra fhir, renamed")).to_have_count(3)
        inspector.take_all(page, "portal-edit-conflict")
        page.get_by_role("button", name="Save and close").click()
        expect(page.get_by_role("heading", name="Sierra fhir, otherwise")).to_be_visible()


def test_an_approver_should_send_back_and_the_administrator_see_why(
    portal: str, browser: Browser, inspector: Inspector
) -> None:
    with person(browser) as approver, person(browser) as admin:
        page = enter(approver, portal, TOMAS.name)
        inspector.take_all(page, "portal-list-approver")
        page.get_by_role("link", name="By keyboard", exact=True).click()
        page.get_by_text("Send it back instead").click()
        page.get_by_role("button", name="Send back").click()
        expect(page.locator("#reason-wrong")).to_be_visible()
        inspector.take_all(page, "portal-reject-wrong")
        page.locator("#reason").fill("This is the test base.")
        page.get_by_role("button", name="Send back").click()
        page = enter(admin, portal, MARISOL.name)
        inspector.take_all(page, "portal-list-full")
        page.get_by_role("link", name="By keyboard", exact=True).click()
        expect(page.get_by_text("This is the test base.")).to_be_visible()
        inspector.take_all(page, "portal-rejected")


def filled(sandbox: Sandbox, connection: str) -> None:
    """Linked clinicians and launches, as after a few days."""
    stores = Stores(Settings.from_environ(sandbox.environ()), SystemClock())
    store, now = stores.of(connection), timestamp(SystemClock().now())
    for number in range(30):
        store.ehr_users.link(Link(connection, f"EMP-{number:03d}", TOMAS.oid, "mac", now))
    for code in ("ok", "ok", "visit-invalid", "too-early", "wrong-environment"):
        store.launches.record(connection, code, "provider", now)
        store.launches.record(connection, code, "patient", now)


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("es", "es-ES")])
def test_a_reader_should_see_everything_and_be_offered_no_change(
    own_sandbox: Sandbox, portal: str, browser: Browser, inspector: Inspector, language: str, locale: str
) -> None:
    say = catalog(language).gettext
    with person(browser, locale) as reader:
        page = enter(reader, portal, RENATA.name)
        page.get_by_role("link", name="Sierra epic", exact=True).click()
        connection = page.url
        filled(own_sandbox, connection.rpartition("/")[2])
        for tail in PAGES:
            page.goto(f"{connection}{tail}")
            assert page.locator("html").get_attribute("lang") == language
            inspector.take_all(page, f"{language}-portal-reader{tail.replace('/', '-') or '-overview'}")
            for name in map(
                say, ("Change settings", "Unlink", "Submit for approval", "Approve", "Send back")
            ):
                assert page.get_by_role("button", name=name, exact=True).count() == 0, (tail, name)
                assert page.get_by_role("link", name=name, exact=True).count() == 0, (tail, name)
        assert reader.complaints == []


def test_a_link_should_be_removed_after_a_question(
    portal: str, browser: Browser, inspector: Inspector
) -> None:
    with person(browser) as admin:
        page = enter(admin, portal, MARISOL.name)
        page.get_by_role("link", name="Sierra epic", exact=True).click()
        page.get_by_role("link", name="Clinicians").click()
        inspector.take_all(page, "portal-clinicians-full")
        page.get_by_role("button", name="Unlink").first.click()
        inspector.take_all(page, "portal-unlink")
        page.get_by_role("button", name="Unlink").click()
        expect(page.get_by_text("EMP-000")).to_have_count(0)


def test_a_new_organization_should_be_told_how_to_connect(
    portal: str, browser: Browser, inspector: Inspector
) -> None:
    with person(browser) as stranger:
        stranger.page.goto(f"{portal}organization")
        inspector.take_all(stranger.page, "portal-organization")
        assert stranger.complaints == []


def test_signing_out_should_end_it(portal: str, browser: Browser, inspector: Inspector) -> None:
    with ExitStack() as stack:
        admin = stack.enter_context(person(browser))
        page = enter(admin, portal, MARISOL.name)
        page.goto(f"{portal}connections/new")
        other = admin.context.new_page()
        other.goto(portal)
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_role("heading", name="You are signed out")).to_be_visible()
        inspector.take_all(other, "portal-signed-out")
        page.locator("#name").fill("Typed too late")
        page.get_by_role("button", name="Create and continue").click()
        expect(page.get_by_role("heading", name="Please sign in again")).to_be_visible()
        inspector.take_all(page, "portal-again")
