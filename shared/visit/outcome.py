"""How a visit went, and when it is over.

An outcome that accuses somebody of not coming needs complete evidence: no live event and no report is
``unknown``, an external who cannot be told apart may have been the patient, and so may a home user who
launched nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from shared.visit.attribution import PATIENT, clinician_user
from shared.visit.intervals import Interval, common, union
from shared.visit.operations import Picture
from shared.visit.roster import Roster

type Outcome = Literal["took-place", "patient-no-show", "provider-no-show", "unknown"]

QUIET = timedelta(hours=4)
GIVEN_UP = timedelta(hours=72)
UNTIMED = timedelta(hours=12)

_NAMESPACE = UUID("0f7c1f0a-6f0e-5b52-8f5d-6a9a4f0d7c35")


@dataclass(frozen=True)
class Conclusion:
    """What a visit amounted to. ``began`` and ``ended``: microseconds; 0 where they did not meet.

    A visit has one, so that its ``id`` names the visit alone: a second one is the first one repeated.
    """

    outcome: Outcome
    began: int = 0
    ended: int = 0

    def id(self, connection: str, visit_key: str) -> str:
        """A UUID (version 5), the same at every attempt."""
        return str(uuid5(_NAMESPACE, f"{connection}/{visit_key}/outcome"))

    def lane(self, connection: str, visit_key: str) -> str:
        """A UUID of its own: an outcome overtakes nothing and is overtaken by nothing."""
        return str(uuid5(_NAMESPACE, f"{connection}/{visit_key}/outcome/lane"))


def concluded(view: Picture, roster: Roster, *, complete: bool) -> Conclusion:
    """The outcome with the time that a clinician and somebody from outside spent together."""
    met = _together(view, roster)
    ends = [one.end for one in met if one.end is not None]
    closed = bool(met) and len(ends) == len(met)
    began, ended = min((one.start for one in met), default=0), max(ends) if closed else 0
    return Conclusion(outcome(view, roster, complete=complete), began, ended)


def outcome(view: Picture, roster: Roster, *, complete: bool) -> Outcome:
    """What happened; ``complete``: the visit is over and attendance reports were found and read."""
    if _together(view, roster):
        return "took-place"
    if not complete or roster.crowded or view.strangers:
        return "unknown"
    externals = any(not one.home for one in roster.participants.values())
    clinicians = any(clinician_user(subject) for subject in view.subjects)
    if clinicians and not externals:
        return "patient-no-show"
    return "provider-no-show" if PATIENT in view.subjects and not clinicians else "unknown"


def over_at(starts: datetime | None, ends: datetime | None, created: datetime) -> datetime:
    """The moment from which nobody is expected any more.

    The scheduled end, or half a day after the first launch.
    """
    return max(ends or starts or created + UNTIMED, created)


def rests(roster: Roster, over: datetime, now: datetime) -> bool:
    """Whether live events are not needed any more.

    Some hours after the end and nobody there, or three days after.
    """
    if now < over + QUIET:
        return False
    return not anybody(roster) or now > over + GIVEN_UP


def anybody(roster: Roster) -> bool:
    """Whether somebody is there now, as far as is known."""
    return any(roster.now(one).presence != "out" for one in roster.participants.values())


def _together(view: Picture, roster: Roster) -> tuple[Interval, ...]:
    """When a clinician and somebody from outside were in the meeting at the same time."""
    clinicians = union(
        span for subject, spans in view.subjects.items() if clinician_user(subject) for span in spans
    )
    externals = (one for one in roster.participants.values() if not one.home)
    outside = union(span for one in externals for span in roster.present(one, frozenset({"in"})))
    return tuple(common(clinicians, outside))
