"""What stands around every page of the portal: the session, the origin of changes, the facts of a connection.

A page without a usable session leads through Microsoft 365 and back. A form that arrives after the session
ended is not lost: it is shown again, to be sent once more after signing in.
"""

import re
from collections.abc import Callable
from typing import Any

from config_function.access import Caller, View, is_approver, may_edit
from config_function.connections import version_of
from config_function.desk import Desk
from config_function.kinds import KINDS
from config_function.names import Names
from shared.connection import CONNECTION_ID
from shared.edge import refuse_cross_site
from shared.web import Request, Response

type Act = Callable[[Request, Caller], Response]

# Pages whose referrer is hidden from themselves send their forms with Origin: null.
_OWN_REFERRER = "same-origin"


class Shell:
    """Lets pages in and dresses them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def guarded(self, act: Act) -> Callable[[Request], Response]:
        """The page as the edge takes it."""
        return lambda request: self.signed_in(request, act)

    def signed_in(self, request: Request, act: Act) -> Response:
        """Runs a page for whoever is signed in; changing requests must come from a page of ours."""
        changing = request.method not in ("GET", "HEAD")
        if changing:
            refuse_cross_site(request, self._desk.settings.public_url)
        session = self._desk.sign_in.session(request)
        if session is None or not self._desk.sign_in.current(session):
            return self._again(request) if changing else self._desk.sign_in.away(request, session)
        response = act(request, session.caller)
        return response.with_cookies(*self._desk.sign_in.touched(session)).with_headers(
            Referrer_Policy=_OWN_REFERRER
        )

    def page(
        self, name: str, request: Request, caller: Caller, *, status: int = 200, **values: Any
    ) -> Response:
        """A page of this package for the person who is signed in."""
        template = f"config_function/{name}.html"
        return self._desk.pages.page(template, request, status, caller=caller, here=_here(request), **values)

    def facts(self, caller: Caller, view: View, names: Names | None = None) -> dict[str, Any]:
        """What every page of one connection shows."""
        return {
            "view": view,
            "kind": KINDS[view.connection.kind],
            "names": names or Names(self._desk.people, caller.tenant),
            "version": version_of(view),
            "may_edit": may_edit(caller, view),
            "is_approver": is_approver(caller, view),
        }

    def load(self, request: Request, caller: Caller) -> View:
        """The connection that the address names."""
        return self._desk.connections.load(caller, request.route.get("connection", ""))

    def _again(self, request: Request) -> Response:
        """The form that came too late, to be sent again; secrets have to be typed again."""
        kept = {name: value for name, value in request.form.items() if not name.endswith("_secret")}
        page = self._desk.pages.page("config_function/again.html", request, 401, fields=kept)
        return page.with_headers(Referrer_Policy=_OWN_REFERRER)


def _here(request: Request) -> str:
    """Where a choice of language leads back to: this page, or the one its form stood on."""
    path = request.path
    if request.method != "GET":
        path = re.sub(r"(/(clinicians|deadletters)/\w+|/submit|/approve|/reject|/ehr)$", _form_of, path)
    source = request.query.get("from", request.form.get("copy_of", ""))
    return f"{path}?from={source}" if re.fullmatch(CONNECTION_ID, source) else path


def _form_of(action: re.Match[str]) -> str:
    return f"/{action[2]}" if action[2] else ""
