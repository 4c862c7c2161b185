"""Where Microsoft Graph knocks: the handshake, and notifications put into the region's queue.

Nothing is decrypted and nobody is called here: only the seal is opened that says which visit, and so which
region, the notification is for. What does not open is answered like everything else, so that nobody learns
what is genuine (reference graph.md 3.4). Storage that does not take a message is a 503: Graph comes again.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.clock import Clock
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal, SealError
from shared.graph.subscriptions import is_client_state
from shared.meeting.tending import tend_message
from shared.messages import AttendanceMessage
from shared.sealing import Pseudonyms, Sealer
from shared.store import Stores
from shared.web import Request, Response

log = logging.getLogger("antesala.attendance")

MOST_ITEMS = 200
_LONGEST_TOKEN = 4_096
_ACCEPTED = Response(202, content_type="text/plain; charset=utf-8")
_LIFECYCLE = re.compile(r"[A-Za-z]{1,40}")


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

    def notifications(self, request: Request) -> Response:
        """Call events: one queue message an item."""
        if (token := request.query.get("validationToken")) is not None:
            return _handshake(token)
        document, context = _body(request), self._context(request)
        if document is None or context is None:
            return _ACCEPTED
        tokens = [token for token in _list(document, "validationtokens") if isinstance(token, str)]
        queue = self._stores.of(context.connection).queue("attendance")
        for item in _list(document, "value")[:MOST_ITEMS]:
            if isinstance(item, Mapping):
                self._send(queue.send, request.query["c"], item, tokens)
        return _ACCEPTED

    def lifecycle(self, request: Request) -> Response:
        """What became of a subscription: the visit is tended at once.

        These carry no validation tokens; the client state, which only Graph and we know, must be the visit's.
        """
        if (token := request.query.get("validationToken")) is not None:
            return _handshake(token)
        document, context = _body(request), self._context(request)
        if document is None or context is None:
            return _ACCEPTED
        for item in _list(document, "value")[:1]:
            event = str(item.get("lifecycleEvent", "")) if isinstance(item, Mapping) else ""
            if _LIFECYCLE.fullmatch(event) and self._is_ours(item, context):
                message = tend_message(self._contexts, self._sealer, context, self._clock.now(), event)
                self._stores.of(context.connection).queue("tend").send(message)
        return _ACCEPTED

    def _is_ours(self, item: Mapping[str, Any], context: VisitContext) -> bool:
        shown = next((value for key, value in item.items() if key.lower() == "clientstate"), "")
        name = (context.connection, context.visit_key)
        return isinstance(shown, str) and is_client_state(self._pseudonyms, *name, shown)

    def _context(self, request: Request) -> VisitContext | None:
        try:
            context = self._contexts.open(request.query.get("c", ""))
            self._stores.of(context.connection)
        except (SealError, Refusal) as failure:
            log.warning("notification not ours", extra={"event": "not-ours", "why": type(failure).__name__})
            return None
        return context

    def _send(self, send: Any, context: str, item: Mapping[str, Any], tokens: Sequence[str]) -> None:
        try:
            send(AttendanceMessage(context, item, tokens, self._clock.now()).text())
        except Refusal as refusal:
            # Larger than a queue message may be: no genuine item is.
            log.warning("notification too large", extra={"event": "not-ours", "why": refusal.reason.code})


def _handshake(token: str) -> Response:
    """Graph's proof that the address is ours: its text back, as text and nothing else."""
    if not token or len(token) > _LONGEST_TOKEN:
        raise Refusal("parameter-invalid", "validationToken")
    return Response(200, token.encode(), "text/plain; charset=utf-8")


def _body(request: Request) -> dict[str, Any] | None:
    if "json" not in request.header("content-type"):
        return None
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    found = next((value for key, value in document.items() if key.lower() == name), None)
    return found if isinstance(found, list) else []
