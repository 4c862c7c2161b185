"""Stand-ins for what is outside: a strict Graph behind the outbound seam, and a region's storage.

The simulated Microsoft 365 of the sandbox is the judge of what Graph accepts (``test_simulated_graph``); this
one is small enough to fail on demand in any step and to record the order of what was asked.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from shared.errors import Unreachable
from shared.outbound import Answer
from shared.store.visits import Visit

TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
OTHER_TENANT = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"
CLIENT_ID = "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631"
PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
ELENA = "11111111-aaaa-4aaa-8aaa-000000000003"
NOAH = "11111111-aaaa-4aaa-8aaa-000000000004"
POOL = ("11111111-aaaa-4aaa-8aaa-000000000005", "11111111-aaaa-4aaa-8aaa-000000000006")
GRAPH = "https://graph.microsoft.com"
LOGIN = "https://login.microsoftonline.com"
NOW = datetime(2026, 10, 1, 14, 0, tzinfo=UTC)
POLICY_TEXT = f"No application access policy found for this app {CLIENT_ID} on the user."


@dataclass
class FakeClock:
    """Stands still until moved."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


class FakeEntropy:
    """Counts instead of drawing."""

    def __init__(self) -> None:
        self.drawn = 0

    def token(self, size: int = 32) -> str:
        self.drawn += 1
        return f"token-{self.drawn}".ljust(size, "x")

    def between(self, low: float, high: float) -> float:
        return (low + high) / 2

    def choose(self, alphabet: Any, size: int) -> str:
        self.drawn += 1
        return "".join(alphabet[(self.drawn + place) % len(alphabet)] for place in range(size))


class FakeEntra:
    """Gives numbered tokens; a refused one is replaced by the next."""

    def __init__(self) -> None:
        self.number = 1
        self.asked: list[str] = []

    def app_token(self, tenant: str, *, refused: str = "") -> str:
        self.asked.append(tenant)
        if refused == f"token-{self.number}":
            self.number += 1
        return f"token-{self.number}"


@dataclass(frozen=True)
class Sent:
    """One request as it left."""

    method: str
    path: str
    body: Any
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float

    @property
    def text(self) -> str:
        return json.dumps([self.path, self.body, dict(self.query)])


def answer(status: int, document: Any = None, **headers: str) -> Answer:
    """An answer with a JSON body, or none."""
    body = b"" if document is None else json.dumps(document).encode()
    return Answer(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )


def graph_error(status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    """Graph's error envelope (graph.md 1.6)."""
    return answer(status, {"error": {"code": code, "message": message, "innerError": {}}}, **headers)


@dataclass
class Failures:
    """What goes wrong; every field off by default."""

    organizers: dict[str, Answer] = field(default_factory=dict)  # createOrGet of this organizer answers so
    patch: Answer | None = None
    subscription: Answer | None = None
    virtual: Answer | None = None
    subscription_after: threading.Event | None = None  # no answer before
    down: bool = False  # no answer from anything
    forks: bool = False  # createOrGet makes a new meeting every time: nothing says that it is atomic
    keeps_lobby: bool = False  # PATCH says 200 and changes nothing
    terse: bool = False  # PATCH says 200 and shows nothing of the lobby
    join_host: str = "teams.microsoft.com"
    throttled: int = 0


class FakeGraph:
    """Graph behind ``Outbound.send``: meetings, browser link, subscriptions. Others fail the test."""

    def __init__(self) -> None:
        self.failures = Failures()
        self.sent: list[Sent] = []
        self.meetings: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.subscribed = 0
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self._lock = threading.Lock()
        self.session = None

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float = 10,
        max_bytes: int = 1_000_000,
        service: str,
        attempts: int = 1,
        idempotent: bool | None = None,
    ) -> Answer:
        assert url.startswith(GRAPH), url
        path = url.removeprefix(GRAPH)
        request = Sent(method, path, json, dict(query or {}), dict(headers or {}), time.monotonic())
        with self._lock:
            self.sent.append(request)
        if self.failures.down:
            raise Unreachable("graph")
        prepared = self.answers.get((method, path))
        if prepared:
            return prepared.pop(0)
        return self._route(request)

    def asked(self, method: str, end: str) -> list[Sent]:
        """What was sent to paths that end so."""
        return [request for request in self.sent if request.method == method and request.path.endswith(end)]

    def _route(self, request: Sent) -> Answer:
        if request.method == "POST" and request.path.endswith("/onlineMeetings/createOrGet"):
            return self._create_or_get(request)
        if request.method == "POST" and request.path == "/beta/subscriptions":
            return self._subscribe(request)
        if request.method == "PATCH" and "/onlineMeetings/" in request.path:
            return self._patch(request)
        if request.method == "GET" and request.path.endswith("/getVirtualAppointmentJoinWebUrl"):
            return self._virtual(request)
        if request.method == "GET" and request.path.split("/")[-2] == "onlineMeetings":
            return answer(200, self.meeting(unquote(request.path.rsplit("/", 1)[1])))
        if request.method == "DELETE" and request.path.startswith("/beta/subscriptions/"):
            return self._unsubscribe(request)
        raise AssertionError(f"unexpected {request.method} {request.path}")

    def _create_or_get(self, request: Sent) -> Answer:
        organizer = request.path.split("/")[3]
        failure = self.failures.organizers.get(organizer)
        if failure is not None:
            return failure
        assert set(request.body) <= {"externalId", "startDateTime", "endDateTime", "subject", "participants"}
        with self._lock:
            fork = len(self.meetings) if self.failures.forks else 0
            key = (organizer, request.body["externalId"], fork)
            found = key in self.meetings
            if not found:
                self.meetings[key] = self._meeting(len(self.meetings) + 1, request.body)
            return answer(200 if found else 201, dict(self.meetings[key]))

    def _meeting(self, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": f"MSo{number}=*",
            "joinWebUrl": f"https://{self.failures.join_host}/l/meetup-join/19%3ameeting_{number}%40thread.v2/0",
            "startDateTime": body.get("startDateTime", "2026-10-01T14:00:00.0000000Z"),
            "endDateTime": body.get("endDateTime", "2026-10-01T15:00:00.0000000Z"),
            "lobbyBypassSettings": {"scope": "everyone", "isDialInBypassEnabled": True},
            "allowedPresenters": "everyone",
            "allowMeetingChat": "enabled",
            "recordAutomatically": False,
            "allowRecording": True,
            "allowTranscription": True,
        }

    def meeting(self, meeting_id: str) -> dict[str, Any]:
        return next(found for found in self.meetings.values() if found["id"] == meeting_id)

    def _patch(self, request: Sent) -> Answer:
        if self.failures.patch is not None:
            return self.failures.patch
        meeting = self.meeting(unquote(request.path.rsplit("/", 1)[1]))
        if not self.failures.keeps_lobby:
            meeting.update(request.body)
        return answer(200, {"id": meeting["id"]} if self.failures.terse else meeting)

    def _virtual(self, request: Sent) -> Answer:
        if self.failures.virtual is not None:
            return self.failures.virtual
        meeting = self.meeting(unquote(request.path.split("/")[-2]))
        return answer(
            200, {"value": f"https://visit.teams.microsoft.com/webrtc-svc/api/route?convId={meeting['id']}"}
        )

    def _unsubscribe(self, request: Sent) -> Answer:
        name = request.path.rsplit("/", 1)[1]
        held = [key for key, one in self.subscriptions.items() if one["id"] == name]
        for key in held:
            del self.subscriptions[key]
        return answer(204) if held else graph_error(404, "NotFound")

    def _subscribe(self, request: Sent) -> Answer:
        if self.failures.subscription_after is not None:
            self.failures.subscription_after.wait(10)
        if self.failures.subscription is not None:
            return self.failures.subscription
        with self._lock:
            if request.body["resource"] in self.subscriptions:
                return graph_error(409, "Conflict", "exists")
            self.subscribed += 1
            made = {
                "id": f"sub-{self.subscribed}",
                "resource": request.body["resource"],
            }
            made["expirationDateTime"] = request.body["expirationDateTime"]
            self.subscriptions[request.body["resource"]] = made
            return answer(201, made)


class MemoryVisits:
    """The ``Visits`` port over a dictionary, with ETags; counts what it is asked."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Visit] = {}
        self.counted: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._version = 0

    def _stamped(self, visit: Visit) -> Visit:
        self._version += 1
        return replace(visit, etag=f"v{self._version}")

    def get(self, connection: str, key: str) -> Visit | None:
        self.counted["get"] += 1
        return self.rows.get((connection, key))

    def find(self, connection: str, keys: tuple[str, ...]) -> Visit | None:
        return next((found for key in keys if (found := self.get(connection, key)) is not None), None)

    def create(self, visit: Visit) -> bool:
        self.counted["write"] += 1
        with self._lock:
            if (visit.connection, visit.key) in self.rows:
                return False
            self.rows[visit.connection, visit.key] = self._stamped(visit)
            return True

    def change(self, connection: str, key: str, fn: Callable[[Visit], Visit | None], tries: int = 8) -> Visit:
        for _ in range(tries):
            seen = self.rows[connection, key]
            new = fn(seen)
            if new is None:
                return seen
            time.sleep(0.001)  # others get a chance to write in between, as over a network
            with self._lock:
                if self.rows[connection, key].etag == seen.etag:
                    self.counted["write"] += 1
                    self.rows[connection, key] = self._stamped(new)
                    return self.rows[connection, key]
        raise AssertionError("changed meanwhile, too often")


@dataclass
class MemoryQueue:
    """Keeps what was sent, with its delay; ``down`` refuses as an unreachable storage does."""

    sent: list[tuple[str, float]] = field(default_factory=list)
    down: bool = False

    def send(self, text: str, *, delay: float = 0, ttl: int = -1) -> None:
        if self.down:
            raise Unreachable("storage")
        self.sent.append((text, delay))


class MemoryStore:
    """One region."""

    name = "americas"

    def __init__(self) -> None:
        self.visits = MemoryVisits()
        self.tend = MemoryQueue()

    def queue(self, name: str) -> MemoryQueue:
        assert name == "tend"
        return self.tend


class MemoryStores:
    """All regions are one."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def of(self, connection: str) -> MemoryStore:
        return self.store

    def all(self) -> Iterator[MemoryStore]:
        yield self.store
