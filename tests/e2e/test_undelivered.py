"""Undelivered records in a real browser over the real host: sent again, refused once more, given up."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from sandbox.ehr.hospital import FHIR
from sandbox.microsoft365.cast import MARISOL
from sandbox.onboarding import Onboarding
from sandbox.run import Sandbox
from sandbox.timeline import Timeline
from shared.clock import SystemClock, timestamp
from shared.context import ContextSeal, VisitContext
from shared.keys import symmetric_keys
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.secrets import secrets_of
from shared.settings import Settings
from shared.store import Stores
from shared.store.queues import parked_queue
from tests.e2e.axe import Inspector
from tests.e2e.camera import Camera
from tests.e2e.persons import Person, person

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.slow]


@dataclass(frozen=True)
class Parking:
    """Parks records of visits that never were, with the sandbox's own keys."""

    sandbox: Sandbox
    connection: str

    def park(self, visit: str) -> None:
        clock = SystemClock()
        settings = Settings.from_environ(self.sandbox.environ())
        sealer = Sealer(symmetric_keys(secrets_of(settings, clock), "sealing-keys"), clock)
        store = Stores(settings, clock).of(self.connection)
        context = ContextSeal(sealer).seal(VisitContext(self.connection, visit, "appointment", "A-1"))
        message = WritebackMessage(context, "patient", "connected", 1, False, timestamp(clock.now()))
        name = message.operation.id(self.connection, visit)
        store.dead_letters.add(
            self.connection, name, queue="writeback", reason="StatusRefused", status=403, attempts=1
        )
        store.queue(parked_queue(self.connection)).send(message.text(sealer))
        store.operations.settle(self.connection, name, "parked")


@pytest.fixture
def parking(sandbox: Sandbox) -> Parking:
    at = sandbox.addresses
    timeline = Timeline(str(sandbox.authority.bundle), lambda _: None)
    return Parking(sandbox, Onboarding(FHIR(at), at, timeline).connect())


@pytest.fixture
def admin(browser: Browser, sandbox: Sandbox) -> Iterator[Person]:
    with person(browser) as somebody:
        somebody.page.goto(f"{sandbox.addresses.app_url}/config/")
        somebody.page.get_by_role("button", name=MARISOL.name).click()
        expect(somebody.page.get_by_role("heading", name="Connections", exact=True)).to_be_visible()
        yield somebody
        assert somebody.complaints == []


def test_what_is_refused_once_more_should_come_back_and_can_be_given_up(
    parking: Parking, sandbox: Sandbox, admin: Person, camera: Camera
) -> None:
    parking.park("gone-1")
    parking.park("gone-2")
    page, inspector = admin.page, Inspector(camera.folder)
    page.goto(f"{sandbox.addresses.app_url}/config/connections/{parking.connection}")
    page.get_by_role("link", name="See why, and what to do").click()
    expect(page.get_by_role("heading", name="The EHR does not let us in 403")).to_be_visible()
    inspector.take_all(page, "fhir-portal-undelivered")
    page.get_by_role("button", name="Send all of these again").click()
    expect(page.get_by_role("status").first).to_contain_text("2 records are on their way to the EHR again.")
    # The host takes them, finds no such visit, and parks them anew.
    gone = page.get_by_role("heading", name="The visit is no longer known here")
    for _ in range(60):
        if page.get_by_role("cell", name="The visit is no longer known here").count() == 2:
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(gone).to_be_visible()
    page.get_by_role("button", name="Discard all of these").click()
    expect(page.get_by_role("heading", name="Discard 2 undelivered records?")).to_be_visible()
    inspector.take_all(page, "fhir-portal-undelivered-discard")
    page.get_by_role("link", name="Keep").click()
    page.get_by_role("button", name="Discard all of these").click()
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_role("heading", name="Everything was delivered")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("2 records were discarded.")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("2 \u00d7 The visit is no longer known here")).to_be_visible()
