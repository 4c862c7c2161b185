"""Where Microsoft Graph knocks: the handshake, and notifications put into the region's queue.

Nothing is decrypted and nobody is called here: only the seal is opened that says which visit, and so which
region, the notification is for. What does not open is answered like everything else, so that nobody learns
what is genuine (reference graph.md 3.4).

- Of an item travels what the fold reads, of the tokens as many as a message holds: all of them, else those
  that say they are the item's tenant's. A POST of more than ``MOST_ITEMS`` items is refused as too large.
- All of a POST's items are in the queue before it is answered. Storage that does not take one is a 503: Graph
  comes again, and what was queued already is harmless twice.
- A region whose storage hangs has few requests waiting, the others are a 503 at once (``bulkhead``): it
  cannot use up the threads that another region's notifications need.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from shared import trace
from shared.clock import Clock
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal, SealError
from shared.events import note
from shared.graph.subscriptions import is_client_state
from shared.meeting.tending import tend_message
from shared.messages import AttendanceMessage
from shared.sealing import Pseudonyms, Sealer
from shared.store import Stores
from shared.store.faults import StorageUnavailable
from shared.store.queues import LONGEST
from shared.web import Request, Response
from writeback_function.bulkhead import Bulkhead

# Graph batches items of several subscriptions into one POST.
NOTIFICATION_BYTES = 1024 * 1024
# More than such a body holds of genuine items, each of which has a key of 344 characters.
MOST_ITEMS = 1_000
_ABREAST = 8
_FEW = 4
# Graph waits for ten seconds; whoever needs longer too often is cut off.
_PATIENCE = timedelta(seconds=4)
_LONGEST_TOKEN = 4_096
_ACCEPTED = Response(202, content_type="text/plain; charset=utf-8")
_LIFECYCLE = re.compile(r"[A-Za-z]{1,40}")
_READ = frozenset({"subscriptionid", "clientstate", "tenantid"})
_CONTENT = frozenset({"data", "datasignature", "datakey", "encryptioncertificateid"})


class Ingress:
    """The two webhooks."""

    def __init__(
        self, stores: Stores, contexts: ContextSeal, sealer: Sealer, pseudonyms: Pseudonyms, clock: Clock
    ) -> None:
        self._stores = stores
        self._contexts = contexts
        self._sealer = sealer
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._bulkhead = Bulkhead(clock)

    def notifications(self, request: Request) -> Response:
        """Call events: one queue message an item."""
        if (token := request.query.get("validationToken")) is not None:
            return _handshake(token)
        document = _body(request)
        items = [needed for item in _items(document) if (needed := _needed(item))]
        context = self._context(request)
        if context is None or not items:
            return _ACCEPTED
        tokens = [token for token in _list(document, "validationtokens") if isinstance(token, str)]
        texts = [self._text(request.query["c"], item, tokens) for item in items]
        self._queue(context, "attendance", [text for text in texts if text])
        note("notified", connection=context.connection, items=len(items))
        return _ACCEPTED

    def lifecycle(self, request: Request) -> Response:
        """What became of a subscription: the visit is tended at once, for each kind of event.

        These carry no validation tokens; the client state, which only Graph and we know, must be the visit's.
        """
        if (token := request.query.get("validationToken")) is not None:
            return _handshake(token)
        items, context = _items(_body(request)), self._context(request)
        if context is None:
            return _ACCEPTED
        ours = (item for item in items if self._is_ours(item, context))
        events = dict.fromkeys(str(_member(item, "lifecycleevent")) for item in ours)
        known = [event for event in events if _LIFECYCLE.fullmatch(event)]
        # Nothing but the event differs between two items of one visit.
        now = self._clock.now()
        texts = [
            tend_message(self._contexts, self._sealer, context, now, event) for event in known[:_ABREAST]
        ]
        self._queue(context, "tend", texts)
        return _ACCEPTED

    def _is_ours(self, item: Mapping[str, Any], context: VisitContext) -> bool:
        shown = _member(item, "clientstate")
        name = (context.connection, context.visit_key)
        return isinstance(shown, str) and is_client_state(self._pseudonyms, *name, shown)

    def _context(self, request: Request) -> VisitContext | None:
        try:
            context = self._contexts.open(request.query.get("c", ""))
            self._stores.of(context.connection)
        except (SealError, Refusal) as failure:
            note("not-ours", reason=type(failure).__name__)
            return None
        trace.follow(context.trace)
        trace.about(context.visit_key)
        return context

    def _text(self, context: str, item: Mapping[str, Any], tokens: Sequence[str]) -> str:
        """The item's message; empty for an item larger than a message may be: the reports will tell."""
        for shown in (tokens, _of_tenant(tokens, str(_member(item, "tenantid")))):
            text = AttendanceMessage(context, item, shown, self._clock.now(), trace.traceparent()).text()
            if len(text) <= LONGEST:
                return text
        note("item-too-large")
        return ""

    def _queue(self, context: VisitContext, name: str, texts: Sequence[str]) -> None:
        """All of them, some side by side; StorageUnavailable as soon as one fails or time is up."""
        store = self._stores.of(context.connection)
        send, until = store.queue(name).send, self._clock.now() + _PATIENCE

        def timely(text: str) -> None:
            if self._clock.now() > until:
                raise StorageUnavailable(f"queue {name}: too slow")
            send(text)

        with self._bulkhead.place(store.name):
            if len(texts) < _FEW:
                for text in texts:
                    timely(text)
                return
            # A pool of this request's own: another region's items never wait behind these.
            with ThreadPoolExecutor(_ABREAST, thread_name_prefix="ingress") as pool:
                for _ in pool.map(timely, texts):
                    pass


def _handshake(token: str) -> Response:
    """Graph's proof that the address is ours: its text back, as text and nothing else."""
    if not token or len(token) > _LONGEST_TOKEN:
        raise Refusal("parameter-invalid", "validationToken")
    return Response(200, token.encode(), "text/plain; charset=utf-8")


def _body(request: Request) -> Mapping[str, Any]:
    """The POST's document; empty for what is none."""
    if "json" not in request.header("content-type"):
        return {}
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _items(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The items; Refusal ``too-large`` before the seal is looked at, so that it says nothing of it."""
    found = [item for item in _list(document, "value") if isinstance(item, Mapping)]
    if len(found) > MOST_ITEMS:
        raise Refusal("too-large", "items")
    return found


def _needed(item: Mapping[str, Any]) -> dict[str, Any]:
    """What the fold reads of an item, texts only; empty for one without encrypted content."""
    content = _member(item, "encryptedcontent")
    if not isinstance(content, Mapping):
        return {}
    return {**_texts(item, _READ), "encryptedContent": _texts(content, _CONTENT)}


def _texts(members: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    return {
        name: value for name, value in members.items() if name.lower() in names and isinstance(value, str)
    }


def _of_tenant(tokens: Sequence[str], tenant: str) -> list[str]:
    """The tokens that say they are for this tenant. Nothing is believed of them: the fold verifies each."""
    return [token for token in tokens if tenant and _claimed(token).lower() == tenant.lower()]


def _claimed(token: str) -> str:
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return ""
    return str(claims.get("tid", "")) if isinstance(claims, dict) else ""


def _member(members: Mapping[str, Any], name: str) -> Any:
    """A member whatever its capitals; an empty text where there is none."""
    return next((value for key, value in members.items() if key.lower() == name), "")


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    found = _member(document, name)
    return found if isinstance(found, list) else []
