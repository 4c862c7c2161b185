r"""A table of rows under two keys, with ETags: Azure Table Storage without its traps.

* Keys from outside go through ``key_text``: the service refuses ``/ \ # ?`` and control characters.
* A query's values are parameters, never part of its text.
* A table that does not exist reads as empty and is made by the first write.
* Failures: ChangedMeanwhile (an ETag or a key was taken), StorageUnavailable, StorageRefused.
"""

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableEntity, TableTransactionError, UpdateMode

from shared.errors import Refusal
from shared.store.faults import ChangedMeanwhile, error_code, translated

__all__ = [
    "ChangedMeanwhile",
    "Row",
    "Table",
    "Value",
    "Values",
    "Write",
    "after",
    "key_text",
    "packed",
    "unpacked",
]

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,200}")
_LONGEST = 300
# A text property holds 32 Ki UTF-16 units; the JSON in it is ASCII.
_PIECE = 30_000

type Value = str | int | float | bool
type Values = Mapping[str, tuple[str, ...]]
"""Some values of each of some names."""


class Row(dict[str, Any]):
    """The values of one row, with its two keys and the ETag under which it was read."""

    def __init__(self, values: Mapping[str, Any], pk: str, rk: str, etag: str) -> None:
        super().__init__(values)
        self.pk = pk
        self.rk = rk
        self.etag = etag


@dataclass(frozen=True)
class Write:
    """One write of a batch. ``replace`` needs an ``etag``, ``delete`` may have one."""

    kind: Literal["insert", "replace", "upsert", "delete"]
    pk: str
    rk: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = ""


class Table:
    """One table of one region. Safe for many threads."""

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self._name = f"table {client.table_name}"

    def get(self, pk: str, rk: str) -> Row | None:
        """The row, or None."""
        try:
            return _row(translated(self._name, lambda: self._client.get_entity(pk, rk)))
        except ResourceNotFoundError:
            return None

    def insert(self, pk: str, rk: str, values: Mapping[str, Value]) -> bool:
        """Writes a row that is not there yet; False when it is."""
        try:
            self._written(lambda: self._client.create_entity(_entity(pk, rk, values)))
        except ResourceExistsError:
            return False
        return True

    def replace(self, pk: str, rk: str, values: Mapping[str, Value], etag: str) -> str:
        """Writes the row as a whole if nobody else did since it was read; gives its new ETag."""
        options = _guard(etag)
        try:
            answer = self._written(
                lambda: self._client.update_entity(_entity(pk, rk, values), UpdateMode.REPLACE, **options)
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            raise ChangedMeanwhile(self._name) from None
        return str(answer["etag"])

    def upsert(self, pk: str, rk: str, values: Mapping[str, Value]) -> None:
        """Writes the row as a whole, whatever was there: never for counters or states."""
        self._written(lambda: self._client.upsert_entity(_entity(pk, rk, values), UpdateMode.REPLACE))

    def delete(self, pk: str, rk: str, etag: str | None = None) -> bool:
        """Takes the row away, under its ETag if one is given; False when it was not there."""
        options = _guard(etag) if etag is not None else {}
        # The SDK takes a missing row for success, so the answer to "was it there" needs a look.
        if self.get(pk, rk) is None:
            return False
        try:
            self._written(lambda: self._client.delete_entity(pk, rk, **options))
        except ResourceModifiedError:
            raise ChangedMeanwhile(self._name) from None
        except ResourceNotFoundError:
            return False
        return True

    def rows(
        self,
        pk: str,
        rk_from: str = "",
        rk_below: str = "",
        limit: int = 1_000,
        *,
        keys_only: bool = False,
        only: Values | None = None,
        never: Values | None = None,
    ) -> Iterator[Row]:
        """At most ``limit`` rows of a partition, in the order of their second key, below ``rk_below``.

        ``only``: a row has one of these values of each name, ``never``: none of those; the names are ours.
        """
        query, parameters = "PartitionKey eq @pk", {"pk": pk}
        if rk_from:
            query, parameters["low"] = f"{query} and RowKey ge @low", rk_from
        if rk_below:
            query, parameters["high"] = f"{query} and RowKey lt @high", rk_below
        query += _having(only or {}, "eq", "or", parameters) + _having(never or {}, "ne", "and", parameters)
        select = ["PartitionKey", "RowKey"] if keys_only else None
        found = self._client.query_entities(
            query, parameters=parameters, select=select, results_per_page=min(limit, 1_000)
        )
        pages = found.by_page()
        while page := self._page(pages):
            yield from page[:limit]
            limit -= len(page)
            if limit <= 0:
                return

    def _page(self, pages: Iterator[Iterable[TableEntity]]) -> list[Row]:
        """The next page that has rows: the service may send empty ones on its way."""

        def following() -> list[Row]:
            for page in pages:
                if rows := [_row(entity) for entity in page]:
                    return rows
            return []

        try:
            return translated(self._name, following)
        except ResourceNotFoundError:
            return []

    def pages(self, query: str, parameters: Mapping[str, str | datetime]) -> Iterator[list[Row]]:
        """The keys of all rows that the query finds in any partition, a page at a time, empty ones included.

        The service reads the whole table for it: for timers, never on the way of a request.
        """
        select = ["PartitionKey", "RowKey"]
        found = self._client.query_entities(query, parameters=dict(parameters), select=select).by_page()
        while (page := self._one(found)) is not None:
            yield page

    def _one(self, pages: Iterator[Iterable[TableEntity]]) -> list[Row] | None:
        def following() -> list[Row] | None:
            page = next(pages, None)
            return [_row(entity) for entity in page] if page is not None else None

        try:
            return translated(self._name, following)
        except ResourceNotFoundError:
            return None

    def batch(self, writes: Sequence[Write]) -> list[str]:
        """All of the writes or none: one partition, at most 100. ChangedMeanwhile if one does not hold.

        Gives the new ETag of each; an empty text for a row that is gone.
        """
        operations = [_operation(write) for write in writes]
        try:
            answers = self._written(lambda: self._client.submit_transaction(operations))
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            raise ChangedMeanwhile(self._name) from None
        return [str(answer.get("etag") or "") for answer in answers]

    def _written[T](self, write: Callable[[], T]) -> T:
        try:
            return self._tried(write)
        except ResourceNotFoundError as error:
            if error_code(error) != "TableNotFound":
                raise
        with contextlib.suppress(ResourceExistsError):
            translated(self._name, self._client.create_table)
        return self._tried(write)

    def _tried[T](self, write: Callable[[], T]) -> T:
        def single() -> T:
            try:
                return write()
            except TableTransactionError as error:
                raise _single(error) from None

        return translated(self._name, single)


def _having(values: Values, comparison: str, joint: str, parameters: dict[str, str]) -> str:
    """The condition on these values, which become parameters; the SDK wants a space on both sides of one."""
    query = ""
    for name, several in values.items():
        terms = []
        for value in several:
            parameter = f"{name}{len(parameters)}"
            parameters[parameter] = value
            terms.append(f"{name} {comparison} @{parameter}")
        query += f" and ( {f' {joint} '.join(terms)} )"
    return query


def key_text(value: str) -> str:
    """Any text as part of a key: as it is where that is safe, else ``=`` and its UTF-8 as base64url.

    Two texts never share a key. Refusal ``parameter-invalid`` for an empty one or more than 300 bytes.
    """
    if _PLAIN.fullmatch(value):
        return value
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        encoded = b""
    if not 0 < len(encoded) <= _LONGEST:
        raise Refusal("parameter-invalid", "an id that cannot be a key")
    return "=" + base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


def after(prefix: str) -> str:
    """The first key behind all keys that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def packed(document: Any, name: str = "document") -> dict[str, Value]:
    """A JSON value as columns ``name``, ``name_1``, ...: one alone holds no more than 32 Ki characters."""
    text = json.dumps(document, separators=(",", ":"))
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    return {f"{name}_{place}" if place else name: piece for place, piece in enumerate(pieces)}


def unpacked(row: Mapping[str, Any], name: str = "document") -> Any:
    """The JSON value again; KeyError when the row has none."""
    pieces = [row[name]]
    while (piece := row.get(f"{name}_{len(pieces)}")) is not None:
        pieces.append(piece)
    return json.loads("".join(pieces))


def _entity(pk: str, rk: str, values: Mapping[str, Value]) -> dict[str, Any]:
    return {**values, "PartitionKey": pk, "RowKey": rk}


def _row(entity: TableEntity) -> Row:
    values = dict(entity)
    pk, rk = str(values.pop("PartitionKey", "")), str(values.pop("RowKey", ""))
    return Row(values, pk, rk, str(entity.metadata.get("etag", "")))


def _guard(etag: str) -> dict[str, Any]:
    if not etag:
        raise ValueError("a guarded write needs the ETag that was read")
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _operation(write: Write) -> Any:
    entity = _entity(write.pk, write.rk, write.values)
    if write.kind == "insert":
        return ("create", entity)
    if write.kind == "upsert":
        return ("upsert", entity, {"mode": UpdateMode.REPLACE})
    if write.kind == "replace":
        return ("update", entity, {"mode": UpdateMode.REPLACE, **_guard(write.etag)})
    return ("delete", entity, _guard(write.etag) if write.etag else {})


def _single(error: TableTransactionError) -> Exception:
    """A batch's failure as the failure of the one write that caused it."""
    kinds: dict[int | None, type[HttpResponseError]] = {
        404: ResourceNotFoundError,
        409: ResourceExistsError,
        412: ResourceModifiedError,
    }
    kind = kinds.get(error.status_code)
    return kind(message="batch", response=error.response) if kind is not None else error
