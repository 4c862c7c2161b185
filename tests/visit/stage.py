"""What the tests of a visit are written with: moments in seconds, people, and a deliverer in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.visit.attribution import Launch
from shared.visit.intervals import instant
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, Picture, picture, superseded
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
    ledger: Ledger = field(default_factory=Ledger)
    waiting: list[Operation] = field(default_factory=list)
    ehr: list[Operation] = field(default_factory=list)

    @property
    def view(self) -> Picture:
        return seen(self.ledger.roster, self.launches)

    def fold(self, *sightings: Sighting) -> None:
        self.ledger = replace(self.ledger, roster=self.ledger.roster.seen(sightings))
        self._hand_on()

    def deliver(self, place: int) -> None:
        one = self.waiting.pop(place % len(self.waiting))
        self._hand_on()
        begun = self.ledger.begin(one)
        if begun is None or one in self.ehr:
            return
        self.ledger = begun
        if self.semantics == "event" or not superseded(begun.begun, one):
            self.ehr.append(one)

    def _hand_on(self) -> None:
        self.ledger = self.ledger.standing(self.view, DEBOUNCE)
        new = self.ledger.due(self.view, DEBOUNCE)
        self.ledger = self.ledger.handed_on(new)
        self.waiting += new

    def says(self, subject: str) -> str:
        """What the EHR believes: the last it heard (state) or the newest event it holds."""
        mine = [one for one in self.ehr if one.subject == subject]
        if not mine:
            return ""
        last = mine[-1] if self.semantics == "state" else max(mine, key=lambda one: one.at)
        return last.status
