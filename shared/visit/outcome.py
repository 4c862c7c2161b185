"""How a visit went, and when it is over.

An outcome that accuses somebody of not coming needs complete evidence: no live event and no report is
``unknown``, an external who cannot be told apart may have been the patient, and so may a home user who
launched nothing.
"""

from datetime import datetime, timedelta
from typing import Literal

from shared.visit.attribution import PATIENT, clinician_user
from shared.visit.intervals import Interval
from shared.visit.operations import Picture
from shared.visit.roster import Roster

type Outcome = Literal["took-place", "patient-no-show", "provider-no-show", "unknown"]

QUIET = timedelta(hours=4)
GIVEN_UP = timedelta(hours=72)
UNTIMED = timedelta(hours=12)


def outcome(view: Picture, roster: Roster, *, complete: bool) -> Outcome:
    """What happened; ``complete``: the visit is over and its attendance reports were read."""
    clinicians = [
        span for subject, spans in view.subjects.items() if clinician_user(subject) for span in spans
    ]
    externals = [one for one in roster.participants.values() if not one.home]
    met = [span for one in externals for span in roster.present(one, frozenset({"in"}))]
    if any(_meet(one, other) for one in clinicians for other in met):
        return "took-place"
    if not complete or roster.crowded or view.strangers:
        return "unknown"
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
    present = any(roster.now(one).presence != "out" for one in roster.participants.values())
    return not present or now > over + GIVEN_UP


def _meet(one: Interval, other: Interval) -> bool:
    ends = [end for end in (one.end, other.end) if end is not None]
    return max(one.start, other.start) < min(ends, default=2**62)
