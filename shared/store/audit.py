"""Who changed what and when, for two years: object ids of administrators and approvers, no patients."""

from dataclasses import dataclass

from shared.clock import parse_timestamp
from shared.store.log import TimeLog
from shared.store.table import Table, key_text

LINKINGS = ("ehr-user-linked", "ehr-user-unlinked")
"""What clinicians do by themselves, as often as they like; everything else is done to a connection."""


@dataclass(frozen=True)
class Entry:
    """One change. ``by``: the object id in Entra; ``what``: a verb of ours; ``detail``: what changed."""

    tenant: str
    by: str
    what: str
    connection: str
    at: str
    detail: str = ""


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
        at: str,
        detail: str = "",
    ) -> None:
        """Adds an entry. ``at``: RFC 3339."""
        values = {"by": by, "what": what, "connection": connection, "at": at, "detail": detail}
        self._log.add(key_text(tenant), parse_timestamp(at), values)

    def recent(
        self,
        tenant: str,
        limit: int = 100,
        connection: str = "",
        *,
        only: tuple[str, ...] = (),
        never: tuple[str, ...] = (),
    ) -> list[Entry]:
        """The newest entries, newest first; of one connection where it is named.

        ``only``, ``never``: the kinds that are wanted, those that are passed over.
        """
        having: dict[str, tuple[str, ...]] = {"connection": (connection,)} if connection else {}
        if only:
            having["what"] = only
        rows = self._log.newest(key_text(tenant), limit, having, {"what": never} if never else None)
        return [
            Entry(tenant, row["by"], row["what"], row["connection"], row["at"], row["detail"]) for row in rows
        ]
