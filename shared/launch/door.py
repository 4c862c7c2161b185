"""What both doors do with a request before it becomes theirs: connection, frame, leg 1, the way back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from shared.clock import Clock, Entropy
from shared.connection import Approved, Policy
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal
from shared.launch.flow import SmartFlow
from shared.launch.jar import Jar
from shared.launch.outcomes import Outcomes
from shared.launch.passage import Finished
from shared.launch.surroundings import Surroundings
from shared.launch.visit import Visits
from shared.launch.waiting import Enter, Waiting
from shared.meeting import Rooms
from shared.outbound import Outbound
from shared.pages import Pages
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store import Stores
from shared.visit.policy import window
from shared.web import Cookie, Request, Response, redirect

RESUMES = 4


class DoorServices(Protocol):
    """What both doors need of the wired services."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def sealer(self) -> Sealer: ...
    @property
    def pseudonyms(self) -> Pseudonyms: ...
    @property
    def contexts(self) -> ContextSeal: ...
    @property
    def outbound(self) -> Outbound: ...
    @property
    def stores(self) -> Stores: ...
    @property
    def flow(self) -> SmartFlow: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def pages(self) -> Pages: ...


class Door:
    """One side's share of the way; the side's own package says what happens with a finished launch."""

    def __init__(self, side: Literal["provider", "patient"], services: DoorServices) -> None:
        self.side: Literal["provider", "patient"] = side
        self._services = services
        self._flow = services.flow
        self._resume = Jar(services.sealer, services.clock, "resume", RESUMES)
        self.outcomes = Outcomes(services.stores, services.clock)
        self._surroundings = Surroundings(services.pages, services.settings.public_url)
        self._waiting = Waiting(side, services, self.outcomes)
        self.visits = Visits(services.outbound, services.stores, services.pseudonyms)

    def callback_uri(self, connection: str) -> str:
        """The redirect URI that the analyst registers for this door's client.

        Each connection has its own (RFC 9700, 4.4): what one hospital answers reaches no flow of another.
        """
        return f"{self._services.settings.public_url}/launch/{self.side}/callback/{connection}"

    def launch(self, request: Request, opens: frozenset[str]) -> Response:
        """Leg 1. ``opens``: values of the query's ``open`` that this door knows; else the meeting."""
        connection = request.route.get("connection", "")
        iss, launch = request.query.get("iss", ""), request.query.get("launch", "")
        with self.outcomes.knocking(connection, self.side):
            approved = self.approved(connection)
            self._flow.admit(approved, iss, launch)
            elsewhere = self._surroundings.page(request, approved.revision.frames)
        if elsewhere is not None:
            return elsewhere
        opening = request.query.get("open", "")
        extra: Mapping[str, str] = {"open": opening} if opening in opens else {}
        back = self.callback_uri(connection)
        with self.outcomes.watched(connection, self.side):
            return self._flow.begin(request, approved, self.side, iss, launch, back, extra=extra)

    def callback(self, request: Request, arrive: Callable[[Request, Finished], Response]) -> Response:
        """Leg 2: a flow's answer becomes ``arrive``'s response; one that was answered before is repeated."""
        connection = request.route.get("connection", "")
        if not self._flow.pending(request):
            repeated = self.resumed(request, request.query.get("state", ""), connection)
            if repeated is not None:
                return repeated
        taken = self._flow.take(request, self.callback_uri(connection))

        def first() -> Response:
            with self.outcomes.watched(taken.connection_id, self.side, taken.clear):
                finished = self._flow.complete(request, taken)
                return arrive(request, finished).with_cookies(taken.clear)

        return self._flow.once.answer(taken.state, first)

    def approved(self, connection: str) -> Approved:
        """The approved revision; Refusal connection-unknown or connection-not-approved."""
        rows = self._services.stores.of(connection).connections
        approved = rows.approved(connection)
        head = approved.connection if approved is not None else rows.get(connection)
        if head is None or head.tenant not in self._services.settings.tenants:
            raise Refusal("connection-unknown", "no row" if head is None else "its tenant is not listed")
        if approved is None:
            raise Refusal("connection-not-approved")
        return approved

    def approved_as(self, connection: str, revision: int) -> Approved:
        """The revision that a launch began under; Refusal flow-expired when another was approved since."""
        approved = self.approved(connection)
        if approved.revision.number != revision:
            raise Refusal("flow-expired", "another revision was approved meanwhile")
        return approved

    def opens(self, context: VisitContext, policy: Policy) -> datetime | None:
        """When the door of a visit opens that may not be entered yet, or None; Refusal too-late."""
        found = window(
            context.starts,
            context.ends,
            self._services.clock.now(),
            enforced=policy.window,
            opens_before=policy.opens_before,
            closes_after=policy.closes_after,
        )
        if found.state == "late":
            raise Refusal("too-late")
        return found.opens

    def wait(
        self, request: Request, approved: Approved, opens: datetime, arrival: Any, state: str
    ) -> Response:
        """Sends somebody who is early to the waiting page; ``waited`` goes on with ``arrival``."""
        return self._waiting.begin(
            request,
            approved,
            opens,
            arrival,
            lambda url: self.resume(request, approved.connection.id, url, state),
        )

    def waited(self, request: Request, enter: Enter) -> Response:
        """``GET /launch/{side}/{connection}/wait/{handle}``."""
        connection = request.route.get("connection", "")
        return self._waiting.page(request, enter, lambda handle: self.resumed(request, handle, connection))

    def resumed(self, request: Request, label: str, connection: str | None = None) -> Response | None:
        """The redirect that this browser got before under this label, if it did.

        ``connection``: the one in the request's address, where it has one; no other's launch is repeated.
        """
        kept = self._resume.find(request, label) if label else None
        if not isinstance(kept, dict) or connection not in (None, kept.get("c")):
            return None
        return redirect(kept["u"])

    def resume(
        self, request: Request, connection: str, url: str, label: str, *also: str
    ) -> tuple[Cookie, ...]:
        """The cookies that make ``resumed`` answer ``url`` under these labels from now on."""
        return self._resume.put(request, label, {"c": connection, "u": url}, *also)
