"""Subscriptions to call events: rules of creating, validating and renewing (graph.md 3.1, 3.4, 3.7)."""

import random
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from sandbox.microsoft365.errors import GraphError, bad_request
from sandbox.microsoft365.events import public_key
from sandbox.microsoft365.meetings import Meetings
from sandbox.microsoft365.metadata import check_entity, moment, spell
from sandbox.microsoft365.store import Shelf

_LONGEST = timedelta(minutes=4230)
_SHORTEST = timedelta(minutes=45)
_NEEDS_LIFECYCLE = timedelta(hours=1)
_RESOURCE = re.compile(r"communications/onlineMeetings\(joinWebUrl='([^']*)'\)/meetingCallEvents")
_READ_ONLY = frozenset({"id", "applicationId", "creatorId"})
_CHANGEABLE = frozenset(
    {"expirationDateTime", "encryptionCertificate", "encryptionCertificateId", "notificationUrl"}
)
_HANDSHAKE_SECONDS = 10


@dataclass
class Subscription:
    """One app's wish to hear of one meeting's calls. `paused` lasts until it is reauthorized."""

    id: str
    tenant: str
    app: str
    meeting: str
    resource: str
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    expiration: str
    with_data: bool
    certificate: str | None
    certificate_id: str | None
    paused: bool = False

    def as_graph(self) -> dict[str, Any]:
        """What Graph shows of it: never the certificate."""
        return {
            "id": self.id,
            "resource": self.resource,
            "applicationId": self.app,
            "creatorId": self.app,
            "changeType": "updated",
            "clientState": self.client_state,
            "notificationUrl": self.notification_url,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "expirationDateTime": self.expiration,
            "includeResourceData": self.with_data,
            "encryptionCertificate": None,
            "encryptionCertificateId": self.certificate_id,
            "latestSupportedTlsVersion": "v1_2",
            "notificationQueryOptions": None,
            "notificationUrlAppId": None,
        }


class Subscriptions:
    """All subscriptions, kept in `folder`. `outbound` asks the app's endpoints to prove themselves."""

    def __init__(
        self,
        meetings: Meetings,
        clock: Callable[[], datetime],
        rng: random.Random,
        outbound: requests.Session,
        folder: Path | None,
    ) -> None:
        self._meetings, self._clock, self._rng, self._outbound = meetings, clock, rng, outbound
        self._shelf = Shelf(folder)
        self._lock = threading.RLock()
        self._all: dict[str, Subscription] = {}
        self._by_meeting: dict[str, set[str]] = {}
        for record in self._shelf.all():
            self._index(Subscription(**record))

    def alive(self) -> list[Subscription]:
        """Those that did not lapse."""
        with self._lock:
            return [one for one in self._all.values() if self._lives(one)]

    def find(self, subscription_id: str) -> Subscription | None:
        """By id, unless it lapsed."""
        found = self._all.get(subscription_id)
        return found if found is not None and self._lives(found) else None

    def of_meeting(self, meeting_id: str) -> list[Subscription]:
        """Everybody who listens to a meeting."""
        with self._lock:
            named = [self._all[one] for one in self._by_meeting.get(meeting_id, ())]
        return [one for one in named if self._lives(one)]

    def create(self, tenant: str, app: str, body: object) -> Subscription:
        """A new subscription, after both endpoints answered the handshake; else the Graph error."""
        wanted = check_entity("subscription", body)
        made = self._requested(tenant, app, wanted)
        self._refuse_second(made)
        # Outside the lock: the app answers while its own create call is pending.
        self._validate(made.notification_url)
        if made.lifecycle_url is not None:
            self._validate(made.lifecycle_url)
        with self._lock:
            self._refuse_second(made)
            self._keep(made)
        return made

    def renew(self, subscription: Subscription, body: object) -> None:
        """Apply a PATCH: later expiry, another certificate, another notification URL."""
        wanted = check_entity("subscription", body)
        if refused := sorted(set(wanted) - _CHANGEABLE):
            raise bad_request(f"The property '{refused[0]}' of a subscription cannot be changed.")
        if ("encryptionCertificate" in wanted) != ("encryptionCertificateId" in wanted):
            raise bad_request("encryptionCertificate and encryptionCertificateId must be given together.")
        if "encryptionCertificate" in wanted:
            _check_certificate(wanted)
        expiration = None
        if "expirationDateTime" in wanted:
            expiration = self._expiration(wanted, subscription.lifecycle_url)
        if "notificationUrl" in wanted:
            self._validate(_https(wanted, "notificationUrl"))
        with self._lock:
            subscription.expiration = expiration or subscription.expiration
            subscription.notification_url = wanted.get("notificationUrl", subscription.notification_url)
            subscription.certificate = wanted.get("encryptionCertificate", subscription.certificate)
            subscription.certificate_id = wanted.get("encryptionCertificateId", subscription.certificate_id)
            subscription.paused = False
            self._keep(subscription)

    def pause(self, subscription: Subscription, paused: bool) -> None:
        """Stop or resume delivery, as an ignored or obeyed reauthorizationRequired does."""
        with self._lock:
            subscription.paused = paused
            self._keep(subscription)

    def remove(self, subscription: Subscription) -> None:
        """End it."""
        with self._lock:
            self._all.pop(subscription.id, None)
            self._by_meeting.get(subscription.meeting, set()).discard(subscription.id)
            self._shelf.remove(subscription.id)

    def _requested(self, tenant: str, app: str, wanted: dict[str, Any]) -> Subscription:
        _check_plain(wanted)
        lifecycle = (
            _https(wanted, "lifecycleNotificationUrl") if wanted.get("lifecycleNotificationUrl") else None
        )
        with_data = bool(wanted.get("includeResourceData"))
        if with_data:
            _check_certificate(wanted)
        return Subscription(
            id=str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            tenant=tenant,
            app=app,
            meeting=self._meeting_id(tenant, wanted.get("resource") or ""),
            resource=wanted["resource"],
            notification_url=_https(wanted, "notificationUrl"),
            lifecycle_url=lifecycle,
            client_state=wanted.get("clientState"),
            expiration=self._expiration(wanted, lifecycle),
            with_data=with_data,
            certificate=wanted.get("encryptionCertificate") if with_data else None,
            certificate_id=wanted.get("encryptionCertificateId") if with_data else None,
        )

    def _meeting_id(self, tenant: str, resource: str) -> str:
        match = _RESOURCE.fullmatch(resource)
        join_url = unquote(match[1]) if match else ""
        if match is None or quote(join_url, safe="") != match[1]:
            raise bad_request(f"Resource '{resource}' is not supported or not encoded as documented.")
        try:
            return self._meetings.by_join_url(tenant, join_url).id
        except GraphError:
            raise bad_request("The joinWebUrl of the resource names no meeting of this tenant.") from None

    def _expiration(self, wanted: dict[str, Any], lifecycle: str | None) -> str:
        if not wanted.get("expirationDateTime"):
            raise bad_request("expirationDateTime is required.")
        now, until = self._clock(), moment(wanted["expirationDateTime"])
        if until <= now:
            raise bad_request("Subscription expiration must be in the future.")
        if until - now > _LONGEST:
            raise bad_request("Subscription expiration can only be 4230 minutes in the future.")
        if until - now > _NEEDS_LIFECYCLE and lifecycle is None:
            raise bad_request(
                "lifecycleNotificationUrl is a required property for subscriptions on this resource "
                "when expirationDateTime is more than 1 hour away."
            )
        return spell(max(until, now + _SHORTEST))

    def _refuse_second(self, wanted: Subscription) -> None:
        for other in self.of_meeting(wanted.meeting):
            if (other.tenant, other.app) == (wanted.tenant, wanted.app):
                raise GraphError(
                    409, "Conflict", "A subscription of this app for this meeting exists already."
                )

    def _validate(self, url: str) -> None:
        token = f"Validation: Testing client reachability, request {uuid.uuid4()} +/=&%25?#é{{}}"
        joint = "&" if urlsplit(url).query else "?"
        try:
            answer = self._outbound.post(
                f"{url}{joint}validationToken={quote(token, safe='')}",
                headers={"Content-Type": "text/plain; charset=utf-8"},
                timeout=_HANDSHAKE_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            raise _unproven("The request timed out or the endpoint could not be reached.") from None
        kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if answer.status_code != 200 or kind != "text/plain" or answer.content != token.encode():
            raise _unproven(f"Validation endpoint answered {answer.status_code} {kind or 'without a type'}.")

    def _keep(self, subscription: Subscription) -> None:
        self._index(subscription)
        self._shelf.put(subscription.id, asdict(subscription))

    def _index(self, subscription: Subscription) -> None:
        self._all[subscription.id] = subscription
        self._by_meeting.setdefault(subscription.meeting, set()).add(subscription.id)

    def _lives(self, subscription: Subscription) -> bool:
        return moment(subscription.expiration) > self._clock()


def _check_plain(wanted: dict[str, Any]) -> None:
    for name in wanted:
        if name in _READ_ONLY:
            raise bad_request(f"The property '{name}' cannot be set.")
    if wanted.get("changeType") != "updated":
        raise bad_request("changeType must be 'updated' for this resource.")
    if len(wanted.get("clientState") or "") > 128:
        raise bad_request("clientState must not be longer than 128 characters.")


def _check_certificate(wanted: dict[str, Any]) -> None:
    name = wanted.get("encryptionCertificateId")
    if not wanted.get("encryptionCertificate") or not name or len(name) > 128:
        raise bad_request(
            "encryptionCertificate and encryptionCertificateId (at most 128 characters) are required "
            "when includeResourceData is true."
        )
    try:
        public_key(wanted["encryptionCertificate"])
    except ValueError as problem:
        raise bad_request(f"encryptionCertificate is not valid: {problem}.") from None


def _https(wanted: dict[str, Any], name: str) -> str:
    url = wanted.get(name) or ""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.fragment:
        raise bad_request(f"{name} must be an https URL.")
    return str(url)


def _unproven(why: str) -> GraphError:
    message = f"Subscription validation request failed. {why}"
    return GraphError(400, "ValidationError", message)
