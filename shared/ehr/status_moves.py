"""Moving a resource's status, never over a person's word (reference ehr.md 3.2, 4.2 and 4.3).

Read, judge, write under the version that was read. A status that is not known to come before the wanted one
was set by somebody who knows better: it stays, and that is a success.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.backend import Backend
from shared.ehr.rest import FHIR_JSON, RACED, own_headers, refused, resource_url
from shared.errors import AnswerRefused
from shared.outbound import Answer

JSON_PATCH = "application/json-patch+json"
TRIES = 3
# Beyond this a lost race is left to a later attempt: whoever called holds a claim that expires.
_WITHIN = timedelta(seconds=30)
_ETAG = re.compile(r'(W/)?"[A-Za-z0-9._\-]{1,64}"')
_VERSION = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class Found:
    """A resource as it was read; ``etag``: its version as ``If-Match`` takes it."""

    document: Mapping[str, Any] = field(repr=False)
    status: str
    etag: str


type Write = Callable[[str, Found], Answer]


class StatusMoves:
    """Moves the status of resources of one type, for example ``Appointment``."""

    def __init__(self, backend: Backend, clock: Clock, resource: str) -> None:
        self._backend = backend
        self._clock = clock
        self._resource = resource

    def move(self, approved: Approved, name: str, before: frozenset[str], write: Write) -> None:
        """Has ``write`` change the resource where its status is in ``before``; it gets address and finding.

        OutsideErrors; after some lost races in a row a transient one.
        """
        if not _ID.fullmatch(name):
            raise AnswerRefused(f"the visit's {self._resource} has no id of FHIR")
        url = resource_url(approved, f"{self._resource}/{name}")
        began = self._clock.now()
        for _ in range(TRIES):
            found = self._read(approved, url, name)
            if found.status not in before:
                return
            answer = write(url, found)
            if answer.ok:
                return
            if answer.status not in RACED or self._clock.now() - began > _WITHIN:
                break
        raise refused(answer, RACED)

    def patch(self, approved: Approved, url: str, found: Found, operations: list[dict[str, str]]) -> Answer:
        """A JSON Patch (RFC 6902) of the version that was found."""
        return self._send(approved, "PATCH", url, found, operations, JSON_PATCH)

    def put(self, approved: Approved, url: str, found: Found, document: Mapping[str, Any]) -> Answer:
        """The whole resource in the place of the version that was found."""
        return self._send(approved, "PUT", url, found, document, FHIR_JSON)

    def _send(self, approved: Approved, method: str, url: str, found: Found, body: Any, kind: str) -> Answer:
        headers = {"Accept": FHIR_JSON, "Content-Type": kind, "If-Match": found.etag}
        headers |= {"Prefer": "return=minimal", **own_headers(approved)}
        return self._backend.send(approved, method, url, headers=headers, json=body)

    def _read(self, approved: Approved, url: str, name: str) -> Found:
        # No copy of a moment ago: its version would lose the race.
        headers = {"Accept": FHIR_JSON, "Cache-Control": "no-cache", **own_headers(approved)}
        answer = self._backend.send(approved, "GET", url, headers=headers)
        if answer.status != 200:
            raise refused(answer)
        document = answer.json()
        if not isinstance(document, dict) or (document.get("resourceType"), document.get("id")) != (
            self._resource,
            name,
        ):
            raise AnswerRefused(f"the answer is not the {self._resource} that was asked for")
        status = document.get("status")
        return Found(document, status if isinstance(status, str) else "", self._version(answer, document))

    def _version(self, answer: Answer, document: Mapping[str, Any]) -> str:
        etag = answer.headers.get("etag", "").strip()
        if _ETAG.fullmatch(etag):
            return etag
        meta = document.get("meta")
        version = meta.get("versionId") if isinstance(meta, dict) else None
        if isinstance(version, str) and _VERSION.fullmatch(version):
            return f'W/"{version}"'
        raise AnswerRefused(f"the {self._resource} shows no version, so it cannot be changed safely")
