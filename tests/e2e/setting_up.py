"""What administrator, analyst and approver do before the first visit, each at a browser of their own."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.e2e.camera import Camera
from tests.e2e.house import ANALYST, SIDES, House
from tests.e2e.persons import Person

_FIELDS = {"launch_url": "Launch URL", "jwks_url": "JWKS URL"}
_CONTEXTS = {
    "provider-visit": "provider-context",
    "provider-group": "provider-group_context",
    "patient-visit": "patient-context",
    "patient-group": "patient-group_context",
}
"""Which integration record goes into which field of the hospital's registration page."""


@dataclass(frozen=True)
class SettingUp:
    """One hospital being connected; `app_url` is the portal's address.

    `say` gives the portal's messages in the people's language; the hospital speaks English.
    """

    app_url: str
    house: House
    camera: Camera
    say: Callable[[str], str] = str

    def play(self, admin: Person, analyst: Person) -> str:
        """From an empty portal to a connection in service; returns its address in the portal."""
        self.sign_in(admin, "Marisol Ibarra")
        connection = self.create(admin.page)
        sheet = admin.context.new_page()
        sheet.goto(f"{connection}/registration")
        self.camera.take_all(sheet, f"{self.house.kind}-portal-sheet")
        hospital = analyst.context.new_page()
        clients = self.register(sheet, hospital)
        assert set(clients) == set(SIDES)
        self.decide(admin.page, connection, clients)
        self.sign_in(analyst, "Tomas Quiroga")
        self.approve(analyst.page)
        self.paste_contexts(analyst.page, hospital)
        self.check(admin.page, connection)
        return connection

    def sign_in(self, somebody: Person, name: str) -> None:
        """Into the portal, with Microsoft 365."""
        somebody.page.goto(f"{self.app_url}/config/")
        self._picture(somebody.page, "portal-sign-in")
        somebody.page.get_by_role("button", name=name).click()
        expect(somebody.page.get_by_role("heading", name=self.say("Connections"), exact=True)).to_be_visible()

    def create(self, admin: Page) -> str:
        """A new connection; returns its address in the portal."""
        self._picture(admin, "portal-list")
        admin.get_by_role("link", name=self.say("New connection")).first.click()
        self.camera.take_all(admin, f"{self.house.kind}-portal-new-empty")
        admin.locator(f"input[name=kind][value={self.house.kind}]").check()
        admin.get_by_label(self.say("FHIR base URL")).fill(self.house.base)
        admin.get_by_label(self.say("FHIR base URL")).blur()
        expect(admin.locator("[data-base-verdict]")).not_to_be_empty()
        admin.get_by_label(self.say("Name"), exact=True).fill(f"Sierra {self.house.kind}")
        self.camera.take_all(admin, f"{self.house.kind}-portal-new")
        admin.locator("input[name=region][value=americas]").check()
        admin.get_by_role("button", name=self.say("Create and continue")).click()
        admin.wait_for_url("**/edit/ehr")
        return admin.url.removesuffix("/edit/ehr")

    def register(self, sheet: Page, hospital: Page) -> dict[str, str]:
        """The analyst pastes the registration sheet at the hospital; returns the client IDs given there."""
        hospital.goto(f"{self.house.url}/registration")
        for side in SIDES:
            section = sheet.locator(f"section[aria-labelledby='client-{side}']")
            for name, label in _FIELDS.items():
                field = hospital.locator(f"#{side}-{name}")
                if field.count():
                    field.fill(self._copied(section, label)[0])
            uris = hospital.locator(f"#{side}-redirect_uris")
            if uris.count():
                uris.fill("\n".join(self._copied(section, "Redirect URI")))
        hospital.get_by_role("button", name="Save registration").click()
        expect(hospital.get_by_text("Saved. It is in effect now.")).to_be_visible()
        self._picture(hospital, "hospital-registration")
        given = hospital.locator(".client code").all_inner_texts()
        return dict(zip(SIDES, given, strict=True))

    def decide(self, admin: Page, connection: str, clients: dict[str, str]) -> None:
        """The administrator enters client IDs, people and policy, and submits."""
        admin.goto(f"{connection}/edit/ehr")
        for side in ("provider", "patient"):
            admin.locator(f"#{side}_client_id").fill(clients[side])
        self.camera.take_all(admin, f"{self.house.kind}-portal-ehr")
        admin.get_by_role("button", name=self.say("Save and continue")).click()
        expect(admin).to_have_url(f"{connection}/edit/writeback")
        admin.locator("#backend_client_id").fill(clients["backend"])
        self.camera.take_all(admin, f"{self.house.kind}-portal-writeback")
        admin.get_by_role("button", name=self.say("Save and continue")).click()
        self._choose(admin, "approver", "Tomas")
        self._choose(admin, "organizers", "Visits")
        self.camera.take_all(admin, f"{self.house.kind}-portal-people")
        admin.get_by_role("button", name=self.say("Save and continue")).click()
        expect(admin).to_have_url(f"{connection}/edit/visits")
        self.camera.take_all(admin, f"{self.house.kind}-portal-visits")
        admin.get_by_role("button", name=self.say("Save and review")).click()
        admin.get_by_role("button", name=self.say("Submit for approval")).click()
        expect(admin.get_by_text(self.say("It waits for the approver:"))).to_be_visible()
        self.camera.take_all(admin, f"{self.house.kind}-portal-submitted")

    def approve(self, approver: Page) -> None:
        """The approver proves an EHR sign-in and approves."""
        approver.get_by_role("link", name=f"Sierra {self.house.kind}", exact=True).click()
        self.camera.take_all(approver, f"{self.house.kind}-portal-approver")
        approver.get_by_role("button", name=self.say("Sign in to the EHR")).click()
        self._picture(approver, "hospital-sign-in")
        approver.locator(f"button[value={ANALYST}]").click()
        self.camera.take_all(approver, f"{self.house.kind}-portal-proven")
        approver.get_by_role("button", name=self.say("Approve"), exact=True).click()
        approver.get_by_role("link", name=self.say("Integration records")).first.click()
        expect(approver.get_by_role("heading", name=self.say("Integration records"))).to_be_visible()
        self.camera.take_all(approver, f"{self.house.kind}-portal-records")

    def paste_contexts(self, records: Page, hospital: Page) -> None:
        """The analyst pastes the records' context strings; a hospital without them has no such fields."""
        if not hospital.locator("#provider-context").count():
            return
        for record, field in _CONTEXTS.items():
            section = records.locator(f"section#{record}")
            if section.count():
                (context,) = self._copied(section, "Context string")
                hospital.locator(f"#{field}").fill(context)
        hospital.get_by_role("button", name="Save registration").click()
        expect(hospital.get_by_text("Saved. It is in effect now.")).to_be_visible()
        self._picture(hospital, "hospital-contexts")

    def check(self, admin: Page, connection: str) -> None:
        """The administrator opens the checks, which run by themselves; every one has to work."""
        admin.goto(f"{connection}/checks")
        verdicts = admin.locator("[data-verdict]")
        for number in range(verdicts.count()):
            expect(verdicts.nth(number)).not_to_be_empty()
        expect(admin.locator("[data-sum]")).to_have_text(f"{self.say('Works')}: {verdicts.count()}")
        self.camera.take_all(admin, f"{self.house.kind}-portal-checks")
        expect(admin.locator(".badge.failed")).to_have_count(0)

    def _choose(self, admin: Page, field: str, query: str) -> None:
        """People are found while their name is typed, and chosen by their boxes."""
        boxes = f"input[name={field}]:not([type=hidden])"
        admin.locator(f"#q-{field}").fill(query)
        expect(admin.locator(f"{boxes}:not(:checked)").first).to_be_visible()
        found = admin.locator(boxes).filter(visible=True)
        for number in range(found.count()):
            found.nth(number).check()

    def _picture(self, page: Page, name: str) -> None:
        self.camera.take(page, f"{self.house.kind}-{name}")

    def _copied(self, section: Locator, label: str) -> list[str]:
        """What the section's Copy buttons of this label would copy."""
        buttons = section.get_by_label(f"{self.say('Copy')}: {self.say(label)}", exact=True)
        texts = [one.get_attribute("data-copy") for one in buttons.all()]
        assert texts, f"the sheet has no {label}"
        return [text for text in texts if text]
