"""The patient's launch: no account, no second page. The browser goes from the portal to the visit's lobby.

The record for the device test has the same launch URL with ``?open=device-test``; that word chooses a page,
nothing else.
"""

from shared.connection import Side
from shared.errors import Refusal
from shared.launch.door import Door, DoorServices
from shared.launch.passage import Finished
from shared.launch.who import ehr_user
from shared.meeting import Launcher
from shared.web import Request, Response, redirect

SIDE: Side = "patient"
DEVICE_TEST = "device-test"
_OPENS = frozenset({DEVICE_TEST})


class PatientDoor:
    """One for the process: it holds nothing of a request."""

    def __init__(self, services: DoorServices) -> None:
        self._door = Door("patient", services)
        self._rooms = services.rooms

    def launch(self, request: Request) -> Response:
        """Leg 1: ``/launch/patient/{connection}?iss=&launch=``."""
        return self._door.launch(request, _OPENS)

    def callback(self, request: Request) -> Response:
        """Leg 2: ``/launch/patient/callback?code=&state=``."""
        return self._door.callback(request, self._arrive)

    def _arrive(self, request: Request, finished: Finished) -> Response:
        user = ehr_user(finished, SIDE)
        if finished.extra.get("open") == DEVICE_TEST:
            return self._on(request, finished, f"/launch/patient/{finished.connection_id}/device-test")
        context = self._door.visits.of(finished, SIDE)
        self._door.in_time(context, finished.revision.policy)
        room = self._rooms.open(finished.approved, context, Launcher("patient", user))
        if not room.patient_url:
            raise Refusal("meeting-unavailable", "no link for the patient")
        self._door.outcomes.ok(finished.connection_id, "patient")
        return self._on(request, finished, room.patient_url)

    def _on(self, request: Request, finished: Finished, url: str) -> Response:
        return redirect(url).with_cookies(*self._door.resume(request, url, finished.state))
