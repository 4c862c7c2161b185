"""What administrator, analyst and approver do before the first visit, each at a browser of their own."""

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
    """One hospital being connected; `app_url` is the portal's address."""

    app_url: str
    house: House
    camera: Camera

    def sign_in(self, somebody: Person, name: str) -> None:
        """Into the portal, with Microsoft 365."""
        somebody.page.goto(f"{self.app_url}/config/")
        self._picture(somebody.page, "portal-sign-in")
        somebody.page.get_by_role("button", name=name).click()
        expect(somebody.page.get_by_role("heading", name="Connections", exact=True)).to_be_visible()

    def create(self, admin: Page) -> str:
        """A new connection; returns its address in the portal."""
        self._picture(admin, "portal-list")
        admin.get_by_role("link", name="New connection").first.click()
        admin.locator("label.choice", has_text=self.house.label).first.click()
        admin.get_by_label("FHIR base URL").fill(self.house.base)
        admin.get_by_label("FHIR base URL").blur()
        expect(admin.locator("[data-base-verdict]")).not_to_be_empty()
        admin.get_by_label("Name", exact=True).fill(f"Sierra {self.house.kind}")
        self.camera.take_all(admin, f"{self.house.kind}-portal-new")
        admin.get_by_role("button", name="Create and continue").click()
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
                    field.fill(_copied(section, label)[0])
            uris = hospital.locator(f"#{side}-redirect_uris")
            if uris.count():
                uris.fill("\n".join(_copied(section, "Redirect URI")))
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
        admin.get_by_role("button", name="Save and continue").click()
        expect(admin).to_have_url(f"{connection}/edit/writeback")
        admin.locator("#backend_client_id").fill(clients["backend"])
        self.camera.take_all(admin, f"{self.house.kind}-portal-writeback")
        admin.get_by_role("button", name="Save and continue").click()
        self._choose(admin, "approver", "Tomas")
        self._choose(admin, "organizers", "Visits")
        self.camera.take_all(admin, f"{self.house.kind}-portal-people")
        admin.get_by_role("button", name="Save and continue").click()
        expect(admin).to_have_url(f"{connection}/edit/visits")
        self.camera.take_all(admin, f"{self.house.kind}-portal-visits")
        admin.get_by_role("button", name="Save and review").click()
        admin.get_by_role("button", name="Submit for approval").click()
        expect(admin.get_by_text("It waits for the approver:")).to_be_visible()
        self.camera.take_all(admin, f"{self.house.kind}-portal-submitted")

    def approve(self, approver: Page) -> None:
        """The approver proves an EHR sign-in and approves."""
        approver.get_by_role("link", name=f"Sierra {self.house.kind}").click()
        self.camera.take_all(approver, f"{self.house.kind}-portal-approver")
        approver.get_by_role("button", name="Sign in to the EHR").click()
        self._picture(approver, "hospital-sign-in")
        approver.locator(f"button[value={ANALYST}]").click()
        self.camera.take_all(approver, f"{self.house.kind}-portal-proven")
        approver.get_by_role("button", name="Approve", exact=True).click()
        approver.get_by_role("link", name="Integration records").first.click()
        expect(approver.get_by_role("heading", name="Integration records")).to_be_visible()
        self.camera.take_all(approver, f"{self.house.kind}-portal-records")

    def paste_contexts(self, records: Page, hospital: Page) -> None:
        """The analyst pastes the records' context strings; a hospital without them has no such fields."""
        if not hospital.locator("#provider-context").count():
            return
        for record, field in _CONTEXTS.items():
            section = records.locator(f"section#{record}")
            if section.count():
                (context,) = _copied(section, "Context string")
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
        expect(admin.locator("[data-sum]")).to_have_text(f"Works: {verdicts.count()}")
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


def _copied(section: Locator, label: str) -> list[str]:
    """What the section's Copy buttons of this label would copy."""
    buttons = section.get_by_label(f"Copy: {label}", exact=True)
    texts = [one.get_attribute("data-copy") for one in buttons.all()]
    assert texts, f"the sheet has no {label}"
    return [text for text in texts if text]
