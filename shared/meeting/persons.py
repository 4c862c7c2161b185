"""Who launched into a visit, as its row may hold it: clinicians' EHR user IDs as is, patients' sealed."""

from dataclasses import dataclass
from datetime import datetime

from shared.clock import timestamp
from shared.connection import Side
from shared.errors import SealError
from shared.sealing import Sealer
from shared.store.visits import Person

# A row has room for about two hundred; a group visit of this size is nobody's.
MOST_PERSONS = 150


@dataclass(frozen=True)
class Launcher:
    """Who presses *Begin virtual visit*: side of the door, EHR user ID, and (providers) Entra object id."""

    side: Side
    ehr_user: str
    oid: str = ""


def with_launcher(
    persons: tuple[Person, ...], launcher: Launcher, now: datetime, sealer: Sealer
) -> tuple[Person, ...]:
    """The persons with this one added; the very same tuple if they were there, or the row is full."""
    if len(persons) >= MOST_PERSONS or any(_is(person, launcher, sealer) for person in persons):
        return persons
    user = launcher.ehr_user if launcher.side == "provider" else sealer.seal("person", launcher.ehr_user)
    return (*persons, Person(side=launcher.side, user=user, at=timestamp(now), oid=launcher.oid))


def _is(person: Person, launcher: Launcher, sealer: Sealer) -> bool:
    if (person.side, person.oid) != (launcher.side, launcher.oid):
        return False
    if person.side == "provider":
        return person.user == launcher.ehr_user
    try:
        return bool(sealer.open("person", person.user) == launcher.ehr_user)
    except SealError:  # sealed under a key that is gone: cannot be compared, so counts as somebody else
        return False
