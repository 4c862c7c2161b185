"""Opens the room of a visit: the same idempotent steps for everybody who launches into it, at once.

1. The visit's row is made by insert-if-absent; it decides the organizer.
2. Whoever made the row queues ``tend`` (``tending``).
3. ``createOrGet``, then the PATCH that guards the room. The meeting is written down only after both, once,
   and whoever finds another one written uses that; until then a failing organizer may be replaced
   (``guarding``).
4. Side by side: the subscription to call events, with a budget, and the patient's link (``linking``).

A row that has come this far needs none of it: no call to Graph, and no write unless somebody new comes, the
appointment was moved, or another policy was approved since.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from shared import trace
from shared.clock import Clock, Entropy, timestamp
from shared.connection import Approved
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal
from shared.graph.meetings import OnlineMeetings
from shared.graph.subscriptions import Subscriptions
from shared.meeting.guarding import Guarding
from shared.meeting.linking import Linking
from shared.meeting.opening import Opening
from shared.meeting.persons import Launcher, with_launcher
from shared.meeting.tending import Tending
from shared.sealing import Pseudonyms, Sealer
from shared.store import Stores
from shared.store.visits import Visit


@dataclass(frozen=True)
class Room:
    """Where to send whom, behind a guarded lobby; ``live``: call events are reported."""

    provider_url: str = field(repr=False)
    patient_url: str = field(repr=False)
    live: bool
    visit: Visit = field(repr=False)


class Rooms:
    """The rooms of all visits."""

    def __init__(
        self,
        stores: Stores,
        meetings: OnlineMeetings,
        subscriptions: Subscriptions,
        contexts: ContextSeal,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        clock: Clock,
        entropy: Entropy,
        budget: float = 2.5,
        threads: int = 32,
    ) -> None:
        """``budget``: seconds a launch waits for its subscription; ``threads``: for calls side by side."""
        self._stores = stores
        self._sealer = sealer
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._tending = Tending(contexts, sealer, clock, entropy)
        self._guarding = Guarding(meetings)
        self._linking = Linking(meetings, subscriptions, contexts, pseudonyms, clock, budget, threads)

    def open(self, approved: Approved, context: VisitContext, launcher: Launcher) -> Room:
        """The visit's room, made if need be, with this launcher written down in it.

        Refusal ``access-policy-missing`` or ``meeting-unavailable``; storage's own errors as they come.
        """
        trace.follow(context.trace)
        context = replace(context, trace=context.trace or trace.trace_id())
        opening, found = self._known(approved, context, launcher)
        trace.about(opening.context.visit_key)
        visit, fresh = (found, False) if found is not None else self._made(opening)
        if visit.closed_at:
            visit = self._tending.reopened(opening, visit)
        tended = self._tending.ensure(opening, visit, fresh)
        visit = self._guarding.guarded(opening, visit)
        moved = visit.ends != _timed(visit, opening).ends
        visit = self._completed(opening, visit, tended, moved=moved)
        if moved and not fresh:
            self._guarding.moved(opening, visit)
            self._tending.woken(opening)
        return Room(visit.join_url, visit.patient_url or visit.join_url, visit.live == "live", visit)

    def close(self) -> None:
        """Ends the threads, after what they are doing."""
        self._linking.close()

    def _known(
        self, approved: Approved, context: VisitContext, launcher: Launcher
    ) -> tuple[Opening, Visit | None]:
        """The visit's row under whichever key it was made with: a visit never changes key."""
        keys = self._pseudonyms.visit_keys(context.connection, context.kind, context.visit_id)
        store = self._stores.of(context.connection)
        visit = store.visits.find(context.connection, tuple(dict.fromkeys((context.visit_key, *keys))))
        if visit is not None and visit.key != context.visit_key:
            context = replace(context, visit_key=visit.key)
        return Opening(approved, context, launcher, store), visit

    def _made(self, opening: Opening) -> tuple[Visit, bool]:
        """The row, and whether it was this launch that made it."""
        order = opening.organizers
        if not order:
            raise Refusal("meeting-unavailable", "no organizer")
        now = self._clock.now()
        connection, key = opening.name
        visit = Visit(
            connection=connection,
            key=key,
            revision=opening.approved.revision.number,
            created_at=timestamp(now),
            group=opening.context.group,
            counts=opening.approved.revision.policy.connected,
            starts=_text(opening.context.starts),
            ends=_text(opening.context.ends),
            organizer=order[0].oid,
            organizer_from=order[0].source,
            persons=with_launcher((), opening.launcher, now, self._sealer),
        )
        made = opening.store.visits.create(visit)
        found = opening.store.visits.get(connection, key)
        if found is None:
            raise Refusal("storage-unavailable", "the visit's row vanished")
        return found, made

    def _completed(self, opening: Opening, visit: Visit, tended: bool | None, *, moved: bool) -> Visit:
        """The row with what step 4 found and with this person; written only if something is new."""
        found = self._linking.find(opening, visit, moved=moved and bool(visit.ends))
        now = self._clock.now()

        def write(row: Visit) -> Visit | None:
            persons = with_launcher(row.persons, opening.launcher, now, self._sealer)
            known = row.tended if tended is None else tended
            # Once somebody came by a group's record, nobody in it is told from the others any more.
            group = row.group or opening.context.group
            new = replace(found.onto(_timed(row, opening)), tended=known, persons=persons, group=group)
            return None if new == row else new

        return visit if write(visit) is None else opening.store.visits.change(*opening.name, write)


def _timed(visit: Visit, opening: Opening) -> Visit:
    """The row with the appointment's times as this launch knows them; one that knows none changes nothing."""
    context = opening.context
    if context.ends is None:
        return visit
    return replace(visit, starts=_text(context.starts), ends=_text(context.ends))


def _text(moment: datetime | None) -> str:
    return timestamp(moment) if moment is not None else ""
