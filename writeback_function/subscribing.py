"""Keeps a visit's subscription: made late, renewed, made anew, removed (reference graph.md 3.1, 3.7, 6).

The row says ``live-unavailable`` for as long as there is none. One that is made late reports only calls that
begin after it; who was in a call before is known from the attendance reports.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.clock import Clock, parse_timestamp, timestamp
from shared.errors import OutsideError, StatusRefused
from shared.events import note
from shared.graph.subscriptions import Subscription, Subscriptions, client_state, until
from shared.sealing import Pseudonyms
from shared.store.visits import Visit
from shared.visit.ledger import Ledger
from writeback_function.case import Case

RENEW_BEFORE = timedelta(hours=24)
_SOON, _LATER = timedelta(minutes=2), timedelta(minutes=15)
# A quota that is used up, or a permission that is missing: asking often changes nothing (graph.md 3.1, 6).
_REFUSED, _REFUSED_LONG = timedelta(minutes=15), timedelta(hours=2)


class Subscribing:
    """The subscriptions of visits that are tended."""

    def __init__(self, subscriptions: Subscriptions, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._pseudonyms = pseudonyms
        self._clock = clock

    def alive(self, case: Case, sealed: str, *, gone: bool = False) -> Case:
        """The case with a subscription that lives on; OutsideError, and then the row says what it lost.

        ``gone``: Graph said that it is; ``sealed``: the visit's context for the webhooks.
        """
        visit, tenant = case.visit, case.approved.connection.tenant
        if not visit.join_url:
            return case
        now = self._clock.now()
        # More than the margin, or every look would renew again.
        wanted = until(now, max(case.context.ends or now, now + RENEW_BEFORE))
        if visit.subscription_id and not gone:
            if parse_timestamp(visit.subscription_expires) - now > RENEW_BEFORE:
                return case
            renewed = self._subscriptions.renew(tenant, visit.subscription_id, wanted)
            if renewed is not None:
                return _kept(case, renewed)
        try:
            made = self._made(case, tenant, sealed, wanted)
        except OutsideError:
            _written(case, _lost)
            raise
        return _kept(case, made) if made is not None else _written(case, _lost)

    def reauthorized(self, case: Case, sealed: str) -> Case:
        """The case after the answer to ``reauthorizationRequired``; one that is gone is made anew."""
        name = case.visit.subscription_id
        if name and self._subscriptions.reauthorize(case.approved.connection.tenant, name):
            return case
        return self.alive(case, sealed, gone=True)

    def ended(self, case: Case) -> Case:
        """The case without a subscription: a tenant has ten thousand for all its apps.

        A launch that comes all the same makes another.
        """
        if not case.visit.subscription_id:
            return case
        try:
            self._subscriptions.delete(case.approved.connection.tenant, case.visit.subscription_id)
        except OutsideError:
            # It expires by itself; the visit's end must not hang on it.
            note("subscription-left", connection=case.visit.connection)
        return _written(case, lambda row: replace(_without(row), live="unknown"))

    def _made(self, case: Case, tenant: str, sealed: str, wanted: datetime) -> Subscription | None:
        state = client_state(self._pseudonyms, *case.name)
        join_url = case.visit.join_url
        made = self._subscriptions.create(tenant, join_url, sealed, state, wanted)
        return made if made is not None else self._subscriptions.find(tenant, join_url)


def backoff(failure: OutsideError | None, troubles: int) -> timedelta:
    """How long to wait after so many troubles in a row before this one; longer where Graph says so."""
    refused = isinstance(failure, StatusRefused) and not failure.transient
    first, longest = (_REFUSED, _REFUSED_LONG) if refused else (_SOON, _LATER)
    asked = (failure.retry_after or 0.0) if isinstance(failure, StatusRefused) else 0.0
    grown = min(first * (1 << min(troubles, 10)), longest)
    return max(grown, min(timedelta(seconds=asked), _REFUSED_LONG))


def _kept(case: Case, subscription: Subscription) -> Case:
    def keep(row: Visit) -> Visit:
        other = row.subscription_id != subscription.id
        return replace(
            _without(row) if other else row,
            subscription_id=subscription.id,
            subscription_expires=timestamp(subscription.expires),
            live="live",
        )

    return _written(case, keep)


def _lost(row: Visit) -> Visit:
    return replace(_without(row), live="live-unavailable")


def _without(row: Visit) -> Visit:
    """The row without its subscription; what that one still delivers counts."""
    ledger = Ledger.from_document(row.roster).replaced(row.subscription_id)
    return replace(row, subscription_id="", subscription_expires="", roster=ledger.document())


def _written(case: Case, fn: Callable[[Visit], Visit]) -> Case:
    def write(row: Visit) -> Visit | None:
        # An empty ledger and no ledger are the same; only what differs is written.
        new = fn(row)
        same = Ledger.from_document(new.roster) == Ledger.from_document(row.roster)
        new = replace(new, roster=row.roster) if same else new
        return None if new == row else new

    return case.rewritten(write)
