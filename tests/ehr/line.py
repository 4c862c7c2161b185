"""A line to an EHR that tests answer themselves, and what is told over it."""

import json as json_text
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

from shared.connection import Approved, Client, Connection, EhrKind, Endpoints, Revision, Writeback
from shared.context import VisitContext
from shared.ehr.port import DeviceTelling, OutcomeTelling, Telling
from shared.ehr.registry import Adapters
from shared.errors import AnswerRefused, Unreachable
from shared.keys import SigningKeys
from shared.outbound import Answer, Outbound
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from tests.fakes import FakeClock, MemorySecrets, SeededEntropy

BASES = {
    "epic": "https://ehr.test/interconnect/api/FHIR/R4",
    "oracle": "https://ehr.test/r4/tenant",
    "fhir": "https://ehr.test/fhir",
    "none": "https://ehr.test/fhir",
}
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
    timeout: float = 0.0
    max_bytes: int = 0


@dataclass
class Kept:
    """A resource of the EHR, which changes only under its version."""

    document: dict[str, Any]
    version: int = 1

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'

    def set(self, status: str) -> None:
        """What a person at the EHR does."""
        self.document = {**self.document, "status": status}
        self.version += 1

    def written(self, sent: Sent) -> Answer:
        if sent.headers.get("If-Match") != self.etag:
            return answer(409 if "If-Match" in sent.headers else 412)
        if sent.method == "PUT":
            self.set(sent.json["status"])
            return answer(200)
        for one in sent.json:
            if one["op"] == "test" and self.document[one["path"][1:]] != one["value"]:
                return answer(409)
        self.set(sent.json[-1]["value"])
        return answer(200)


def kept(kind: str, name: str, status: str) -> Kept:
    return Kept({"resourceType": kind, "id": name, "status": status, "extension": [{"url": "x"}]})


@dataclass
class Desk:
    """What the EHR answers: discovery and tokens by itself, ``answers`` to what we tell, then 200.

    Appointment and Encounter are ``kept``: they can be read (or ``read_answers`` come first) and changed.
    ``metadata_answers`` and ``token_answers`` come first, too; ``event_answers`` to who looks for an event.
    ``meanwhile``: what happens at the EHR between our reading and our writing, once each.
    """

    answers: list[Answer | Exception] = field(default_factory=list)
    told: list[Sent] = field(default_factory=list)
    tokens: list[Sent] = field(default_factory=list)
    metadata: list[Sent] = field(default_factory=list)
    expires_in: int = 300
    slow: float = 0.0
    token_url: str = TOKEN_URL
    reads: list[Sent] = field(default_factory=list)
    read_answers: list[Answer | Exception] = field(default_factory=list)
    metadata_answers: list[Answer | Exception] = field(default_factory=list)
    token_answers: list[Answer | Exception] = field(default_factory=list)
    event_answers: list[Answer | Exception] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    appointment: Kept = field(default_factory=lambda: kept("Appointment", "appt-1", "booked"))
    encounter: Kept = field(default_factory=lambda: kept("Encounter", "enc-1", "planned"))
    encounters: dict[str, Any] | None = field(
        default_factory=lambda: {"type": "Encounter", "interaction": [{"code": "read"}, {"code": "patch"}]}
    )
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
            return said(self.token_answers, lambda: answer(200, members | {"expires_in": self.expires_in}))
        if sent.url.endswith("/metadata"):
            self.metadata.append(sent)
            declared = [one for one in (self.audit_event, self.encounters) if one]
            resources = [{"type": "Patient"}, *declared]
            rest = [{"mode": "server", "resource": resources}]
            statement = {"resourceType": "CapabilityStatement", "rest": rest}
            return said(self.metadata_answers, lambda: answer(200, statement))
        if sent.method == "GET" and "/AuditEvent/" in sent.url:
            self.reads.append(sent)
            return said(self.event_answers, lambda: answer(404))
        record = self.record(sent.url)
        if record and sent.method == "GET":
            self.reads.append(sent)
            return said(self.read_answers, lambda: answer(200, record.document, etag=record.etag))
        self.told.append(sent)
        if record and self.meanwhile:
            self.meanwhile.pop(0)()
        return said(self.answers, lambda: record.written(sent) if record else answer(200))

    def record(self, url: str) -> Kept | None:
        for one in (self.appointment, self.encounter):
            if url.endswith(f"/{one.document['resourceType']}/{one.document['id']}"):
                return one
        return None


def said(prepared: list[Answer | Exception], otherwise: Callable[[], Answer]) -> Answer:
    reply = prepared.pop(0) if prepared else otherwise()
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
        parts: dict[str, Any] = {name: more.get(name) for name in ("form", "query", "json")}
        seconds, most = more.get("timeout", 10.0), more.get("max_bytes", 1_000_000)
        sent = Sent(method, url, more.get("headers") or {}, **parts, timeout=seconds, max_bytes=most)
        got = self._far_end(sent)
        if len(got.body) > most:
            raise AnswerRefused("the answer is too large")
        return got


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
    ehrs: dict[str, EhrKind] = {"epic": "epic", "oracle": "oracle", "fhir": "fhir", "none": "fhir"}
    one = "aabcdefghijklmno"
    revision = Revision(
        one,
        1,
        "approved",
        "Test",
        backend=Client("backend-1", "client_secret_basic", secret_name="backend-secret"),
        writeback=Writeback(kind, options),
        endpoints=Endpoints("", "https://ehr.test/oauth2/authorize", TOKEN_URL, ""),
    )
    return Approved(Connection(one, "t", "americas", "test", ehrs[kind], BASES[kind], ""), revision)


CONTEXT = VisitContext("aabcdefghijklmno", "key", "session", "880014417731", "appt-1", "enc-1", "pat-1")


def telling(**changes: Any) -> Telling:
    values: dict[str, Any] = {
        "operation": OPERATION,
        "status": "connected",
        "at": AT,
        "began": None,
        "role": "patient",
        "user": "Patient/pat-1",
        "reconstructed": False,
        "context": CONTEXT,
    }
    return Telling(**(values | changes))


def outcome(**changes: Any) -> OutcomeTelling:
    one = OutcomeTelling(OPERATION, "took-place", AT, AT + timedelta(minutes=20), CONTEXT)
    return replace(one, **changes)


def device(**changes: Any) -> DeviceTelling:
    return replace(DeviceTelling(OPERATION, "works", AT, "Patient/pat-1", "pat-1", CONTEXT), **changes)
