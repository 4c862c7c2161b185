"""Makes and guards the visit's meeting, in the name of whoever can; written down once, when guarded.

A policy that was approved after that is applied by the next launch. Where it does not get through, clinicians
go on; nobody from the patient's side is let in before it stands.
"""

from collections.abc import Mapping
from dataclasses import replace

from shared.clock import parse_timestamp
from shared.connection import Policy
from shared.errors import OutsideError, Refusal, StatusRefused
from shared.events import failure as failure_of
from shared.events import note
from shared.graph.meetings import OnlineMeeting, OnlineMeetings
from shared.graph.service import GraphRefused
from shared.meeting.opening import Opening
from shared.meeting.organizers import following
from shared.store.visits import Visit

# Answers that are about this organizer: no policy or licence, unknown, or this month's meetings used up.
_ORGANIZER_STATUSES = frozenset({403, 404, 429})


class Guarding:
    """``createOrGet``, then the PATCH of what it ignores; both idempotent, so every launch may run them."""

    def __init__(self, meetings: OnlineMeetings) -> None:
        self._meetings = meetings

    def guarded(self, opening: Opening, visit: Visit) -> Visit:
        """The row with its meeting; tries one organizer after the other while none is written down.

        Refusal ``access-policy-missing`` or ``meeting-unavailable``.
        """
        failures: dict[str, OutsideError] = {}
        while not visit.policy_applied:
            try:
                meeting = self._meeting(opening, visit.organizer)
            except OutsideError as failure:
                failures[visit.organizer] = failure
                visit = _succeeded(opening, failures, failure)
            else:
                return _written(opening, visit, meeting)
        return self._followed(opening, visit)

    def moved(self, opening: Opening, visit: Visit) -> None:
        """Tells the meeting the times of the row; it works without, so that a failure is only logged."""
        starts, ends = (parse_timestamp(text) if text else None for text in (visit.starts, visit.ends))
        try:
            self._meetings.move(opening.tenant, visit.organizer, visit.meeting_id, starts, ends)
        except OutsideError as failure:
            note("meeting-not-moved", connection=opening.context.connection, failure=failure_of(failure))

    def _followed(self, opening: Opening, visit: Visit) -> Visit:
        """The row whose meeting follows the policy of today."""
        policy = opening.approved.revision.policy
        if visit.guarded == spelled(policy):
            return visit
        try:
            self._meetings.guard(opening.tenant, visit.organizer, visit.meeting_id, policy)
        except OutsideError as failure:
            if opening.launcher.side == "patient":
                raise _refusal({visit.organizer: failure}) from failure
            note("policy-not-followed", connection=opening.context.connection, failure=failure_of(failure))
            return visit
        guarded = spelled(policy)
        return opening.store.visits.change(*opening.name, lambda row: replace(row, guarded=guarded))

    def _meeting(self, opening: Opening, organizer: str) -> OnlineMeeting:
        context, tenant = opening.context, opening.tenant
        policy = opening.approved.revision.policy
        meeting = self._meetings.create_or_get(
            tenant, organizer, context.visit_key, context.starts, context.ends
        )
        self._meetings.apply(tenant, organizer, meeting, policy, context.starts, context.ends)
        return meeting


def spelled(policy: Policy) -> str:
    """What of a policy a meeting follows, for the row."""
    return f"{policy.lobby}/{policy.presenters}/{policy.chat}"


def _written(opening: Opening, made_for: Visit, meeting: OnlineMeeting) -> Visit:
    """Whoever writes first decides, with the organizer that the meeting was really made for."""

    def write(visit: Visit) -> Visit | None:
        if visit.policy_applied:
            return None
        return replace(
            visit,
            organizer=made_for.organizer,
            organizer_from=made_for.organizer_from,
            meeting_id=meeting.id,
            join_url=meeting.join_url,
            policy_applied=True,
            guarded=spelled(opening.approved.revision.policy),
        )

    return opening.store.visits.change(*opening.name, write)


def _succeeded(opening: Opening, failures: Mapping[str, OutsideError], last: OutsideError) -> Visit:
    """The row with the next organizer, or what another launch made of it meanwhile; Refusal without one."""
    tried = frozenset(failures)
    successor = following(opening.organizers, tried)
    if successor is None or not (isinstance(last, StatusRefused) and last.status in _ORGANIZER_STATUSES):
        raise _refusal(failures) from last

    def succeed(visit: Visit) -> Visit | None:
        if visit.policy_applied or visit.organizer not in tried:
            return None
        return replace(visit, organizer=successor.oid, organizer_from=successor.source)

    note("organizer-replaced", connection=opening.context.connection, failure=failure_of(last))
    return opening.store.visits.change(*opening.name, succeed)


def _refusal(failures: Mapping[str, OutsideError]) -> Refusal:
    """Why there is no meeting: the access policy if Teams named it for anybody, else Graph's last words."""
    missing = any(
        isinstance(failure, GraphRefused) and failure.policy_missing for failure in failures.values()
    )
    detail = "; ".join(str(failure) for failure in failures.values())
    return Refusal("access-policy-missing" if missing else "meeting-unavailable", detail)
