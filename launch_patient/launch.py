"""The patient's launch: no account, no second page. The browser goes from the portal to the visit's lobby.

The record for the device test has the same launch URL with ``?open=device-test``; that word chooses a page,
nothing else. Who is early waits on a page that goes in by itself.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from launch_patient.device_ticket import DeviceTickets
from shared.connection import Approved, Side
from shared.context import VisitContext
from shared.errors import Refusal
from shared.launch.door import Door, DoorServices
from shared.launch.passage import Finished
from shared.launch.who import ehr_user
from shared.meeting import Launcher
from shared.web import Request, Response, redirect

SIDE: Side = "patient"
DEVICE_TEST = "device-test"
_OPENS = frozenset({DEVICE_TEST})


@dataclass(frozen=True)
class Guest:
    """Somebody of the patient's side who has come through the EHR's door; ``context`` is the sealed visit."""

    connection: str
    revision: int
    user: str = field(repr=False)
    context: str = field(repr=False)
    state: str = field(repr=False)

    @classmethod
    def read(cls, document: Any) -> Self:
        """Reads ``asdict`` back; Refusal flow-expired for what another release of this app sealed."""
        try:
            return cls(**document)
        except TypeError as error:
            raise Refusal("flow-expired", "another release's ticket") from error


class PatientDoor:
    """One for the process: it holds nothing of a request."""

    def __init__(self, services: DoorServices) -> None:
        self._door = Door("patient", services)
        self._rooms = services.rooms
        self._contexts = services.contexts
        self._tickets = DeviceTickets(services)

    def launch(self, request: Request) -> Response:
        """Leg 1: ``/launch/patient/{connection}?iss=&launch=``."""
        return self._door.launch(request, _OPENS)

    def callback(self, request: Request) -> Response:
        """Leg 2: ``/launch/patient/callback/{connection}?code=&state=``."""
        return self._door.callback(request, self._arrive)

    def waiting(self, request: Request) -> Response:
        """``GET /launch/patient/{connection}/wait/{handle}``: early, until the visit's door opens."""
        return self._door.waited(request, self._go_in)

    def _arrive(self, request: Request, finished: Finished) -> Response:
        user = ehr_user(finished, SIDE)
        if finished.extra.get("open") == DEVICE_TEST:
            return self._to_device_test(request, finished, user)
        context = self._door.visits.of(finished, SIDE)
        opens = self._door.opens(context, finished.revision.policy)
        sealed = self._contexts.seal(context)
        guest = Guest(finished.connection_id, finished.revision_number, user, sealed, finished.state)
        if opens is not None:
            return self._door.wait(request, finished.approved, opens, asdict(guest), guest.state)
        return self._enter(request, finished.approved, context, guest)

    def _go_in(self, request: Request, document: Any, handle: str) -> Response:
        """The visit's door has opened for somebody who waited."""
        guest = replace(Guest.read(document), state=handle)
        approved = self._door.approved_as(guest.connection, guest.revision)
        context = self._contexts.open(guest.context)
        self._door.opens(context, approved.revision.policy)
        return self._enter(request, approved, context, guest)

    def _enter(self, request: Request, approved: Approved, context: VisitContext, guest: Guest) -> Response:
        room = self._rooms.open(approved, context, Launcher("patient", guest.user))
        if not room.patient_url:
            raise Refusal("meeting-unavailable", "no link for the patient")
        self._door.outcomes.ok(guest.connection, "patient")
        return self._on(request, guest.connection, guest.state, room.patient_url)

    def _to_device_test(self, request: Request, finished: Finished, user: str) -> Response:
        """The visit is told along with the result where the launch names one; the test needs none."""
        try:
            context = self._door.visits.of(finished, SIDE)
        except Refusal:
            context = None
        handle, cookies = self._tickets.put(request, finished.approved, user, finished.token.patient, context)
        url = f"/launch/patient/{finished.connection_id}/device-test"
        onward = f"{url}?ticket={handle}" if handle else url
        return self._on(request, finished.connection_id, finished.state, onward).with_cookies(*cookies)

    def _on(self, request: Request, connection: str, label: str, url: str) -> Response:
        return redirect(url).with_cookies(*self._door.resume(request, connection, url, label))
