"""Which EHR user ID belongs to which Microsoft 365 account: the only datum of an EHR that is kept.

Two rows a link, written and deleted together: by EHR user ID, and by account.
"""

import contextlib
from dataclasses import dataclass, field, replace

from shared.store.table import ChangedMeanwhile, Row, Table, Value, Write, after, key_text

type Links = list[Link]

_USER = "user-"
_PERSON = "person-"


@dataclass(frozen=True)
class Link:
    """One link. ``oid``: the account's Entra object id; ``sub_mac``: keyed HMAC of the id_token's ``sub``."""

    connection: str
    ehr_user: str
    oid: str
    sub_mac: str
    linked_at: str
    etag: str = field(default="", compare=False, repr=False)


class EhrUsers:
    """The links of one region's connections."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, connection: str, ehr_user: str) -> Link | None:
        """The link of an EHR user, or None."""
        row = self._table.get(connection, _USER + key_text(ehr_user))
        return _link(row) if row is not None else None

    def link(self, link: Link) -> bool:
        """Keeps a link; False when the EHR user has one already, whosever it is."""
        by_user = Write("insert", link.connection, _USER + key_text(link.ehr_user), _values(link))
        # Only the row by EHR user decides; one left over on the other side must not block a new link.
        by_person = Write(
            "upsert", link.connection, _reverse(link.oid, link.ehr_user), {"ehr_user": link.ehr_user}
        )
        try:
            self._table.batch([by_user, by_person])
        except ChangedMeanwhile:
            return False
        return True

    def name_anew(self, link: Link, sub_mac: str) -> None:
        """Keeps another HMAC of the same subject; nothing where the link was changed or removed meanwhile."""
        values = _values(replace(link, sub_mac=sub_mac))
        write = Write("replace", link.connection, _USER + key_text(link.ehr_user), values, link.etag)
        with contextlib.suppress(ChangedMeanwhile):
            self._table.batch([write])

    def unlink(self, connection: str, ehr_user: str) -> bool:
        """Forgets the link; False when there was none. ChangedMeanwhile when it was linked anew meanwhile."""
        link = self.get(connection, ehr_user)
        if link is None:
            return False
        self.remove(link)
        return True

    def remove(self, link: Link) -> None:
        """Forgets this very link, as it was read; ChangedMeanwhile when it is gone or was linked anew."""
        reverse = _reverse(link.oid, link.ehr_user)
        writes = [Write("delete", link.connection, _USER + key_text(link.ehr_user), etag=link.etag)]
        if (row := self._table.get(link.connection, reverse)) is not None:
            writes.append(Write("delete", link.connection, reverse, etag=row.etag))
        self._table.batch(writes)

    def list(self, connection: str, limit: int = 1_000, start: str = "") -> Links:
        """The connection's links, in the order of their keys, from the EHR user ID ``start`` on."""
        begin = _USER + key_text(start) if start else _USER
        return [_link(row) for row in self._table.rows(connection, begin, after(_USER), limit)]

    def of_person(self, connection: str, oid: str) -> tuple[str, ...]:
        """The EHR user IDs that are linked to an account."""
        prefix = _reverse(oid, "")
        return tuple(str(row["ehr_user"]) for row in self._table.rows(connection, prefix, after(prefix)))


def _reverse(oid: str, ehr_user: str) -> str:
    return f"{_PERSON}{key_text(oid)}~{key_text(ehr_user) if ehr_user else ''}"


def _values(link: Link) -> dict[str, Value]:
    return {
        "ehr_user": link.ehr_user,
        "oid": link.oid,
        "sub_mac": link.sub_mac,
        "linked_at": link.linked_at,
    }


def _link(row: Row) -> Link:
    return Link(row.pk, row["ehr_user"], row["oid"], row["sub_mac"], row["linked_at"], row.etag)
