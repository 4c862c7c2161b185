"""Whose presence a participant's presence is: never a guess, and never from a typed name.

- A user of the home tenant is *the clinician* only if that account was linked and launched into this visit;
  else staff.
- Somebody else is *the patient* only if exactly one person launched from the patient's side, exactly one
  external has been seen, that one came after the launch, and no home user who launched nothing turned up
  between the launch and them (an employee who is the patient would join signed in, and the external would
  then be somebody else).
- Everybody else from outside is unattributed: the visit as a whole, marked ambiguous. In a group visit that
  is every external.

Somebody who left and comes back as a new guest is the same person only where Graph gives the same identity.
That the patient pressed the button again in between would not prove more: the one who joins next may as well
be an interpreter who was called while the patient was away, and nobody could ever tell. Who was told as the
patient before is told as gone when nobody from outside is there.

Design section 6, Persons; reference graph.md 3.3 (identity kinds), ehr.md 6.3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shared.visit.intervals import instant
from shared.visit.roster import Participant, Roster

PATIENT = "patient"
VISIT = "visit"
_CLINICIAN = "clinician:"

# Graph's clock is not ours: a join may seem to precede the launch that led to it by a little.
_SKEW = timedelta(seconds=5) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Launch:
    """Somebody pressed Begin virtual visit.

    ``user``: the EHR user ID in the clear; ``oid``: the linked account.
    """

    side: Literal["provider", "patient"]
    user: str = field(repr=False)
    at: datetime
    oid: str = ""


@dataclass(frozen=True)
class Attribution:
    """Which participants belong to which subject.

    ``strangers``: home users who launched nothing; they belong to none.
    """

    subjects: dict[str, tuple[Participant, ...]]
    externals: tuple[Participant, ...]
    strangers: tuple[Participant, ...]


def clinician(user: str) -> str:
    """The subject that a launching clinician is, by EHR user ID."""
    return f"{_CLINICIAN}{user}"


def clinician_user(subject: str) -> str:
    """The EHR user ID in such a subject; empty for the patient and the visit."""
    return subject[len(_CLINICIAN) :] if subject.startswith(_CLINICIAN) else ""


def patient_user(launches: Iterable[Launch]) -> str:
    """The EHR user ID of the one person who launched from the patient's side.

    Empty when there is none or more.
    """
    users = {launch.user for launch in launches if launch.side == "patient"}
    return users.pop() if len(users) == 1 else ""


def attribute(roster: Roster, launches: Sequence[Launch], *, group: bool) -> Attribution:
    """Sorts everybody who was seen."""
    subjects: dict[str, tuple[Participant, ...]] = {}
    providers = [launch for launch in launches if launch.side == "provider" and launch.oid]
    accounts = {launch.oid for launch in providers}
    for launch in providers:
        mine = tuple(one for one in _home(roster) if one.identity == launch.oid)
        if mine:
            subjects[clinician(launch.user)] = mine
    externals = tuple(one for one in roster.participants.values() if not one.home)
    strangers = tuple(one for one in _home(roster) if one.identity not in accounts)
    if externals:
        alone = not group and not roster.crowded and _is_the_patient(externals, strangers, launches)
        subjects[PATIENT if alone else VISIT] = externals
    return Attribution(subjects, externals, strangers)


def _home(roster: Roster) -> list[Participant]:
    return [one for one in roster.participants.values() if one.home]


def _is_the_patient(
    externals: Sequence[Participant], strangers: Sequence[Participant], launches: Sequence[Launch]
) -> bool:
    if not patient_user(launches) or len({one.identity or one.id for one in externals}) != 1:
        return False
    launched = min(instant(launch.at) for launch in launches if launch.side == "patient") - _SKEW
    came = min(one.first for one in externals)
    return launched <= came and not any(launched <= one.first <= came for one in strangers)
