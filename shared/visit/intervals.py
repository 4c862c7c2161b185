"""Spans of time in whole microseconds since 1970 (UTC): half open, sorted, never touching after ``union``."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant(moment: datetime) -> int:
    """Microseconds since 1970; whole numbers, so that comparing and storing never rounds."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(instant_: int) -> datetime:
    """The inverse of ``instant``."""
    return _EPOCH + instant_ * _MICROSECOND


@dataclass(frozen=True, order=True)
class Interval:
    """From ``start`` up to but without ``end``; None: not over yet."""

    start: int
    end: int | None = None

    def holds(self, at: int) -> bool:
        """Whether the instant lies inside."""
        return self.start <= at and (self.end is None or at < self.end)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time covered by the fewest spans; spans that only touch become one."""
    return bridge(intervals, lambda gap: gap.end == gap.start)


def bridge(intervals: Iterable[Interval], closes: Callable[[Interval], bool]) -> tuple[Interval, ...]:
    """Like ``union``, and a gap for which ``closes`` says so counts as covered."""
    found: list[Interval] = []
    for one in sorted(intervals, key=lambda item: item.start):
        last = found[-1] if found else None
        if last is None or not (_overlap(last, one) or closes(Interval(_end(last), one.start))):
            found.append(one)
        elif last.end is not None and (one.end is None or one.end > last.end):
            found[-1] = Interval(last.start, one.end)
    return tuple(found)


def covered(intervals: Iterable[Interval], at: int) -> bool:
    """Whether any of the spans holds the instant."""
    return any(one.holds(at) for one in intervals)


def common(spans: Iterable[Interval], others: Iterable[Interval]) -> Iterator[Interval]:
    """The time that both hold."""
    others = tuple(others)
    for one in spans:
        for other in others:
            ends = [end for end in (one.end, other.end) if end is not None]
            start = max(one.start, other.start)
            if not ends or start < min(ends):
                yield Interval(start, min(ends, default=None))


def without(spans: Iterable[Interval], others: Iterable[Interval]) -> Iterator[Interval]:
    """What of the spans none of the others holds; ``others`` as ``union`` gives them."""
    others = tuple(others)
    for one in spans:
        start: int | None = one.start
        for other in others:
            if start is None or (one.end is not None and other.start >= one.end):
                break
            if other.end is not None and other.end <= start:
                continue
            if other.start > start:
                yield Interval(start, other.start)
            start = other.end
        if start is not None and (one.end is None or start < one.end):
            yield Interval(start, one.end)


def _overlap(earlier: Interval, later: Interval) -> bool:
    return earlier.end is None or later.start < earlier.end


def _end(interval: Interval) -> int:
    # Only asked for when the spans do not overlap, and then the earlier one has an end.
    return interval.start if interval.end is None else interval.end
