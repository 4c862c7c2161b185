"""What the last launches tell: how they ended, in words, and what most often went wrong. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import parse_timestamp
from shared.reasons import REASONS, Reason
from shared.store.launches import KEPT, Launch

OK = "ok"
SIDES = ("provider", "patient")
OUTCOMES = ("in", "refused")
SPAN = timedelta(hours=24)


@dataclass(frozen=True)
class Summary:
    """The last 24 hours. ``frequent``: the code that most of those met who did not get in, or empty.

    ``whole``: whether all of them are still kept; else there were more than ``total``.
    """

    total: int
    got_in: int
    frequent: str
    whole: bool

    @property
    def refused(self) -> int:
        """How many did not get in."""
        return self.total - self.got_in

    @property
    def reason(self) -> Reason | None:
        """The row of the most frequent code."""
        return reason_of(self.frequent)


def summary(launches: Sequence[Launch], now: datetime) -> Summary:
    """Of the newest launches, newest first, those of the last 24 hours."""
    fresh = [launch for launch in launches if now - parse_timestamp(launch.at) <= SPAN]
    got_in = sum(1 for launch in fresh if launch.code == OK)
    return Summary(len(fresh), got_in, most_frequent(fresh), len(fresh) < KEPT)


def most_frequent(launches: Iterable[Launch]) -> str:
    """The code of most of those that did not get in; the newer one of two; empty when all did."""
    counted = Counter(launch.code for launch in launches if launch.code != OK)
    return counted.most_common(1)[0][0] if counted else ""


def chosen(launches: Iterable[Launch], side: str = "", outcome: str = "") -> list[Launch]:
    """Those of one side and one outcome (``in``, ``refused``); empty texts choose all."""
    return [
        launch
        for launch in launches
        if side in ("", launch.side) and outcome in ("", "in" if launch.code == OK else "refused")
    ]


def reason_of(code: str) -> Reason | None:
    """The row of the table of reasons; None for ``ok`` and for a code that this version does not know."""
    return REASONS.get(code)
