"""PATCH of an Appointment, with the refusals that Oracle Health documents (ehr.md 3.2)."""

import json
import threading
from dataclasses import replace

from flask import request

from sandbox.ehr import scopes
from sandbox.ehr.appointment_patch import MOVES, Links, Move, parse
from sandbox.ehr.appointments import CONNECTOR, Booking, StatusChange
from sandbox.ehr.refusal import Refusal
from sandbox.ehr.tokens import AccessToken
from sandbox.ehr.world import World

MEDIA_TYPE = "application/json-patch+json"


class AppointmentPatches:
    """Patches by apps: in the current version only, along the permitted moves only."""

    def __init__(self, world: World) -> None:
        """Of this hospital's appointments."""
        self._world = world
        self._lock = threading.Lock()

    def patch(self, name: str, token: AccessToken) -> str:
        """Do what the request under way asks for; its new ETag, or `Refusal`."""
        if not _may_write(token):
            raise Refusal(403, "forbidden", "Appointments are patched with a user/ or a system/ scope.")
        if not self._exists(name):
            raise Refusal(404, "not-found", "There is no Appointment of this id.")
        if request.mimetype != MEDIA_TYPE:
            raise Refusal(415, "not-supported", f"Send {MEDIA_TYPE}.")
        wanted = parse(_body())
        if isinstance(wanted, Links) and not _may_read(token):
            raise Refusal(403, "forbidden", "Video links need the scope to read Appointments as well.")
        match = request.headers.get("If-Match")
        if not match:
            raise Refusal(412, "required", "If-Match with the current version is required.")
        self._refuse_when_told(name)
        booking = self._world.appointments.change(name, lambda now: self._next(now, match, wanted))
        return etag(booking)

    def _next(self, now: Booking, match: str, wanted: Move | Links) -> Booking:
        if match != etag(now):
            raise Refusal(409, "conflict", "The appointment has another version by now.")
        if isinstance(wanted, Links):
            if wanted.first and now.rooms:
                raise Refusal(409, "conflict", "There are video links already.")
            if not wanted.first and not now.rooms:
                raise Refusal(422, "business-rule", "There are no video links to replace.")
            return replace(now, version=now.version + 1, rooms=wanted.rooms)
        if wanted.status not in MOVES.get(now.status, ()):
            raise Refusal(422, "business-rule", f"{now.status} does not become {wanted.status[:20]}.")
        return now.moved(StatusChange(wanted.status, self._world.clock(), CONNECTOR))

    def _refuse_when_told(self, name: str) -> None:
        failures = self._world.failures
        if failures.appointment_locked:
            raise Refusal(423, "lock-error", "Somebody is changing the appointment right now.")
        if failures.appointment_dependency_failed:
            raise Refusal(424, "processing", "Something that the update depends on has failed.")
        with self._lock:
            if failures.appointment_conflicts < 1:
                return
            failures.appointment_conflicts -= 1
        self._world.appointments.change(name, lambda now: replace(now, version=now.version + 1))

    def _exists(self, name: str) -> bool:
        visits = self._world.hospital.visits
        return any(name == one.appointment_id for visit in visits for one in visit.contacts.values())


def etag(booking: Booking) -> str:
    """The version as `If-Match` has to repeat it."""
    return f'W/"{booking.version_id}"'


def _may_write(token: AccessToken) -> bool:
    """Whether this is staff's token or the backend's: a patient's has no part in it, whatever its scopes."""
    return "system" in _levels(token, "u") or (
        token.person is not None and token.person.kind == "staff" and "user" in _levels(token, "u")
    )


def _may_read(token: AccessToken) -> bool:
    return bool(_levels(token, "r") & {"system", "user"})


def _levels(token: AccessToken, letter: str) -> set[str]:
    return {one.level for one in scopes.parse(token.scope) if one.allows("Appointment", letter)}


def _body() -> object:
    try:
        return json.loads(request.get_data())
    except ValueError:
        raise Refusal(400, "structure", "The body is not JSON.") from None
