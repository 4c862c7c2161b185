"""What the tests of a visit are written with: moments in seconds, people, and a deliverer in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.visit.attribution import Launch
from shared.visit.intervals import instant
from shared.visit.operations import Operation, Picture, due, holds, picture, superseded, undoes
from shared.visit.roster import Presence, Roster, Sighting

BEGIN = datetime(2026, 10, 1, 14, 0, tzinfo=UTC)
SECOND = 1_000_000
DEBOUNCE = 15 * SECOND
VIDAL = "11111111-aaaa-4aaa-8aaa-000000000003"
NURSE = "11111111-aaaa-4aaa-8aaa-000000000004"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def us(seconds: float) -> int:
    return instant(at(seconds))


def doctor(user: str = "EMP-88101", oid: str = VIDAL, when: float = -60) -> Launch:
    return Launch("provider", user, at(when), oid)


def patient(user: str = "WPR-5519902", when: float = -30) -> Launch:
    return Launch("patient", user, at(when))


def guest(name: str, presence: Presence, seconds: float, identity: str = "") -> Sighting:
    return Sighting(name, presence, at(seconds), identity=identity)


def staff(name: str, presence: Presence, seconds: float, oid: str = VIDAL) -> Sighting:
    return Sighting(name, presence, at(seconds), home=True, identity=oid)


def roster_of(*sightings: Sighting) -> Roster:
    return Roster().seen(sightings)


def seen(
    roster: Roster,
    launches: Sequence[Launch],
    *,
    group: bool = False,
    connected: Literal["lobby", "meeting"] = "lobby",
) -> Picture:
    return picture(roster, launches, group=group, connected=connected)


def told(operations: Iterable[Operation], subject: str = "") -> list[tuple[str, float]]:
    """Readable: what and when in seconds, of one subject or of all."""
    return [
        (one.status, round((one.at - us(0)) / SECOND, 3))
        for one in operations
        if not subject or one.subject == subject
    ]


@dataclass
class Desk:
    """Fold and deliver without queues and rows: the rules of the two, as a test plays them."""

    launches: Sequence[Launch]
    semantics: Literal["state", "event"]
    roster: Roster = field(default_factory=Roster)
    handed_on: list[Operation] = field(default_factory=list)
    waiting: list[Operation] = field(default_factory=list)
    ehr: list[Operation] = field(default_factory=list)
    dropped: dict[Operation, Operation | None] = field(default_factory=dict)

    @property
    def view(self) -> Picture:
        return seen(self.roster, self.launches)

    def fold(self, *sightings: Sighting) -> None:
        self.roster = self.roster.seen(sightings)
        new = due(self.view, self.handed_on, DEBOUNCE)
        self.handed_on += new
        self.waiting += new

    def deliver(self, place: int) -> None:
        one = self.waiting.pop(place % len(self.waiting))
        if one in self.dropped:
            return
        if not holds(self.view, one):
            self.dropped[one] = None
        elif self.semantics == "state":
            if not superseded(self.view, self.handed_on, one):
                self.ehr.append(one)
        else:
            self._tell_event(one)

    def _tell_event(self, one: Operation) -> None:
        partner = undoes(self.view, self.handed_on, one, DEBOUNCE)
        if partner is None or partner in self.ehr or self.dropped.get(partner, one) not in (None, one):
            self.ehr.append(one)
        else:
            self.dropped |= {partner: one, one: partner}

    def says(self, subject: str) -> str:
        """What the EHR believes: the last it heard (state) or the newest event it holds."""
        mine = [one for one in self.ehr if one.subject == subject]
        if not mine:
            return ""
        last = mine[-1] if self.semantics == "state" else max(mine, key=lambda one: one.at)
        return last.status
