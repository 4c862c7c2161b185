"""Visits, named by their keyed pseudonym: organizer, meeting, who launched, what was seen of the call."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from shared.clock import Entropy
from shared.connection import Side
from shared.errors import Refusal
from shared.store.table import ChangedMeanwhile, Row, Table, packed, unpacked

_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.25


@dataclass(frozen=True)
class Person:
    """Somebody who launched. ``user``: a clinician's EHR user ID as it is, a patient-side one sealed."""

    side: Side
    user: str = field(repr=False)
    at: str
    oid: str = ""


@dataclass(frozen=True)
class Visit:
    """One visit's row. ``roster`` is ``shared.visit``'s JSON; ``tended``: its ``tend`` message was queued.

    ``starts`` and ``ends``: the appointment as the newest launch knew it, empty where unknown; ``guarded``:
    the policy that the meeting follows; ``reopened_at``: when somebody came back after the end;
    ``outcome``: how it went, empty until it is over; ``reported``: attendance reports were read for it;
    ``outcome_sent``: it was handed on to the EHR, or nobody there takes it, and stays as it is; ``counts``:
    from where on somebody from outside is connected, by the policy under which the visit began.
    """

    connection: str
    key: str
    revision: int
    created_at: str
    group: bool = False
    organizer: str = ""
    organizer_from: str = ""
    meeting_id: str = ""
    join_url: str = field(default="", repr=False)
    patient_url: str = field(default="", repr=False)
    policy_applied: bool = False
    subscription_id: str = ""
    subscription_expires: str = ""
    live: Literal["unknown", "live", "live-unavailable"] = "unknown"
    tended: bool = False
    persons: tuple[Person, ...] = ()
    roster: Mapping[str, Any] = field(default_factory=dict)
    closed_at: str = ""
    starts: str = ""
    ends: str = ""
    guarded: str = ""
    reopened_at: str = ""
    outcome: str = ""
    reported: bool = False
    outcome_sent: bool = False
    counts: Literal["lobby", "meeting", ""] = ""
    etag: str = field(default="", compare=False, repr=False)


_KNOWN = frozenset(member.name for member in fields(Visit)) - {"connection", "key", "etag"}
_PERSON = frozenset(member.name for member in fields(Person))


class Visits:
    """The visits of one region's connections."""

    def __init__(self, table: Table, entropy: Entropy, pause: Callable[[float], None] = time.sleep) -> None:
        """``pause`` waits for some seconds between two tries of ``change``."""
        self._table = table
        self._entropy = entropy
        self._pause = pause

    def get(self, connection: str, key: str) -> Visit | None:
        """The visit, or None."""
        row = self._table.get(connection, key)
        return _visit(row) if row is not None else None

    def find(self, connection: str, keys: tuple[str, ...]) -> Visit | None:
        """The visit under the first of the keys that has one: a visit keeps the key it was made with."""
        for key in keys:
            if (visit := self.get(connection, key)) is not None:
                return visit
        return None

    def of_connection(self, connection: str, start: str = "", limit: int = 1_000) -> Iterator[Visit]:
        """Its visits in the order of their keys, from the key ``start`` on."""
        return (_visit(row) for row in self._table.rows(connection, start, limit=limit))

    def create(self, visit: Visit) -> bool:
        """Writes a new visit; False when there is one."""
        return self._table.insert(visit.connection, visit.key, _values(visit))

    def save(self, visit: Visit) -> Visit:
        """Writes the visit under the ETag it was read with; ChangedMeanwhile."""
        return replace(
            visit, etag=self._table.replace(visit.connection, visit.key, _values(visit), visit.etag)
        )

    def change(self, connection: str, key: str, fn: Callable[[Visit], Visit | None], tries: int = 8) -> Visit:
        """The visit after ``fn``, which is asked again with the newest row whenever somebody else was first.

        ``fn`` returns None when there is nothing to change. Refusal ``not-found`` without such a visit;
        ChangedMeanwhile after so many tries in vain.
        """
        pause = _FIRST_PAUSE
        for _ in range(tries - 1):
            try:
                return self._changed(connection, key, fn)
            except ChangedMeanwhile:
                self._pause(self._entropy.between(0, pause))
                pause = min(2 * pause, _LONGEST_PAUSE)
        return self._changed(connection, key, fn)

    def _changed(self, connection: str, key: str, fn: Callable[[Visit], Visit | None]) -> Visit:
        visit = self.get(connection, key)
        if visit is None:
            raise Refusal("not-found", "no such visit")
        changed = fn(visit)
        return visit if changed is None else self.save(replace(changed, etag=visit.etag))


def _values(visit: Visit) -> dict[str, Any]:
    document = asdict(visit)
    # Once more as columns: ``shared.retention`` finds by them what is over without reading the documents.
    columns = {"created_at": visit.created_at, "closed_at": visit.closed_at}
    return {**packed({name: value for name, value in document.items() if name in _KNOWN}), **columns}


def _visit(row: Row) -> Visit:
    # Members that this version does not know are ignored: an older app after a rollback.
    values = {name: value for name, value in unpacked(row).items() if name in _KNOWN}
    values["persons"] = tuple(_person(person) for person in values.get("persons", ()))
    return Visit(connection=row.pk, key=row.rk, etag=row.etag, **values)


def _person(values: Mapping[str, Any]) -> Person:
    return Person(**{name: value for name, value in values.items() if name in _PERSON})
