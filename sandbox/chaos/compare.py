"""A hospital's record of one visit against the truth: what is missing, wrong, twice, or about somebody else.

`events`: the record holds transitions with the time at which each happened, in any order. Every presence has
one connect, every absence behind it one disconnect, at a time inside it: which of the reports of one presence
came first is not in our hands. `states`: the record holds states in the order in which they were told, with
the time of telling. The newest must be right; none may say what had not happened yet; they may change no more
often than people came and went, but for a few corrections, and repeat no more often than retries explain. A
state that was overtaken on its way may be missing, so how many never were shown as connected is only counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sandbox.chaos.truth import Expected, Moment, Presence

type Status = Literal["connected", "disconnected"]
type Reading = Literal["events", "states"]
type What = Literal["missing", "wrong final state", "untrue", "duplicate", "wrong person"]

WHATS: Mapping[What, str] = {
    "missing": "transitions that the record lacks",
    "wrong final state": "participants whose newest state is wrong",
    "untrue": "transitions at a time at which they did not happen",
    "duplicate": "transitions that are told twice",
    "wrong person": "transitions told about somebody of whom nothing may be told",
}
# A record keeps milliseconds.
_ROUNDING = 0.002
CORRECTIONS = 2
"""So many changes more than happened: a late effect of a call that was given up, and what puts it right."""
REPEATS = 8
"""So often in a row may one state be told: a call that fails for its sender can have had its effect."""


@dataclass(frozen=True)
class Entry:
    """One transition of a record. `at`: when it happened, or was told where the record keeps no more."""

    person: str
    status: Status
    at: float


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be."""

    what: What
    person: str
    detail: str


def differences(
    record: Sequence[Entry], truth: Mapping[str, Expected], reading: Reading, debounce: float
) -> list[Difference]:
    """Every difference of one visit; `record` in the order in which it was told."""
    found = [
        Difference("wrong person", one.person, f"{one.status} at {one.at:.3f}")
        for one in record
        if one.person not in truth
    ]
    for person, wanted in truth.items():
        # A record of states names persons only.
        if reading == "states" and person == "unattributed":
            continue
        mine = [one for one in record if one.person == person]
        judge = _Events(person, wanted, debounce) if reading == "events" else _States(person, wanted)
        found += judge.of(mine)
    return found


@dataclass(frozen=True)
class _States:
    person: str
    wanted: Expected

    def of(self, mine: Sequence[Entry]) -> Iterator[Difference]:
        if not mine:
            if self.wanted.must:
                yield Difference("missing", self.person, "nothing is told")
            return
        for one in mine:
            if not self._has_happened(one):
                yield Difference("untrue", self.person, f"{one.status}, told at {one.at:.3f}")
        runs = [len(list(same)) for _, same in groupby(one.status for one in mine)]
        true = 2 * len(self.wanted.spans)
        if len(runs) > true + CORRECTIONS:
            yield Difference("untrue", self.person, f"{len(runs)} changes, {true} happened")
        if max(runs) > REPEATS:
            yield Difference("duplicate", self.person, f"one state {max(runs)} times in a row")
        yield from _final(self.person, self.wanted, mine[-1])

    def _has_happened(self, one: Entry) -> bool:
        """Whether somebody had come, or gone, by the time at which it was told."""
        came = one.status == "connected"
        moments = [span.start if came else span.end for span in self.wanted.spans]
        return any(when is not None and when.low - _ROUNDING <= one.at for when in moments)


def _final(person: str, wanted: Expected, last: Entry) -> Iterator[Difference]:
    if wanted.ends not in ("either", last.status):
        detail = f"{last.status} at {last.at:.3f}, should be {wanted.ends}"
        yield Difference("wrong final state", person, detail)


@dataclass(frozen=True)
class _Events:
    person: str
    wanted: Expected
    debounce: float

    def of(self, mine: Sequence[Entry]) -> Iterator[Difference]:
        mine = sorted(mine, key=lambda one: one.at)
        yield from self._doubled(mine)
        true = []
        for one in mine:
            if self._is_true(one):
                true.append(one)
            else:
                yield Difference("untrue", self.person, f"{one.status} at {one.at:.3f}")
        if self.wanted.must:
            yield from self._complete(true)
        if mine:
            yield from _final(self.person, self.wanted, mine[-1])

    def _doubled(self, mine: Sequence[Entry]) -> Iterator[Difference]:
        for (status, at), count in Counter((one.status, one.at) for one in mine).items():
            if count > 1:
                yield Difference("duplicate", self.person, f"{status} at {at:.3f}, {count} times")

    def _is_true(self, one: Entry) -> bool:
        spans = self.wanted.spans
        if one.status == "connected":
            return any(_in(one.at, span.start, span.end) for span in spans)
        following = [span.start for span in spans[1:]]
        gaps = zip((span.end for span in spans), [*following, None], strict=True)
        return any(start is not None and _in(one.at, start, end) for start, end in gaps)

    def _complete(self, true: Sequence[Entry]) -> Iterator[Difference]:
        """One connect a presence, one disconnect an absence; an untold brief absence is none."""
        run: list[Presence] = []
        for span, following in zip(self.wanted.spans, [*self.wanted.spans[1:], None], strict=True):
            run.append(span)
            if span.end is None:
                break
            until = following.start if following else None
            gone = [one for one in true if one.status == "disconnected" and _in(one.at, span.end, until)]
            if not gone and self._is_brief(span.end, until):
                continue
            yield from self._one("disconnected", gone, span.end)
            yield from self._connected(run, true)
            run = []
        if run:
            yield from self._connected(run, true)

    def _connected(self, run: Sequence[Presence], true: Sequence[Entry]) -> Iterator[Difference]:
        start, end = run[0].start, run[-1].end
        came = [one for one in true if one.status == "connected" and _in(one.at, start, end)]
        yield from self._one("connected", came, start)

    def _one(self, status: Status, found: Sequence[Entry], when: Moment) -> Iterator[Difference]:
        if not found:
            yield Difference("missing", self.person, f"{status} at {when.low:.3f}")
        # Those at one instant are counted already.
        for one in {each.at: each for each in found[1:] if each.at != found[0].at}.values():
            yield Difference("duplicate", self.person, f"{status} again at {one.at:.3f}")

    def _is_brief(self, gone: Moment, back: Moment | None) -> bool:
        """Whether the absence may have been shorter than the debounce time."""
        return back is not None and back.low - gone.high < self.debounce


def _in(at: float, start: Moment, end: Moment | None) -> bool:
    return start.low - _ROUNDING <= at and (end is None or at <= end.high + _ROUNDING)
