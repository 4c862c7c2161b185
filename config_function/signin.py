"""Microsoft 365 sign-in of the portal, and the session it opens (design 4.1).

The session is a sealed cookie: eight hours at most, one hour without a click, roles no older than an hour.
What an older session asks to see leads through Microsoft 365 again, silently where that is still signed in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from config_function.access import Caller, caller_of
from shared.clock import Clock
from shared.connection import CONNECTION_ID
from shared.edge import refuse_cross_site
from shared.entra import Entra
from shared.errors import Refusal, SealError
from shared.launch.jar import Jar
from shared.sealing import Sealer
from shared.settings import Settings
from shared.web import Cookie, Request, Response, redirect

SESSION = "__Host-session"
WHOLE = timedelta(hours=8)
IDLE = timedelta(hours=1)
ROLES = timedelta(hours=1)
# The cookie is written anew once a minute at most.
_TOUCH = timedelta(minutes=1)
_RETURN = re.compile(rf"/config/[A-Za-z0-9/_\-]{{0,200}}(\?from={CONNECTION_ID})?")
_HOME = "/config/"


@dataclass(frozen=True)
class Session:
    """An open session. ``checked``: when Microsoft 365 last said which roles there are."""

    caller: Caller
    begun: datetime
    seen: datetime
    checked: datetime

    def alive(self, now: datetime) -> bool:
        """Whether it may be used at all."""
        return now - self.begun <= WHOLE and now - self.seen <= IDLE

    def current(self, now: datetime) -> bool:
        """Whether its roles are fresh enough to act on."""
        return self.alive(now) and now - self.checked <= ROLES


class SignIn:
    """Opens, reads and closes sessions."""

    def __init__(self, settings: Settings, entra: Entra, sealer: Sealer, clock: Clock) -> None:
        self._settings = settings
        self._entra = entra
        self._sealer = sealer
        self._clock = clock
        self._flows = Jar(sealer, clock, "signin", 4, name="portal-signin")

    def begin(self, request: Request) -> Response:
        """Sends the browser to Microsoft 365; ``return`` says where to go then, inside the portal only."""
        back = returning(request)
        silent = request.query.get("silent", "") == "1"
        started = self._entra.begin(None, self._callback, prompt="none" if silent else "select_account")
        kept = {"flow": dict(started.flow), "back": back, "silent": silent}
        return redirect(started.url).with_cookies(*self._flows.put(request, started.state, kept))

    def callback(self, request: Request) -> Response:
        """Redeems the answer and opens the session; the flow's cookie is consumed whatever happens."""
        state = request.query.get("state", "")
        kept = self._flows.find(request, state) if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", state) else None
        if kept is None:
            raise Refusal("sign-in-expired")
        consumed = self._flows.drop(state)
        if kept["silent"] and request.query.get("error"):
            # Microsoft 365 wants to see the person: the ordinary way.
            return self._to_signin(str(kept["back"])).with_cookies(consumed)
        try:
            account = self._entra.finish(kept["flow"], request.query)
        except Refusal as refusal:
            refusal.cookies = (*refusal.cookies, consumed)
            raise
        caller = caller_of(
            account.tid, account.oid, account.roles, account.wids, guest=account.guest, name=account.name
        )
        now = self._clock.now()
        cookie = self._sealed(Session(caller, now, now, now))
        return redirect(str(kept["back"])).with_cookies(consumed, cookie)

    def leave(self, request: Request) -> Response:
        """Closes the session."""
        refuse_cross_site(request, self._settings.public_url)
        return redirect("/config/signed-out").with_cookies(Cookie(SESSION, "", 0))

    def session(self, request: Request) -> Session | None:
        """The session that the browser's cookie opens, if it is alive and its organization still served."""
        text = request.cookies.get(SESSION, "")
        if not text:
            return None
        try:
            session = _session(self._sealer.open("session", text))
        except (SealError, KeyError, TypeError, ValueError):
            return None
        allowed = session.caller.tenant in self._settings.tenants
        return session if allowed and session.alive(self._clock.now()) else None

    def touched(self, session: Session) -> tuple[Cookie, ...]:
        """The cookie that carries on an idle clock, where it is due."""
        now = self._clock.now()
        if now - session.seen < _TOUCH:
            return ()
        return (self._sealed(Session(session.caller, session.begun, now, session.checked)),)

    def current(self, session: Session) -> bool:
        """Whether the session's roles are fresh enough."""
        return session.current(self._clock.now())

    def away(self, request: Request, session: Session | None) -> Response:
        """Where a page without a usable session leads: through Microsoft 365 and back here."""
        back = request.path if _RETURN.fullmatch(request.path) else _HOME
        return self._to_signin(back, silent=session is not None)

    @property
    def _callback(self) -> str:
        return f"{self._settings.public_url}/config/signin/callback"

    def _to_signin(self, back: str, *, silent: bool = False) -> Response:
        query = {"return": back, "silent": "1"} if silent else {"return": back}
        return redirect(f"/config/signin?{urlencode(query)}")

    def _sealed(self, session: Session) -> Cookie:
        caller = session.caller
        value = {
            "t": caller.tenant,
            "o": caller.oid,
            "n": caller.name,
            "a": caller.admin,
            "r": caller.reader,
            "g": caller.guest,
            "b": session.begun.timestamp(),
            "s": session.seen.timestamp(),
            "c": session.checked.timestamp(),
        }
        left = session.begun + WHOLE - self._clock.now()
        return Cookie(SESSION, self._sealer.seal("session", value), max(1, int(left.total_seconds())))


def returning(request: Request) -> str:
    """Where the query's ``return`` leads: a page of the portal, never elsewhere."""
    back = request.query.get("return", _HOME)
    return back if _RETURN.fullmatch(back) else _HOME


def _session(value: Mapping[str, Any]) -> Session:
    caller = Caller(value["t"], value["o"], value["a"], value["r"], guest=value["g"], name=value["n"])
    begun, seen, checked = (datetime.fromtimestamp(value[mark], UTC) for mark in "bsc")
    return Session(caller, begun, seen, checked)
