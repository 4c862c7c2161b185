"""Attendance reports: one for each session of a call in which somebody was (graph.md 4.1)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.microsoft365.lobby import is_organizer, is_presenter
from sandbox.microsoft365.meetings import Meeting
from sandbox.microsoft365.metadata import spell

if TYPE_CHECKING:
    from sandbox.microsoft365.calls import Participant


def attendance_report(
    meeting: Meeting, people: Sequence["Participant"], new_id: Callable[[], str]
) -> dict[str, Any] | None:
    """The report of a session, with its records; None if nobody got past the lobby."""
    records = [_record(meeting, joins, new_id()) for joins in _by_identity(people)]
    if not records:
        return None
    intervals = [interval for record in records for interval in record["attendanceIntervals"]]
    return {
        "id": new_id(),
        "totalParticipantCount": len(records),
        "meetingStartDateTime": min(one["joinDateTime"] for one in intervals),
        "meetingEndDateTime": max(one["leaveDateTime"] for one in intervals),
        "attendanceRecords": records,
    }


def _by_identity(people: Iterable["Participant"]) -> list[list["Participant"]]:
    """The joins of each person; a stranger's every join is somebody else."""
    grouped: dict[str, list[Participant]] = {}
    for one in people:
        if one.intervals:
            grouped.setdefault(one.person.oid if one.person else one.id, []).append(one)
    return list(grouped.values())


def _record(meeting: Meeting, joins: Sequence["Participant"], record_id: str) -> dict[str, Any]:
    one = joins[0]
    spans = [(start, end) for join in joins for start, end in join.intervals if start and end]
    intervals = [_interval(start, end) for start, end in sorted(spans)]
    return {
        "id": record_id,
        "emailAddress": one.person.mail if one.person else "",
        "totalAttendanceInSeconds": sum(each["durationInSeconds"] for each in intervals),
        "role": _role(meeting, one),
        "identity": {
            "@odata.type": "#microsoft.graph.communicationsUserIdentity",
            "id": one.person.oid if one.person else None,
            "displayName": one.name,
            "tenantId": one.person.tenant if one.person else None,
        },
        "registrationId": None,
        "externalRegistrationInformation": None,
        "attendanceIntervals": intervals,
    }


def _interval(start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "joinDateTime": spell(start),
        "leaveDateTime": spell(end),
        "durationInSeconds": int((end - start).total_seconds()),
    }


def _role(meeting: Meeting, one: "Participant") -> str:
    if is_organizer(meeting, one.person):
        return "Organizer"
    return "Presenter" if is_presenter(meeting, one.person) else "Attendee"
