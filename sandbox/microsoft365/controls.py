"""What tests and `make visit` may do that nobody can in reality: controls below `/sandbox/`, TLS only.

* `POST /sandbox/join {"url", "as": oid or null, "name", "kind"}` -> `{"participant", "state", ...}`
* `POST /sandbox/admit {"participant", "by"}`; with `url` or `meeting` instead, everybody who waits there
* `POST /sandbox/leave {"participant"}`; with `url` or `meeting` instead, everybody
* `POST /sandbox/end {"url"}` or `{"meeting"}`: a presenter ends the call
* `POST /sandbox/lifecycle {"subscription" or "meeting" or "url", "event", "pause"}`: sends a lifecycle
  notification; with `pause` nothing is delivered until the subscription is reauthorized or renewed
* `POST /sandbox/token {"claims", "as", "scp", "roles", "algorithm"}` -> `{"access_token"}`: a token for the
  app's own API, signed with the real key unless `algorithm` forges (`none`, `HS256`, `stranger`).
  Delegated for the person `as`, else app-only; `claims` replaces claims, null removes one
* `POST /sandbox/rotate-keys`: Entra signs with a new key
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request

from sandbox.microsoft365.cast import SIERRA
from sandbox.microsoft365.errors import GraphError, bad_request, no_meeting
from sandbox.microsoft365.meetings import Meeting
from sandbox.microsoft365.subscriptions import Subscription
from sandbox.microsoft365.world import World, call_state, participant_state

_LIFECYCLE = ("reauthorizationRequired", "subscriptionRemoved", "missed")
Control = Callable[[dict[str, Any]], dict[str, Any]]


class Controls:
    """The controls over `world`."""

    def __init__(self, app: Flask, world: World) -> None:
        self.world = world
        controls: dict[str, Control] = {
            "join": self.join,
            "admit": self.admit,
            "leave": self.leave,
            "end": self.end,
            "lifecycle": self.lifecycle,
            "token": self.token,
            "rotate-keys": lambda _: {"kid": world.keyring.rotate()},
        }
        for name, control in controls.items():
            app.add_url_rule(f"/sandbox/{name}", f"control {name}", _answered(control), methods=["POST"])

    def join(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Somebody opens a join link."""
        meeting = self._meeting(asked)
        if (oid := asked.get("as")) is None:
            one = self.world.calls.join(meeting, None, asked.get("name") or "Guest", asked.get("kind"))
            return participant_state(one)
        person = self.world.directory.account(oid)
        if person is None:
            raise bad_request("There is no such account.")
        person = self.world.directory.signing_in(meeting.tenant, person) or person
        return participant_state(self.world.calls.join(meeting, person, person.name))

    def admit(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Somebody in the meeting lets one, or all who wait, in."""
        for participant in self._meant(asked, "lobby"):
            self.world.calls.admit(participant, asked.get("by"))
        return self._after(asked)

    def leave(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One, or everybody, leaves."""
        for participant in self._meant(asked, "lobby", "in"):
            self.world.calls.leave(participant)
        return self._after(asked)

    def end(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The call ends for everybody."""
        self.world.calls.end(self._meeting(asked))
        return self._after(asked)

    def lifecycle(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Graph has something to say about subscriptions."""
        event = asked.get("event", "reauthorizationRequired")
        if event not in _LIFECYCLE:
            raise bad_request(f"event must be one of {', '.join(_LIFECYCLE)}.")
        told = self._subscriptions(asked)
        for subscription in told:
            self.world.publisher.lifecycle(subscription, event)
            if event == "subscriptionRemoved":
                self.world.subscriptions.remove(subscription)
            elif asked.get("pause"):
                self.world.subscriptions.pause(subscription, True)
        return {"told": [subscription.id for subscription in told]}

    def token(self, asked: dict[str, Any]) -> dict[str, Any]:
        """An access token for the app's own API with any claims."""
        world = self.world
        person = world.directory.account(asked["as"]) if asked.get("as") else None
        if person is not None:
            scopes = str(asked.get("scp", "Connector.ReadWrite")).split()
            made = world.issuance.for_person("api", person, scopes)
        else:
            made = world.issuance.for_app("api", SIERRA)
        claims = world.keyring.verify(made)
        if "roles" in asked:
            claims["roles"] = asked["roles"]
        claims |= asked.get("claims") or {}
        kept = {name: value for name, value in claims.items() if value is not None}
        return {"access_token": world.keyring.sign(kept, asked.get("algorithm", "RS256"))}

    def _meeting(self, asked: dict[str, Any]) -> Meeting:
        if "meeting" in asked:
            return self.world.meetings.get(str(asked["meeting"]))
        found = self.world.meetings.by_any_url(str(asked.get("url", "")))
        if found is None:
            raise no_meeting()
        return found

    def _meant(self, asked: dict[str, Any], *states: str) -> list[str]:
        if "participant" in asked:
            return [str(asked["participant"])]
        call = self.world.calls.of(self._meeting(asked))
        return [] if call is None else [one.id for one in call.present(*states)]

    def _after(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "participant" in asked:
            call, one = self.world.calls.participant(str(asked["participant"]))
            return {**participant_state(one), "call": call_state(call)}
        running = self.world.calls.of(self._meeting(asked))
        return {"call": None if running is None else call_state(running)}

    def _subscriptions(self, asked: dict[str, Any]) -> list[Subscription]:
        if "subscription" not in asked:
            return self.world.subscriptions.of_meeting(self._meeting(asked).id)
        found = self.world.subscriptions.find(str(asked["subscription"]))
        if found is None:
            raise GraphError(404, "NotFound", "There is no such subscription.")
        return [found]


def _answered(control: Control) -> Callable[[], Response]:
    def answer() -> Response:
        asked = request.get_json(silent=True) if request.content_length else {}
        try:
            if not isinstance(asked, dict):
                raise bad_request("Expected a JSON object.")
            return jsonify(control(asked))
        except GraphError as error:
            response = jsonify(error=error.message)
            response.status_code = error.status
            return response

    return answer
