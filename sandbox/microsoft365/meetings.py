"""Online meetings: how they are made, found, changed and how they expire (graph.md 1)."""

import base64
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sandbox.microsoft365.cast import Person, Sites
from sandbox.microsoft365.errors import bad_request, no_meeting
from sandbox.microsoft365.join_links import agrees, long_link, name_in, short_link, virtual_link
from sandbox.microsoft365.meeting_rules import (
    DEFAULTS,
    OPEN_LOBBY,
    READ_ONLY,
    refuse_read_only,
    refuse_roles_without_attendees,
    times,
    user_id,
)
from sandbox.microsoft365.metadata import moment, spell
from sandbox.microsoft365.store import Shelf

_KEPT = timedelta(days=60)


@dataclass
class Meeting:
    """One meeting: its Graph properties in `body`, the keys by which it is found, and its attendance reports.

    `forked` marks a meeting that its own key no longer finds.
    """

    id: str
    tenant: str
    organizer: str
    thread: str
    digits: str
    passcode: str
    external_id: str | None
    body: dict[str, Any]
    forked: bool = False
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def join_url(self) -> str:
        """The link exactly as Graph returns it."""
        return str(self.body["joinWebUrl"])

    @property
    def expires(self) -> datetime:
        """When the meeting stops existing, unless it is changed or used before."""
        return moment(self.body["expiryDateTime"])

    def extend(self, now: datetime) -> None:
        """Sixty more days, from the end or from now, whichever is later."""
        self.body["expiryDateTime"] = spell(max(moment(self.body["endDateTime"]), now) + _KEPT)


class Meetings:
    """All meetings of all tenants, kept in `folder`; `clock` gives the time, `rng` the unguessable parts."""

    def __init__(
        self, sites: Sites, clock: Callable[[], datetime], rng: random.Random, folder: Path | None
    ) -> None:
        self._sites, self._clock, self._rng = sites, clock, rng
        self._shelf = Shelf(folder)
        self._lock = threading.RLock()
        self._all: dict[str, Meeting] = {}
        self._by_key: dict[tuple[str, str, str], str] = {}
        self._by_name: dict[str, Meeting] = {}
        for record in self._shelf.all():
            self._index(Meeting(**record))

    def __iter__(self) -> Iterator[Meeting]:
        return iter(list(self._all.values()))

    def create(self, organizer: Person, wanted: dict[str, Any]) -> Meeting:
        """A new meeting; raises a 400 for properties that are read-only or times that make no sense."""
        refuse_read_only(wanted)
        refuse_roles_without_attendees(wanted)
        with self._lock:
            return self._add(organizer, None, wanted)

    def create_or_get(
        self, organizer: Person, wanted: dict[str, Any], fork: Callable[[], bool]
    ) -> tuple[Meeting, bool]:
        """The meeting under (tenant, organizer, externalId), unchanged if it exists, and whether it is new.

        If `fork()` says so, a new meeting is at once replaced under its key, as two concurrent calls might
        leave it.
        """
        external = wanted.get("externalId")
        if not external:
            raise bad_request("The externalId is required.")
        times(wanted, self._clock())
        with self._lock:
            existing = self._all.get(self._by_key.get((organizer.tenant, organizer.oid, external), ""))
            if existing is not None and existing.expires > self._clock():
                return existing, False
            made = self._add(organizer, external, wanted)
            if fork():
                made.forked = True
                self._add(organizer, external, wanted)
                self.keep(made)
            return made, True

    def change(self, meeting: Meeting, wanted: dict[str, Any]) -> None:
        """Apply a PATCH by the rules of graph.md 1.4."""
        refuse_read_only(wanted)
        if "joinMeetingIdSettings" in wanted:
            raise bad_request("joinMeetingIdSettings cannot be modified after the meeting was created.")
        if ("startDateTime" in wanted) != ("endDateTime" in wanted):
            raise bad_request("startDateTime and endDateTime must be given together.")
        refuse_roles_without_attendees(wanted)
        organizer = (wanted.get("participants") or {}).get("organizer")
        if organizer and user_id(organizer) != meeting.organizer:
            raise bad_request("The organizer of a meeting cannot be changed.")
        with self._lock:
            self._apply(meeting, wanted)
            meeting.extend(self._clock())
            self.keep(meeting)

    def remove(self, meeting: Meeting) -> None:
        """Delete it; its key makes a new meeting from now on."""
        with self._lock:
            self._all.pop(meeting.id, None)
            for name in (meeting.thread, meeting.digits):
                self._by_name.pop(name, None)
            key = (meeting.tenant, meeting.organizer, meeting.external_id or "")
            if self._by_key.get(key) == meeting.id:
                del self._by_key[key]
            self._shelf.remove(_file(meeting))

    def keep(self, meeting: Meeting) -> None:
        """Write the meeting down as it stands."""
        with self._lock:
            self._shelf.put(_file(meeting), asdict(meeting))

    def get(self, meeting_id: str) -> Meeting:
        """By Graph's id; raises Graph's 404 if unknown or expired."""
        return self._alive(self._all.get(meeting_id))

    def by_join_url(self, tenant: str, join_url: str) -> Meeting:
        """By the exact link that Graph returned."""
        found = self.by_any_url(join_url)
        if found is None or found.tenant != tenant or found.join_url != join_url:
            raise no_meeting()
        return found

    def by_digits(self, tenant: str, digits: str) -> Meeting:
        """By the number that people type; raises Graph's 404 if there is none."""
        found = self._alive(self._by_name.get(digits))
        if found.tenant != tenant or found.digits != digits:
            raise no_meeting()
        return found

    def by_any_url(self, url: str) -> Meeting | None:
        """The meeting that a link leads to, in any of its forms; None if it was tampered with."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = self._alive_or_none(self._by_name.get(name_in(parts.path, query) or ""))
        if found is None or f"{parts.scheme}://{parts.netloc}" != self._sites.m365_url:
            return None
        genuine = agrees(parts.path, query, found.tenant, found.organizer, found.passcode)
        return found if genuine else None

    def virtual_url(self, meeting: Meeting) -> str:
        """The browser-join link of a virtual appointment."""
        return virtual_link(self._sites.m365_url, meeting.tenant, meeting.thread)

    def _alive(self, meeting: Meeting | None) -> Meeting:
        alive = self._alive_or_none(meeting)
        if alive is None:
            raise no_meeting()
        return alive

    def _alive_or_none(self, meeting: Meeting | None) -> Meeting | None:
        return meeting if meeting is not None and meeting.expires > self._clock() else None

    def _add(self, organizer: Person, external: str | None, wanted: dict[str, Any]) -> Meeting:
        thread = f"19:meeting_{_opaque(self._rng, 36)}@thread.v2"
        meeting = Meeting(
            id=base64.urlsafe_b64encode(f"1*{organizer.oid}*0**{thread}".encode()).decode(),
            tenant=organizer.tenant,
            organizer=organizer.oid,
            thread=thread,
            digits=str(self._rng.randrange(10**12, 10**13)),
            passcode=_opaque(self._rng, 22),
            external_id=external,
            body={},
        )
        self._fill(meeting, organizer, wanted)
        self._index(meeting)
        self.keep(meeting)
        return meeting

    def _fill(self, meeting: Meeting, organizer: Person, wanted: dict[str, Any]) -> None:
        now = self._clock()
        start, end = times(wanted, now)
        who = {
            "id": organizer.oid,
            "displayName": None,
            "tenantId": organizer.tenant,
            "identityProvider": "AAD",
        }
        meeting.body = {
            **DEFAULTS,
            "id": meeting.id,
            "creationDateTime": spell(now),
            "startDateTime": spell(start),
            "endDateTime": spell(end),
            "joinWebUrl": self._join_url(meeting),
            "lobbyBypassSettings": dict(OPEN_LOBBY),
            "participants": {
                "organizer": {"upn": organizer.upn, "role": "presenter", "identity": {"user": who}},
                "attendees": [],
            },
            "chatInfo": {"threadId": meeting.thread, "messageId": "0", "replyChainMessageId": None},
            "joinMeetingIdSettings": {
                "isPasscodeRequired": True,
                "joinMeetingId": meeting.digits,
                "passcode": meeting.passcode[:6],
            },
            # Keys of older days that the service may still send and every client must ignore.
            "autoAdmittedUsers": "everyone",
            "isBroadcast": False,
            "meetingType": "scheduled",
        }
        if meeting.external_id is not None:
            meeting.body["externalId"] = meeting.external_id
        content = "data:text/html," + quote(f'<a href="{meeting.join_url}">Join the meeting</a>')
        meeting.body["joinInformation"] = {"content": content, "contentType": "html"}
        self._apply(meeting, wanted)
        meeting.extend(now)

    def _apply(self, meeting: Meeting, wanted: dict[str, Any]) -> None:
        for name, value in wanted.items():
            if name.startswith("@odata.") or name in READ_ONLY:
                continue
            if name in ("startDateTime", "endDateTime"):
                continue
            if name == "participants":
                meeting.body["participants"]["attendees"] = (value or {}).get("attendees") or []
            elif isinstance(value, dict) and isinstance(meeting.body.get(name), dict):
                meeting.body[name] = {**meeting.body[name], **value}
            else:
                meeting.body[name] = value
        if wanted.get("startDateTime"):
            start, end = times(wanted, self._clock())
            meeting.body |= {"startDateTime": spell(start), "endDateTime": spell(end)}

    def _join_url(self, meeting: Meeting) -> str:
        # Both forms are in use, and nobody may parse either (graph.md 7.2).
        if self._rng.random() < 0.5:
            return short_link(self._sites.m365_url, meeting.digits, meeting.passcode)
        return long_link(self._sites.m365_url, meeting.thread, meeting.tenant, meeting.organizer)

    def _index(self, meeting: Meeting) -> None:
        self._all[meeting.id] = meeting
        self._by_name |= {meeting.thread: meeting, meeting.digits: meeting}
        if meeting.external_id is not None and not meeting.forked:
            self._by_key[(meeting.tenant, meeting.organizer, meeting.external_id)] = meeting.id


def _opaque(rng: random.Random, length: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(rng.choice(alphabet) for _ in range(length))


def _file(meeting: Meeting) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, meeting.id))
