"""Online meetings of an organizer, made and guarded app-only (Graph v1.0 onlineMeeting; graph.md 1, 2).

``createOrGet`` takes five inputs and ignores every other property, so lobby, presenters, chat and recording
are set by a PATCH afterwards. Until that PATCH has succeeded the meeting may let anybody in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from shared.clock import parse_timestamp, timestamp
from shared.connection import Policy
from shared.errors import AnswerRefused, StatusRefused
from shared.graph.service import Graph, document_of
from shared.settings import Settings

SUBJECT = "Video visit"
_SHORTEST = timedelta(minutes=15)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Without it Graph hides two of the lobby scopes behind unknownFutureValue, and every comparison would differ.
_ALL_ENUM_MEMBERS = {"Prefer": "include-unknown-enum-members"}


@dataclass(frozen=True)
class OnlineMeeting:
    """A meeting as Graph described it. ``join_url`` is opaque and used verbatim."""

    id: str
    join_url: str
    created: bool
    document: Mapping[str, Any] = field(repr=False)


class OnlineMeetings:
    """The meetings of one cloud's organizers."""

    def __init__(self, graph: Graph, settings: Settings) -> None:
        self._graph = graph
        self._settings = settings

    def create_or_get(
        self,
        tenant: str,
        organizer: str,
        external_id: str,
        starts: datetime | None = None,
        ends: datetime | None = None,
    ) -> OnlineMeeting:
        """The one meeting of (tenant, organizer's object id, ``external_id``), made if there is none.

        Without ``starts`` Graph takes now and one hour. GraphRefused as it comes; AnswerRefused for an answer
        whose join link points elsewhere than Teams.
        """
        body = {"externalId": external_id, "subject": SUBJECT, **_times(starts, ends)}
        path = f"{_meetings_of(organizer)}/createOrGet"
        answer = self._graph.send(tenant, "POST", path, json=body, headers=_ALL_ENUM_MEMBERS, attempts=2)
        document = document_of(answer)
        meeting_id, join_url = document.get("id"), document.get("joinWebUrl")
        if not isinstance(meeting_id, str) or not meeting_id or not isinstance(join_url, str):
            raise AnswerRefused("graph meeting")
        return OnlineMeeting(meeting_id, self._teams_link(join_url), answer.status == 201, document)

    def apply(
        self,
        tenant: str,
        organizer: str,
        meeting: OnlineMeeting,
        policy: Policy,
        starts: datetime | None = None,
        ends: datetime | None = None,
    ) -> None:
        """Makes the meeting follow the policy and the visit's times; sends only what differs, or nothing.

        A new meeting is always told everything. AnswerRefused where Graph says yes and then, asked again,
        does not show the lobby that was asked for: a tenant policy may forbid organizers to decide (graph.md
        1.5), and a patient must not enter an empty room.
        """
        wanted = {**_guards(policy), **_times(starts, ends)}
        changes = wanted if meeting.created else _differing(wanted, meeting.document)
        if changes:
            self._change(tenant, organizer, meeting.id, changes)

    def guard(self, tenant: str, organizer: str, meeting_id: str, policy: Policy) -> None:
        """Makes a meeting that exists follow the policy, also while a call runs; as ``apply``."""
        self._change(tenant, organizer, meeting_id, _guards(policy))

    def move(
        self, tenant: str, organizer: str, meeting_id: str, starts: datetime | None, ends: datetime | None
    ) -> None:
        """Tells a meeting that exists its new times; Graph may refuse that while a call runs."""
        if changes := _times(starts, ends):
            self._change(tenant, organizer, meeting_id, changes)

    def _change(self, tenant: str, organizer: str, meeting_id: str, changes: Mapping[str, Any]) -> None:
        path = f"{_meetings_of(organizer)}/{quote(meeting_id, safe='')}"
        shown = self._graph.call(
            tenant, "PATCH", path, json=dict(changes), headers=_ALL_ENUM_MEMBERS, attempts=2
        )
        lobby = changes.get("lobbyBypassSettings")
        if lobby is None or _same("lobby", lobby, shown.get("lobbyBypassSettings")):
            return
        shown = self._graph.call(tenant, "GET", path, headers=_ALL_ENUM_MEMBERS, attempts=2)
        if not _same("lobby", lobby, shown.get("lobbyBypassSettings")):
            raise AnswerRefused("graph lobby")

    def virtual_join_url(self, tenant: str, organizer: str, meeting_id: str) -> str | None:
        """The link that joins in the browser without an install, or None where this tenant or cloud has none.

        Graph v1.0 getVirtualAppointmentJoinWebUrl: Global cloud only, with a permission of its own (graph.md
        2.1). Transient failures are raised; the join link is a worse door but the same room.
        """
        path = f"{_meetings_of(organizer)}/{quote(meeting_id, safe='')}/getVirtualAppointmentJoinWebUrl"
        try:
            answer = self._graph.call(tenant, "GET", path, timeout=5.0)
        except StatusRefused as refused:
            if refused.transient:
                raise
            return None
        url = answer.get("value")
        if not isinstance(url, str):
            raise AnswerRefused("graph virtual appointment")
        return self._teams_link(url)

    def _teams_link(self, url: str) -> str:
        """The link, if a browser may be sent there: https (sandbox: or http) to a host of the settings."""
        parts = urlsplit(url)
        schemes = ("https", "http") if self._settings.sandbox else ("https",)
        # Anything but plain printable ASCII in a Location header is read differently by different browsers.
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
        if not plain or parts.scheme not in schemes or parts.netloc.lower() not in self._settings.teams_hosts:
            raise AnswerRefused("graph join link")
        return url


def _meetings_of(organizer: str) -> str:
    """The collection's path. Object ids only: a user principal name answers 404 and hides why."""
    if not _OBJECT_ID.fullmatch(organizer):
        raise AnswerRefused("organizer is not an object id")
    return f"/users/{organizer}/onlineMeetings"


def _times(starts: datetime | None, ends: datetime | None) -> dict[str, str]:
    """Both times or none: Graph refuses an end alone, an end before the start, and a PATCH of one of them."""
    if starts is None:
        return {}
    end = ends if ends is not None and ends >= starts + _SHORTEST else starts + timedelta(hours=1)
    return {"startDateTime": timestamp(starts), "endDateTime": timestamp(end)}


def _guards(policy: Policy) -> dict[str, Any]:
    return {
        "lobbyBypassSettings": {"scope": policy.lobby, "isDialInBypassEnabled": False},
        "allowedPresenters": policy.presenters,
        "allowMeetingChat": policy.chat,
        "recordAutomatically": False,
        "allowRecording": False,
        "allowTranscription": False,
    }


def _differing(wanted: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What Graph does not show as wanted; a property it does not show at all counts as different."""
    return {name: value for name, value in wanted.items() if not _same(name, value, shown.get(name))}


def _same(name: str, wanted: Any, shown: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(shown.get(key) == value for key, value in wanted.items())
    if name.endswith("DateTime") and isinstance(shown, str):
        return _same_moment(str(wanted), shown)
    return bool(wanted == shown)


def _same_moment(wanted: str, shown: str) -> bool:
    try:
        return parse_timestamp(wanted) == parse_timestamp(shown)
    except ValueError:
        return False
