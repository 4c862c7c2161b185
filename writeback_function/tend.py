"""Keeps a visit until it is over: its subscription, its late record, its outcome, its closing.

A sealed message that queues its own successor; it is also the durable home of what the EHR needs to
recognise the visit. Each message of the chain has a ``turn`` and the turn ``after`` which it comes; the row
knows which turn is the valid one. A successor is queued first and written down second: where the process dies
in between, the message that comes first, the successor or its predecessor once more, takes the chain, and the
other one is nothing. So there are never two chains, and never none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared import trace
from shared.clock import Clock, Entropy, parse_timestamp, timestamp
from shared.context import ContextSeal, VisitContext
from shared.errors import OutsideError
from shared.events import failure as failure_of
from shared.events import note
from shared.graph.reports import Report, Reports
from shared.graph.subscriptions import Subscriptions
from shared.meeting.tending import MOVED, tend_message
from shared.messages import MessageRefused, opened
from shared.sealing import Pseudonyms, Sealer
from shared.store import Stores
from shared.store.visits import Visit
from shared.visit.ledger import Ledger
from shared.visit.outcome import GIVEN_UP, over_at, rests
from writeback_function.case import Case, find_case
from writeback_function.concluding import Concluding
from writeback_function.outbox import Outbox
from writeback_function.reconciling import reconciled
from writeback_function.subscribing import RENEW_BEFORE, Subscribing, backoff

# How long after the visit's end reports are read: they appear late, and a rejoin makes another one.
CHECKS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 720, 1_440))
_LONGEST_STEP = timedelta(hours=12)
_SHORTEST_STEP = timedelta(minutes=1)
_AGAIN_SECONDS = 120.0


@dataclass(frozen=True)
class Graphs:
    """What tending asks of Microsoft Graph."""

    subscriptions: Subscriptions
    reports: Reports


@dataclass(frozen=True)
class _Look:
    """One message's case, its context sealed, and the moment; ``over``: nobody is expected after it."""

    case: Case
    sealed: str
    now: datetime

    @property
    def over(self) -> datetime:
        visit, context = self.case.visit, self.case.context
        return over_at(context.starts, context.ends, parse_timestamp(visit.reopened_at or visit.created_at))

    @property
    def resting(self) -> bool:
        return rests(self.case.ledger.roster, self.over, self.now)

    @property
    def checks(self) -> int:
        """How many times of reading reports have passed; fewer than were read where the visit was moved."""
        return sum(self.now >= self.over + check for check in CHECKS)

    def of(self, case: Case) -> "_Look":
        return replace(self, case=case)


class Tend:
    """Looks after visits."""

    def __init__(
        self,
        stores: Stores,
        contexts: ContextSeal,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        graphs: Graphs,
        outbox: Outbox,
        concluding: Concluding,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._reports = graphs.reports
        self._subscribing = Subscribing(graphs.subscriptions, pseudonyms, clock)
        self._outbox = outbox
        self._concluding = concluding
        self._clock = clock
        self._entropy = entropy

    def tend(self, text: str) -> None:
        """Takes one message: looks after the visit once and, unless it is over, queues the next look.

        A SealError where it does not open: it may be the visit's only one, under a key that this process does
        not have yet. Then it comes again and is parked in the end.
        """
        try:
            message = opened("tend", text, self._sealer)
            context = self._contexts.open(str(message.get("c", "")))
        except MessageRefused as failure:
            note("tend-refused", reason=type(failure).__name__)
            return
        with trace.entered(str(message.get("traceparent", "")) or context.trace):
            trace.about(context.visit_key)
            try:
                self._taken(message, context)
            except OutsideError as failure:
                if not failure.transient:
                    raise
                # Storage in passing: the same message once more, which is nothing if its successor is there.
                self._stores.of(context.connection).queue("tend").send(text, delay=_AGAIN_SECONDS)
                note("tend-later", connection=context.connection, failure=failure_of(failure))

    def _taken(self, message: Mapping[str, Any], context: VisitContext) -> None:
        case = find_case(self._stores, context)
        if case is None or case.visit.closed_at:
            return
        case = _timed(case)
        moved = case.context != context
        sealed = self._contexts.seal(case.context) if moved else str(message["c"])
        look = _Look(case, sealed, self._clock.now())
        event, turn = str(message.get("event", "")), str(message.get("turn", ""))
        if event and event != MOVED:
            self._lifecycle(look, event)
        elif event:
            self._look(look, case.ledger.turn, 0)
        elif _is_valid(case, turn, str(message.get("after", ""))):
            self._look(look, turn, int(message.get("troubles", 0)))

    def _lifecycle(self, look: _Look, event: str) -> None:
        """What Graph says became of the subscription; the chain goes on beside it, and tries what failed."""
        case = look.case
        try:
            if look.resting:
                return
            if event == "reauthorizationRequired":
                self._subscribing.reauthorized(case, look.sealed)
                return
            look = look.of(self._subscribing.alive(case, look.sealed, gone=event == "subscriptionRemoved"))
            if event == "missed":
                self._record(look, look.case.ledger.checks)
        except OutsideError as failure:
            if failure.transient:
                raise
            connection = case.visit.connection
            note("lifecycle-failed", connection=connection, lifecycle=event, failure=failure_of(failure))

    def _look(self, look: _Look, before: str, troubles: int) -> None:
        """``before``: the turn that the successor comes after."""
        look, waits = self._subscribed(look, troubles)
        try:
            look = self._checked(look)
            if look.case.ledger.checks:
                last = look.case.ledger.checks >= len(CHECKS)
                look = look.of(self._concluding.conclude(look.case, look.sealed, last=last))
        except OutsideError as failure:
            # The visit goes on without us; the next look tries again.
            note("not-reconciled", connection=look.case.visit.connection, failure=failure_of(failure))
            self._next(look, before, backoff(failure, troubles), troubles + 1)
            return
        if look.case.ledger.checks >= len(CHECKS) and look.resting:
            self._closed(look.case)
        elif waits is not None:
            self._next(look, before, min(waits, _step(look, renewing=False)), troubles + 1)
        else:
            self._next(look, before, _step(look, renewing=True), 0)

    def _subscribed(self, look: _Look, troubles: int) -> tuple[_Look, timedelta | None]:
        """The look with its subscription, or how long to wait before the next attempt."""
        if look.resting:
            return look.of(self._subscribing.ended(look.case)), None
        try:
            look = look.of(self._subscribing.alive(look.case, look.sealed))
        except OutsideError as failure:
            note("not-subscribed", connection=look.case.visit.connection, failure=failure_of(failure))
            return look, backoff(failure, troubles)
        missing = look.case.visit.join_url and not look.case.visit.subscription_id
        return look, backoff(None, troubles) if missing else None

    def _checked(self, look: _Look) -> _Look:
        """The look after the reports, where the time to read them has come."""
        done = look.case.ledger.checks
        if done == look.checks:
            return look
        if done > look.checks:
            # Moved to a later time: what was read before that is to be read again.
            return look.of(look.case.changed(lambda ledger: replace(ledger, checks=look.checks)))
        return look.of(self._record(look, look.checks))

    def _record(self, look: _Look, checks: int) -> Case:
        """The case with what only the reports know; no report is no knowledge."""
        reports = self._read(look)
        over = look.now >= look.over

        def add(row: Visit) -> Visit | None:
            ledger = Ledger.from_document(row.roster)
            roster = reconciled(ledger.roster, reports, over=over)
            new = replace(ledger, roster=roster, checks=checks)
            found = row.reported or bool(reports)
            same = new == ledger and found == row.reported
            return None if same else replace(row, roster=new.document(), reported=found)

        return self._outbox.hand_on(look.case.rewritten(add), look.sealed)

    def _read(self, look: _Look) -> tuple[Report, ...]:
        """Every report there is. A refusal for good is none: reports may be switched off (graph.md 4.1)."""
        visit = look.case.visit
        if not visit.meeting_id:
            return ()
        try:
            tenant = look.case.approved.connection.tenant
            return self._reports.of_meeting(tenant, visit.organizer, visit.meeting_id)
        except OutsideError as failure:
            if failure.transient and look.now < look.over + CHECKS[-1] + GIVEN_UP:
                raise
            note("no-reports", connection=visit.connection, failure=failure_of(failure))
            return ()

    def _closed(self, case: Case) -> None:
        visit, now = case.visit, timestamp(self._clock.now())
        # Said first: a process that dies in between says it twice, and never not at all.
        outcome = visit.outcome or "unknown"
        note("visit-closed", connection=visit.connection, outcome=outcome, reported=visit.reported)
        case.rewritten(lambda row: replace(row, closed_at=now))

    def _next(self, look: _Look, before: str, delay: timedelta, troubles: int) -> None:
        turn, case = self._entropy.token(9), look.case
        text = tend_message(
            self._contexts, self._sealer, case.context, look.now, turn=turn, after=before, troubles=troubles
        )
        case.store.queue("tend").send(text, delay=delay.total_seconds())
        _turned(case, before, turn)


def _timed(case: Case) -> Case:
    """The case with the appointment's times as the newest launch knew them."""
    if not case.visit.ends:
        return case
    starts = parse_timestamp(case.visit.starts) if case.visit.starts else None
    return replace(case, context=replace(case.context, starts=starts, ends=parse_timestamp(case.visit.ends)))


def _is_valid(case: Case, turn: str, after: str) -> bool:
    """Whether the message is the chain's; it takes the chain where its predecessor had no time to write."""
    if case.ledger.turn == turn:
        return True
    return bool(turn) and case.ledger.turn == after and _turned(case, after, turn)


def _turned(case: Case, before: str, turn: str) -> bool:
    changed = case.changed(lambda now: replace(now, turn=turn) if now.turn == before else now)
    return changed.ledger.turn == turn


def _step(look: _Look, *, renewing: bool) -> timedelta:
    """Until the next look: the next check of reports, or the next renewal, whichever is first."""
    moments = [look.over + check for check in CHECKS[look.case.ledger.checks :]][:1]
    if renewing and look.case.visit.subscription_expires:
        moments.append(parse_timestamp(look.case.visit.subscription_expires) - RENEW_BEFORE)
    wait = min((moment - look.now for moment in moments), default=_LONGEST_STEP)
    return min(max(wait, _SHORTEST_STEP), _LONGEST_STEP)
