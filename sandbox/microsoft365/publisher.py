"""The change-notification publisher: turns events into POSTs to the app, with all its failure modes."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import requests

from sandbox.microsoft365.cast import FOREIGN
from sandbox.microsoft365.dispatch import Delivery, Dispatcher
from sandbox.microsoft365.events import EVENT_TYPE, CallEvent, payload, sealed
from sandbox.microsoft365.failures import Failures
from sandbox.microsoft365.subscriptions import Subscription, Subscriptions
from sandbox.microsoft365.tokens import PUBLISHER, Keyring

_ANSWER_SECONDS = 10


@dataclass
class Handover:
    """What became of one event: when it happened, how often it was to be delivered, when it was taken."""

    id: str
    subscription: str
    kind: str
    at: datetime
    wanted: int = 0
    refused: int = 0
    taken: list[datetime] = field(default_factory=list)


@dataclass(frozen=True)
class Lifecycle:
    """A lifecycle notification: `reauthorizationRequired`, `subscriptionRemoved` or `missed`."""

    event: str
    subscription: Subscription


class Publisher:
    """Delivers call events and lifecycle notifications; the pauses and `threads` as for the dispatcher.

    `handovers` keeps what became of each event, by subscription and event id.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        failures: Failures,
        keyring: Keyring,
        clock: Callable[[], datetime],
        rng: random.Random,
        outbound: requests.Session,
        first_pause: float,
        threads: int = 1,
        longest_pause: float = 60.0,
    ) -> None:
        self._subscriptions, self._failures, self._keyring = subscriptions, failures, keyring
        self._clock, self._rng, self._outbound = clock, rng, outbound
        self._told = 0
        self.handovers: dict[tuple[str, str], Handover] = {}
        self.dispatcher = Dispatcher(self._send, first_pause, threads=threads, longest_pause=longest_pause)

    def tell(self, subscription_id: str, event: CallEvent) -> None:
        """Deliver an event to one subscriber, or not, as the failure modes say."""
        failures = self._failures
        self._told += 1
        lost = failures.drop_every and self._told % failures.drop_every == 0
        if failures.notifications_off or lost:
            return
        if failures.unknown_event_type:
            kind = "transcriptionStateUpdated"
            self._later(subscription_id, replace(event, id=self._id(), kind=kind, participants=()))
        self._later(subscription_id, event)
        if failures.duplicate or self._rng.random() < failures.duplicate_share:
            self._later(subscription_id, event)

    def lifecycle(self, subscription: Subscription, event: str) -> None:
        """Deliver a lifecycle notification to the subscription's lifecycle URL."""
        self.dispatcher.enqueue(subscription.id, Lifecycle(event, subscription))

    def _later(self, subscription_id: str, event: CallEvent) -> None:
        name = (subscription_id, event.id)
        known = Handover(event.id, subscription_id, event.kind, event.at)
        self.handovers.setdefault(name, known).wanted += 1
        held = self._rng.random() * self._failures.shuffle_seconds if self._failures.shuffle else 0.0
        self.dispatcher.enqueue(subscription_id, event, self._failures.notification_delay + held)

    def _send(self, delivery: Delivery) -> bool:
        if isinstance(delivery.content, Lifecycle):
            return self._send_lifecycle(delivery.content)
        subscription = self._subscriptions.find(delivery.subscription)
        # Whoever ended, let lapse or did not reauthorize a subscription misses what follows.
        if subscription is None or subscription.paused:
            return True
        event: CallEvent = delivery.content
        taken = self._post(subscription.notification_url, self._notification(subscription, event))
        handover = self.handovers[subscription.id, event.id]
        if taken:
            handover.taken.append(self._clock())
        else:
            handover.refused += 1
        return taken

    def _send_lifecycle(self, lifecycle: Lifecycle) -> bool:
        subscription = lifecycle.subscription
        if subscription.lifecycle_url is None:
            return True
        item = {
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": subscription.expiration,
            "tenantId": subscription.tenant,
            "organizationId": subscription.tenant,
            "clientState": self._client_state(subscription),
            "lifecycleEvent": lifecycle.event,
        }
        return self._post(subscription.lifecycle_url, {"value": [item]})

    def _post(self, url: str, body: dict[str, Any]) -> bool:
        try:
            answer = self._outbound.post(url, json=body, timeout=_ANSWER_SECONDS, allow_redirects=False)
        except requests.RequestException:
            return False
        return 200 <= answer.status_code < 300

    def _notification(self, subscription: Subscription, event: CallEvent) -> dict[str, Any]:
        tenant = FOREIGN if self._failures.wrong_tenant else subscription.tenant
        item: dict[str, Any] = {
            "id": self._id(),
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": subscription.expiration,
            "clientState": self._client_state(subscription),
            "changeType": "updated",
            "tenantId": tenant,
            "organizationId": tenant,
            "resource": subscription.resource,
            "resourceData": {"@odata.id": subscription.resource, "@odata.type": EVENT_TYPE, "id": event.id},
        }
        if not subscription.with_data or subscription.certificate is None:
            return {"value": [item]}
        failures = self._failures
        said = payload(event, subscription.resource, failures.event_type_name, failures.camel_case)
        name = subscription.certificate_id or ""
        item["encryptedContent"] = sealed(said, subscription.certificate, name, failures.bad_hmac)
        if failures.no_validation_tokens:
            return {"value": [item]}
        return {"value": [item], "validationTokens": [self.validation_token(subscription)]}

    def validation_token(self, subscription: Subscription) -> str:
        """The publisher's signed word that a notification is Graph's (graph.md 3.5)."""
        failures = self._failures
        tenant = FOREIGN if failures.foreign_tid else subscription.tenant
        times = self._keyring.times()
        if failures.expired_validation_token:
            times = {name: value - 7200 for name, value in times.items()}
        claims = {
            **times,
            "aud": self._id() if failures.wrong_audience else subscription.app,
            "iss": f"https://sts.windows.net/{tenant}/",
            "idp": f"https://sts.windows.net/{tenant}/",
            "appid": self._id() if failures.wrong_publisher else PUBLISHER,
            "appidacr": "2",
            "tid": tenant,
            "uti": self._id(),
            "ver": "1.0",
        }
        return self._keyring.sign(claims, failures.validation_algorithm)

    def _client_state(self, subscription: Subscription) -> str | None:
        return self._id() if self._failures.wrong_client_state else subscription.client_state

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
