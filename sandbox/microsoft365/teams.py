"""The Teams page: where join links lead, and the small JSON API with which the page lives.

Browser-facing, http only. A participant's `key`, known to their own page alone, is what lets a request act as
them.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox.microsoft365.calls import Call, Participant
from sandbox.microsoft365.cast import TENANTS, Person
from sandbox.microsoft365.doors import browser_only
from sandbox.microsoft365.entra import SESSION_COOKIE, remember
from sandbox.microsoft365.errors import GraphError, bad_request, no_meeting
from sandbox.microsoft365.join_links import VIRTUAL
from sandbox.microsoft365.lobby import is_organizer, is_presenter, may_admit
from sandbox.microsoft365.meetings import Meeting
from sandbox.microsoft365.redirection import uncached
from sandbox.microsoft365.world import World

_LONGEST_NAME = 60


class TeamsPages:
    """Pages and API over `world`."""

    def __init__(self, app: Flask, world: World) -> None:
        self.world = world
        for path in ("/l/meetup-join/<thread>/<message>", "/meet/<digits>", VIRTUAL):
            app.add_url_rule(path, f"teams {path}", browser_only(self.page))
        app.add_url_rule("/teams/sign-in", "teams sign-in", browser_only(self.sign_in), methods=["POST"])
        calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "join": self.join,
            "state": self.state,
            "admit": self.admit,
            "leave": self.leave,
            "end": self.end,
        }
        for name, view in calls.items():
            path = f"/teams/api/{name}"
            app.add_url_rule(path, f"teams {name}", browser_only(_as_json(view)), methods=["POST"])

    def page(self, **_: str) -> Response:
        """Before the meeting: who are you; then the lobby and the stage, by the page's script."""
        meeting = self.world.meetings.by_any_url(request.url)
        if meeting is None:
            return uncached(make_response(render_template("no_meeting.html"), 404))
        anonymous = request.path == VIRTUAL or request.args.get("anon") == "true"
        person = None if anonymous else self._person(meeting)
        page = render_template(
            "meeting.html",
            meeting=meeting,
            tenant=TENANTS[meeting.tenant],
            person=person,
            anonymous=anonymous,
            people=[one for one in self.world.directory.members(meeting.tenant) if one.home is None],
            url=request.url,
        )
        return uncached(make_response(page))

    def sign_in(self) -> BaseResponse:
        """The account picker inside the page: sign in, then back to the meeting."""
        person = self.world.directory.account(request.form.get("account", ""))
        back = request.form.get("back", "")
        site = urlsplit(self.world.sites.m365_url)
        if person is None or urlsplit(back)[:2] != site[:2]:
            return Response("There is no such account or no such place.", status=400)
        response = redirect(back, code=303)
        remember(response, self.world, person)
        return response

    def join(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Enter the meeting or its lobby; answers who one is from now on."""
        meeting = self.world.meetings.by_any_url(str(asked.get("url", "")))
        if meeting is None:
            raise no_meeting()
        person = None if asked.get("anonymous") else self._person(meeting)
        name = person.name if person else str(asked.get("name") or "").strip()[:_LONGEST_NAME]
        if not name:
            raise bad_request("Please type your name.")
        one = self.world.calls.join(meeting, person, name)
        return {"participant": one.id, "key": one.key, "state": one.state}

    def state(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What this participant may see: in the lobby nothing but that they wait."""
        call, one = self._acting(asked)
        if one.state != "in":
            return {"state": one.state}
        admits = may_admit(call.meeting, one.person)
        return {
            "state": "in",
            "people": [_tile(call, each, one) for each in call.present("in")],
            "waiting": [_tile(call, each, one) for each in call.present("lobby")] if admits else [],
            "mayEnd": is_presenter(call.meeting, one.person),
        }

    def admit(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Let somebody in who waits in the same meeting."""
        call, one = self._acting(asked)
        other, _ = self.world.calls.participant(str(asked.get("who", "")))
        if other is not call:
            raise GraphError(404, "NotFound", "There is no such participant.")
        self.world.calls.admit(str(asked["who"]), by=one.id)
        return self.state(asked)

    def leave(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Leave, or stop waiting."""
        _, one = self._acting(asked)
        self.world.calls.leave(one.id)
        return {"state": "out"}

    def end(self, asked: dict[str, Any]) -> dict[str, Any]:
        """End the meeting for everybody."""
        call, one = self._acting(asked)
        if one.state != "in" or not is_presenter(call.meeting, one.person):
            raise GraphError(403, "Forbidden", "Only presenters end a meeting.")
        self.world.calls.end(call.meeting)
        return {"state": "out"}

    def _acting(self, asked: dict[str, Any]) -> tuple[Call, Participant]:
        call, one = self.world.calls.participant(str(asked.get("participant", "")))
        if asked.get("key") != one.key:
            raise GraphError(403, "Forbidden", "This is somebody else's seat.")
        return call, one

    def _person(self, meeting: Meeting) -> Person | None:
        """Whoever is signed in, with their account in the meeting's tenant if they have one."""
        oid = self.world.signed_in.who(request.cookies.get(SESSION_COOKIE))
        person = None if oid is None else self.world.directory.account(oid)
        if person is None:
            return None
        return self.world.directory.signing_in(meeting.tenant, person) or person


def _tile(call: Call, one: Participant, viewer: Participant) -> dict[str, Any]:
    words = [word for word in one.name.split() if word[0].isalpha() and not word.endswith(".")]
    return {
        "participant": one.id,
        "name": one.name,
        "initials": "".join(word[0] for word in words[:1] + words[1:][-1:]).upper() or "?",
        "you": one is viewer,
        "role": _role(call.meeting, one),
    }


def _role(meeting: Meeting, one: Participant) -> str:
    if one.person is None:
        return "Guest"
    if is_organizer(meeting, one.person):
        return "Organizer"
    return "Presenter" if is_presenter(meeting, one.person) else "Attendee"


def _as_json(view: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], Response]:
    def answered() -> Response:
        asked = request.get_json(silent=True)
        try:
            if not isinstance(asked, dict):
                raise bad_request("Expected a JSON object.")
            response = jsonify(view(asked))
        except GraphError as error:
            response = jsonify(error=error.message)
            response.status_code = error.status
        return uncached(response)

    return answered
