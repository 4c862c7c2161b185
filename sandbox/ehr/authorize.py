"""Authorization endpoint, sign-in page and token endpoint.

An EHR launch carries the session of whoever pressed the button, and goes straight through. A standalone
launch (no `launch` parameter) shows the sign-in page: one button a person. The button posts the same request
again together with a ticket that only the page could have; it works once.
"""

import secrets
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, render_template, request

from sandbox.ehr import doors
from sandbox.ehr.authorization import Authorization
from sandbox.ehr.clients import find_client
from sandbox.ehr.people import Person
from sandbox.ehr.world import World

SIGN_IN_SECONDS = 600
_OWN_FIELDS = ("login", "ticket")


@dataclass(frozen=True)
class _Pending:
    parameters: tuple[tuple[str, str], ...]
    expires: float


class SignIn:
    """Sign-in pages that were shown and not yet answered."""

    def __init__(self, world: World) -> None:
        """None yet."""
        self._world = world
        self._pending: dict[str, _Pending] = {}
        self._lock = threading.Lock()

    def page(self) -> str:
        """The page for the authorization request under way."""
        ticket = secrets.token_urlsafe(24)
        parameters = _parameters()
        with self._lock:
            self._pending[ticket] = _Pending(parameters, self._world.clock() + SIGN_IN_SECONDS)
        client = find_client(self._world, request.values["client_id"])
        side = client.side if client else ""
        people = [one for one in self._world.hospital.people if one.side == side]
        return render_template("signin.html", people=people, parameters=parameters, ticket=ticket, side=side)

    def answered(self) -> bool:
        """Whether this answers a page of ours, for the very request that the page was about."""
        with self._lock:
            pending = self._pending.pop(request.form.get("ticket", ""), None)
        return (
            pending is not None
            and pending.expires > self._world.clock()
            and pending.parameters == _parameters()
        )


def authorization_pages(world: World, authorization: Authorization) -> Blueprint:
    """The browser's half: `authorize`, by GET and POST."""
    routes = Blueprint("authorize", __name__)
    doors.only_browsers(routes)
    sign_in = SignIn(world)

    @routes.route(urlsplit(world.hospital.authorize_url).path, methods=["GET", "POST"])
    def authorize() -> Response | str | tuple[str, int]:
        person = _launching_person(world)
        try:
            grant = authorization.consent(person)
        except OAuth2Error as error:
            if error.redirect_uri:
                return authorization.refuse(error)
            return render_template("refused.html", title="Sign-in request refused", reason=_words(error)), 400
        if person is not None:
            return authorization.grant(grant, person)
        if not sign_in.answered():
            return sign_in.page()
        return authorization.grant(grant, _chosen(world))

    return routes


def token_endpoint(world: World, authorization: Authorization) -> Blueprint:
    """The servers' half: `token`."""
    routes = Blueprint("token", __name__)
    doors.only_servers(routes)

    @routes.post(urlsplit(world.hospital.token_url).path)
    def token() -> Response:
        return authorization.token()

    return routes


def _launching_person(world: World) -> Person | None:
    """Whose session the launch value carries; a bad value is refused later, by the grant's own checks."""
    client = find_client(world, request.values.get("client_id", ""))
    launch = world.launches.find(request.values.get("launch", ""), client.side if client else "")
    return launch.person if launch else None


def _chosen(world: World) -> Person | None:
    client = find_client(world, request.values.get("client_id", ""))
    person = world.hospital.person(request.form.get("login", ""))
    return person if person and client and person.side == client.side else None


def _parameters() -> tuple[tuple[str, str], ...]:
    names = (name for name in request.values if name not in _OWN_FIELDS)
    return tuple(sorted((name, value) for name in names for value in request.values.getlist(name)))


def _words(error: OAuth2Error) -> str:
    return f"{error.error}: {error.get_error_description()}"
