"""Subscriptions to a meeting's call events (Graph beta, reference graph.md 3.1 and 3.7).

Beta only and app-only; one subscription per app and meeting; it reports only calls that begin after it
exists. Both webhook addresses carry the visit's sealed context, so that a notification finds its way without
a look-up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from shared.clock import parse_timestamp, timestamp
from shared.errors import AnswerRefused
from shared.graph.service import Graph, GraphRefused
from shared.keys import GraphCertificates
from shared.sealing import Pseudonyms
from shared.settings import Settings

LONGEST = timedelta(minutes=4200)
_AFTER_THE_END = timedelta(hours=24)
_VERSION = "beta"
# Graph answers only after our own webhook has answered its handshake, for which it waits up to ten seconds.
_CREATE_SECONDS = 20.0


@dataclass(frozen=True)
class Subscription:
    """A subscription that exists; ``expires`` is Graph's word, not our wish."""

    id: str
    expires: datetime


class Subscriptions:
    """The call-event subscriptions of this app."""

    def __init__(self, graph: Graph, certificates: GraphCertificates, settings: Settings) -> None:
        self._graph = graph
        self._certificates = certificates
        self._server_url = settings.server_url

    def create(
        self, tenant: str, join_url: str, context: str, client_state: str, expires: datetime
    ) -> Subscription | None:
        """Subscribes to the meeting's call events; None where a subscription exists (409; see ``find``).

        ``context``: the visit's sealed context; ``client_state``: see ``client_state``; ``expires``: see
        ``until``.
        """
        body = {
            "changeType": "updated",
            "resource": _resource(join_url),
            "notificationUrl": self._webhook("notifications", context),
            "lifecycleNotificationUrl": self._webhook("lifecycle", context),
            "expirationDateTime": timestamp(expires),
            "clientState": client_state,
            "includeResourceData": True,
            **self._encryption(),
        }
        try:
            answer = self._graph.call(
                tenant, "POST", "/subscriptions", version=_VERSION, json=body, timeout=_CREATE_SECONDS
            )
        except GraphRefused as refused:
            if refused.status == 409:
                return None
            raise
        return _subscription(answer)

    def find(self, tenant: str, join_url: str) -> Subscription | None:
        """The subscription that this app holds for the meeting, looked for among all; None without one.

        For ``create``'s None when its id was never written down: not on a launch's path, the list may be
        long.
        """
        resource = _resource(join_url)
        for item in self._graph.pages(tenant, "/subscriptions", version=_VERSION, most=100):
            if str(item.get("resource", "")).lstrip("/") == resource:
                return _subscription(item)
        return None

    def renew(self, tenant: str, subscription_id: str, expires: datetime) -> Subscription | None:
        """Prolongs it, moves it to the newest encryption certificate; None where it is gone (re-create)."""
        body = {"expirationDateTime": timestamp(expires), **self._encryption()}
        try:
            return _subscription(
                self._graph.call(tenant, "PATCH", _path(subscription_id), version=_VERSION, json=body)
            )
        except GraphRefused as refused:
            if refused.status == 404:
                return None
            raise

    def reauthorize(self, tenant: str, subscription_id: str) -> bool:
        """Answers ``reauthorizationRequired`` without changing the expiry; False where it is gone."""
        return self._done(tenant, "POST", f"{_path(subscription_id)}/reauthorize")

    def delete(self, tenant: str, subscription_id: str) -> bool:
        """Ends it; False where it was gone already."""
        return self._done(tenant, "DELETE", _path(subscription_id))

    def _done(self, tenant: str, method: str, path: str) -> bool:
        try:
            self._graph.send(tenant, method, path, version=_VERSION)
        except GraphRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def _webhook(self, kind: str, context: str) -> str:
        return f"{self._server_url}/attendance/{kind}?{urlencode({'c': context})}"

    def _encryption(self) -> dict[str, str]:
        certificate = self._certificates.newest()
        return {"encryptionCertificate": certificate.der_base64, "encryptionCertificateId": certificate.id}


def until(now: datetime, ends: datetime | None = None) -> datetime:
    """When a subscription made now should expire: a day after the visit, never later than Graph allows."""
    return min(max(now, ends or now) + _AFTER_THE_END, now + LONGEST)


def client_state(pseudonyms: Pseudonyms, connection: str, visit_key: str) -> str:
    """What Graph hands back with each notification, and nobody else can know: a keyed HMAC of the visit."""
    return pseudonyms.keyed("client-state", f"{connection}/{visit_key}")


def is_client_state(pseudonyms: Pseudonyms, connection: str, visit_key: str, shown: str) -> bool:
    """Whether the state shown is this visit's under any key still held; constant time."""
    return pseudonyms.matches("client-state", f"{connection}/{visit_key}", shown)


def _resource(join_url: str) -> str:
    """The address as Graph gave it, escaped once more: its own ``%3a`` becomes ``%253a`` (graph.md 3.1)."""
    return f"communications/onlineMeetings(joinWebUrl='{quote(join_url, safe='')}')/meetingCallEvents"


def _path(subscription_id: str) -> str:
    return f"/subscriptions/{quote(subscription_id, safe='')}"


def _subscription(document: dict[str, Any]) -> Subscription:
    try:
        subscription = Subscription(str(document["id"]), parse_timestamp(str(document["expirationDateTime"])))
    except (KeyError, ValueError) as failure:
        raise AnswerRefused("graph subscription") from failure
    return subscription
