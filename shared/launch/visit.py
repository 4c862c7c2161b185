"""Which visit a launch opens: what the token response says, never what an address says.

- ``session`` and ``conference``: the id is a member of the token response, filled by the integration record;
- ``appointment``: the standard ``fhirContext`` (objects, or plain strings of early servers), the EHR's own
  member, or the launched encounter's appointment; it is then read with the user's own token and must be of
  the token's patient;
- ``encounter``: the ``encounter`` member, read the same way.

A visit of several patients is a group: by the connection's kind, by a member ``visit=group`` that its record
hands over, or because the appointment names several. Nobody of a group goes along in its context.

An id of another kind is resolved to the connection's kind or refused, so that two launches of one visit can
never make two meetings. Times come along where they are readable; only naming depends on a reading, nothing
else does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared import trace
from shared.connection import Side
from shared.context import VisitContext
from shared.errors import OutsideError, Refusal
from shared.events import failure as failure_of
from shared.events import note
from shared.launch.answers import READ_STATUSES, ehr_answers
from shared.launch.parameters import VISIT_ID, visit_id
from shared.launch.passage import Finished
from shared.outbound import Outbound
from shared.sealing import Pseudonyms
from shared.smart.chart import RESOURCE_ID, Appointment, Chart, Encounter
from shared.smart.dialect import DIALECTS
from shared.store import Stores

# Our own marker in the context string of a group visit's integration record.
GROUP_MEMBER, GROUP_VALUE = "visit", "group"


@dataclass(frozen=True)
class _Found:
    """What the token response and the chart say of the visit, before it has a key."""

    visit_id: str = field(repr=False)
    appointment: str = field(default="", repr=False)
    encounter: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)
    times: Appointment | None = field(default=None, repr=False)
    several: bool = False


class Visits:
    """Names the visit of a finished launch."""

    def __init__(self, outbound: Outbound, stores: Stores, pseudonyms: Pseudonyms) -> None:
        self._outbound = outbound
        self._stores = stores
        self._pseudonyms = pseudonyms

    def of(self, finished: Finished, side: Side) -> VisitContext:
        """The visit; Refusal visit-missing, visit-invalid, visit-not-yours or visit-cancelled."""
        source = finished.revision.visit_source
        found = self._found(finished, side)
        key = self._key(finished.connection_id, source.kind, found.visit_id)
        trace.about(key)
        if found.times is not None and found.times.cancelled:
            raise Refusal("visit-cancelled")
        context = VisitContext(
            connection=finished.connection_id,
            visit_key=key,
            kind=source.kind,
            visit_id=found.visit_id,
            appointment=found.appointment,
            encounter=found.encounter,
            patient=found.patient,
            starts=found.times.starts if found.times else None,
            ends=found.times.ends if found.times else None,
            trace=trace.trace_id(),
        )
        return _of_nobody(context) if found.several or _is_group(finished) else context

    def chart(self, finished: Finished) -> Chart:
        """The user's own view of the EHR, for as long as the launch lasts."""
        client_id = finished.revision.client(
            "patient" if finished.purpose == "patient" else "provider"
        ).client_id
        headers = DIALECTS[finished.connection.kind].headers(client_id)
        return Chart(self._outbound, finished.iss, finished.token.access_token, headers)

    def _found(self, finished: Finished, side: Side) -> _Found:
        kind = finished.revision.visit_source.kind
        if kind == "appointment":
            return self._by_appointment(finished, side)
        if kind == "encounter":
            return self._by_encounter(finished, side)
        return self._by_member(finished)

    def _by_member(self, finished: Finished) -> _Found:
        token, source = finished.token, finished.revision.visit_source
        found = _Found(
            visit_id(token.member(source.key)),
            appointment=_readable(_launched_appointment(finished)),
            encounter=_readable(token.encounter),
            patient=_readable(token.patient),
        )
        if found.appointment and finished.revision.policy.window:
            return replace(found, times=self._if_readable(finished, found.appointment))
        return found

    def _by_appointment(self, finished: Finished, side: Side) -> _Found:
        token, source, chart = finished.token, finished.revision.visit_source, self.chart(finished)
        named = token.member(source.key) if source.key else _launched_appointment(finished)
        if not named and token.encounter:
            named = self._appointment_of(chart, visit_id(token.encounter))
        with ehr_answers("appointment", READ_STATUSES):
            appointment = chart.appointment(visit_id(named))
        patient = _owned(side, token.patient, appointment.patients)
        several = len(appointment.patients) > 1
        encounter = _readable(token.encounter)
        return _Found(appointment.id, appointment.id, encounter, patient, appointment, several)

    def _by_encounter(self, finished: Finished, side: Side) -> _Found:
        token, source, chart = finished.token, finished.revision.visit_source, self.chart(finished)
        named = visit_id(token.member(source.key) if source.key else token.encounter)
        with ehr_answers("encounter", READ_STATUSES):
            encounter = chart.encounter(named)
        if encounter.cancelled:
            raise Refusal("visit-cancelled")
        patient = _owned(side, token.patient, frozenset({encounter.patient} - {""}))
        appointment = encounter.appointments[0] if len(encounter.appointments) == 1 else ""
        times = self._if_readable(finished, appointment) if appointment else None
        return _Found(encounter.id, appointment, encounter.id, patient, times)

    def _appointment_of(self, chart: Chart, identifier: str) -> str:
        with ehr_answers("encounter", READ_STATUSES):
            encounter: Encounter = chart.encounter(identifier)
        if len(encounter.appointments) != 1:
            raise Refusal("visit-missing", f"the encounter has {len(encounter.appointments)} appointments")
        return encounter.appointments[0]

    def _if_readable(self, finished: Finished, identifier: str) -> Appointment | None:
        try:
            return self.chart(finished).appointment(identifier)
        except OutsideError as error:
            # The join window is off where the time is not known: a visit never fails for want of it.
            note("times-unread", connection=finished.connection_id, failure=failure_of(error))
            return None

    def _key(self, connection: str, kind: str, identifier: str) -> str:
        keys = self._pseudonyms.visit_keys(connection, kind, identifier)
        if len(keys) == 1:
            return keys[0]
        known = self._stores.of(connection).visits.find(connection, keys)
        return known.key if known is not None else keys[0]


def _owned(side: Side, patient: str, patients: frozenset[str]) -> str:
    """The patient of the visit, who must be the one of the token; a patient's token must name one."""
    if patient and patient not in patients:
        raise Refusal("visit-not-yours", "the visit is of another patient")
    if not patient and side == "patient":
        raise Refusal("visit-not-yours", "the token names no patient")
    return patient or (next(iter(patients)) if len(patients) == 1 else "")


def _launched_appointment(finished: Finished) -> str:
    """The bare id of the launched appointment, or empty; Refusal visit-invalid where several are named."""
    named = {item for item in map(_appointment_in, finished.token.fhir_context) if item}
    members = DIALECTS[finished.connection.kind].appointment_members
    named |= {finished.token.member(name) for name in members} - {""}
    if len(named) > 1:
        raise Refusal("visit-invalid", "several appointments")
    return next(iter(named), "")


def _appointment_in(item: Any) -> str:
    """``fhirContext`` (SMART 2.2 section 3.0.2.3): no role means launch; others are not it."""
    if isinstance(item, Mapping):
        if item.get("role", "launch") != "launch":
            return ""
        item = item.get("reference")
    if not isinstance(item, str) or len(item) > 300:
        return ""
    kind, _, identifier = item.partition("/")
    return identifier if kind == "Appointment" else ""


def _readable(value: str) -> str:
    """An id that comes along but names nothing: dropped when it is none, since nothing depends on it."""
    return value if VISIT_ID.fullmatch(value) and RESOURCE_ID.fullmatch(value) else ""


def _of_nobody(context: VisitContext) -> VisitContext:
    """A group's context: what is one patient's own would be that of whoever launched first."""
    own = context.visit_id
    return replace(
        context,
        appointment=context.appointment if context.appointment == own else "",
        encounter=context.encounter if context.encounter == own else "",
        patient="",
        group=True,
    )


def _is_group(finished: Finished) -> bool:
    marked = finished.token.member(GROUP_MEMBER) == GROUP_VALUE
    return finished.revision.visit_source.kind == "conference" or marked
