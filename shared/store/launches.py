"""The last launches of each connection by reason code, without identities: an administrator's first look.

Nobody's redirect waits for a row of these: they are written beside the request.
"""

import threading
from dataclasses import dataclass
from datetime import timedelta

from shared.clock import parse_timestamp
from shared.connection import Side
from shared.store.aside import Aside
from shared.store.log import TimeLog
from shared.store.table import Table

KEPT = 500
KEPT_FOR = timedelta(days=30)
_TRIM_EVERY = 50


@dataclass(frozen=True)
class Launch:
    """One launch: how it ended (``ok`` or a reason code), at which door, when."""

    code: str
    side: Side
    at: str


class Launches:
    """The launches of one region's connections; about 500 a connection, at most 30 days."""

    def __init__(self, table: Table, aside: Aside | None = None) -> None:
        """Without ``aside`` a launch is written before ``record`` returns."""
        self._log = TimeLog(table)
        self._aside = aside
        self._lock = threading.Lock()
        self._count = 0

    def record(self, connection: str, code: str, side: Side, at: str) -> None:
        """Adds a launch, and now and then deletes what is too much or too old. ``at``: RFC 3339."""
        if self._aside is None:
            self._record(connection, code, side, at)
        else:
            self._aside.do(lambda: self._record(connection, code, side, at))

    def _record(self, connection: str, code: str, side: Side, at: str) -> None:
        moment = parse_timestamp(at)
        self._log.add(connection, moment, {"code": code, "side": side, "at": at})
        with self._lock:
            self._count += 1
            due = self._count % _TRIM_EVERY == 1
        if due:
            self._log.trim(connection, KEPT, moment - KEPT_FOR)

    def recent(self, connection: str, limit: int = 50) -> list[Launch]:
        """The newest launches, newest first; those that this process has recorded before are among them."""
        if self._aside is not None:
            self._aside.settle()
        return [Launch(row["code"], row["side"], row["at"]) for row in self._log.newest(connection, limit)]
