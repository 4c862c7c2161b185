"""Rows in the order of time, newest first: the shape that ``Launches`` and ``Audit`` share."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.store.table import ChangedMeanwhile, Row, Table, Value, Values, Write

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 10**17


def newest_first(moment: datetime) -> str:
    """A key that sorts backwards in time, to the microsecond."""
    return f"{_MOST - (moment - _EPOCH) // timedelta(microseconds=1):017d}"


class TimeLog:
    """The rows of a partition by the time they were written."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, partition: str, moment: datetime, values: Mapping[str, Value]) -> None:
        """Adds a row; where the microsecond is taken, at the next free one."""
        while not self._table.insert(partition, newest_first(moment), values):
            moment += timedelta(microseconds=1)

    def newest(
        self, partition: str, limit: int, only: Values | None = None, never: Values | None = None
    ) -> list[Row]:
        """The newest rows, newest first; ``only``, ``never``: see ``Table.rows``."""
        return list(self._table.rows(partition, limit=limit, only=only, never=never))

    def trim(self, partition: str, keep: int, since: datetime, most: int = 200) -> int:
        """Deletes what is beyond the newest ``keep`` rows or older than ``since``; says how many."""
        last = newest_first(since)
        rows = self._table.rows(partition, limit=keep + most, keys_only=True)
        surplus = [row.rk for place, row in enumerate(rows) if place >= keep or row.rk > last]
        for start in range(0, len(surplus), 100):
            # A row that is gone meanwhile was trimmed by somebody else, who will take the others, too.
            with contextlib.suppress(ChangedMeanwhile):
                self._table.batch([Write("delete", partition, rk) for rk in surplus[start : start + 100]])
        return len(surplus)
