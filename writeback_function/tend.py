"""Keeps a visit until it is over: its subscription, its late record, its closing.

A sealed message that queues its own successor; it is also the durable home of what the EHR needs to
recognise the visit. Each message of the chain carries a ``turn``; the row knows which one is valid, so that a
message that came twice does not make two chains.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.clock import Clock, Entropy, parse_timestamp, timestamp
from shared.context import ContextSeal
from shared.errors import OutsideError, SealError
from shared.graph.reports import Attendance, Report, Reports
from shared.graph.subscriptions import Subscription, Subscriptions, client_state, until
from shared.meeting.tending import tend_message
from shared.messages import MessageRefused, opened
from shared.sealing import Pseudonyms, Sealer
from shared.store import Stores
from shared.store.visits import Visit
from shared.visit.intervals import instant
from shared.visit.ledger import Ledger
from shared.visit.outcome import over_at, rests
from shared.visit.roster import Roster, Sighting, report_participant
from writeback_function.case import Case, find_case
from writeback_function.fold import Handing

log = logging.getLogger("antesala.tend")

_RENEW_BEFORE = timedelta(hours=24)
# How long after the visit's end reports are read: they appear late, and a rejoin makes another one.
CHECKS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 720, 1_440))
_LONGEST_STEP = timedelta(hours=12)
_SHORTEST_STEP = timedelta(minutes=1)
_TROUBLE_STEP = timedelta(minutes=2)


@dataclass(frozen=True)
class Graphs:
    """What tending asks of Microsoft Graph."""

    subscriptions: Subscriptions
    reports: Reports


class Tend:
    """Looks after visits."""

    def __init__(
        self,
        stores: Stores,
        contexts: ContextSeal,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        graphs: Graphs,
        handing: Handing,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._pseudonyms = pseudonyms
        self._graphs = graphs
        self._handing = handing
        self._clock = clock
        self._entropy = entropy

    def tend(self, text: str) -> None:
        """Takes one message: looks after the visit once and, unless it is over, queues the next look."""
        try:
            message = opened("tend", text, self._sealer)
            context = self._contexts.open(str(message.get("c", "")))
        except (MessageRefused, SealError) as failure:
            log.warning("tend message refused: %s", type(failure).__name__)
            return
        case = find_case(self._stores, context)
        if case is None or case.visit.closed_at:
            return
        event, turn = str(message.get("event", "")), str(message.get("turn", ""))
        if event:
            self._lifecycle(case, event, str(message["c"]))
        elif turn == case.ledger.turn:
            self._look(case, str(message["c"]))

    def _lifecycle(self, case: Case, event: str, sealed: str) -> None:
        tenant, subscription = case.approved.connection.tenant, case.visit.subscription_id
        if event == "reauthorizationRequired" and subscription:
            if self._graphs.subscriptions.reauthorize(tenant, subscription):
                return
            self._subscribed(case, sealed, gone=True)
            return
        self._subscribed(case, sealed, gone=event == "subscriptionRemoved")

    def _look(self, case: Case, sealed: str) -> None:
        now = self._clock.now()
        over = over_at(case.context.starts, case.context.ends, parse_timestamp(case.visit.created_at))
        trouble = False
        try:
            if now < over + _RENEW_BEFORE:
                case = self._subscribed(case, sealed)
                trouble = bool(case.visit.join_url and not case.visit.subscription_id)
            case = self._reconciled(case, sealed, over, now)
        except OutsideError as failure:
            # The visit goes on without us; the next look tries again.
            log.warning("tending failed: %s", failure, extra={"connection": case.visit.connection})
            trouble = True
        if not trouble and case.ledger.checks >= len(CHECKS) and rests(case.ledger.roster, over, now):
            self._closed(case)
            return
        self._next(case, over, now, trouble=trouble)

    def _subscribed(self, case: Case, sealed: str, *, gone: bool = False) -> Case:
        """The case with a subscription that lives on: renewed, made anew, or made late."""
        visit, tenant = case.visit, case.approved.connection.tenant
        if not visit.join_url:
            return case
        now = self._clock.now()
        # More than the margin, or every look would renew again.
        wanted = until(now, max(case.context.ends or now, now + _RENEW_BEFORE))
        if visit.subscription_id and not gone:
            expires = parse_timestamp(visit.subscription_expires)
            if expires - now > _RENEW_BEFORE:
                return case
            renewed = self._graphs.subscriptions.renew(tenant, visit.subscription_id, wanted)
            if renewed is not None:
                return self._kept(case, renewed)
        return self._kept(case, self._made(case, tenant, sealed, wanted))

    def _made(self, case: Case, tenant: str, sealed: str, wanted: datetime) -> Subscription | None:
        state = client_state(self._pseudonyms, *case.name)
        subscriptions, join_url = self._graphs.subscriptions, case.visit.join_url
        made = subscriptions.create(tenant, join_url, sealed, state, wanted)
        return made if made is not None else subscriptions.find(tenant, join_url)

    def _kept(self, case: Case, subscription: Subscription | None) -> Case:
        if subscription is None:
            return case

        def write(row: Visit) -> Visit | None:
            ledger = Ledger.from_document(row.roster)
            if row.subscription_id != subscription.id:
                ledger = ledger.replaced(row.subscription_id)
            new = replace(
                row,
                subscription_id=subscription.id,
                subscription_expires=timestamp(subscription.expires),
                roster=ledger.document(),
            )
            return None if new == row else new

        return replace(case, visit=case.store.visits.change(*case.name, write))

    def _reconciled(self, case: Case, sealed: str, over: datetime, now: datetime) -> Case:
        """What only the reports know, added once a check's time has come; no report is no knowledge."""
        checks = case.ledger.checks
        if checks >= len(CHECKS) or now < over + CHECKS[checks]:
            return case
        # A visit that never got a meeting has no reports, and its checks pass all the same.
        reports = self._reports(case) if case.visit.meeting_id else ()
        passed = sum(now >= over + check for check in CHECKS)

        def add(ledger: Ledger) -> Ledger:
            found = tuple(missed(ledger.roster, reports))
            return replace(ledger, roster=ledger.roster.seen(found), checks=passed)

        case = case.changed(add)
        self._handing.hand_on(case, sealed)
        return case

    def _reports(self, case: Case) -> tuple[Report, ...]:
        visit = case.visit
        return self._graphs.reports.of_meeting(
            case.approved.connection.tenant, visit.organizer, visit.meeting_id
        )

    def _closed(self, case: Case) -> None:
        if case.visit.subscription_id:
            try:
                self._graphs.subscriptions.delete(case.approved.connection.tenant, case.visit.subscription_id)
            except OutsideError:
                # It expires by itself; the visit's end must not hang on it.
                log.warning("subscription left to expire", extra={"connection": case.visit.connection})
        now = timestamp(self._clock.now())
        case.store.visits.change(*case.name, lambda row: replace(row, closed_at=now))

    def _next(self, case: Case, over: datetime, now: datetime, *, trouble: bool) -> None:
        """Queued first, written down second: a crash in between makes a stale message, never none."""
        turn = self._entropy.token(9)
        delay = _TROUBLE_STEP if trouble else step(case, over, now)
        text = tend_message(self._contexts, self._sealer, case.context, now, turn=turn)
        case.store.queue("tend").send(text, delay=delay.total_seconds())
        case.changed(lambda ledger: replace(ledger, turn=turn))


def step(case: Case, over: datetime, now: datetime) -> timedelta:
    """Until the next look: the next check of reports, or the next renewal, whichever is first."""
    moments: list[datetime] = [over + check for check in CHECKS[case.ledger.checks :]][:1]
    if case.visit.subscription_expires and now < over + _RENEW_BEFORE:
        moments.append(parse_timestamp(case.visit.subscription_expires) - _RENEW_BEFORE)
    wait = min((moment - now for moment in moments), default=_LONGEST_STEP)
    return min(max(wait, _SHORTEST_STEP), _LONGEST_STEP)


def missed(roster: Roster, reports: Iterable[Report]) -> Iterable[Sighting]:
    """Sightings from reports of those who were not seen live at all.

    Somebody who was seen live is left as seen: two clocks that disagree by a second would otherwise make
    connects and disconnects that nobody did.
    """
    live = [one for one in roster.participants.values() if not one.reported]
    accounts = {one.identity for one in live if one.home}
    outside_seen = any(not one.home for one in live)
    taken: set[str] = set()
    for report in reports:
        for record in report.records:
            home = record.identity_kind == "home"
            if (home and record.oid.lower() in accounts) or (not home and outside_seen):
                continue
            name = _named(record, taken)
            for joined, left in record.intervals:
                yield Sighting(name, "in", joined, home, record.oid.lower() if home else "")
                yield Sighting(name, "out", left, home, record.oid.lower() if home else "")


def _named(record: Attendance, taken: set[str]) -> str:
    """A participant id for the record, the same whenever and in whatever order the reports are read.

    People from outside have no id in a report: each record counts as a person of its own, named by when it
    began, so that nobody is taken for the one who launched.
    """
    if record.identity_kind == "home":
        return report_participant(0, record.oid.lower())
    number = min((instant(joined) for joined, _ in record.intervals), default=0)
    while report_participant(number, "") in taken:
        number += 1
    taken.add(report_participant(number, ""))
    return report_participant(number, "")
