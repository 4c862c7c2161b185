"""Attendance reports: what Teams says afterwards about who was there (Graph v1.0, reference graph.md 4.1).

One report per call session, at most the 50 newest; no report means unknown, never "nobody came". Names and
mail addresses are left behind here: an anonymous joiner typed them, and nothing may be built on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from shared.clock import parse_timestamp
from shared.errors import AnswerRefused
from shared.graph.service import Graph


@dataclass(frozen=True)
class Attendance:
    """One attendee of one session. ``oid``: of the home tenant's people; ``intervals``: (joined, left)."""

    identity_kind: Literal["home", "external"]
    oid: str
    role: str
    seconds: int
    intervals: tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True)
class Report:
    """One call session."""

    id: str
    starts: datetime
    ends: datetime
    records: tuple[Attendance, ...]


class Reports:
    """The attendance reports of an organizer's meetings (OnlineMeetingArtifact.Read.All, access policy)."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of_meeting(self, tenant: str, organizer: str, meeting_id: str) -> tuple[Report, ...]:
        """Every report there is, with its records; empty while Teams has none."""
        meeting = f"/users/{quote(organizer, safe='')}/onlineMeetings/{quote(meeting_id, safe='')}"
        path = f"{meeting}/attendanceReports"
        found = [str(item.get("id", "")) for item in self._graph.pages(tenant, path)]
        return tuple(self._report(tenant, f"{path}/{quote(report, safe='')}") for report in found if report)

    def _report(self, tenant: str, path: str) -> Report:
        document = self._graph.call(tenant, "GET", path, query={"$expand": "attendanceRecords"}, attempts=2)
        records = document.get("attendanceRecords") or []
        try:
            return Report(
                str(document["id"]),
                parse_timestamp(document["meetingStartDateTime"]),
                parse_timestamp(document["meetingEndDateTime"]),
                tuple(_attendance(record, tenant) for record in records),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise AnswerRefused("graph attendance report") from failure


def _attendance(record: Mapping[str, Any], tenant: str) -> Attendance:
    identity = record.get("identity") or {}
    home = str(identity.get("tenantId") or "").lower() == tenant.lower() and bool(identity.get("id"))
    return Attendance(
        "home" if home else "external",
        str(identity["id"]) if home else "",
        str(record.get("role") or "None"),
        int(record.get("totalAttendanceInSeconds") or 0),
        tuple(_interval(interval) for interval in record.get("attendanceIntervals") or []),
    )


def _interval(interval: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return parse_timestamp(interval["joinDateTime"]), parse_timestamp(interval["leaveDateTime"])
