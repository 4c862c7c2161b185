"""A line to an EHR that tests answer themselves, and the tellings that go over it."""

import json as json_text
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import sleep
from typing import Any, Literal

from shared.connection import Approved, Client, Connection, EhrKind, Endpoints, Revision, Writeback
from shared.context import VisitContext
from shared.ehr.port import Telling
from shared.ehr.registry import Adapters
from shared.errors import Unreachable
from shared.keys import SigningKeys
from shared.outbound import Answer, Outbound
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from tests.fakes import FakeClock, MemorySecrets, SeededEntropy

BASES = {"epic": "https://ehr.test/interconnect/api/FHIR/R4", "fhir": "https://ehr.test/fhir"}
TOKEN_URL = "https://ehr.test/oauth2/token"
AT = datetime(2026, 3, 2, 14, 5, 7, 250_000, tzinfo=UTC)
OPERATION = "0b9c7a52-6a0f-5f4c-8e5a-0f6d6a1c2b3d"


@dataclass(frozen=True)
class Sent:
    """One request as it was handed over."""

    method: str
    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None
    query: Any
    json: Any


@dataclass
class Desk:
    """What the EHR answers: discovery and tokens by itself, ``answers`` to what we tell, then 200."""

    answers: list[Answer | Exception] = field(default_factory=list)
    told: list[Sent] = field(default_factory=list)
    tokens: list[Sent] = field(default_factory=list)
    metadata: list[Sent] = field(default_factory=list)
    expires_in: int = 300
    slow: float = 0.0
    token_url: str = TOKEN_URL
    audit_event: dict[str, Any] | None = field(
        default_factory=lambda: {
            "type": "AuditEvent",
            "interaction": [{"code": "create"}, {"code": "update"}],
            "updateCreate": True,
        }
    )

    def __call__(self, sent: Sent) -> Answer:
        if sent.url.endswith("/.well-known/smart-configuration"):
            endpoints = {"authorization_endpoint": "https://ehr.test/oauth2/authorize"}
            return answer(200, endpoints | {"token_endpoint": self.token_url})
        if sent.url == TOKEN_URL:
            sleep(self.slow)
            self.tokens.append(sent)
            members = {"access_token": f"token-{len(self.tokens)}", "token_type": "bearer"}
            return answer(200, members | {"expires_in": self.expires_in})
        if sent.url.endswith("/metadata"):
            self.metadata.append(sent)
            resources = [{"type": "Patient"}] + ([self.audit_event] if self.audit_event else [])
            return answer(200, {"rest": [{"mode": "server", "resource": resources}]})
        self.told.append(sent)
        reply = self.answers.pop(0) if self.answers else answer(200)
        if isinstance(reply, Exception):
            raise reply
        return reply


class Line(Outbound):
    """The seam, its far end in this process."""

    def __init__(self, clock: FakeClock, far_end: Callable[[Sent], Answer]) -> None:
        super().__init__(clock)
        self._far_end = far_end

    def send(self, method: str, url: str, **more: Any) -> Answer:
        assert url.startswith("https://")
        parts = {name: more.get(name) for name in ("form", "query", "json")}
        return self._far_end(Sent(method, url, more.get("headers") or {}, **parts))


def answer(status: int, document: Any = None, **headers: str) -> Answer:
    body = b"" if document is None else json_text.dumps(document).encode()
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def late() -> Unreachable:
    return Unreachable("ehr-writeback (ehr.test): no answer in time")


def adapters(far_end: Callable[[Sent], Answer], clock: FakeClock, secrets: MemorySecrets) -> Adapters:
    line = Line(clock, far_end)
    tokens = Tokens(line, SigningKeys(secrets, clock, {"t"}), secrets, clock, SeededEntropy())
    return Adapters(line, Discovery(line, clock, frozenset({"localhost"})), tokens, clock)


def approved(kind: str, **options: str) -> Approved:
    kinds: dict[str, tuple[EhrKind, Literal["epic", "fhir"]]] = {
        "epic": ("epic", "epic"),
        "fhir": ("fhir", "fhir"),
    }
    ehr, adapter = kinds[kind]
    one = "aabcdefghijklmno"
    revision = Revision(
        one,
        1,
        "approved",
        "Test",
        backend=Client("backend-1", "client_secret_basic", secret_name="backend-secret"),
        writeback=Writeback(adapter, options),
        endpoints=Endpoints("", "https://ehr.test/oauth2/authorize", TOKEN_URL, ""),
    )
    return Approved(Connection(one, "t", "americas", "test", ehr, BASES[kind], ""), revision)


def telling(**changes: Any) -> Telling:
    context = VisitContext("aabcdefghijklmno", "key", "session", "880014417731", "appt-1", "enc-1", "pat-1")
    values: dict[str, Any] = {
        "operation": OPERATION,
        "status": "connected",
        "at": AT,
        "began": None,
        "role": "patient",
        "user": "Patient/pat-1",
        "reconstructed": False,
        "context": context,
    }
    return Telling(**(values | changes))
