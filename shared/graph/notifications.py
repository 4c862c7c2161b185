"""Change notifications of call events: are they Graph's, what do they say (reference graph.md 3.3 to 3.6).

Nothing of an item is believed before ``authentic`` and ``belongs``; nothing is decrypted before its signature
holds. Real payloads were seen with other capitals than the documentation shows, so keys are read without
regard to them.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.clock import Clock, parse_timestamp
from shared.errors import AnswerRefused, AntesalaError
from shared.keys import GraphCertificates
from shared.oidc import KeySets, TokenRefused
from shared.settings import Settings

type Why = Literal[
    "no-token",
    "token",
    "publisher",
    "tenant",
    "subscription",
    "client-state",
    "certificate",
    "signature",
    "shape",
]
type CallKind = Literal["callStarted", "callEnded", "rosterUpdated", "other"]
type PresenceState = Literal["waiting", "in", "out"]
type IdentityKind = Literal["home", "external"]

_KINDS: Mapping[str, CallKind] = {
    "callstarted": "callStarted",
    "callended": "callEnded",
    "rosterupdated": "rosterUpdated",
}
_ISSUER = "https://sts.windows.net/{tid}/"
_LEEWAY_SECONDS = 60.0
_OLDEST_SECONDS = 7 * 24 * 3600.0
_MOST_TOKENS = 50
_LARGEST_DATA = 1_000_000
_ID = re.compile(r"[A-Za-z0-9:._@=+/|{}-]{1,100}")


class NotGenuine(AntesalaError):
    """Not Graph's, or not for this visit. ``why`` is for the log; the sender learns nothing."""

    def __init__(self, why: Why) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True)
class RosterChange:
    """What one delta says of one participant.

    ``participant_id`` is new with every join. ``home`` means a user of the meeting's own tenant, whose
    ``oid`` is given; everybody else is ``external`` and proves nothing about who they are. ``identity``:
    Graph's opaque id of an external identity where it gives one and it is no telephone number; it may outlive
    a rejoin.
    """

    participant_id: str
    state: PresenceState
    identity_kind: IdentityKind
    oid: str = ""
    identity: str = ""


@dataclass(frozen=True)
class CallEvent:
    """One event of a call; ``id`` for dropping duplicates, ``at`` for putting events in order."""

    id: str
    kind: CallKind
    at: datetime
    changes: tuple[RosterChange, ...] = ()


class Notifications:
    """Reads change notifications with encrypted resource data."""

    def __init__(
        self, settings: Settings, keysets: KeySets, certificates: GraphCertificates, clock: Clock
    ) -> None:
        self._settings = settings
        self._keysets = keysets
        self._certificates = certificates
        self._clock = clock

    def authentic(
        self, item: Mapping[str, Any], validation_tokens: Sequence[str], received: datetime | None = None
    ) -> None:
        """Passes if every token is Graph's for this app and one covers the item's tenant; else NotGenuine.

        Unreachable while it is not known whether Graph has a new key: what is refused is never seen again.
        ``received``: when the webhook took the notification in. Tokens are judged as of then, because an
        outage may keep a genuine notification in the queue for longer than its token lives.
        """
        tenant = _text(lower_keys(item), "tenantid").lower()
        if not validation_tokens or len(validation_tokens) > _MOST_TOKENS:
            raise NotGenuine("no-token")
        covered = {self._token_tenant(token, received) for token in validation_tokens}
        if not tenant or tenant not in covered:
            raise NotGenuine("tenant")

    def belongs(
        self, item: Mapping[str, Any], *, tenant: str, subscription: str, is_state: Callable[[str], bool]
    ) -> None:
        """Passes if tenant, subscription and client state of the item are the visit's; else NotGenuine.

        ``is_state``: ``subscriptions.is_client_state`` of the visit, which compares in constant time.
        """
        read = lower_keys(item)
        if _text(read, "tenantid").lower() != tenant.lower():
            raise NotGenuine("tenant")
        if not subscription or not _same(_text(read, "subscriptionid"), subscription):
            raise NotGenuine("subscription")
        if not is_state(_text(read, "clientstate")):
            raise NotGenuine("client-state")

    def decrypt(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The event that the item carries, after its signature was found right; NotGenuine otherwise.

        RSA-OAEP with SHA-1 for the key, HMAC-SHA256 over the cipher text, AES-256-CBC with the key's first
        half as initialisation vector: Microsoft's choice, not ours.
        """
        content = lower_keys(item).get("encryptedcontent")
        if not isinstance(content, Mapping):
            raise NotGenuine("shape")
        data = _bytes(content, "data")
        if len(data) > _LARGEST_DATA:
            raise NotGenuine("shape")
        key = self._symmetric_key(content)
        expected = hmac.new(key, data, hashlib.sha256).digest()
        if not hmac.compare_digest(expected, _bytes(content, "datasignature")):
            raise NotGenuine("signature")
        return _document(_unpadded(key, data))

    def event(self, document: Mapping[str, Any], tenant: str) -> CallEvent:
        """What the decrypted document says, for a meeting of this tenant; unknown kinds become ``other``.

        AnswerRefused for a document that lacks what every event has.
        """
        read = lower_keys(document)
        name = _text(read, "eventtype") or _text(read, "calleventtype")
        deltas = read.get("participants@delta")
        try:
            at = parse_timestamp(_text(read, "eventdatetime"))
        except ValueError as failure:
            raise AnswerRefused("graph call event") from failure
        if not _text(read, "id"):
            raise AnswerRefused("graph call event")
        changes = tuple(_change(delta, tenant) for delta in (deltas if isinstance(deltas, list) else []))
        return CallEvent(_text(read, "id"), _KINDS.get(name.lower(), "other"), at, changes)

    def _leeway(self, received: datetime | None) -> float:
        waited = (self._clock.now() - received).total_seconds() if received else 0.0
        return _LEEWAY_SECONDS + min(max(waited, 0.0), _OLDEST_SECONDS)

    def _token_tenant(self, token: str, received: datetime | None) -> str:
        try:
            claims = self._keysets.verify(
                token,
                jwks_url=f"{self._settings.login_url}/common/discovery/keys",
                issuer=lambda claims: _ISSUER.format(tid=claims.get("tid", "")),
                audience=self._settings.client_id,
                algorithms=("RS256",),
                leeway=self._leeway(received),
                required=("iss", "aud", "exp", "tid"),
                since=received,
            )
        except TokenRefused as refused:
            raise NotGenuine("token") from refused
        publisher = claims.get("appid") or claims.get("azp")
        if not isinstance(publisher, str) or not _same(publisher, self._settings.graph_publisher_id):
            raise NotGenuine("publisher")
        tid = claims["tid"]
        if not isinstance(tid, str) or tid not in self._settings.tenants:
            raise NotGenuine("tenant")
        return tid.lower()

    def _symmetric_key(self, content: Mapping[str, Any]) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.hashes import SHA1

        private_key = self._certificates.private_key(_text(content, "encryptioncertificateid"))
        if private_key is None:
            raise NotGenuine("certificate")
        oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - Graph's choice
        try:
            key = private_key.decrypt(_bytes(content, "datakey"), oaep)
        except ValueError as failure:
            raise NotGenuine("signature") from failure
        if len(key) != 32:
            raise NotGenuine("signature")
        return key


def lower_keys(value: Any) -> Any:
    """The same JSON with every member name in lower case."""
    if isinstance(value, Mapping):
        return {str(name).lower(): lower_keys(member) for name, member in value.items()}
    if isinstance(value, list):
        return [lower_keys(member) for member in value]
    return value


def _change(delta: Any, tenant: str) -> RosterChange:
    participant = _opaque(_text(delta, "id")) if isinstance(delta, Mapping) else ""
    if not participant:
        raise AnswerRefused("graph roster delta")
    if delta.get("removedstate") is not None:
        state: PresenceState = "out"
    else:
        state = "waiting" if delta.get("isinlobby") is True else "in"
    kind, oid, identity = _identity(delta, tenant)
    return RosterChange(participant, state, kind, oid, identity)


def _identity(delta: Mapping[str, Any], tenant: str) -> tuple[IdentityKind, str, str]:
    """The home tenant's user or somebody external. A telephone's id is its number: left behind."""
    info = delta.get("info")
    identities = info.get("identity") if isinstance(info, Mapping) else None
    if not isinstance(identities, Mapping):
        return "external", "", ""
    user = identities.get("user")
    if isinstance(user, Mapping) and _text(user, "tenantid").lower() == tenant.lower() and _text(user, "id"):
        return "home", _opaque(_text(user, "id").lower()), ""
    opaque = (identities.get(name) for name in ("guest", "azurecommunicationservicesuser", "user"))
    found = (_text(identity, "id") for identity in opaque if isinstance(identity, Mapping))
    return "external", "", _opaque(next((text for text in found if text), ""))


def _opaque(text: str) -> str:
    """An id of Graph's as a row may hold it: one longer than any known becomes its hash, equal if it was."""
    return (
        text if _ID.fullmatch(text) or not text else hashlib.sha256(text.encode(errors="replace")).hexdigest()
    )


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _same(shown: str, expected: str) -> bool:
    # JSON may hold half of a surrogate pair, which is no UTF-8.
    return hmac.compare_digest(shown.lower().encode(errors="replace"), expected.lower().encode())


def _bytes(members: Mapping[str, Any], name: str) -> bytes:
    try:
        value = base64.b64decode(_text(members, name), validate=True)
    except ValueError as failure:
        raise NotGenuine("shape") from failure
    if not value:
        raise NotGenuine("shape")
    return value


def _unpadded(key: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7

    try:
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as failure:
        raise NotGenuine("shape") from failure


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as failure:
        raise NotGenuine("shape") from failure
    if not isinstance(document, dict):
        raise NotGenuine("shape")
    return document
