"""The texts that travel in the queues of attendance and write-back. What names a visit or a person is sealed.

``attendance``: one item of a notification with its validation tokens, as Graph sent it (its content is
encrypted by Graph), beside the visit's sealed context. ``writeback``: one operation. ``tend``: one visit to
look after; ``shared.meeting`` queues the first of each visit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self, get_args

from shared.clock import parse_timestamp, timestamp
from shared.errors import AntesalaError
from shared.sealing import Sealer
from shared.visit.operations import Operation, Status
from shared.visit.outcome import Conclusion, Outcome

_VERSION = 1
_STATUSES: Mapping[str, Status] = {"connected": "connected", "disconnected": "disconnected"}
_OUTCOMES: Mapping[str, Outcome] = {one: one for one in get_args(Outcome.__value__)}


class MessageRefused(AntesalaError):
    """A queue message that this app did not write, or not in this version."""


@dataclass(frozen=True)
class AttendanceMessage:
    """One item of one notification; ``at``: when it came in. ``traceparent``: whose work it goes on with."""

    context: str
    item: Mapping[str, Any]
    tokens: Sequence[str]
    at: datetime
    traceparent: str = ""

    def text(self) -> str:
        """For the queue."""
        values = {"c": self.context, "item": self.item, "tokens": list(self.tokens), "at": timestamp(self.at)}
        return _written({"v": _VERSION, **values, "traceparent": self.traceparent})

    @classmethod
    def read(cls, text: str) -> Self:
        """From the queue; MessageRefused."""
        document = _document(text)
        try:
            return cls(
                document["c"],
                document["item"],
                document["tokens"],
                parse_timestamp(str(document["at"])),
                str(document.get("traceparent", "")),
            )
        except (KeyError, ValueError) as failure:
            raise MessageRefused("attendance") from failure


@dataclass(frozen=True)
class WritebackMessage:
    """One operation on its way to the EHR. ``since``: when it was first handed on; RFC 3339.

    ``waits``: a row of ``Operations`` says so (``shared.store.operations``).
    ``kind``: ``presence``, or ``outcome``: then ``subject`` is the outcome, and ``instant`` and ``ended`` are
    when the visit began and ended (0: it did not).
    ``traceparent``: whose work it goes on with.
    """

    context: str
    subject: str
    status: str
    instant: int
    reconstructed: bool
    since: str
    attempt: int = 0
    waits: bool = False
    kind: str = "presence"
    ended: int = 0
    traceparent: str = ""

    @property
    def named(self) -> "Operation | Conclusion":
        """What is claimed and told, by the name it always has."""
        return self.conclusion if self.kind == "outcome" else self.operation

    @property
    def conclusion(self) -> Conclusion:
        """The outcome that a message of kind ``outcome`` carries."""
        return Conclusion(_OUTCOMES[self.subject], self.instant, self.ended)

    @property
    def operation(self) -> Operation:
        """The operation itself."""
        return Operation(self.subject, _STATUSES[self.status], self.instant, self.reconstructed)

    def again(self) -> "WritebackMessage":
        """The same after one more failed attempt."""
        return replace(self, attempt=self.attempt + 1, waits=True)

    def deferred(self) -> "WritebackMessage":
        """The same after it had to wait without an attempt."""
        return replace(self, waits=True)

    def text(self, sealer: Sealer) -> str:
        """For the queue."""
        return sealed("writeback", asdict(self), sealer)

    @classmethod
    def read(cls, text: str, sealer: Sealer) -> Self:
        """From the queue; MessageRefused, or a SealError."""
        try:
            return cls(**opened("writeback", text, sealer))
        except TypeError as failure:
            raise MessageRefused("writeback") from failure


def sealed(kind: str, values: Mapping[str, Any], sealer: Sealer) -> str:
    """A sealed message of this kind."""
    return _written({"v": _VERSION, "kind": kind, "sealed": sealer.seal("message", dict(values))})


def opened(kind: str, text: str, sealer: Sealer) -> dict[str, Any]:
    """The values of a sealed message; MessageRefused when it is of another kind, or a SealError."""
    document = _document(text)
    values = sealer.open("message", str(document.get("sealed", "")))
    if document.get("kind") != kind or not isinstance(values, dict):
        raise MessageRefused(kind)
    return values


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as failure:
        raise MessageRefused("not JSON") from failure
    if not isinstance(document, dict) or document.get("v") != _VERSION:
        raise MessageRefused("version")
    return document
