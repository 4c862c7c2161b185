"""Appointment statuses as people see and set them; they may set what they like, an app may not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.ehr.appointments import CONNECTOR, StatusChange
from sandbox.ehr.marks import clock_time
from sandbox.ehr.people import Visit
from sandbox.ehr.world import World

NAMES: Mapping[str, str] = {
    "booked": "Booked",
    "arrived": "Arrived",
    "checked-in": "Checked in",
    "fulfilled": "Completed",
    "noshow": "Did not come",
    "cancelled": "Cancelled",
}


class CannotSet(Exception):
    """Nothing was set; `status` is the HTTP status that fits the words."""

    def __init__(self, status: int, text: str) -> None:
        """`text` is shown as is."""
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class StatusMark:
    """An appointment's status in words. `steps`: how it got there, oldest first."""

    appointment: str
    patient: str
    status: str
    name: str
    steps: tuple[str, ...]


def status_marks(world: World, visit: Visit) -> list[StatusMark]:
    """One for each patient of the visit; none where this hospital's apps do not move appointments."""
    if not world.hospital.moves_appointments:
        return []
    return [_mark(world, login, one.appointment_id) for login, one in visit.contacts.items()]


def set_status(world: World, login: str, appointment: str, status: str) -> StatusChange:
    """What a person of the staff says of an appointment, or `CannotSet`."""
    person = world.hospital.person(login)
    if not world.hospital.moves_appointments:
        raise CannotSet(404, "this hospital keeps no statuses of appointments")
    if person is None or person.kind != "staff":
        raise CannotSet(403, "only staff set a status")
    if status not in NAMES:
        raise CannotSet(400, "no such status")
    if appointment not in _ids(world):
        raise CannotSet(404, "no such appointment")
    change = StatusChange(status, world.clock(), login)
    world.appointments.change(appointment, lambda now: now.moved(change))
    return change


def appointments_state(world: World) -> dict[str, Any]:
    """For the record that tests and the visit player read: by appointment id."""
    if not world.hospital.moves_appointments:
        return {}
    return {name: _state(world, name) for name in _ids(world)}


def _state(world: World, name: str) -> dict[str, Any]:
    booking = world.appointments.of(name)
    history = [{"status": one.status, "at": _instant(one.at), "by": one.by} for one in booking.history]
    links = {"provider": booking.rooms.provider, "patient": booking.rooms.patient} if booking.rooms else None
    return {"status": booking.status, "version": booking.version_id, "history": history, "links": links}


def _mark(world: World, login: str, appointment: str) -> StatusMark:
    booking, patient = world.appointments.of(appointment), world.hospital.person(login)
    steps = tuple(_step(world, one) for one in booking.history)
    name = NAMES.get(booking.status, booking.status)
    return StatusMark(appointment, patient.name if patient else "", booking.status, name, steps)


def _step(world: World, change: StatusChange) -> str:
    person = world.hospital.person(change.by)
    who = "the visit app" if change.by == CONNECTOR else person.name if person else change.by
    return f"{NAMES.get(change.status, change.status)} at {clock_time(change.at)} by {who}"


def _ids(world: World) -> Iterator[str]:
    return (one.appointment_id for visit in world.hospital.visits for one in visit.contacts.values())


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
