"""A newcomer's way from the empty portal to the integration records, by the forms alone."""

from html.parser import HTMLParser

from config_function.field_rules import STEPS
from tests.config.house import ADMIN, ANALYST, CLINICIAN, House, beginning


class _Form(HTMLParser):
    """The controls of the page's last form, as a browser would send them (HTML section 4.10.21.4)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: list[tuple[str, str]] = []
        self._within = self._text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "input" and given.get("type") in ("checkbox", "radio") and "checked" not in given:
            return
        if tag == "input" and "name" in given:
            self.sent.append((given["name"], given.get("value", "")))
        if tag in ("select", "textarea"):
            self._within = given["name"]
        if tag == "textarea":
            self._text = self._within
            self.sent.append((self._within, ""))
        if tag == "option" and "selected" in given:
            self.sent.append((self._within, given["value"]))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._within = self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text and self.sent[-1] == (self._text, ""):
            self.sent[-1] = (self._text, data.strip())


def sent(text: str) -> dict[str, str]:
    """What the form on this page sends; of a name sent twice the values are joined, as the edge does."""
    form = _Form()
    form.feed(text)
    joined: dict[str, str] = {}
    for name, value in form.sent:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def test_the_portal_leads_from_nothing_to_integration_records(house: House) -> None:
    admin = house.browser(ADMIN)
    assert "Connect your first EHR" in admin.get("/config/").text
    connection = house.submitted(admin)
    approver = house.browser(ANALYST)
    assert "Sierra test" in approver.get("/config/").text
    assert "Sign in to the EHR" in approver.get(f"/config/connections/{connection}").text
    done = house.approve(approver, connection)
    assert done.location == f"/config/connections/{connection}/records"
    records = approver.get(done.location).text
    assert "sessionId=%CSN%&amp;epicUserId=%EPICUSERID%" in records
    assert f"http://localhost:7071/launch/provider/{connection}" in records
    approved = house.approved(connection)
    assert approved is not None
    assert approved.revision.approver == ANALYST
    assert approved.revision.endpoints.token.endswith("/oauth2/token")
    assert approved.revision.time_zone == "America/Chicago"


def test_the_registration_sheet_is_there_from_the_first_draft(house: House) -> None:
    admin = house.browser(ADMIN)
    page = admin.post("/config/connections/new", beginning(house.base))
    connection = page.location.split("/")[3]
    sheet = admin.get(f"/config/connections/{connection}/registration").text
    assert f"{house.settings.server_url}/config/jwks/{connection}" in sheet
    assert f"http://localhost:7071/launch/provider/callback/{connection}" in sheet
    assert f"http://localhost:7071/config/ehr/callback/{connection}" in sheet
    assert "launch openid fhirUser" in sheet


def test_an_edit_opens_a_new_revision_while_the_approved_one_serves(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    admin.save(connection, "visits", {"chat": "disabled"})
    approved = house.approved(connection)
    assert approved is not None
    assert (approved.revision.number, approved.revision.policy.chat) == (1, "limited")
    page = admin.get(f"/config/connections/{connection}").text
    assert "Revision 1 stays in service" in page
    history = admin.get(f"/config/connections/{connection}/history").text
    assert "During the visit only" in history
    assert "changed settings" in history


def test_saving_a_step_without_changes_opens_no_revision(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    admin.save(connection, "visits", {"chat": "limited"})
    assert "In service" in admin.get(f"/config/connections/{connection}").text
    stored = house.stores.of(connection).connections.get(connection)
    assert stored is not None
    assert stored.latest == 1


def test_people_are_found_and_chosen_without_script(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}/edit/people"
    form = {
        "version": "v",
        "action": "search",
        "q-organizers": "Dr. El",
        "approver": ANALYST,
        "organizers": ",",
    }
    page = admin.post(path, form)
    assert page.status == 200
    assert f'value="{CLINICIAN}"' in page.text
    assert f'value="{ANALYST}" checked' in page.text


def test_each_form_sends_what_its_rules_accept(house: House) -> None:
    """What a browser would send of the rendered form is read back as it was."""
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    admin.save(connection, "writeback", {"epic-method": "GET", "epic-status_connected": "5"})
    before = house.stores.of(connection).connections.revision(connection, 1)
    for step in STEPS:
        page = admin.get(f"/config/connections/{connection}/edit/{step}")
        admin.save(connection, step, sent(page.text))
    assert house.stores.of(connection).connections.revision(connection, 1) == before
