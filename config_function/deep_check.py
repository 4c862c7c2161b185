"""Whether the app can do its work, for monitors: storage, queues, vaults, Microsoft 365, what EHRs wait for.

    GET /config/api/health    200 while nothing has failed, 503 otherwise

Administrators and readers may ask, programs with these roles included. What is found concerns the caller's
organization and the app; of other organizations nothing is counted or named. It is read side by side, at most
once in ``FRESH`` for an organization: whoever asks meanwhile gets the same answer.

For people and alerts, never for a load balancer: an EHR that is down is no reason to take the app out. That
is what ``/healthz`` is for.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal, Protocol

from config_function.access import View
from config_function.checks.waiting import LATE, LINES, MUCH_TOO_LATE, Line
from shared.clock import Clock, timestamp
from shared.errors import AntesalaError, Refusal
from shared.memory import Memory
from shared.secrets import SIGNING_KEYS, SecretMissing, Secrets
from shared.store import Stores
from shared.store.region import RegionStore

type Verdict = Literal["ok", "warning", "failed"]

FRESH = timedelta(seconds=20)
MOST_CONNECTIONS = 200
LETTERS = 100
_READERS = 8
# One name in each vault that no secret has: that it is missing is an answer, and is never remembered.
_ABSENT = {"keys": f"{SIGNING_KEYS}-of-nobody", "client-secrets": "of-nobody"}


class AppTokens(Protocol):
    """Where the app gets its token for Microsoft Graph."""

    def app_token(self, tenant: str) -> str:
        """See ``shared.entra.Entra.app_token``."""
        ...


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the numbers behind that."""

    name: str
    verdict: Verdict
    numbers: tuple[tuple[str, int], ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {"check": self.name, "verdict": self.verdict, **dict(self.numbers)}


@dataclass(frozen=True)
class Report:
    """Everything that was found, and when."""

    findings: tuple[Finding, ...]
    at: str

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        found = {finding.verdict for finding in self.findings}
        return "failed" if "failed" in found else "warning" if "warning" in found else "ok"

    @property
    def status(self) -> int:
        """The HTTP status that monitors look at."""
        return 503 if self.verdict == "failed" else 200

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "verdict": self.verdict,
            "at": self.at,
            "checks": [finding.document() for finding in self.findings],
        }


class DeepCheck:
    """Looks, and remembers what it saw; one look at a time for an organization."""

    def __init__(
        self, stores: Stores, secrets: Secrets, tokens: AppTokens, clock: Clock, *, shared: bool
    ) -> None:
        """``shared``: several organizations are served, and none may count what waits for the others."""
        self._stores = stores
        self._secrets = secrets
        self._tokens = tokens
        self._clock = clock
        self._shared = shared
        self._seen: Memory[str, Report] = Memory(clock, 100, FRESH)
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def report(self, tenant: str, views: Callable[[], Iterable[View]]) -> Report:
        """``views``: reads the organization's connections; only asked where nothing fresh is remembered."""
        with self._lock:
            turn = self._turns.setdefault(tenant, threading.Lock())
        with turn:
            seen = self._seen.fresh(tenant)
            if seen is None:
                seen = self._looked(tenant, views)
                self._seen.put(tenant, seen)
        return seen

    def _looked(self, tenant: str, views: Callable[[], Iterable[View]]) -> Report:
        regions = self._stores.all()
        looks: list[Callable[[], Finding]] = [
            *(partial(self._storage, store) for store in regions),
            *(partial(self._queue, store, line) for store in regions for line in LINES),
            *(partial(self._vault, name) for name in _ABSENT),
            partial(self._graph, tenant),
        ]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="deep-check") as readers:
            found = list(readers.map(lambda look: look(), looks))
            found += self._undelivered(readers, views)
        return Report(tuple(found), timestamp(self._clock.now()))

    def _storage(self, store: RegionStore) -> Finding:
        name = f"storage-{store.name}"
        try:
            # A row that is not there: reading it needs the table service, the role, and nothing else.
            store.connections.get("of-nobody")
        except AntesalaError:
            return Finding(name, "failed")
        return Finding(name, "ok")

    def _queue(self, store: RegionStore, line: Line) -> Finding:
        name = f"queue-{line.queue}-{store.name}"
        try:
            oldest = store.queue(line.queue).oldest()
        except AntesalaError:
            return Finding(name, "failed")
        age = max(0.0, (self._clock.now() - oldest).total_seconds()) if oldest is not None else 0.0
        verdict = _judged(age, line.slow, line.stuck)
        return Finding(name, verdict, () if self._shared else (("age_seconds", int(age)),))

    def _vault(self, name: str) -> Finding:
        try:
            self._secrets.read(_ABSENT[name])
        except SecretMissing:
            return Finding(f"vault-{name}", "ok")
        except AntesalaError:
            return Finding(f"vault-{name}", "failed")
        return Finding(f"vault-{name}", "ok")

    def _graph(self, tenant: str) -> Finding:
        try:
            self._tokens.app_token(tenant)
        except AntesalaError:
            return Finding("graph-token", "failed")
        return Finding("graph-token", "ok")

    def _undelivered(
        self, readers: ThreadPoolExecutor, views: Callable[[], Iterable[View]]
    ) -> Sequence[Finding]:
        """What the organization's EHRs were not told yet, and what was parked, over its connections."""
        try:
            mine = [view.connection.id for view in views() if view.approved is not None][:MOST_CONNECTIONS]
            waiting = list(readers.map(lambda one: self._stores.of(one).operations.undelivered(one), mine))
            letters = sum(
                readers.map(lambda one: self._stores.of(one).dead_letters.count(one, LETTERS), mine)
            )
        except (AntesalaError, Refusal):
            return (Finding("undelivered", "failed"), Finding("dead-letters", "failed"))
        age = max((one.age for one in waiting), default=0.0)
        count = sum(one.count for one in waiting)
        return (
            Finding(
                "undelivered",
                _judged(age, LATE, MUCH_TOO_LATE),
                (("count", count), ("age_seconds", int(age))),
            ),
            Finding("dead-letters", "warning" if letters else "ok", (("count", letters),)),
        )


def _judged(age: float, slow: float, stuck: float) -> Verdict:
    return "failed" if age > stuck else "warning" if age > slow else "ok"
