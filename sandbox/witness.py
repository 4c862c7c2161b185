"""What a hospital's record must show of a played visit, and waiting until it does.

Most records keep who was connected. An Oracle-like one keeps the one status that an appointment has.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sandbox.ehr.hospital import Hospital
from sandbox.ehr.people import Person, Visit
from sandbox.timeline import Timeline, VisitFailed

RECORD_SECONDS = 20.0
POLL_SECONDS = 0.2
CONNECTOR = "connector"

Moment = Literal["patient waits", "clinician joined", "everybody left"]
Entry = dict[str, str]
# Where the moves that were chosen in the portal bring the appointment (onboarding.py).
_MOVES: Mapping[Moment, str] = {
    "patient waits": "arrived",
    "clinician joined": "checked-in",
    "everybody left": "fulfilled",
}


@dataclass(frozen=True)
class Scene:
    """A visit that is being played: `begun` is the moment before its first step."""

    hospital: Hospital
    visit: Visit
    clinician: Person
    patient: Person
    begun: datetime

    @property
    def state_url(self) -> str:
        """Where the hospital shows its record."""
        return f"{self.hospital.tls_url}/sandbox/state"


class Witness(Protocol):
    """Looks at the record on behalf of the player. `first_guest`: see `journey.Outcome`."""

    def prepare(self) -> None:
        """Before anything else: what an earlier run left must not be taken for this one's."""
        ...

    def see(self, moment: Moment, first_guest: bool) -> None:
        """Wait for what the record must show by now; VisitFailed if it does not."""
        ...

    def record(self) -> dict[str, tuple[Entry, ...]]:
        """What the record has gained, by whom or what it is about."""
        ...


def witness(scene: Scene, timeline: Timeline) -> Witness:
    """The one for this hospital's kind of record."""
    return (StatusWitness if scene.hospital.moves_appointments else PresenceWitness)(scene, timeline)


class PresenceWitness:
    """At the end both people are in the record, connected and disconnected, since this run began.

    Of a visit that was held before only the clinician: there the patient is rightly unattributed.
    """

    def __init__(self, scene: Scene, timeline: Timeline) -> None:
        """Nothing is looked at yet."""
        self._scene, self._timeline = scene, timeline

    def prepare(self) -> None:
        """Times tell the runs apart."""

    def see(self, moment: Moment, first_guest: bool) -> None:
        """See the class."""
        if moment != "everybody left":
            return
        begun, clinician, patient = time.perf_counter(), self._scene.clinician, self._scene.patient
        waiting = {one.login: one for one in ((clinician, patient) if first_guest else (clinician,))}

        def look() -> str:
            shown = self.record()
            for login, person in list(waiting.items()):
                if {"connected", "disconnected"} <= {entry["status"] for entry in shown.get(login, ())}:
                    self._timeline.done(person.name, _in_words(shown[login]), 200, begun)
                    del waiting[login]
            held = {login: [entry["status"] for entry in shown.get(login, ())] for login in waiting}
            return str(held) if held else ""

        _await(look)
        if not first_guest:
            self._timeline.done(patient.name, "not named again: second guest of the visit", 200, begun)

    def record(self) -> dict[str, tuple[Entry, ...]]:
        """By EHR login, oldest first: status, at, received."""
        url, name = self._scene.state_url, self._scene.hospital.name
        people = self._timeline.look(name, "shows its record", url)["visits"]
        visit = people.get(self._scene.visit.key, {})
        return {login: _since(self._scene.begun, entries) for login, entries in visit.items()}


class StatusWitness:
    """After each transition the appointment has the status that it moves to, set by the connector.

    A second guest of a visit is nobody in particular: then the patient's part moves nothing.
    """

    def __init__(self, scene: Scene, timeline: Timeline) -> None:
        """Nothing is looked at yet."""
        self._scene, self._timeline = scene, timeline
        self._appointment = scene.visit.contacts[scene.patient.login].appointment_id

    def prepare(self) -> None:
        """An appointment that an earlier run moved is booked again, by the clinician's hand."""
        if self._now()["status"] == "booked":
            return
        url = f"{self._scene.hospital.tls_url}/sandbox/status"
        who = self._scene.clinician
        wanted = {"as": who.login, "appointment": self._appointment, "status": "booked"}
        self._timeline.ask(who.name, "books the appointment again", "POST", url, wanted)

    def see(self, moment: Moment, first_guest: bool) -> None:
        """See the class."""
        begun, hospital = time.perf_counter(), self._scene.hospital.name
        if moment == "patient waits" and not first_guest:
            what = "not moved: second guest of the visit"
            self._timeline.done(self._scene.patient.name, what, 200, begun)
            return
        wanted = _MOVES[moment]

        def look() -> str:
            statuses = [one["status"] for one in self.record()[self._appointment]]
            return "" if wanted in statuses else f"{statuses}, not {wanted!r}"

        _await(look)
        self._timeline.done(hospital, f"shows the appointment as {wanted}", 200, begun)

    def record(self) -> dict[str, tuple[Entry, ...]]:
        """By appointment, what the connector set, oldest first: status, at, by."""
        entries = _since(self._scene.begun, self._now()["history"])
        return {self._appointment: tuple(one for one in entries if one["by"] == CONNECTOR)}

    def _now(self) -> dict[str, Any]:
        url, name = self._scene.state_url, self._scene.hospital.name
        state = self._timeline.look(name, "shows its record", url)
        found: dict[str, Any] = state["appointments"][self._appointment]
        return found


def _await(look: Callable[[], str]) -> None:
    """Ask until nothing is missing; `look` says what the record holds instead."""
    until = time.monotonic() + RECORD_SECONDS
    while held := look():
        if time.monotonic() > until:
            raise VisitFailed(f"after {RECORD_SECONDS:.0f} s the hospital's record holds only {held}")
        time.sleep(POLL_SECONDS)


def _since(begun: datetime, entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple(one for one in entries if datetime.fromisoformat(one["at"]) >= begun)


def _in_words(entries: tuple[Entry, ...]) -> str:
    told = {entry["status"]: datetime.fromisoformat(entry["at"]).strftime("%H:%M:%S") for entry in entries}
    return f"in the record: on {told['connected']}, off {told['disconnected']}"
