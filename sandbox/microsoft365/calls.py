"""Calls: who waits, who is in, who may admit, and what is said about it (graph.md 1.5, 3.2, 3.3)."""

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.errors import GraphError
from sandbox.microsoft365.events import CallEvent
from sandbox.microsoft365.failures import Failures
from sandbox.microsoft365.lobby import bypasses, may_admit
from sandbox.microsoft365.meetings import Meeting, Meetings
from sandbox.microsoft365.reports import attendance_report

LEFT = "Participant has left the meeting call."
ENDED = "The meeting call was ended by a presenter."


@dataclass
class Participant:
    """One join of one person. `state` is `lobby`, `in` or `out`; `intervals` are the times in the meeting.

    `key` is what the person's own browser must show to act as this participant.
    """

    id: str
    key: str
    person: Person | None
    name: str
    kind: str
    state: str
    arrived: datetime
    announced: bool = False
    intervals: list[list[datetime | None]] = field(default_factory=list)

    def delta(self, reason: str | None = None) -> dict[str, Any]:
        """The participant in `participants@delta`."""
        said: dict[str, Any] = {"id": self.id, "isInLobby": self.state == "lobby"}
        if reason is not None:
            said["removedState"] = {"reason": reason}
        return {**said, "info": {"identity": self._identity()}}

    def _identity(self) -> dict[str, Any]:
        if self.person is not None:
            who = {"id": self.person.oid, "displayName": self.name, "tenantId": self.person.tenant}
            return {"user": who}
        if self.kind == "acs":
            user = {"id": f"8:acs:{self.id}_{self.id[:8]}", "displayName": self.name}
            return {"azureCommunicationServicesUser": user}
        if self.kind == "phone":
            return {"phone": {"id": "+1*****0142", "displayName": self.name}}
        return {"guest": {"id": f"8:teamsvisitor:{self.id}", "displayName": self.name}}


@dataclass
class Call:
    """One session of a meeting, from the first arrival until nobody is left.

    `listeners` are the subscriptions that existed when it began: nobody else ever hears of it.
    """

    meeting: Meeting
    listeners: tuple[str, ...] = ()
    announced: bool = False
    people: dict[str, Participant] = field(default_factory=dict)

    def present(self, *states: str) -> list[Participant]:
        """Those in one of the states, in the order of their arrival."""
        return [one for one in self.people.values() if one.state in states]


class Calls:
    """All running calls. `listeners` names a meeting's subscriptions, `tell` sends one of them an event."""

    def __init__(
        self,
        meetings: Meetings,
        failures: Failures,
        clock: Callable[[], datetime],
        rng: random.Random,
        listeners: Callable[[str], Sequence[str]],
        tell: Callable[[str, CallEvent], None],
    ) -> None:
        self._meetings, self._failures, self._clock, self._rng = meetings, failures, clock, rng
        self._listeners, self._tell = listeners, tell
        self._lock = threading.RLock()
        self._running: dict[str, Call] = {}
        self._everybody: dict[str, tuple[Call, Participant]] = {}

    def join(
        self, meeting: Meeting, person: Person | None, name: str, kind: str | None = None
    ) -> Participant:
        """Somebody opens the meeting: in, or in the lobby, as its settings say.

        `person` is None for who did not sign in; `kind` then says how they appear (`guest`, `acs`, `phone`).
        """
        if person is None and self._failures.anonymous_join_off:
            raise GraphError(403, "Forbidden", "The organization lets nobody in who is not signed in.")
        kind = "user" if person is not None else kind or self._failures.external_identity
        with self._lock:
            call = self._running.setdefault(meeting.id, Call(meeting))
            state = "in" if bypasses(meeting, person, kind) else "lobby"
            one = Participant(self._id(), self._id(), person, name, kind, state, self._clock())
            call.people[one.id] = one
            self._everybody[one.id] = (call, one)
            self._note(one)
            self._announce(call, [one])
            if state == "in":
                meeting.extend(self._clock())
                self._meetings.keep(meeting)
            return one

    def admit(self, participant_id: str, by: str | None = None) -> Participant:
        """Let somebody in from the lobby.

        `by` is the participant who presses the button; without it, anybody in the meeting who may.
        """
        with self._lock:
            call, one = self._find(participant_id)
            self._refuse_admission(call, by)
            if one.state == "lobby":
                one.state = "in"
                self._note(one)
                self._announce(call, [one])
            return one

    def leave(self, participant_id: str) -> Participant:
        """Somebody leaves, or gives up waiting. Leaving twice changes nothing."""
        with self._lock:
            call, one = self._find(participant_id)
            self._remove(call, [one], LEFT)
            return one

    def end(self, meeting: Meeting) -> None:
        """A presenter ends the call for everybody."""
        with self._lock:
            if (call := self._running.get(meeting.id)) is not None:
                self._remove(call, call.present("lobby", "in"), ENDED)

    def participant(self, participant_id: str) -> tuple[Call, Participant]:
        """Somebody and their call; raises a 404 if there never was one."""
        with self._lock:
            return self._find(participant_id)

    def running(self) -> list[Call]:
        """Every call that somebody is in or waits for."""
        with self._lock:
            return list(self._running.values())

    def of(self, meeting: Meeting) -> Call | None:
        """The meeting's running call."""
        return self._running.get(meeting.id)

    def _refuse_admission(self, call: Call, by: str | None) -> None:
        candidates = [one for one in call.present("in") if by in (None, one.id)]
        if not any(may_admit(call.meeting, one.person) for one in candidates):
            raise GraphError(403, "Forbidden", "Nobody in the meeting is allowed to admit from the lobby.")

    def _remove(self, call: Call, gone: list[Participant], reason: str) -> None:
        gone = [one for one in gone if one.state != "out"]
        for one in gone:
            one.state = "out"
            self._note(one)
        heard = [one.delta(reason) for one in gone if one.announced]
        if heard:
            self._say(call, "rosterUpdated", heard)
        if gone and not call.present("lobby", "in"):
            self._close(call)

    def _close(self, call: Call) -> None:
        del self._running[call.meeting.id]
        unsaid = self._failures.no_call_ended or self._rng.random() < self._failures.no_call_ended_share
        if call.announced and not unsaid:
            self._say(call, "callEnded", [])
        report = attendance_report(call.meeting, list(call.people.values()), self._id)
        if report is not None:
            call.meeting.reports.append(report)
            self._meetings.keep(call.meeting)

    def _announce(self, call: Call, changed: list[Participant]) -> None:
        if self._failures.quiet_lobby and not call.announced and not call.present("in"):
            return
        if not call.announced:
            call.announced = True
            call.listeners = tuple(self._listeners(call.meeting.id))
            self._say(call, "callStarted", [])
            changed = call.present("lobby", "in")
        for one in changed:
            one.announced = True
        self._say(call, "rosterUpdated", [one.delta() for one in changed])

    def _say(self, call: Call, kind: str, deltas: Sequence[dict[str, Any]]) -> None:
        event = CallEvent(self._id(), kind, self._clock(), tuple(deltas))
        for listener in call.listeners:
            self._tell(listener, event)

    def _note(self, one: Participant) -> None:
        """Keep the times in the meeting."""
        if one.state == "in":
            one.intervals.append([self._clock(), None])
        elif one.intervals and one.intervals[-1][1] is None:
            one.intervals[-1][1] = self._clock()

    def _find(self, participant_id: str) -> tuple[Call, Participant]:
        found = self._everybody.get(participant_id)
        if found is None:
            raise GraphError(404, "NotFound", "There is no such participant.")
        return found

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
