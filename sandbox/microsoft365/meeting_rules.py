"""What may stand in an online meeting: the tenant's defaults, and what one may ask for (graph.md 1)."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.microsoft365.errors import bad_request
from sandbox.microsoft365.metadata import moment

READ_ONLY = frozenset(
    {
        "id",
        "audioConferencing",
        "attendanceReports",
        "attendeeReport",
        "chatInfo",
        "cloudVideoInteropInfo",
        "creationDateTime",
        "expiryDateTime",
        "externalId",
        "isBroadcast",
        "broadcastSettings",
        "joinInformation",
        "joinWebUrl",
        "meetingOptionsWebUrl",
        "meetingType",
        "recordings",
        "transcripts",
        "videoTeleconferenceId",
    }
)
# What the tenant gives a meeting nobody spoke about: as open as Teams allows, so that a client that forgets
# to close the door is seen to have left it open.
DEFAULTS: dict[str, Any] = {
    "subject": None,
    "allowedPresenters": "everyone",
    "allowedLobbyAdmitters": "organizerAndCoOrganizersAndPresenters",
    "allowMeetingChat": "enabled",
    "allowAttendeeToEnableCamera": True,
    "allowAttendeeToEnableMic": True,
    "allowTeamworkReactions": True,
    "allowParticipantsToChangeName": False,
    "allowRecording": True,
    "allowTranscription": True,
    "allowBreakoutRooms": True,
    "allowWhiteboard": True,
    "allowPowerPointSharing": True,
    "allowCopyingAndSharingMeetingContent": True,
    "allowLiveShare": "enabled",
    "shareMeetingChatHistoryDefault": "none",
    "isEntryExitAnnounced": True,
    "isEndToEndEncryptionEnabled": False,
    "recordAutomatically": False,
    "meetingSpokenLanguageTag": "en-us",
    "videoTeleconferenceId": None,
    "watermarkProtection": None,
    "chatRestrictions": None,
    "meetingTemplateId": None,
}
OPEN_LOBBY = {"scope": "everyone", "isDialInBypassEnabled": True}


def times(wanted: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Start and end; an hour from now, or from the start, where they were left out."""
    start, end = wanted.get("startDateTime"), wanted.get("endDateTime")
    if end and not start:
        raise bad_request("The startDateTime is required when the endDateTime is given.")
    begins = moment(start) if start else now
    ends = moment(end) if end else begins + timedelta(hours=1)
    if ends < begins:
        raise bad_request("The endDateTime lies before the startDateTime.")
    return begins, ends


def refuse_read_only(wanted: dict[str, Any]) -> None:
    """400 for what only the service sets."""
    for name in wanted:
        if name in READ_ONLY:
            raise bad_request(f"The property '{name}' cannot be set.")


def refuse_roles_without_attendees(wanted: dict[str, Any]) -> None:
    """400 if presenters are to be named by role, yet nobody is listed in the same body."""
    listed = (wanted.get("participants") or {}).get("attendees")
    if wanted.get("allowedPresenters") == "roleIsPresenter" and not listed:
        raise bad_request(
            "allowedPresenters 'roleIsPresenter' needs the full list of attendees with their roles."
        )


def user_id(participant: dict[str, Any]) -> str | None:
    """Object id of the Entra user in a meetingParticipantInfo."""
    user = (participant.get("identity") or {}).get("user") or {}
    return user.get("id")
