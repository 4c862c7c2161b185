"""What could not be told to an EHR, and why: a row beside each parked message. No identities."""

import contextlib
from dataclasses import dataclass, field

from shared.clock import Clock, timestamp
from shared.store.table import ChangedMeanwhile, Row, Table, Value

MOST = 500


@dataclass(frozen=True)
class DeadLetter:
    """One parked message. ``queue``: where it came from; ``reason``: a code; ``status``: the EHR's, or 0.

    ``unopened``: its message was looked for and cannot be opened any more.
    """

    connection: str
    id: str
    queue: str
    reason: str
    status: int
    attempts: int
    at: str
    unopened: bool = False
    etag: str = field(default="", repr=False, compare=False)


class DeadLetters:
    """The dead letters of one region's connections."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def add(
        self, connection: str, letter: str, *, queue: str, reason: str, status: int = 0, attempts: int = 0
    ) -> None:
        """Writes one down; a second time replaces the first."""
        values: dict[str, Value] = {
            "queue": queue,
            "reason": reason,
            "status": status,
            "attempts": attempts,
            "at": timestamp(self._clock.now()),
        }
        self._table.upsert(connection, letter, values)

    def of_connection(self, connection: str, limit: int = MOST) -> list[DeadLetter]:
        """The connection's dead letters."""
        return [_letter(row) for row in self._table.rows(connection, limit=limit)]

    def count(self, connection: str, most: int = MOST) -> int:
        """How many there are, as far as ``most``."""
        return sum(1 for _ in self._table.rows(connection, limit=most, keys_only=True))

    def get(self, connection: str, letter: str) -> DeadLetter | None:
        """One of them."""
        row = self._table.get(connection, letter)
        return _letter(row) if row is not None else None

    def remove(self, connection: str, letter: str) -> None:
        """Forgets it, whatever is written there."""
        self._table.delete(connection, letter)

    def forget(self, letter: DeadLetter) -> bool:
        """Forgets it as it was read; False when it was parked anew meanwhile, which nobody has seen yet."""
        try:
            self._table.delete(letter.connection, letter.id, letter.etag)
        except ChangedMeanwhile:
            return False
        return True

    def mark_unopened(self, letter: DeadLetter) -> None:
        """Writes down that its message cannot be opened, unless it was parked anew meanwhile."""
        values: dict[str, Value] = {
            "queue": letter.queue,
            "reason": letter.reason,
            "status": letter.status,
            "attempts": letter.attempts,
            "at": letter.at,
            "unopened": True,
        }
        with contextlib.suppress(ChangedMeanwhile):
            self._table.replace(letter.connection, letter.id, values, letter.etag)


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        row.pk,
        row.rk,
        row["queue"],
        row["reason"],
        int(row["status"]),
        int(row["attempts"]),
        row["at"],
        bool(row.get("unopened")),
        row.etag,
    )
