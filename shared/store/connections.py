"""Connections and their revisions, one partition a connection: what belongs together is written together.

Rows: ``head`` (what never changes, and which revision is approved), ``revision-0001`` and so on, and
``approved``: both documents in one row, because a launch reads it every time. The index by organization is a
partition of its own; a row there without a connection behind it (a creation cut short) means nothing.
"""

from shared.connection import Approved, Connection, Region, Revision
from shared.events import note
from shared.store.table import ChangedMeanwhile, Row, Table, Write, after, key_text, packed, unpacked

_HEAD = "head"
_APPROVED = "approved"
_REVISION = "revision-"
# Head and revisions: four digits number a revision.
_MOST = 10_000

type Standing = tuple[Connection, Revision, Revision | None]
"""A connection with its newest and its approved revision, as they were at one moment."""


class Connections:
    """The connections of one region."""

    def __init__(self, table: Table, region: Region) -> None:
        self._table = table
        self._region = region

    def create(self, connection: Connection, revision: Revision) -> None:
        """Writes a new connection with its first revision; ChangedMeanwhile if the id is taken."""
        if connection.region != self._region or revision.connection != connection.id:
            raise ValueError(
                "a connection belongs to the region that its id names, a revision to its connection"
            )
        self._table.insert(_index(connection.tenant), connection.id, {})
        self._table.batch([_write_head(connection), _write_revision(revision)])

    def get(self, connection_id: str) -> Connection | None:
        """The connection, or None."""
        row = self._table.get(connection_id, _HEAD)
        return self._connection(row) if row is not None else None

    def standing(self, connection_id: str) -> Standing | None:
        """How the connection stands, in one read of its partition; None for none, or none with a revision.

        Every revision comes along and two are parsed: there are only as many as times an approver was asked.
        """
        rows = {row.rk: row for row in self._table.rows(connection_id, _HEAD, after(_REVISION), _MOST)}
        connection = self._connection(rows[_HEAD]) if _HEAD in rows else None
        if connection is None or (latest := rows.get(_revision_key(connection.latest))) is None:
            return None
        approved = rows.get(_revision_key(connection.approved))
        return connection, _revision(latest), _revision(approved) if approved is not None else None

    def revision(self, connection_id: str, number: int) -> Revision | None:
        """One of its revisions, or None."""
        row = self._table.get(connection_id, _revision_key(number))
        return _revision(row) if row is not None else None

    def revisions(self, connection_id: str) -> list[Revision]:
        """All of its revisions, newest first."""
        rows = list(self._table.rows(connection_id, _REVISION, after(_REVISION), _MOST))
        return [_revision(row) for row in reversed(rows)]

    def approved(self, connection_id: str) -> Approved | None:
        """What launches work with, in one read; None while nothing is approved. Its parts have no ETags."""
        row = self._table.get(connection_id, _APPROVED)
        if row is None:
            return None
        connection = self._connection(row)
        if connection is None:
            return None
        return Approved(connection, Revision.from_document(unpacked(row, "revision")))

    def save(self, connection: Connection | None, revision: Revision, *, publish: bool = False) -> None:
        """Writes the revision, and the connection if given: both or neither, each under its ETag.

        A revision without ETag is a new one. ``publish``: launches use this revision from now on.
        ChangedMeanwhile if somebody else was first.
        """
        writes = [_write_revision(revision)]
        if connection is not None:
            writes.append(_write_head(connection))
        if publish:
            if connection is None:
                raise ValueError("publishing changes the connection, too")
            documents = {**packed(connection.document()), **packed(revision.document(), "revision")}
            writes.append(Write("upsert", connection.id, _APPROVED, documents))
        self._table.batch(writes)

    def remove(self, connection: Connection) -> None:
        """Takes away a connection that never served; ChangedMeanwhile if somebody was first."""
        numbers = [revision.number for revision in self.revisions(connection.id)]
        writes = [Write("delete", connection.id, _HEAD, etag=connection.etag)]
        writes += [Write("delete", connection.id, _revision_key(number)) for number in numbers[-99:]]
        self._table.batch(writes)
        # An index row without a connection behind it means nothing, so this may come second.
        self._table.delete(_index(connection.tenant), connection.id)

    def of_tenant(self, tenant: str) -> list[Standing]:
        """The organization's connections in this region, by id: one read for the index, one for each."""
        listed = [self.standing(row.rk) for row in self._table.rows(_index(tenant), keys_only=True)]
        return [standing for standing in listed if standing is not None and standing[0].tenant == tenant]

    def _connection(self, row: Row) -> Connection | None:
        connection = Connection.from_document(unpacked(row), row.etag)
        if connection.region == self._region and connection.id == row.pk:
            return connection
        # A row that was copied into another region's account must not be served from there.
        note("wrong-region", connection=row.pk)
        return None


def _index(tenant: str) -> str:
    return f"tenant-{key_text(tenant)}"


def _revision_key(number: int) -> str:
    return f"{_REVISION}{number:04d}"


def _revision(row: Row) -> Revision:
    return Revision.from_document(unpacked(row), row.etag)


def _write_head(connection: Connection) -> Write:
    kind = "replace" if connection.etag else "insert"
    return Write(kind, connection.id, _HEAD, packed(connection.document()), connection.etag)  # type: ignore[arg-type]


def _write_revision(revision: Revision) -> Write:
    key, values = _revision_key(revision.number), packed(revision.document())
    if revision.etag:
        return Write("replace", revision.connection, key, values, revision.etag)
    return Write("insert", revision.connection, key, values)


__all__ = ["ChangedMeanwhile", "Connections", "Standing"]
