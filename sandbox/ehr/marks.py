"""Who is connected to a visit, as the clinician's schedule shows it, from the hospital's record alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sandbox.ehr.people import Visit
from sandbox.ehr.record import UNATTRIBUTED, Connection
from sandbox.ehr.world import World

Presence = Literal["none", "in", "out"]


@dataclass(frozen=True)
class Mark:
    """One person's presence in one visit; `since` is an ISO instant or empty."""

    login: str
    name: str
    side: str
    presence: Presence
    text: str
    since: str


def marks(world: World, visit: Visit) -> list[Mark]:
    """The clinician's and the patients' marks, and those of whoever else was reported."""
    expected = [visit.clinician, *visit.contacts]
    reported = [one.person for one in world.record.connections() if one.visit == visit.key]
    return [_mark(world, visit, login) for login in dict.fromkeys([*expected, *reported])]


def clock_time(moment: float) -> str:
    """Hours and minutes where this machine is."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%H:%M")


def _mark(world: World, visit: Visit, login: str) -> Mark:
    person = world.hospital.person(login)
    latest = world.record.latest(visit.key, login)
    name = person.name if person else "Someone not identified"
    side = person.side if person else UNATTRIBUTED
    since = datetime.fromtimestamp(latest.at, UTC).isoformat(timespec="seconds") if latest else ""
    return Mark(login, name, side, _presence(latest), _text(latest), since)


def _presence(latest: Connection | None) -> Presence:
    if latest is None:
        return "none"
    return "in" if latest.status == "connected" else "out"


def _text(latest: Connection | None) -> str:
    if latest is None:
        return "Not connected"
    verb = "Connected since" if latest.status == "connected" else "Left at"
    return f"{verb} {clock_time(latest.at)}"
