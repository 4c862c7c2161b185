"""The page of a visit whose door is not open yet: it says when, counts down, and goes in by itself.

What the launch found out waits in a sealed ticket, a cookie of this browser that opens for one hour: longer
waits get the same page without the countdown and return to the portal. The server decides when the door is
open; the page only asks again. Nothing is stored, and no token waits.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.clock import Clock, Entropy, timestamp
from shared.connection import Approved, Side
from shared.errors import Refusal, SealBroken, SealExpired
from shared.launch.jar import Jar
from shared.launch.outcomes import Outcomes
from shared.pages import Pages
from shared.sealing import Sealer
from shared.web import Cookie, Request, Response, redirect

TICKETS = 3
# Five minutes less than the ticket's lifetime: it must still open when the door does.
MOST_WAITING = timedelta(minutes=55)
EARLY = "too-early"

type Enter = Callable[[Request, Any, str], Response]


class WaitingServices(Protocol):
    """What waiting needs of the wired services."""

    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def sealer(self) -> Sealer: ...
    @property
    def pages(self) -> Pages: ...


class Waiting:
    """One door's waiting page."""

    def __init__(self, side: Side, services: WaitingServices, outcomes: Outcomes) -> None:
        self._side = side
        self._clock = services.clock
        self._entropy = services.entropy
        self._pages = services.pages
        self._outcomes = outcomes
        self._tickets = Jar(services.sealer, services.clock, "ticket", TICKETS)

    def begin(
        self,
        request: Request,
        approved: Approved,
        opens: datetime,
        arrival: Any,
        resume: Callable[[str], tuple[Cookie, ...]],
    ) -> Response:
        """Sends the browser to its waiting page. ``arrival``: JSON values with which ``enter`` goes on.

        ``resume`` makes the cookies that repeat this redirect when the launch's own address is reloaded.
        """
        connection = approved.connection.id
        self._outcomes.refused(connection, EARLY, self._side)
        handle = self._entropy.token(24)
        url = f"/launch/{self._side}/{connection}/wait/{handle}"
        ticket = {
            "s": self._side,
            "c": connection,
            "o": int(opens.timestamp()),
            "z": approved.revision.time_zone,
            "d": arrival,
        }
        return redirect(url).with_cookies(*self._tickets.put(request, handle, ticket), *resume(url))

    def page(self, request: Request, enter: Enter, resumed: Callable[[str], Response | None]) -> Response:
        """``GET .../wait/{handle}``: the page, or what ``enter`` answers once the door is open.

        Refusal flow-expired for a ticket whose hour is over, flow-unknown for none of this browser.
        """
        connection, handle = request.route.get("connection", ""), request.route.get("handle", "")
        ticket = self._ticket(request, handle)
        if ticket is None:
            repeated = resumed(handle)
            if repeated is None:
                raise Refusal("flow-unknown", "no ticket of this browser")
            return repeated
        if (ticket["s"], ticket["c"]) != (self._side, connection):
            raise Refusal("flow-unknown", "the ticket is of another door")
        opens = datetime.fromtimestamp(ticket["o"], UTC)
        if self._clock.now() < opens:
            return self._early(request, connection, opens, ticket["z"])
        with self._outcomes.watched(connection, self._side):
            # The ticket stays when this fails: a reload tries again.
            return enter(request, ticket["d"], handle).with_cookies(self._tickets.drop(handle))

    def _ticket(self, request: Request, handle: str) -> Any:
        try:
            return self._tickets.get(request, handle) if handle else None
        except SealExpired as error:
            raise self._gone("flow-expired", handle) from error
        except SealBroken as error:
            raise self._gone("flow-unknown", handle) from error

    def _gone(self, code: str, handle: str) -> Refusal:
        refusal = Refusal(code, "ticket")
        refusal.cookies = (self._tickets.drop(handle),)
        return refusal

    def _early(self, request: Request, connection: str, opens: datetime, zone: str) -> Response:
        now = self._clock.now()
        seconds = int((opens - now).total_seconds()) + 1
        return self._pages.page(
            "waiting.html",
            request,
            side=self._side,
            code=EARLY,
            at=timestamp(opens),
            says=in_words(opens, now, zone),
            seconds=seconds,
            waits=opens - now <= MOST_WAITING,
            device_test=f"/launch/patient/{connection}/device-test" if self._side == "patient" else "",
        )


def in_words(opens: datetime, now: datetime, zone: str) -> str:
    """The moment on the clinic's own clock, with the day where that is not today: ``14:30 (Europe/Madrid)``.

    The page's script says it in the reader's own zone; this stands where there is no script.
    """
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone, place = "UTC", ZoneInfo("UTC")
    there, today = opens.astimezone(place), now.astimezone(place)
    form = "%H:%M" if there.date() == today.date() else "%Y-%m-%d %H:%M"
    return f"{there.strftime(form)} ({zone})"
