"""A FHIR R4 server that takes AuditEvents: one for every transition (reference ehr.md 4.1 to 4.3).

Where the server lets clients choose ids, each event is PUT under its operation's id: as often as need be, it
stays one. A server that never changes an event refuses the second PUT: then the event is looked for, which
takes a scope to read AuditEvents; without it the refusal stands. Elsewhere it is POSTed: conditionally where
the server says that it can, plainly where it cannot; there a repeated delivery may leave a duplicate, which
its entity's identifier shows.

Only where options ask for it: an event for what a visit amounted to, and the status of its Encounter. That
comes after the event and never costs it: what is refused for good is left and logged (``encounter-left``),
and the event counts as told. What fails in passing is told again, event and all, where that makes no second
event; where events are POSTed plainly it is tried twice at once, then left and logged, too. To look for the
event before each POST would take a scope to read AuditEvents, which we do not ask for by default.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from shared.clock import Clock
from shared.connection import Approved
from shared.context import VisitContext
from shared.ehr.attempt import Attempt
from shared.ehr.audit_event import audit_event, condition
from shared.ehr.backend import Backend
from shared.ehr.device_event import device_event
from shared.ehr.fhir_options import SHEET, YES
from shared.ehr.fhir_statement import Taking, taking
from shared.ehr.outcome_event import outcome_event
from shared.ehr.port import DeviceTelling, OutcomeTelling, Telling
from shared.ehr.rest import FHIR_JSON, RACED, own_headers, refused, resource_of, resource_url
from shared.ehr.status_moves import Found, StatusMoves
from shared.errors import AnswerRefused, NoToken, OutsideError, StatusRefused
from shared.events import note
from shared.outbound import Answer
from shared.smart.shelf import Shelf

_STATEMENT_BYTES = 8_000_000
_KEPT = frozenset({200, 201, 204})
# Several matches (412) or a race with our own first attempt (409): it is there already.
_THERE = _KEPT | RACED
# To a PUT: either not kept, or kept by an attempt before, whose answer got lost, and not to be changed.
_PERHAPS_THERE = RACED | {405}
_PLAIN_TRIES = 2
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
        self._moves = StatusMoves(backend, "Encounter")

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. AnswerRefused where the server takes no AuditEvents."""
        attempt, user_system = Attempt(approved, self._clock), _options(approved)["user_system"]
        how = self._keep(
            attempt, telling.operation, lambda by_id: audit_event(telling, user_system, with_id=by_id)
        )
        # What is only learned from a report is over by now.
        if (telling.role, telling.status) == ("provider", "connected") and not telling.reconstructed:
            self._move_after(attempt, how, telling, "in-progress")

    def takes_device(self, approved: Approved) -> bool:
        """See ``DeviceAdapter.takes_device``; the server itself is asked when there is something to tell."""
        return True

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """See ``DeviceAdapter.tell_device``: an AuditEvent, too. AnswerRefused where none is taken."""
        attempt, user_system = Attempt(approved, self._clock), _options(approved)["user_system"]
        self._keep(
            attempt, telling.operation, lambda by_id: device_event(telling, user_system, with_id=by_id)
        )

    def takes_outcome(self, approved: Approved) -> bool:
        """See ``OutcomeAdapter.takes_outcome``."""
        options = _options(approved)
        return YES in (options["outcome"], options["encounter_status"])

    def tell_outcome(self, approved: Approved, telling: OutcomeTelling) -> None:
        """See ``OutcomeAdapter.tell_outcome``: an AuditEvent, the Encounter's last status, or both."""
        attempt, now, over = (
            Attempt(approved, self._clock),
            self._clock.now(),
            telling.outcome == "took-place",
        )
        if _options(approved)["outcome"] == YES:
            how = self._keep(
                attempt, telling.operation, lambda by_id: outcome_event(telling, now, with_id=by_id)
            )
            if over:
                self._move_after(attempt, how, telling, "finished")
        elif over:
            self._move(attempt, telling.context, "finished")

    def _move_after(
        self, attempt: Attempt, how: Taking, telling: Telling | OutcomeTelling, target: str
    ) -> None:
        """Moves the Encounter when the event is kept; raises only what may be told again, event and all."""
        tries = 1 if how.repeatable else _PLAIN_TRIES
        for further in reversed(range(tries)):
            try:
                self._move(attempt, telling.context, target)
            except OutsideError as failure:
                passing = failure.transient or isinstance(failure, NoToken)
                if passing and how.repeatable:
                    raise
                if passing and further:
                    continue
                _log_left(attempt.approved, telling.operation, failure)
            return

    def _move(self, attempt: Attempt, context: VisitContext, target: str) -> None:
        """Moves the Encounter where this is asked for, and where the visit has one, not several."""
        encounter = context.encounter or (context.visit_id if context.kind == "encounter" else "")
        if _options(attempt.approved)["encounter_status"] != YES or not encounter or context.group:
            return
        way = self._taken(attempt).encounter
        if not way:
            raise AnswerRefused("the server does not say that it lets Encounters be changed")

        def write(url: str, found: Found) -> Answer:
            if way == "put":
                return self._moves.put(attempt, url, found, {**found.document, "status": target})
            # The test is for servers that pass over If-Match: what a person has set meanwhile stays.
            seen = {"op": "test", "path": "/status", "value": found.status}
            return self._moves.patch(
                attempt, url, found, [seen, {"op": "replace", "path": "/status", "value": target}]
            )

        self._moves.move(attempt, encounter, ENCOUNTER_BEFORE[target], write)

    def _keep(self, attempt: Attempt, operation: str, event: Callable[[bool], Mapping[str, Any]]) -> Taking:
        """Writes what ``event`` makes, with or without its own id as this server likes it, once; says how."""
        how = self._taken(attempt)
        url = resource_url(attempt.approved, "AuditEvent")
        if how.by_id:
            answer = self._write(attempt, "PUT", f"{url}/{operation}", event(True))
            if answer.status not in _PERHAPS_THERE or not self._is_there(attempt, url, operation):
                _expect(answer, _KEPT)
        elif how.conditionally:
            headers = {"If-None-Exist": condition(operation)}
            _expect(self._write(attempt, "POST", url, event(False), headers), _THERE)
        else:
            _expect(self._write(attempt, "POST", url, event(False)), _KEPT)
        return how

    def _is_there(self, attempt: Attempt, url: str, operation: str) -> bool:
        """Whether the server has this event; OutsideErrors that later may not be there."""
        headers = {"Accept": FHIR_JSON, **own_headers(attempt.approved)}
        answer = self._backend.send(attempt, "GET", f"{url}/{operation}", headers=headers)
        if not answer.ok and not refused(answer).transient:
            return False
        found = resource_of(answer)
        return (found["resourceType"], found.get("id")) == ("AuditEvent", operation)

    def _write(
        self,
        attempt: Attempt,
        method: str,
        url: str,
        event: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": FHIR_JSON, "Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
        own = own_headers(attempt.approved)
        return self._backend.send(
            attempt, method, url, headers={**sent, **own, **(headers or {})}, json=event
        )

    def _taken(self, attempt: Attempt) -> Taking:
        key = (attempt.approved.connection.id, attempt.approved.revision.number)
        return self._takings.get(key, lambda: self._taking(attempt))

    def _taking(self, attempt: Attempt) -> Taking:
        answer = self._backend.send(
            attempt,
            "GET",
            resource_url(attempt.approved, "metadata"),
            headers={"Accept": f"{FHIR_JSON}, application/json", **own_headers(attempt.approved)},
            max_bytes=_STATEMENT_BYTES,
        )
        return taking(resource_of(answer))


def _log_left(approved: Approved, operation: str, failure: OutsideError) -> None:
    status = failure.status if isinstance(failure, StatusRefused | NoToken) else 0
    note(
        "encounter-left",
        connection=approved.connection.id,
        operation=operation,
        reason=type(failure).__name__,
        status=status,
    )


def _expect(answer: Answer, statuses: frozenset[int]) -> None:
    if answer.status not in statuses:
        raise refused(answer)


def _options(approved: Approved) -> Mapping[str, str]:
    return SHEET.values(approved.revision.writeback.options)
