"""Moving a resource's status, never over a person's word (reference ehr.md 3.2, 4.2 and 4.3).

Read, judge, write under the version that was read. A status that is not known to come before the wanted one
was set by somebody who knows better: it stays, and that is a success.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.ehr.attempt import Attempt
from shared.ehr.backend import Backend
from shared.ehr.rest import FHIR_JSON, RACED, own_headers, refused, resource_of, resource_url
from shared.errors import AnswerRefused
from shared.outbound import Answer

JSON_PATCH = "application/json-patch+json"
TRIES = 3
# What reading and writing once more may take: with less time a lost race is left to a later attempt.
_ROUND_SECONDS = 30.0
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

    def __init__(self, backend: Backend, resource: str) -> None:
        self._backend = backend
        self._resource = resource

    def move(self, attempt: Attempt, name: str, before: frozenset[str], write: Write) -> None:
        """Has ``write`` change the resource where its status is in ``before``; it gets address and finding.

        OutsideErrors; after some lost races in a row a transient one.
        """
        if not _ID.fullmatch(name):
            raise AnswerRefused(f"the visit's {self._resource} has no id of FHIR")
        url = resource_url(attempt.approved, f"{self._resource}/{name}")
        for _ in range(TRIES):
            found = self._read(attempt, url, name)
            if found.status not in before:
                return
            answer = write(url, found)
            if answer.ok:
                return
            if answer.status not in RACED or attempt.left() < _ROUND_SECONDS:
                break
        raise refused(answer, RACED)

    def patch(self, attempt: Attempt, url: str, found: Found, operations: list[dict[str, str]]) -> Answer:
        """A JSON Patch (RFC 6902) of the version that was found."""
        return self._send(attempt, "PATCH", url, found, operations, JSON_PATCH)

    def put(self, attempt: Attempt, url: str, found: Found, document: Mapping[str, Any]) -> Answer:
        """The whole resource in the place of the version that was found."""
        return self._send(attempt, "PUT", url, found, document, FHIR_JSON)

    def _send(self, attempt: Attempt, method: str, url: str, found: Found, body: Any, kind: str) -> Answer:
        headers = {"Accept": FHIR_JSON, "Content-Type": kind, "If-Match": found.etag}
        headers |= {"Prefer": "return=minimal", **own_headers(attempt.approved)}
        return self._backend.send(attempt, method, url, headers=headers, json=body)

    def _read(self, attempt: Attempt, url: str, name: str) -> Found:
        # No copy of a moment ago: its version would lose the race.
        headers = {"Accept": FHIR_JSON, "Cache-Control": "no-cache", **own_headers(attempt.approved)}
        answer = self._backend.send(attempt, "GET", url, headers=headers)
        document = resource_of(answer)
        if (document["resourceType"], document.get("id")) != (self._resource, name):
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
