"""What was told to EHRs: a claim before each telling, an outcome after it.

A claim has its own expiry, so that a killed worker blocks nobody for long. Besides the operations themselves
there is a *lane* per subject: a lock that keeps two tellings about one subject from overtaking each other.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from shared.clock import Clock, parse_timestamp, timestamp
from shared.store.table import ChangedMeanwhile, Row, Table

type Outcome = Literal["told", "dropped", "superseded", "parked"]

LEASE = timedelta(seconds=90)
"""Longer than any telling may take; a claim older than this belonged to a worker that is dead."""


@dataclass(frozen=True)
class Claim:
    """``mine``: go on; ``busy``: another worker is at it; otherwise how the operation ended before."""

    state: Literal["mine", "busy", "settled"]
    outcome: Outcome | Literal[""] = ""
    partner: str = ""


class Operations:
    """The operations of one region's connections; ids are UUIDs."""

    def __init__(self, table: Table, clock: Clock, lease: timedelta = LEASE) -> None:
        self._table = table
        self._clock = clock
        self._lease = lease

    def claim(self, connection: str, operation: str, owner: str) -> Claim:
        """Takes the operation or the lane for the lease. ``owner``: unique to this run of this message."""
        until = timestamp(self._clock.now() + self._lease)
        values = {"owner": owner, "until": until, "outcome": "", "partner": ""}
        if self._table.insert(connection, operation, values):
            return Claim("mine")
        row = self._table.get(connection, operation)
        if row is None:
            return Claim("busy")
        if row["outcome"]:
            return Claim("settled", row["outcome"], row["partner"])
        # The insert may have been ours after all, when storage answered late and the SDK asked twice.
        if row["owner"] != owner and parse_timestamp(row["until"]) > self._clock.now():
            return Claim("busy")
        try:
            self._table.replace(connection, operation, values, row.etag)
        except ChangedMeanwhile:
            return Claim("busy")
        return Claim("mine")

    def settle(self, connection: str, operation: str, outcome: Outcome, partner: str = "") -> None:
        """Writes down how it ended; that is final."""
        values = {
            "owner": "",
            "until": timestamp(self._clock.now()),
            "outcome": outcome,
            "partner": partner,
        }
        self._table.upsert(connection, operation, values)

    def release(self, connection: str, operation: str, owner: str) -> None:
        """Gives a claim back without an outcome; nothing happens when it is no longer ours."""
        row = self._table.get(connection, operation)
        if row is not None and not row["outcome"] and row["owner"] == owner:
            self._table.delete(connection, operation, row.etag)

    def outcome(self, connection: str, operation: str) -> Outcome | None:
        """How it ended, or None while it has not."""
        row: Row | None = self._table.get(connection, operation)
        return (row["outcome"] or None) if row is not None else None

    def reopen(self, connection: str, operation: str) -> None:
        """Forgets the outcome, so that a re-driven dead letter is told after all."""
        self._table.delete(connection, operation)
