"""Rows in the order of time, newest first: the shape that ``Launches`` and ``Audit`` share."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.store.table import Row, Table, Value

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

    def newest(self, partition: str, limit: int) -> list[Row]:
        """The newest rows, newest first."""
        return list(self._table.rows(partition, limit=limit))

    def trim(self, partition: str, keep: int, since: datetime, most: int = 200) -> int:
        """Deletes what is beyond the newest ``keep`` rows or older than ``since``; how many, at most ``most``."""
        last = newest_first(since)
        rows = self._table.rows(partition, limit=keep + most, keys_only=True)
        surplus = [row.rk for place, row in enumerate(rows) if place >= keep or row.rk > last]
        for rk in surplus:
            self._table.delete(partition, rk)
        return len(surplus)
