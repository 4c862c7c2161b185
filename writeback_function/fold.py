"""From one notification item to the visit's roster, and on to what the EHR is to be told.

Order: whose visit, is it Graph's, is it this visit's, decrypt, add facts under the row's ETag, queue what is
due, mark it. A crash anywhere leaves a message that comes again; everything it repeats is harmless.

A sealed message that no key opens is ours all the same, because nobody else fills our queues: it is left to
the host, which parks it, and can be queued again once its key is back.

What fails in passing (keys or storage out of reach, a row that too many write, a subscription not written
down yet) is not left to the host, which would give the message up after twelve tries: a copy is queued with a
delay as long as the message has waited so far, for ``PATIENCE``. Only what nobody foresaw counts as a try.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared import trace
from shared.clock import Clock
from shared.context import ContextSeal, VisitContext
from shared.errors import AnswerRefused, AntesalaError, OutsideError
from shared.events import note
from shared.graph.notifications import CallEvent, NotGenuine, Notifications
from shared.graph.subscriptions import is_client_state
from shared.messages import AttendanceMessage, MessageRefused
from shared.sealing import Pseudonyms
from shared.store import ChangedMeanwhile, Stores
from shared.visit.ledger import Ledger
from shared.visit.roster import Sighting
from writeback_function.case import Case, find_case
from writeback_function.outbox import Outbox

PATIENCE = timedelta(hours=4)
"""As long as Graph itself brings a notification again; then come the host's tries, and the dead letters."""
_FIRST_DELAY = 2.0
_LONGEST_DELAY = 300.0


class NotYetKnown(AntesalaError):
    """Graph's, and for this visit, but we do not know its subscription or certificate yet: it comes again."""


class Fold:
    """Applies notifications."""

    def __init__(
        self,
        stores: Stores,
        contexts: ContextSeal,
        pseudonyms: Pseudonyms,
        notifications: Notifications,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._contexts = contexts
        self._pseudonyms = pseudonyms
        self._notifications = notifications
        self._outbox = outbox
        self._clock = clock

    def fold(self, text: str) -> None:
        """Takes one message. What is not Graph's changes nothing; what fails in passing comes again.

        A seal that does not open is a SealError: the webhook opened it, so that it is ours, under a key that
        this process does not have yet, or no more. Then the message comes again and is parked in the end.
        """
        try:
            message = AttendanceMessage.read(text)
        except MessageRefused as failure:
            _refused(failure)
            return
        context = self._contexts.open(message.context)
        with trace.entered(message.traceparent or context.trace):
            trace.about(context.visit_key)
            try:
                self._folded(message, context)
            except (MessageRefused, NotGenuine) as failure:
                _refused(failure)
            except (NotYetKnown, ChangedMeanwhile, OutsideError) as failure:
                self._later(text, message, context, failure)

    def _folded(self, message: AttendanceMessage, context: VisitContext) -> None:
        case = self._case(context)
        event = self._genuine(case, message)
        self._outbox.hand_on(case.changed(lambda ledger: with_event(ledger, event)), message.context)
        age = (self._clock.now() - message.at).total_seconds()
        note("folded", connection=context.connection, kind=event.kind, age_seconds=age)

    def _later(
        self, text: str, message: AttendanceMessage, context: VisitContext, failure: AntesalaError
    ) -> None:
        """A copy first, then the message ends well; a crash in between can only repeat."""
        waited = self._clock.now() - message.at
        if waited >= PATIENCE:
            raise failure
        delay = min(max(waited.total_seconds(), _FIRST_DELAY), _LONGEST_DELAY)
        self._stores.of(context.connection).queue("attendance").send(text, delay=delay)
        note("fold-later", connection=context.connection, reason=type(failure).__name__)

    def _case(self, context: VisitContext) -> Case:
        case = find_case(self._stores, context)
        if case is None:
            raise MessageRefused("no such visit")
        return case

    def _genuine(self, case: Case, message: AttendanceMessage) -> CallEvent:
        tenant = case.approved.connection.tenant
        self._notifications.authentic(message.item, message.tokens, message.at)
        self._belongs(case, message, tenant)
        document = self._decrypted(message)
        try:
            return self._notifications.event(document, tenant)
        except AnswerRefused as failure:
            # Only here: a key set that could not be read is a failure in passing, and must come again.
            raise NotGenuine("shape") from failure

    def _decrypted(self, message: AttendanceMessage) -> dict[str, Any]:
        try:
            return self._notifications.decrypt(message.item)
        except NotGenuine as failure:
            if failure.why != "certificate":
                raise
            # Graph says so, and of this visit: a certificate of ours that was not read yet, or taken away.
            raise NotYetKnown("a certificate that is not among ours") from failure

    def _belongs(self, case: Case, message: AttendanceMessage, tenant: str) -> None:
        held = (case.visit.subscription_id, *case.ledger.former)
        refused: NotGenuine | None = None
        for subscription in held:
            try:
                self._notifications.belongs(
                    message.item,
                    tenant=tenant,
                    subscription=subscription,
                    is_state=lambda shown: is_client_state(self._pseudonyms, *case.name, shown),
                )
            except NotGenuine as failure:
                refused = failure
                continue
            return
        if refused is not None and refused.why == "subscription" and self._has_our_state(case, message):
            raise NotYetKnown("the subscription is not in the visit's row")
        raise refused or NotGenuine("subscription")

    def _has_our_state(self, case: Case, message: AttendanceMessage) -> bool:
        """Only we and Graph know the client state: with it, an unknown subscription is a new one."""
        shown = next((value for key, value in message.item.items() if key.lower() == "clientstate"), "")
        return isinstance(shown, str) and is_client_state(self._pseudonyms, *case.name, shown)


def _refused(failure: AntesalaError) -> None:
    why = getattr(failure, "why", type(failure).__name__)
    note("not-genuine", reason=why)


def with_event(ledger: Ledger, event: CallEvent) -> Ledger:
    """The ledger with the event's facts; equal to itself when all of them were known."""
    if event.kind == "callEnded":
        return replace(ledger, roster=ledger.roster.ended(event.at))
    if event.kind != "rosterUpdated":
        return ledger
    return replace(ledger, roster=ledger.roster.seen(sightings(event)))


def sightings(event: CallEvent) -> Iterable[Sighting]:
    """What a roster event says of each participant."""
    for change in event.changes:
        home = change.identity_kind == "home"
        identity = change.oid if home else change.identity
        yield Sighting(change.participant_id, change.state, event.at, home, identity)
