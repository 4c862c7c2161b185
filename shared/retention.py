"""What is kept for a time only, and its deletion: the ages of ``docs/privacy.md`` and design section 7.

* A row goes as soon as one of its ages has passed, exactly then included. A row that nobody has written for
  as long as the longest of them goes, too, whatever stands in it: written by another version, or damaged.
* The parked message of a dead letter goes by the same age in the same run; what a crash leaves of the two
  goes in the next.
* Rows are deleted under the ETag with which they were found: what was written meanwhile stays.
* A run ends after ``Limits``; what it had no time for is found by the next one. Which table comes first
  changes from hour to hour, so that a very large one starves nobody.
* A part that fails does not keep the others from their work; the run fails at its end.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Protocol

from shared.clock import Clock, timestamp
from shared.errors import OutsideError
from shared.events import failure as failure_of
from shared.events import note
from shared.store.queues import PARKED, Queue
from shared.store.table import ChangedMeanwhile, Row, Table, Write

PARKED_DAYS = 30
_AT_ONCE = 100
_RECEIVED = 32


@dataclass(frozen=True)
class Age:
    """``days`` after the moment in the column ``since``, RFC 3339 as ``shared.clock.timestamp`` writes it."""

    since: str
    days: int


@dataclass(frozen=True)
class Rule:
    """How long the rows of a table are kept."""

    table: str
    ages: tuple[Age, ...]

    @property
    def days(self) -> int:
        """The longest age: how long a row lasts at most after it was written last."""
        return max(age.days for age in self.ages)


# The second age is the bound for a visit that never closes, and for one that is reopened again and again.
VISITS = Rule("Visits", (Age("closed_at", 30), Age("created_at", 45)))
RULES = (
    VISITS,
    # ``until``: of claims and outcomes; ``since``: of what waits for its EHR.
    Rule("Operations", (Age("until", 30), Age("since", 30))),
    Rule("DeadLetters", (Age("at", PARKED_DAYS),)),
    Rule("Launches", (Age("at", 30),)),
    Rule("Audit", (Age("at", 730),)),
)
"""Every table whose rows go by themselves; in ``Connections`` and ``EhrUsers`` it is people who delete."""


@dataclass(frozen=True)
class Limits:
    """One run: no new step after ``seconds``, no more than about ``rows`` deletions."""

    seconds: float = 200.0
    rows: int = 20_000


class Store(Protocol):
    """What is needed of ``shared.store.RegionStore``."""

    @property
    def name(self) -> str: ...

    def table(self, name: str) -> Table: ...

    def parked(self) -> tuple[Queue, ...]: ...


class Retention:
    """Deletes what is over, a region at a time."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self._clock = clock
        self._limits = limits or Limits()

    def run(self, store: Store) -> Mapping[str, int]:
        """How many rows of each table and how many parked messages went.

        The first failure is raised, after everything else was tried.
        """
        run = _Run(store, self._clock, self._limits)
        first = self._clock.now().hour % len(RULES)
        parts = [(PARKED, run.messages)]
        parts += [(rule.table, partial(run.rows, rule)) for rule in (*RULES[first:], *RULES[:first])]
        failures = [failure for name, part in parts if (failure := _failure(store, name, part)) is not None]
        counts = ", ".join(f"{name} {count}" for name, count in run.counts.items())
        note("retention", region=store.name, deleted=sum(run.counts.values()), counts=counts)
        if failures:
            raise failures[0]
        return run.counts


class _Run:
    """One run in one region: its moment, its counts, its bounds."""

    def __init__(self, store: Store, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._begun = clock.now()
        self.counts: dict[str, int] = dict.fromkeys((PARKED, *(rule.table for rule in RULES)), 0)

    def rows(self, rule: Rule) -> None:
        """Deletes the rows of one table that are over."""
        table = self._store.table(rule.table)
        for page in table.pages(*self._over(rule)):
            for several in _batches(page):
                if self._enough():
                    return
                self.counts[rule.table] += _deleted(table, several)
            if self._enough():
                return

    def messages(self) -> None:
        """Deletes the parked messages that are over, nobody's and every connection's."""
        for queue in self._store.parked():
            self._messages(queue)

    def _messages(self, queue: Queue) -> None:
        """The queue gives about the oldest first."""
        limit = self._begun - timedelta(days=PARKED_DAYS)
        while not self._enough():
            oldest = queue.oldest()
            if oldest is None or oldest > limit:
                return
            for message in queue.receive(_RECEIVED):
                if message.inserted_at is not None and message.inserted_at <= limit:
                    self.counts[PARKED] += queue.delete(message)
                else:
                    queue.release(message)

    def _over(self, rule: Rule) -> tuple[str, dict[str, str | datetime]]:
        terms, parameters = [], dict[str, str | datetime]()
        for age in rule.ages:
            name = f"{age.since}_limit"
            parameters[name] = timestamp(self._begun - timedelta(days=age.days))
            # An empty moment has not come yet; the SDK wants a space on both sides of a parameter.
            terms.append(f"( {age.since} gt '' and {age.since} le @{name} )")
        parameters["written"] = self._begun - timedelta(days=rule.days)
        return " or ".join([*terms, "Timestamp le @written"]), parameters

    def _enough(self) -> bool:
        spent = (self._clock.now() - self._begun).total_seconds()
        return spent > self._limits.seconds or sum(self.counts.values()) >= self._limits.rows


def _failure(store: Store, name: str, part: Callable[[], None]) -> OutsideError | None:
    try:
        part()
    except OutsideError as failure:
        note("retention-failed", region=store.name, table=name, failure=failure_of(failure))
        return failure
    return None


def _batches(page: list[Row]) -> Iterator[list[Row]]:
    """What one transaction takes: rows of one partition, at most 100."""
    for _, rows in groupby(page, key=lambda row: row.pk):
        several = list(rows)
        for start in range(0, len(several), _AT_ONCE):
            yield several[start : start + _AT_ONCE]


def _deleted(table: Table, rows: list[Row]) -> int:
    try:
        table.batch([Write("delete", row.pk, row.rk, etag=row.etag) for row in rows])
    except ChangedMeanwhile:
        # One of them was written or deleted meanwhile, which must not save the others.
        return sum(_gone(table, row) for row in rows)
    return len(rows)


def _gone(table: Table, row: Row) -> bool:
    with contextlib.suppress(ChangedMeanwhile):
        return table.delete(row.pk, row.rk, row.etag)
    return False
