"""What adapters of FHIR servers have in common: addresses, headers, and how answers are read."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from shared.connection import Approved
from shared.errors import AnswerRefused, StatusRefused, Unreachable
from shared.outbound import Answer
from shared.smart.dialect import DIALECTS

FHIR_JSON = "application/fhir+json"
RACED = frozenset({409, 412})
"""Somebody else was faster (reference ehr.md 4.3): read again, judge again."""
_ISSUE = re.compile(r"[a-z][a-z-]{1,39}")


class RefusedForNow(StatusRefused):
    """A refusal that passes by itself, although its status does not say so."""

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Always."""
        return True


def refused(answer: Answer, passing: Collection[int] = ()) -> StatusRefused:
    """The error that this answer is; ``passing``: statuses that pass here, although elsewhere they do not."""
    kind = RefusedForNow if answer.status in passing else StatusRefused
    return kind(answer.status, _issue(answer), answer.retry_after())


def genuine(answer: Answer) -> Answer:
    """The answer; Unreachable for a success that is a page.

    A gateway's login or maintenance page often comes as 200: whoever wrote it told the EHR nothing.
    """
    if answer.ok and answer.is_page:
        raise Unreachable("ehr-writeback: a gateway's page instead of an answer")
    return answer


def resource_of(answer: Answer) -> Mapping[str, Any]:
    """The resource that a reading brought; the error that the answer is otherwise.

    What is no resource at all did not come from a FHIR server, which is not there just now: Unreachable.
    """
    if not answer.ok:
        raise refused(answer)
    try:
        document = answer.json()
    except AnswerRefused:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        raise Unreachable("ehr-writeback: no resource of FHIR in the answer")
    return document


def resource_url(approved: Approved, path: str) -> str:
    """An address below the FHIR base."""
    return f"{approved.connection.fhir_base.rstrip('/')}/{path}"


def own_headers(approved: Approved) -> dict[str, str]:
    """What this kind of EHR wants beside the standard headers."""
    return DIALECTS[approved.connection.kind].headers(approved.revision.backend.client_id)


def _issue(answer: Answer) -> str:
    """The first issue's code of an OperationOutcome; nothing else of it, for servers repeat what they got."""
    try:
        document = answer.json()
        code = document["issue"][0]["code"]
    except (AnswerRefused, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) and _ISSUE.fullmatch(code) else ""
