"""Getting one hospital into service by the real pages: settings, registration, approval, records.

Whatever an earlier run has done already is found and kept; an interrupted one is taken up where it stopped.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.addresses import Addresses
from sandbox.browser import Browser, Page
from sandbox.ehr.hospital import Hospital
from sandbox.microsoft365.cast import MARISOL, TOMAS
from sandbox.timeline import Timeline, VisitFailed

_LABELS = {"provider": "provider_client_id", "patient": "patient_client_id", "backend": "backend_client_id"}
_CHOICE = re.compile(r'<input type="(?:radio|checkbox)" name="(\w+)" value="([^"]+)"[^>]*>\s*<span>([^<]+)<')
# Chosen in the portal beside what it proposes. By default the patient alone moves an appointment; here the
# clinician does too, so that every visit shows in the record, whoever the guest is.
_WRITEBACK: Mapping[str, Mapping[str, str]] = {
    "oracle": {
        "adapter": "oracle",
        "oracle-provider_connected": "checked-in",
        "oracle-provider_disconnected": "fulfilled",
    },
}
# Which member of a client's registration holds the context string of which integration record.
_CONTEXTS = {
    "provider-visit": ("provider", "context"),
    "patient-visit": ("patient", "context"),
    "provider-group": ("provider", "group_context"),
    "patient-group": ("patient", "group_context"),
}


class Onboarding:
    """One hospital's way into service, or the proof that it is there already."""

    def __init__(self, hospital: Hospital, addresses: Addresses, timeline: Timeline) -> None:
        """Nothing happens before `connect`."""
        self._hospital = hospital
        self._at = addresses
        self._timeline = timeline
        self._admin = MARISOL.name

    def connect(self) -> str:
        """The id of an approved connection for the hospital's FHIR base, registered in the hospital."""
        self._sign_in(self._admin)
        found = self._existing()
        if found is None or found["approved"] is None:
            found = self._set_up(found)
        connection = str(found["id"])
        self._register(connection, "registers the clients, contexts included")
        return connection

    def _set_up(self, found: dict[str, Any] | None) -> dict[str, Any]:
        connection = str(found["id"]) if found else self._create()
        self._register(connection, "registers the clients from the sheet")
        if found is None or found["latest"]["state"] in ("draft", "rejected"):
            self._settings(connection)
        self._approve(connection)
        now = self._existing()
        if now is None or now["approved"] is None:
            raise VisitFailed("the connection is not in service after its approval")
        return now

    def _sign_in(self, who: str) -> Page:
        page = self._step(who, "opens the portal", lambda browser: browser.get(self._at.app_url + "/"))
        return self._step(who, "signs in to Microsoft 365", lambda browser: browser.press(page, who))

    def _existing(self) -> dict[str, Any] | None:
        listed = self._read("looks through the connections", "")
        mine = [one for one in listed["connections"] if one["fhir_base"] == self._hospital.fhir_base]
        return next((one for one in mine if one["approved"]), mine[0] if mine else None)

    def _create(self) -> str:
        form = self._open("opens a new connection", "new")
        values = {
            "kind": self._hospital.kind,
            "environment": "test",
            "fhir_base": self._hospital.fhir_base,
            "name": self._hospital.name,
            "region": "americas",
        }
        page = self._press("enters the FHIR base", form, "Create and continue", values)
        found = re.search(r"/config/connections/([^/?]+)", page.url)
        if found is None:
            raise VisitFailed(f"no connection was created: {page.text[:300]}")
        return found[1]

    def _settings(self, connection: str) -> None:
        page = self._open("opens the settings", f"{connection}/edit/ehr")
        clients = {_LABELS[side]: client for side, client in self._hospital.clients.items()}
        backend = {name: clients.pop(name) for name in (_LABELS["backend"],) if name in clients}
        page = self._press("enters the client IDs", page, "Save and continue", clients)
        backend |= _WRITEBACK.get(self._hospital.kind, {})
        page = self._press("enters the write-back client", page, "Save and continue", backend)
        wanted: dict[str, str | list[str]] = {"q-approver": TOMAS.given_name, "q-organizers": "Visits"}
        page = self._press("searches for approver, organizers", page, "Search", wanted)
        approver = _choices(page, "approver", TOMAS.name)[:1]
        chosen: dict[str, str | list[str]] = {
            "approver": approver,
            "organizers": _choices(page, "organizers", "Visits Organizer"),
        }
        page = self._press("chooses approver, organizers", page, "Save and continue", chosen)
        self._press("keeps the visit policy", page, "Save and review", {})
        page = self._open("opens the review", connection)
        self._press("submits for approval", page, "Submit for approval", {})

    def _approve(self, connection: str) -> None:
        who = TOMAS.name
        self._sign_in(who)
        where = f"{self._at.app_url}/config/connections/{connection}"
        asked = self._step(who, "opens the connection", lambda browser: browser.get(where))
        label = "Sign in to the EHR"
        onward = self._step(who, "begins the EHR sign-in", lambda browser: browser.press(asked, label))
        ehr = self._step(who, "goes to the EHR", lambda browser: browser.follow(onward, label))
        proven = self._step(who, "signs in to the EHR", lambda browser: browser.press(ehr, who))
        self._step(who, "approves", lambda browser: browser.press(proven, "Approve"))

    def _register(self, connection: str, what: str) -> None:
        """Pastes into the hospital what the portal's sheet and records say; records exist once approved."""
        sheet = self._read("reads the registration sheet", f"/{connection}/registration")["registration"]
        records = self._read("reads the integration records", f"/{connection}/records")["records"]
        wanted: dict[str, dict[str, Any]] = {}
        for row in sheet:
            kept = {name: row[name] for name in ("jwks_url", "launch_url", "redirect_uris")}
            wanted[row["client"]] = {name: value for name, value in kept.items() if value}
        for record in records:
            side, member = _CONTEXTS.get(record["purpose"], ("", ""))
            if side and record["context"]:
                wanted[side][member] = record["context"]
        self._timeline.ask(TOMAS.name, what, "PUT", f"{self._hospital.tls_url}/sandbox/registration", wanted)

    def _read(self, what: str, path: str) -> dict[str, Any]:
        url = f"{self._at.app_url}/config/api/connections{path}"
        page = self._step(self._admin, what, lambda browser: browser.get(url))
        document: dict[str, Any] = json.loads(page.body)
        return document

    def _open(self, what: str, path: str) -> Page:
        url = f"{self._at.app_url}/config/connections/{path}"
        return self._step(self._admin, what, lambda browser: browser.get(url))

    def _press(self, what: str, page: Page, label: str, values: Mapping[str, str | list[str]]) -> Page:
        def act(browser: Browser) -> Page:
            form, (name, value, _) = page.button(label)
            return browser.submit(page, form, {**form.fields, **values, **({name: value} if name else {})})

        return self._step(self._admin, what, act)

    def _step(self, who: str, what: str, act: Callable[[Browser], Page]) -> Page:
        return self._timeline.page(who, what, act)


def _choices(page: Page, field: str, name: str) -> list[str]:
    """Object ids of the people whom the page offers for a field under this name or beginning of one."""
    found = [oid for one, oid, shown in _CHOICE.findall(page.body) if one == field and shown.startswith(name)]
    if not found:
        raise VisitFailed(f"the search did not offer {name} as {field}")
    return found
