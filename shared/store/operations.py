"""What was told to EHRs: a claim before each telling, an outcome after it.

A claim has its own expiry, so that a killed worker blocks nobody for long. Besides the operations themselves
there is a *lane* per subject: a lock that keeps two tellings about one subject from overtaking each other.
Who tells takes both in one step, and gives both back in one.

An operation that has to wait for its EHR has one row more, in the same partition and written and taken away
in the same steps: ``waiting-{since}-{operation}``. They sort by age and lie side by side behind all UUIDs,
so that how many wait, and since when, is one read of these rows alone. A crash can leave one too many, never
one too few for longer than until the next attempt: who counts takes away what has an outcome.
"""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Literal

from shared.clock import Clock, parse_timestamp, timestamp
from shared.store.table import ChangedMeanwhile, Row, Table, Value, Write, after

type Outcome = Literal["told", "dropped", "parked"]

LEASE = timedelta(seconds=90)
"""Longer than any telling may take; a claim older than this belonged to a worker that is dead."""
MOST = 1_000
_WAITING = "waiting-"
# How many of the oldest are looked up, to see whether they wait still.
_CHECKED = 20


@dataclass(frozen=True)
class Claim:
    """``mine``: go on; ``busy``: another worker is at it; otherwise how the operation ended before."""

    state: Literal["mine", "busy", "settled"]
    outcome: Outcome | Literal[""] = ""


@dataclass(frozen=True)
class Held:
    """An operation and its lane, both ours. ``resumed``: another run began it and left it half done."""

    connection: str
    operation: str
    lane: str
    owner: str
    etags: tuple[str, str] = ("", "")
    resumed: bool = False


@dataclass(frozen=True)
class Waiting:
    """An operation that waits. ``since``: when it was first handed on; ``reason``: our word for why."""

    operation: str
    since: str
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class Undelivered:
    """``count``: as far as ``MOST``; ``age``: of the oldest in seconds, 0 where none waits."""

    count: int
    age: float = 0.0
    reason: str = ""


class Operations:
    """The operations of one region's connections; ids are UUIDs."""

    def __init__(self, table: Table, clock: Clock, lease: timedelta = LEASE) -> None:
        self._table = table
        self._clock = clock
        self._lease = lease

    # -- one row at a time ---------------------------------------------------------------------------

    def claim(self, connection: str, operation: str, owner: str) -> Claim:
        """Takes the operation or the lane for the lease. ``owner``: unique to this run of this message."""
        values = self._claimed(owner)
        if self._table.insert(connection, operation, values):
            return Claim("mine")
        row = self._table.get(connection, operation)
        if row is None:
            return Claim("busy")
        if row["outcome"]:
            return Claim("settled", row["outcome"])
        # The insert may have been ours after all, when storage answered late and the SDK asked twice.
        if row["owner"] != owner and parse_timestamp(row["until"]) > self._clock.now():
            return Claim("busy")
        try:
            self._table.replace(connection, operation, values, row.etag)
        except ChangedMeanwhile:
            return Claim("busy")
        return Claim("mine")

    def settle(self, connection: str, operation: str, outcome: Outcome) -> None:
        """Writes down how it ended; that is final."""
        self._table.upsert(connection, operation, self._settled(outcome))

    def release(self, connection: str, operation: str, owner: str) -> None:
        """Gives a claim back without an outcome; nothing happens when it is no longer ours."""
        row = self._table.get(connection, operation)
        if row is not None and not row["outcome"] and row["owner"] == owner:
            self._table.delete(connection, operation, row.etag)

    def outcome(self, connection: str, operation: str) -> Outcome | None:
        """How it ended, or None while it has not."""
        row: Row | None = self._table.get(connection, operation)
        return (row["outcome"] or None) if row is not None else None

    def reopen(self, connection: str, operation: str) -> Outcome | Literal["busy"] | None:
        """Forgets that it was parked, so that it may be told after all; gives the outcome that stands.

        None: it may be told. ``busy``: a worker is at it, which may be about to park it; what it writes then
        would undo this. Any other outcome is final: what was told is not told again.
        """
        while (row := self._table.get(connection, operation)) is not None:
            outcome: Outcome | None = row["outcome"] or None
            if outcome not in (None, "parked"):
                return outcome
            if outcome is None and parse_timestamp(row["until"]) > self._clock.now():
                return "busy"
            with contextlib.suppress(ChangedMeanwhile):
                self._table.delete(connection, operation, row.etag)
        return None

    def forget(self, connection: str, operation: str) -> None:
        """Takes the row away, however it ended: that of a person who is erased from a visit that is over."""
        self._table.delete(connection, operation)

    # -- an operation with its lane ------------------------------------------------------------------

    def take(self, connection: str, operation: str, lane: str, owner: str) -> Held | Claim:
        """Claims both or neither; the Claim says why not."""
        values = self._claimed(owner)
        writes = [Write("insert", connection, key, values) for key in (operation, lane)]
        try:
            first, second = self._table.batch(writes)
        except ChangedMeanwhile:
            return self._taken(connection, operation, lane, owner)
        return Held(connection, operation, lane, owner, (first, second))

    def finish(self, held: Held, outcome: Outcome, waited: Waiting | None = None) -> None:
        """Writes down how it ended and gives the lane back. ``waited``: its row goes, too.

        Where the claim ran out meanwhile, only that it was told is written: the rest is not ours to say.
        """
        connection = held.connection
        operation, lane = held.etags
        writes = [
            Write("replace", connection, held.operation, self._settled(outcome), operation),
            Write("delete", connection, held.lane, etag=lane),
        ]
        if waited is not None:
            writes.append(Write("delete", connection, _key(waited)))
        if self._at_once(held, writes):
            return
        if outcome == "told" or self._is_ours(held):
            self.settle(connection, held.operation, outcome)
        self._free(connection, held.lane, held.owner)
        if waited is not None:
            self.waits_no_more(connection, waited)

    def give_back(self, held: Held, waits: Waiting | None = None) -> None:
        """Gives both back without an outcome. ``waits``: it is to be counted as waiting from now on."""
        connection = held.connection
        operation, lane = held.etags
        writes = [
            Write("delete", connection, held.operation, etag=operation),
            Write("delete", connection, held.lane, etag=lane),
        ]
        if waits is not None:
            writes.append(Write("upsert", connection, _key(waits), _values(waits)))
        if self._at_once(held, writes):
            return
        if waits is not None:
            self.waits(connection, waits)
        for key in (held.operation, held.lane):
            self._free(connection, key, held.owner)

    def _taken(self, connection: str, operation: str, lane: str, owner: str) -> Held | Claim:
        """Row by row, where something stood in the way of both at once."""
        claim = self.claim(connection, operation, owner)
        if claim.state != "mine":
            return claim
        if self.claim(connection, lane, owner).state != "mine":
            self._free(connection, operation, owner)
            return Claim("busy")
        return Held(connection, operation, lane, owner, resumed=True)

    def _at_once(self, held: Held, writes: list[Write]) -> bool:
        """Whether all was written; not so where the claims are not those that were taken at once."""
        if not all(held.etags):
            return False
        try:
            self._table.batch(writes)
        except ChangedMeanwhile:
            return False
        return True

    def _is_ours(self, held: Held) -> bool:
        row = self._table.get(held.connection, held.operation)
        return row is not None and not row["outcome"] and row["owner"] == held.owner

    def _free(self, connection: str, key: str, owner: str) -> None:
        # Taken over since it was read: it is another worker's now.
        with contextlib.suppress(ChangedMeanwhile):
            self.release(connection, key, owner)

    def _claimed(self, owner: str) -> dict[str, Value]:
        return {
            "owner": owner,
            "until": timestamp(self._clock.now() + self._lease),
            "outcome": "",
        }

    def _settled(self, outcome: Outcome) -> dict[str, Value]:
        return {
            "owner": "",
            "until": timestamp(self._clock.now()),
            "outcome": outcome,
        }

    # -- what waits ----------------------------------------------------------------------------------

    def waits(self, connection: str, waiting: Waiting) -> None:
        """From now on it is counted."""
        self._table.upsert(connection, _key(waiting), _values(waiting))

    def waits_no_more(self, connection: str, waiting: Waiting) -> None:
        """It is counted no longer; nothing happens when it was not."""
        self._table.delete(connection, _key(waiting))

    def undelivered(self, connection: str) -> Undelivered:
        """How many operations of the connection wait for their EHR, and for how long the oldest has."""
        rows = list(self._table.rows(connection, _WAITING, after(_WAITING), MOST))
        over = [row for row in islice(rows, _CHECKED) if self.outcome(connection, row["operation"])]
        for row in over:
            self._table.delete(connection, row.rk)
        gone = {row.rk for row in over}
        left = [row for row in rows if row.rk not in gone]
        if not left:
            return Undelivered(0)
        age = (self._clock.now() - parse_timestamp(left[0]["since"])).total_seconds()
        return Undelivered(len(left), max(0.0, age), left[0]["reason"])


def _key(waiting: Waiting) -> str:
    return f"{_WAITING}{waiting.since}-{waiting.operation}"


def _values(waiting: Waiting) -> dict[str, Value]:
    return {
        "operation": waiting.operation,
        "since": waiting.since,
        "reason": waiting.reason,
        "attempts": waiting.attempts,
    }
