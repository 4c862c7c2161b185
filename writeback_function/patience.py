"""What a failure to tell an EHR means: a table of who can mend it, and for how long it is tried again.

The statuses are those of reference ehr.md 2.6, 3.2 and 4.3. No answer, 408, 429 and 5xx pass by themselves.
423, 424 and 425 pass, too, but concern one record: they say nothing about the next. 409 and 412 reach us
after an adapter has read anew as often as it may; the next attempt does so again, for an hour. 403, 404, 410,
422 and the rest are about what was sent: the same will be refused tomorrow.

401 is neither: it comes after a token that was fetched for this very call, so the message is as good as any,
and the server does not know our client yet, or no more. That is like getting no token at all: a key that is
being rotated, a client that is not active yet. People mend it within hours, so it is tried for as long as an
outage is, at the long end of the delays, and until then every log entry and the portal's check say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import NoToken, OutsideError, StatusRefused, Unreachable


@dataclass(frozen=True)
class Patience:
    """``delay`` and ``longest`` in seconds; the delay doubles with each attempt.

    ``hours``: for how long it is tried, None for as long as the operator set. ``outage``: the whole EHR is
    concerned, so the breaker counts it. ``reason``: why it was parked in the end, empty for the error's name.
    """

    name: str
    delay: float = 10.0
    longest: float = 900.0
    hours: float | None = None
    outage: bool = True
    reason: str = "gave-up"

    def pause(self, attempt: int) -> float:
        """Seconds until the next attempt, before jitter."""
        # From the exponent on at which it is the longest anyway: a float has an end.
        return min(self.delay * 2.0 ** min(attempt, 30), self.longest)

    def seconds(self, most: float) -> float:
        """For how long it is tried, given what the operator set."""
        return most if self.hours is None else min(most, self.hours * 3_600)


OUTAGE = Patience("outage")
RECORD = Patience("record", outage=False)
CONTENDED = Patience("contended", hours=1.0, outage=False, reason="")
PEOPLE = Patience("people", delay=900.0, reason="no-token")
NEVER = Patience("never", hours=0.0, outage=False, reason="")

STATUSES: Mapping[int, Patience] = {
    401: PEOPLE,
    409: CONTENDED,
    412: CONTENDED,
    423: RECORD,
    424: RECORD,
    425: RECORD,
}


def patience_for(failure: OutsideError) -> Patience:
    """How it is met; every failure of an adapter has exactly one row."""
    if isinstance(failure, NoToken):
        return PEOPLE
    if isinstance(failure, StatusRefused):
        return STATUSES.get(failure.status, OUTAGE if failure.transient else NEVER)
    return OUTAGE if isinstance(failure, Unreachable) or failure.transient else NEVER


def status_of(failure: OutsideError) -> int:
    """The status that came with it, or 0."""
    return failure.status if isinstance(failure, StatusRefused | NoToken) else 0
