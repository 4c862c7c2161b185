"""Graph's onlineMeetings and what hangs on them: join link, attendance (graph.md 1, 2, 4)."""

import copy
import re
from typing import Any

from flask import request

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.errors import GraphError, bad_request
from sandbox.microsoft365.graph import Answer, Caller, Graph, body_of_request
from sandbox.microsoft365.lobby import is_organizer
from sandbox.microsoft365.meeting_rules import user_id
from sandbox.microsoft365.meetings import Meeting
from sandbox.microsoft365.metadata import check_entity, check_parameters, is_guid
from sandbox.microsoft365.world import World

_READ = ("OnlineMeetings.Read.All", "OnlineMeetings.ReadWrite.All")
_WRITE = ("OnlineMeetings.ReadWrite.All",)
_FILTER = re.compile(r"(joinWebUrl|joinMeetingIdSettings/joinMeetingId) eq '((?:[^']|'')*)'", re.IGNORECASE)
# Shown only to who says it knows them (graph.md 1.1).
_LATER_SCOPES = ("invited", "organizationExcludingGuests")
_MOST_REPORTS = 50


class MeetingOperations:
    """The operations, over `world`; `install` gives them their routes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, graph: Graph) -> None:
        """Serve them."""
        base = "/users/<user>/onlineMeetings"
        one = f"{base}/<meeting>"
        graph.route("POST", base, "create", self.create)
        graph.route("GET", base, "find", self.find)
        graph.route("POST", f"{base}/createOrGet", "create_or_get", self.create_or_get)
        graph.route("GET", one, "get", self.get)
        graph.route("PATCH", one, "patch", self.patch)
        graph.route("DELETE", one, "delete", self.delete)
        for name in ("getVirtualAppointmentJoinWebUrl", "getVirtualAppointmentJoinWebUrl()"):
            graph.route("GET", f"{one}/{name}", "join_url", self.join_url)
        graph.route("GET", f"{one}/attendanceReports", "reports", self.reports)
        graph.route("GET", f"{one}/attendanceReports/<report>", "reports", self.report)
        graph.route("GET", f"{one}/attendanceReports/<report>/attendanceRecords", "reports", self.records)

    def create(self, caller: Caller, user: str) -> Answer:
        """POST onlineMeetings."""
        organizer = self._user(caller, user, *_WRITE)
        wanted = check_entity("onlineMeeting", body_of_request())
        return 201, self._shown(self.world.meetings.create(organizer, wanted))

    def create_or_get(self, caller: Caller, user: str) -> Answer:
        """POST onlineMeetings/createOrGet: 201 if it made the meeting, 200 if it found it."""
        organizer = self._user(caller, user, *_WRITE)
        wanted = check_parameters("onlineMeeting.createOrGet", body_of_request(), ignored="onlineMeeting")
        meeting, new = self.world.meetings.create_or_get(
            organizer, wanted, lambda: self.world.strikes("create_or_get_forks")
        )
        if self.world.strikes("fails_after_create"):
            raise GraphError(503, "ServiceUnavailable", "The service is unavailable.")
        return 201 if new else 200, self._shown(meeting)

    def find(self, caller: Caller, user: str) -> Answer:
        """GET onlineMeetings?$filter=JoinWebUrl eq '...'; there is no listing of all."""
        owner = self._user(caller, user, *_READ)
        match = _FILTER.fullmatch(request.args.get("$filter", "").strip())
        if match is None:
            raise bad_request("A filter on JoinWebUrl or joinMeetingIdSettings/joinMeetingId is required.")
        value = match[2].replace("''", "'")
        if match[1].lower() == "joinweburl":
            meeting = self.world.meetings.by_join_url(caller.tenant, value)
        else:
            meeting = self.world.meetings.by_digits(caller.tenant, value)
        self._refuse_stranger(meeting, owner, or_attendee=False)
        return 200, {"value": [self._shown(meeting)]}

    def get(self, caller: Caller, user: str, meeting: str) -> Answer:
        """GET onlineMeetings/{id}: for the organizer and for who is invited."""
        return 200, self._shown(self._meeting(caller, user, meeting, *_READ, or_attendee=True))

    def patch(self, caller: Caller, user: str, meeting: str) -> Answer:
        """PATCH onlineMeetings/{id}."""
        found = self._meeting(caller, user, meeting, *_WRITE)
        self.world.meetings.change(found, check_entity("onlineMeeting", body_of_request()))
        return 200, self._shown(found)

    def delete(self, caller: Caller, user: str, meeting: str) -> Answer:
        """DELETE onlineMeetings/{id}."""
        self.world.meetings.remove(self._meeting(caller, user, meeting, *_WRITE))
        return 204, None

    def join_url(self, caller: Caller, user: str, meeting: str) -> Answer:
        """The browser-join link; OnlineMeetings permissions do not suffice (graph.md 2.1)."""
        allowed = ("VirtualAppointment.Read.All", "VirtualAppointment.ReadWrite.All")
        found = self._meeting(caller, user, meeting, *allowed)
        if self.world.failures.virtual_appointment_unavailable:
            raise GraphError(403, "Forbidden", "Virtual appointments are not available to this organization.")
        context = f"{self.world.graph}/v1.0/$metadata#Edm.String"
        return 200, {"@odata.context": context, "value": self.world.meetings.virtual_url(found)}

    def reports(self, caller: Caller, user: str, meeting: str) -> Answer:
        """The most recent fifty reports, newest first, without their records."""
        found = self._artifacts(caller, user, meeting)
        if found.reports and self.world.strikes("report_polls_empty"):
            return 200, {"value": []}
        recent = found.reports[::-1][:_MOST_REPORTS]
        return 200, {"value": [{**report, "attendanceRecords": []} for report in recent]}

    def report(self, caller: Caller, user: str, meeting: str, report: str) -> Answer:
        """One report; with its records only where `$expand` asks for them."""
        found = self._report(self._artifacts(caller, user, meeting), report)
        expand = request.args.get("$expand", "")
        if expand not in ("", "attendanceRecords"):
            raise bad_request(f"Could not find a property named '{expand}' to expand.")
        return 200, found if expand else {name: found[name] for name in found if name != "attendanceRecords"}

    def records(self, caller: Caller, user: str, meeting: str, report: str) -> Answer:
        """The records of one report."""
        found = self._report(self._artifacts(caller, user, meeting), report)
        return 200, {"value": found["attendanceRecords"]}

    def _user(self, caller: Caller, user: str, *permissions: str) -> Person:
        """The user in the path, if the app may act for their meetings."""
        caller.needs(*permissions)
        if not is_guid(user):
            # With a UPN the service fails in a way that hides what is really wrong (graph.md 1.6).
            raise GraphError(404, "UnknownError", "")
        person = self.world.directory.by_oid(caller.tenant, user)
        if person is None or not self.world.directory.policy_covers(person):
            text = f"No application access policy found for this app {caller.app} on the user {user}."
            raise GraphError(403, "Forbidden", text)
        return person

    def _meeting(
        self, caller: Caller, user: str, meeting: str, *permissions: str, or_attendee: bool = False
    ) -> Meeting:
        owner = self._user(caller, user, *permissions)
        found = self.world.meetings.get(meeting)
        self._refuse_stranger(found, owner, or_attendee)
        return found

    def _artifacts(self, caller: Caller, user: str, meeting: str) -> Meeting:
        """Reports are for organizers and co-organizers."""
        owner = self._user(caller, user, "OnlineMeetingArtifact.Read.All")
        found = self.world.meetings.get(meeting)
        if found.tenant != owner.tenant or not is_organizer(found, owner):
            raise _mismatch(owner)
        return found

    def _refuse_stranger(self, meeting: Meeting, owner: Person, or_attendee: bool) -> None:
        if meeting.tenant == owner.tenant and meeting.organizer == owner.oid:
            return
        attendees = meeting.body["participants"]["attendees"] if or_attendee else []
        if owner.oid not in {user_id(each) for each in attendees}:
            raise _mismatch(owner)

    def _report(self, meeting: Meeting, report_id: str) -> dict[str, Any]:
        for report in meeting.reports:
            if report["id"] == report_id:
                return report
        raise GraphError(404, "NotFound", "The attendance report is not found.")

    def _shown(self, meeting: Meeting) -> dict[str, Any]:
        body = copy.deepcopy(meeting.body)
        later = body["lobbyBypassSettings"].get("scope") in _LATER_SCOPES
        if later and "include-unknown-enum-members" not in request.headers.get("Prefer", ""):
            body["lobbyBypassSettings"]["scope"] = "unknownFutureValue"
        return {"@odata.context": f"{self.world.graph}/v1.0/$metadata#onlineMeetings/$entity", **body}


def _mismatch(owner: Person) -> GraphError:
    return GraphError(404, "NotFound", f"Organizer Id mismatch User Id: {owner.oid}")
