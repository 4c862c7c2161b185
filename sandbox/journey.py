"""One visit at one hospital, played through the real app by people whose browsers have no screen."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from sandbox.addresses import Addresses
from sandbox.browser import Page
from sandbox.ehr.hospital import EPIC, FHIR, ORACLE, Hospital
from sandbox.ehr.people import Person, Visit
from sandbox.microsoft365.cast import VIDAL
from sandbox.microsoft365.join_links import LONG, SHORT, VIRTUAL
from sandbox.onboarding import Onboarding
from sandbox.timeline import Step, Timeline, VisitFailed
from sandbox.witness import Scene, Witness, witness

HospitalName = Literal["epic", "fhir", "oracle"]
_PROFILES: Mapping[HospitalName, Callable[[Addresses], Hospital]] = {
    "epic": EPIC,
    "fhir": FHIR,
    "oracle": ORACLE,
}
HOSPITALS: tuple[HospitalName, ...] = tuple(_PROFILES)
_CONFIRM, _ONWARD = "Yes, link and join the visit", "Open the visit"
# Sign-in, confirm page, the page that leads on to Teams.
_MOST_PAGES = 4
# A visit lasts: without it, joining and leaving would fall into one second of the record.
_STAY_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """A visit that worked. `urls`: every address each person's browser was sent to, by name.

    `record`: what the hospital's record gained, oldest first: by EHR login who was connected, or by
    appointment id what it became (witness.py).
    `first_guest`: nobody from outside had been in this visit before. Only then does the connector name the
    patient in the record; every later guest is unattributed (design section 6, Persons).
    """

    hospital: HospitalName
    connection: str
    teams_url: str
    urls: Mapping[str, tuple[str, ...]]
    record: Mapping[str, tuple[Mapping[str, str], ...]]
    first_guest: bool


def play(hospital: HospitalName, addresses: Addresses, bundle: str, tell: Callable[[Step], None]) -> Outcome:
    """Plays the hospital's first visit from configuration to write-back.

    `bundle`: PEM file with the sandbox's authority. `tell` hears of each step. VisitFailed gives the reason.
    """
    timeline = Timeline(bundle, tell)
    try:
        played = _PROFILES[hospital](addresses)
        connection = Onboarding(played, addresses, timeline).connect()
        return _Journey(played, addresses, timeline).play(hospital, connection)
    finally:
        timeline.close()


class _Journey:
    def __init__(self, hospital: Hospital, addresses: Addresses, timeline: Timeline) -> None:
        self._hospital, self._at, self._timeline = hospital, addresses, timeline
        self._visit: Visit = hospital.visits[0]
        self._clinician = self._person(self._visit.clinician)
        self._patient = self._person(next(iter(self._visit.contacts)))
        # Records may give whole seconds; the first step of the call is later than that anyway.
        begun = datetime.fromtimestamp(int(time.time()), UTC)
        scene = Scene(hospital, self._visit, self._clinician, self._patient, begun)
        self._witness: Witness = witness(scene, timeline)

    def play(self, name: HospitalName, connection: str) -> Outcome:
        self._witness.prepare()
        teams = self._to_teams()
        appointment = self._to_appointment()
        first_guest = not self._held_before(appointment)
        self._call(teams, appointment, first_guest)
        record, urls = self._witness.record(), self._timeline.urls
        return Outcome(name, connection, teams, urls, record, first_guest)

    def _person(self, login: str) -> Person:
        person = self._hospital.person(login)
        if person is None:
            raise VisitFailed(f"the hospital knows no {login}")
        return person

    def _begin(self, person: Person) -> Page:
        url = f"{self._hospital.tls_url}/sandbox/launch"
        wanted = {"as": person.login, "visit": self._visit.key}
        launch = self._timeline.ask(person.name, "presses Begin virtual visit", "POST", url, wanted)["url"]
        return self._timeline.page(person.name, "is sent on by the EHR", lambda browser: browser.get(launch))

    def _to_teams(self) -> str:
        who = self._clinician.name
        page = self._begin(self._clinician)
        for _ in range(_MOST_PAGES):
            if self._is_teams(page, LONG, SHORT):
                return page.url
            page = self._next_page(who, page)
        raise VisitFailed(f"{who} did not arrive in Teams but at {urlsplit(page.url).path}")

    def _next_page(self, who: str, page: Page) -> Page:
        if page.url.startswith(self._at.m365_url) and "/oauth2/" in urlsplit(page.url).path:
            return self._timeline.page(who, "signs in to Microsoft 365", lambda one: one.press(page, who))
        if any(_CONFIRM in button[2] for form in page.forms for button in form.buttons):
            return self._timeline.page(who, "confirms the link", lambda one: one.press(page, _CONFIRM))
        return self._timeline.page(who, "goes on to Teams", lambda one: one.follow(page, _ONWARD))

    def _to_appointment(self) -> str:
        page = self._begin(self._patient)
        if not self._is_teams(page, VIRTUAL):
            raise VisitFailed(f"{self._patient.name} did not arrive at the appointment: {page.text[:300]}")
        return page.url

    def _held_before(self, appointment: str) -> bool:
        state = self._timeline.look(
            "Microsoft 365", "shows its meetings", f"{self._at.m365_tls_url}/sandbox/state"
        )
        held = [one for one in state["meetings"] if one["virtualAppointmentUrl"] == appointment]
        return any(one["reports"] for one in held)

    def _is_teams(self, page: Page, *paths: str) -> bool:
        return any(page.url.startswith(self._at.m365_url + path) for path in paths)

    def _call(self, teams: str, appointment: str, first_guest: bool) -> None:
        patient, clinician = self._patient.name, self._clinician.name
        guest = self._teams(patient, "waits in the lobby", "join", url=appointment, name=patient)
        _expect(patient, guest, "lobby")
        self._witness.see("patient waits", first_guest)
        host = self._teams(clinician, "joins the meeting", "join", url=teams, **{"as": VIDAL.oid})
        _expect(clinician, host, "in")
        self._witness.see("clinician joined", first_guest)
        mine = {"participant": guest["participant"]}
        _expect(patient, self._teams(clinician, "admits the patient", "admit", **mine), "in")
        time.sleep(_STAY_SECONDS)
        _expect(patient, self._teams(patient, "leaves", "leave", **mine), "out")
        self._teams(clinician, "leaves", "leave", participant=host["participant"])
        self._witness.see("everybody left", first_guest)

    def _teams(self, who: str, what: str, control: str, **wanted: str) -> dict[str, Any]:
        return self._timeline.ask(who, what, "POST", f"{self._at.m365_tls_url}/sandbox/{control}", wanted)


def _expect(who: str, answer: Mapping[str, Any], state: str) -> None:
    if answer["state"] != state:
        raise VisitFailed(f"{who} should be {state!r} but is {answer['state']!r}")
