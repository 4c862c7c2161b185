"""Lists of keys, oldest first, in which a new one waits until every instance has read it.

A row says in ``from`` when it comes into use: until then it opens, and makes nothing. Instances read a list
every five minutes, so a key that comes into use an hour after it was added is known to all of them by then. A
row without ``from`` has always been in use.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.clock import Clock, parse_timestamp
from shared.reread import Reread
from shared.secrets import Secrets

KEY_BYTES = 32


class Dated(Protocol):
    """A row of such a list."""

    @property
    def since(self) -> datetime | None:
        """When it comes into use; None for always."""
        ...


def in_use[T: Dated](rows: Sequence[T], now: datetime) -> T:
    """The newest row that is in use; where none is yet, the oldest."""
    return next((row for row in reversed(rows) if row.since is None or row.since <= now), rows[0])


def since_of(row: dict[str, Any]) -> datetime | None:
    """The moment in a row's ``from``; ValueError or TypeError for what is none."""
    return parse_timestamp(row["from"]) if "from" in row else None


@dataclass(frozen=True)
class SymmetricKey:
    """32 bytes, and since when they are in use."""

    key: bytes = field(repr=False)
    since: datetime | None = None
    of_sandbox: bool = False


def symmetric_rows(text: str, name: str) -> tuple[SymmetricKey, ...]:
    """The rows of ``sealing-keys`` or ``visit-keys``; ValueError or TypeError for another shape.

    A row is the key alone, or an object with ``key`` and perhaps ``from`` and ``sandbox``.
    """
    rows = json.loads(text)
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{name} is not a list of keys")
    keys = tuple(_symmetric_row(row) for row in rows)
    if any(len(row.key) != KEY_BYTES for row in keys):
        raise ValueError(f"{name} holds a key that has not {KEY_BYTES} bytes")
    return keys


def _symmetric_row(row: Any) -> SymmetricKey:
    if not isinstance(row, dict):
        return SymmetricKey(_bytes(str(row)))
    return SymmetricKey(_bytes(str(row.get("key", ""))), since_of(row), bool(row.get("sandbox")))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SymmetricKeys:
    """A list of symmetric keys as it is now, for ``Sealer`` and ``Pseudonyms``; see ``sealing.KeyRing``."""

    def __init__(self, secrets: Secrets, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._rows = Reread(secrets, name, lambda text: symmetric_rows(text, name), clock, keeps=True)

    def rows(self) -> tuple[SymmetricKey, ...]:
        """Every key, oldest first."""
        return self._rows.value()

    def ring(self) -> tuple[bytes, ...]:
        """Every key, the one in use first, then from the newest to the oldest."""
        rows = self.rows()
        first = in_use(rows, self._clock.now())
        return (first.key, *(row.key for row in reversed(rows) if row is not first))

    def anew(self) -> None:
        """One look more at the vault, see ``Reread.anew``."""
        self._rows.anew()
