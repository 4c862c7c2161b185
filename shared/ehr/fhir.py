"""A FHIR R4 server that takes AuditEvents: one for every transition (reference ehr.md 4.1 and 4.3).

Where the server lets clients choose ids, each event is PUT under its operation's id: as often as need be, it
stays one. Elsewhere it is POSTed: conditionally where the server says that it can, plainly where it cannot;
there a repeated delivery may leave a duplicate, which its entity's identifier shows.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.audit_event import audit_event, condition
from shared.ehr.backend import Backend
from shared.ehr.device_event import device_event
from shared.ehr.fhir_options import SHEET
from shared.ehr.port import DeviceTelling, Telling
from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Answer
from shared.smart.dialect import DIALECTS
from shared.smart.shelf import Shelf

_FHIR_JSON = "application/fhir+json"
_STATEMENT_BYTES = 8_000_000
_KEPT = frozenset({200, 201, 204})
# Several matches (412) or a race with our own first attempt (409): it is there already.
_THERE = _KEPT | {409, 412}
_ISSUE = re.compile(r"[a-z][a-z-]{1,39}")


@dataclass(frozen=True)
class Taking:
    """How a server takes AuditEvents, by its CapabilityStatement."""

    by_id: bool
    conditionally: bool


class FhirAdapter:
    """Tells every transition."""

    semantics: Literal["state", "event"] = "event"

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._takings: Shelf[tuple[str, int], Taking] = Shelf(clock)

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. AnswerRefused where the server takes no AuditEvents."""
        user_system = _user_system(approved)
        self._keep(
            approved, telling.operation, lambda by_id: audit_event(telling, user_system, with_id=by_id)
        )

    def takes_device(self, approved: Approved) -> bool:
        """See ``DeviceAdapter.takes_device``; the server itself is asked when there is something to tell."""
        return True

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """See ``DeviceAdapter.tell_device``: an AuditEvent, too. AnswerRefused where none is taken."""
        user_system = _user_system(approved)
        self._keep(
            approved, telling.operation, lambda by_id: device_event(telling, user_system, with_id=by_id)
        )

    def _keep(self, approved: Approved, operation: str, event: Callable[[bool], Mapping[str, Any]]) -> None:
        """Writes what ``event`` makes, with or without its own id as this server likes it, once."""
        key = (approved.connection.id, approved.revision.number)
        taking = self._takings.get(key, lambda: self._taking(approved))
        url = f"{_base(approved)}/AuditEvent"
        if taking.by_id:
            _expect(self._write(approved, "PUT", f"{url}/{operation}", event(True)), _KEPT)
        elif taking.conditionally:
            headers = {"If-None-Exist": condition(operation)}
            _expect(self._write(approved, "POST", url, event(False), headers), _THERE)
        else:
            _expect(self._write(approved, "POST", url, event(False)), _KEPT)

    def _write(
        self,
        approved: Approved,
        method: str,
        url: str,
        event: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": _FHIR_JSON, "Content-Type": _FHIR_JSON, "Prefer": "return=minimal"}
        own = _own_headers(approved)
        return self._backend.send(
            approved, method, url, headers={**sent, **own, **(headers or {})}, json=event
        )

    def _taking(self, approved: Approved) -> Taking:
        answer = self._backend.send(
            approved,
            "GET",
            f"{_base(approved)}/metadata",
            headers={"Accept": f"{_FHIR_JSON}, application/json", **_own_headers(approved)},
            max_bytes=_STATEMENT_BYTES,
        )
        _expect(answer, frozenset({200}))
        return taking(answer.json())


def taking(statement: Any) -> Taking:
    """Reads a CapabilityStatement; AnswerRefused where AuditEvents cannot be written."""
    for resource in _resources(statement):
        if resource.get("type") != "AuditEvent":
            continue
        listed = resource.get("interaction")
        codes = (
            [one.get("code") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
        by_id = resource.get("updateCreate") is True and "update" in codes
        if by_id or "create" in codes:
            return Taking(by_id, resource.get("conditionalCreate") is True and _searches_entities(resource))
    raise AnswerRefused("the server does not say that it takes AuditEvents")


def _searches_entities(resource: Mapping[str, Any]) -> bool:
    """A lenient server that passes over our condition would find any event and never keep ours."""
    listed = resource.get("searchParam")
    return isinstance(listed, list) and any(
        isinstance(one, dict) and one.get("name") == "entity" for one in listed
    )


def _resources(statement: Any) -> list[Mapping[str, Any]]:
    rests = statement.get("rest") if isinstance(statement, dict) else None
    found: list[Mapping[str, Any]] = []
    for rest in rests if isinstance(rests, list) else []:
        if isinstance(rest, dict) and rest.get("mode") == "server" and isinstance(rest.get("resource"), list):
            found += [one for one in rest["resource"] if isinstance(one, dict)]
    return found


def _expect(answer: Answer, statuses: frozenset[int]) -> None:
    if answer.status not in statuses:
        raise StatusRefused(answer.status, _issue(answer), answer.retry_after())


def _issue(answer: Answer) -> str:
    """The first issue's code of an OperationOutcome; nothing else of it, for servers repeat what they got."""
    try:
        document = answer.json()
        code = document["issue"][0]["code"]
    except (AnswerRefused, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) and _ISSUE.fullmatch(code) else ""


def _base(approved: Approved) -> str:
    return approved.connection.fhir_base.rstrip("/")


def _user_system(approved: Approved) -> str:
    return SHEET.values(approved.revision.writeback.options)["user_system"]


def _own_headers(approved: Approved) -> dict[str, str]:
    return DIALECTS[approved.connection.kind].headers(approved.revision.backend.client_id)
