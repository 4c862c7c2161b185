"""Who changed what and when, for two years: object ids of administrators and approvers, nothing about patients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.clock import timestamp
from shared.store.log import TimeLog
from shared.store.table import Table, key_text, packed, unpacked


@dataclass(frozen=True)
class Entry:
    """One change. ``by``: the object id in Entra; ``what``: a verb of ours; ``detail``: names of what changed."""

    tenant: str
    by: str
    what: str
    connection: str
    at: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Audit:
    """The changes in one region, by organization."""

    def __init__(self, table: Table) -> None:
        self._log = TimeLog(table)

    def record(
        self,
        tenant: str,
        by: str,
        what: str,
        connection: str,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds an entry."""
        values = {"by": by, "what": what, "connection": connection, "at": timestamp(at)}
        self._log.add(key_text(tenant), at, {**values, **packed(dict(detail or {}), "detail")})

    def recent(self, tenant: str, limit: int = 100, connection: str = "") -> list[Entry]:
        """The newest entries, newest first; of one connection, those among the newest thousand."""
        rows = self._log.newest(key_text(tenant), 1_000 if connection else limit)
        found = [row for row in rows if connection in ("", row["connection"])]
        return [
            Entry(tenant, row["by"], row["what"], row["connection"], row["at"], unpacked(row, "detail"))
            for row in found[:limit]
        ]
