"""The hospital's record of who connected to which visit, and the AuditEvents it was given; kept on disk."""

import copy
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sandbox.ehr.storage import Document

Status = Literal["connected", "disconnected"]
UNATTRIBUTED = "unattributed"


@dataclass(frozen=True)
class Connection:
    """One reported transition: `at` is when it happened, `received` when we heard (Unix seconds)."""

    visit: str
    person: str
    """Login name, or `unattributed` where the report names nobody."""
    status: Status
    at: float
    received: float


class Record:
    """Append-only connections and versioned AuditEvents of one hospital."""

    def __init__(self, document: Document) -> None:
        """Take up what an earlier run kept."""
        self._document = document
        self._lock = threading.Lock()
        self._connections = [Connection(**one) for one in document.loaded.get("connections", [])]
        self._audit: dict[str, list[dict[str, Any]]] = document.loaded.get("audit_events", {})

    def add(self, connection: Connection) -> None:
        """Keep a transition that the status service was told."""
        with self._lock:
            self._connections.append(connection)
            self._save()

    def connections(self) -> list[Connection]:
        """All of them, in the order in which they were received."""
        return list(self._connections)

    def put_audit_event(self, event: dict[str, Any], connections: Iterable[Connection]) -> int:
        """Store under the event's id and return its version: the same content twice stays one version.

        `connections` are what the event says about presence; only a new id adds them.
        """
        with self._lock:
            versions = self._audit.setdefault(event["id"], [])
            if not versions:
                self._connections.extend(connections)
            if not versions or versions[-1] != event:
                versions.append(copy.deepcopy(event))
            self._save()
            return len(versions)

    def audit_event(self, event_id: str) -> tuple[dict[str, Any], int] | None:
        """The newest version and its number."""
        versions = self._audit.get(event_id)
        return (copy.deepcopy(versions[-1]), len(versions)) if versions else None

    def audit_events(self) -> list[dict[str, Any]]:
        """The newest version of each, in the order of their first arrival."""
        return [copy.deepcopy(versions[-1]) for versions in list(self._audit.values()) if versions]

    def latest(self, visit: str, person: str) -> Connection | None:
        """The person's newest transition by event time; of two at one instant the later received."""
        mine = [one for one in self._connections if (one.visit, one.person) == (visit, person)]
        return max(enumerate(mine), key=lambda pair: (pair[1].at, pair[0]))[1] if mine else None

    def _save(self) -> None:
        kept = {"connections": [asdict(one) for one in self._connections], "audit_events": self._audit}
        self._document.save(kept)
