"""What a launch fetches side by side once the meeting stands: subscription and patient's link.

The subscription must exist before anybody is sent to Teams, because Graph reports only calls that begin after
it; but a visit does not wait longer than its budget for it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Literal

from shared.clock import Clock, timestamp
from shared.context import ContextSeal
from shared.errors import AntesalaError, OutsideError
from shared.events import failure as failure_of
from shared.events import note
from shared.graph.meetings import OnlineMeetings
from shared.graph.subscriptions import Subscription, Subscriptions, client_state, until
from shared.meeting.opening import Opening
from shared.sealing import Pseudonyms
from shared.store.visits import Visit
from shared.visit.ledger import Ledger
from shared.visit.outcome import anybody

_LINK_SECONDS = 6.0


@dataclass(frozen=True)
class Found:
    """What this launch learned; ``live`` is ``unknown`` where it had no need to ask.

    ``ended``: the id of a subscription that this launch ended, because the visit was moved.
    """

    live: Literal["unknown", "live", "live-unavailable"] = "unknown"
    subscription: Subscription | None = None
    patient_url: str = ""
    ended: str = ""

    def onto(self, visit: Visit) -> Visit:
        """The row with what it did not know yet; what another launch wrote first stays."""
        if self.ended and visit.subscription_id == self.ended:
            ledger = Ledger.from_document(visit.roster).replaced(self.ended)
            visit = replace(
                visit, subscription_id="", subscription_expires="", live=self.live, roster=ledger.document()
            )
        if self.subscription is not None and not visit.subscription_id:
            expires = timestamp(self.subscription.expires)
            visit = replace(
                visit, subscription_id=self.subscription.id, subscription_expires=expires, live="live"
            )
        return replace(
            visit,
            live=self.live if visit.live == "unknown" else visit.live,
            patient_url=visit.patient_url or self.patient_url,
        )


class Linking:
    """Owns the threads for calls that run side by side."""

    def __init__(
        self,
        meetings: OnlineMeetings,
        subscriptions: Subscriptions,
        contexts: ContextSeal,
        pseudonyms: Pseudonyms,
        clock: Clock,
        budget: float,
        threads: int,
    ) -> None:
        self._meetings = meetings
        self._subscriptions = subscriptions
        self._contexts = contexts
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._budget = budget
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def find(self, opening: Opening, visit: Visit, *, moved: bool = False) -> Found:
        """Asks only for what the row lacks. A clinician does not wait for the patient's link.

        ``moved``: the visit is at another time now. Notifications were seen to stop after that (graph.md
        3.2), so the subscription is made anew; not while somebody is there, whose call it would not report.
        """
        for_patient = opening.launcher.side == "patient"
        ended = (
            visit.subscription_id if moved and not anybody(Ledger.from_document(visit.roster).roster) else ""
        )
        wanted = visit.live == "unknown" or bool(ended)
        subscribing = self._start(self._subscription, opening, visit, ended) if wanted else None
        linking = None
        if not visit.patient_url and (for_patient or subscribing is not None):
            linking = self._start(self._patient_link, opening, visit)
        found = self._in_time(opening, subscribing, ended) if subscribing is not None else Found()
        link = _link(opening, linking, _LINK_SECONDS if for_patient else 0.0)
        return replace(found, patient_url=link)

    def close(self) -> None:
        """Ends the threads, after what they are doing."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _start[**P, T](self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="rooms")
            # What the thread does and logs belongs to this launch.
            context = copy_context()
            return self._pool.submit(lambda: context.run(call, *args, **kwargs))

    def _subscription(self, opening: Opening, visit: Visit, ended: str) -> Subscription | None:
        if ended:
            self._subscriptions.delete(opening.tenant, ended)
        return self._subscriptions.create(
            opening.tenant,
            visit.join_url,
            self._contexts.seal(opening.context),
            client_state(self._pseudonyms, *opening.name),
            until(self._clock.now(), opening.context.ends),
        )

    def _patient_link(self, opening: Opening, visit: Visit) -> str | None:
        return self._meetings.virtual_join_url(opening.tenant, visit.organizer, visit.meeting_id)

    def _in_time(self, opening: Opening, subscribing: "Future[Subscription | None]", ended: str) -> Found:
        """What became of the subscription in time; ``live`` without an id: another launch has made it."""
        connection = opening.context.connection
        try:
            return Found("live", subscribing.result(timeout=self._budget), ended=ended)
        except TimeoutError:
            subscribing.add_done_callback(lambda late: _write_late(opening, late))
            note("subscription-late", connection=connection)
        except OutsideError as failure:
            note("subscription-failed", connection=connection, failure=failure_of(failure))
        return Found("live-unavailable", ended=ended)


def _write_late(opening: Opening, subscribing: "Future[Subscription | None]") -> None:
    """Writes down a subscription that came after its launch had gone on; ``tend`` would find it later.

    From then on the visit is live again; a call that had begun before is known from the reports.
    """
    try:
        found = Found("live", subscribing.result())
        opening.store.visits.change(*opening.name, found.onto)
    except AntesalaError as failure:
        note("subscription-lost", connection=opening.context.connection, failure=failure_of(failure))


def _link(opening: Opening, linking: "Future[str | None] | None", seconds: float) -> str:
    """The patient's link if it came in time; without it the meeting's own leads to the same room."""
    if linking is None:
        return ""
    try:
        return linking.result(timeout=seconds) or ""
    except (TimeoutError, OutsideError) as failure:
        note("link-missing", connection=opening.context.connection, failure=failure_of(failure))
        return ""
