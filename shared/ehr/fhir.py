"""A FHIR R4 server that takes AuditEvents: one for every transition (reference ehr.md 4.1 to 4.3).

Where the server lets clients choose ids, each event is PUT under its operation's id: as often as need be, it
stays one. Elsewhere it is POSTed: conditionally where the server says that it can, plainly where it cannot;
there a repeated delivery may leave a duplicate, which its entity's identifier shows.

Only where options ask for it: an event for what a visit amounted to, and the status of its Encounter.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from shared.clock import Clock
from shared.connection import Approved
from shared.context import VisitContext
from shared.ehr.audit_event import audit_event, condition
from shared.ehr.backend import Backend
from shared.ehr.device_event import device_event
from shared.ehr.fhir_options import SHEET, YES
from shared.ehr.fhir_statement import Taking, taking
from shared.ehr.outcome_event import outcome_event
from shared.ehr.port import DeviceTelling, OutcomeTelling, Telling
from shared.ehr.rest import FHIR_JSON, RACED, own_headers, refused, resource_url
from shared.ehr.status_moves import Found, StatusMoves
from shared.errors import AnswerRefused
from shared.outbound import Answer
from shared.smart.shelf import Shelf

_STATEMENT_BYTES = 8_000_000
_KEPT = frozenset({200, 201, 204})
# Several matches (412) or a race with our own first attempt (409): it is there already.
_THERE = _KEPT | RACED
_BEFORE_THE_VISIT = frozenset({"planned", "arrived", "triaged"})
ENCOUNTER_BEFORE: Mapping[str, frozenset[str]] = {
    "in-progress": _BEFORE_THE_VISIT,
    # A visit that took place is over, whether or not its beginning was told.
    "finished": _BEFORE_THE_VISIT | {"in-progress"},
}


class FhirAdapter:
    """Tells every transition."""

    semantics: Literal["state", "event"] = "event"

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._takings: Shelf[tuple[str, int], Taking] = Shelf(clock)
        self._moves = StatusMoves(backend, clock, "Encounter")

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. AnswerRefused where the server takes no AuditEvents."""
        options = _options(approved)
        self._keep(
            approved,
            telling.operation,
            lambda by_id: audit_event(telling, options["user_system"], with_id=by_id),
        )
        # What is only learned from a report is over by now.
        if (telling.role, telling.status) == ("provider", "connected") and not telling.reconstructed:
            self._move(approved, telling.context, "in-progress")

    def takes_device(self, approved: Approved) -> bool:
        """See ``DeviceAdapter.takes_device``; the server itself is asked when there is something to tell."""
        return True

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """See ``DeviceAdapter.tell_device``: an AuditEvent, too. AnswerRefused where none is taken."""
        user_system = _options(approved)["user_system"]
        self._keep(
            approved, telling.operation, lambda by_id: device_event(telling, user_system, with_id=by_id)
        )

    def takes_outcome(self, approved: Approved) -> bool:
        """See ``OutcomeAdapter.takes_outcome``."""
        options = _options(approved)
        return YES in (options["outcome"], options["encounter_status"])

    def tell_outcome(self, approved: Approved, telling: OutcomeTelling) -> None:
        """See ``OutcomeAdapter.tell_outcome``: an AuditEvent, the Encounter's last status, or both."""
        if _options(approved)["outcome"] == YES:
            now = self._clock.now()
            self._keep(approved, telling.operation, lambda by_id: outcome_event(telling, now, with_id=by_id))
        if telling.outcome == "took-place":
            self._move(approved, telling.context, "finished")

    def _move(self, approved: Approved, context: VisitContext, target: str) -> None:
        """Moves the Encounter where this is asked for, and where the visit has one, not several."""
        encounter = context.encounter or (context.visit_id if context.kind == "encounter" else "")
        if _options(approved)["encounter_status"] != YES or not encounter or context.group:
            return
        way = self._taken(approved).encounter
        if not way:
            raise AnswerRefused("the server does not say that it lets Encounters be changed")

        def write(url: str, found: Found) -> Answer:
            if way == "put":
                return self._moves.put(approved, url, found, {**found.document, "status": target})
            # The test is for servers that pass over If-Match: what a person has set meanwhile stays.
            seen = {"op": "test", "path": "/status", "value": found.status}
            return self._moves.patch(
                approved, url, found, [seen, {"op": "replace", "path": "/status", "value": target}]
            )

        self._moves.move(approved, encounter, ENCOUNTER_BEFORE[target], write)

    def _keep(self, approved: Approved, operation: str, event: Callable[[bool], Mapping[str, Any]]) -> None:
        """Writes what ``event`` makes, with or without its own id as this server likes it, once."""
        how = self._taken(approved)
        url = resource_url(approved, "AuditEvent")
        if how.by_id:
            _expect(self._write(approved, "PUT", f"{url}/{operation}", event(True)), _KEPT)
        elif how.conditionally:
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
        sent = {"Accept": FHIR_JSON, "Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
        own = own_headers(approved)
        return self._backend.send(
            approved, method, url, headers={**sent, **own, **(headers or {})}, json=event
        )

    def _taken(self, approved: Approved) -> Taking:
        key = (approved.connection.id, approved.revision.number)
        return self._takings.get(key, lambda: self._taking(approved))

    def _taking(self, approved: Approved) -> Taking:
        answer = self._backend.send(
            approved,
            "GET",
            resource_url(approved, "metadata"),
            headers={"Accept": f"{FHIR_JSON}, application/json", **own_headers(approved)},
            max_bytes=_STATEMENT_BYTES,
        )
        _expect(answer, frozenset({200}))
        return taking(answer.json())


def _expect(answer: Answer, statuses: frozenset[int]) -> None:
    if answer.status not in statuses:
        raise refused(answer)


def _options(approved: Approved) -> Mapping[str, str]:
    return SHEET.values(approved.revision.writeback.options)
