"""The app's own keys, parsed once: to sign client assertions, to open Graph's notifications, to seal.

The secrets' shapes (``shared.secrets``):

* ``sealing-keys``, ``visit-keys``: JSON array of base64url 32-byte keys, oldest first.
* ``ehr-signing-keys``: JSON array of ``{"kid", "alg", "private_key", "state"}``; PEM PKCS 8; one ``current``
  per algorithm signs, ``next`` and ``old`` are only published, so that an EHR that caches our key set knows
  them in time. Where several organizations share a deployment, each has a set of its own instead,
  ``ehr-signing-keys-{tenant id}``.
* ``graph-certificates``: JSON array of ``{"id", "private_key", "certificate"}``, oldest first.
"""

import base64
import json
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.clock import Clock, SystemClock
from shared.errors import Refusal
from shared.secrets import KEPT, SIGNING_KEYS, SecretMissing, Secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# How long a secret that was not there counts as missing.
_MISSED = timedelta(seconds=30)
_PUBLIC_MEMBERS = frozenset({"kty", "n", "e", "crv", "x", "y"})


def symmetric_keys(secrets: Secrets, name: str) -> list[bytes]:
    """The 32-byte keys of a secret, oldest first; ValueError when it is not of that shape."""
    rows = json.loads(secrets.read(name))
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{name} is not a list of keys")
    keys = [base64.urlsafe_b64decode(str(row) + "=" * (-len(str(row)) % 4)) for row in rows]
    if any(len(key) != 32 for key in keys):
        raise ValueError(f"{name} holds a key that has not 32 bytes")
    return keys


@dataclass(frozen=True)
class SigningKey:
    """A key that signs for this app under its ``kid``."""

    kid: str
    alg: str
    private_key: "RSAPrivateKey | EllipticCurvePrivateKey" = field(repr=False)


@dataclass(frozen=True)
class _KeyRing:
    current: dict[str, SigningKey]
    jwks: dict[str, Any]


class SigningKeys:
    """The keys with which the app proves itself to EHRs (SMART App Launch 2.2, asymmetric authentication).

    Whoever may enter FHIR base and client ID decides where our signature counts. So organizations that share
    a deployment have keys of their own: with common ones, one could enter a neighbour's base and client ID,
    and the neighbour's EHR would take our word for it. Nobody signs for a tenant that is not listed.
    """

    def __init__(self, secrets: Secrets, clock: Clock, tenants: Collection[str]) -> None:
        """``tenants``: the operator's; a single one signs with the set that has no tenant in its name."""
        several = len(tenants) > 1
        self._rings = {
            tenant: _Parsed(secrets, signing_keys_name(tenant if several else ""), _key_ring, clock)
            for tenant in tenants
        }

    def current(self, tenant: str, alg: str) -> SigningKey:
        """The organization's key that signs with this algorithm; Refusal keys-missing when there is none."""
        key = self._ring(tenant).current.get(alg)
        if key is None:
            raise Refusal("keys-missing", f"no current key for {alg}")
        return key

    def jwks(self, tenant: str) -> dict[str, Any]:
        """The public halves of the organization's keys as a JWK Set (RFC 7517); Refusal keys-missing."""
        return self._ring(tenant).jwks

    def _ring(self, tenant: str) -> _KeyRing:
        ring = self._rings.get(tenant)
        if ring is None:
            raise Refusal("keys-missing", "a tenant that is not listed")
        try:
            return ring.value()
        except SecretMissing as missing:
            raise Refusal("keys-missing", "no such secret") from missing


def signing_keys_name(tenant: str = "") -> str:
    """The name of an organization's key set in the vault; without a tenant, the only organization's."""
    return f"{SIGNING_KEYS}-{tenant}" if tenant else SIGNING_KEYS


@dataclass(frozen=True)
class GraphCertificate:
    """What a subscription tells Graph: a certificate to encrypt for, and the id that Graph repeats to us."""

    id: str
    der_base64: str


class GraphCertificates:
    """The certificates for which Graph encrypts notifications; old ones open what is still under way."""

    def __init__(self, secrets: Secrets, clock: Clock | None = None) -> None:
        self._rows = _Parsed(secrets, "graph-certificates", _certificate_rows, clock or SystemClock())

    def newest(self) -> GraphCertificate:
        """The certificate for new subscriptions."""
        row = self._rows.value()[-1]
        return GraphCertificate(row.id, row.der_base64)

    def private_key(self, certificate_id: str) -> "RSAPrivateKey | None":
        """The key that belongs to a certificate of ours; None for an id that is not ours."""
        for row in self._rows.value():
            if row.id == certificate_id:
                return row.private_key()
        return None


class _CertificateRow:
    """One certificate; its private key is parsed when first needed, which takes 30 ms and more."""

    def __init__(self, row: dict[str, str]) -> None:
        self.id = row["id"]
        self.der_base64 = "".join(
            line.strip() for line in row["certificate"].splitlines() if not line.startswith("-----")
        )
        self._pem = row["private_key"]
        self._key: RSAPrivateKey | None = None
        self._lock = threading.Lock()

    def private_key(self) -> "RSAPrivateKey":
        with self._lock:
            if self._key is None:
                self._key = _rsa_key(self._pem)
            return self._key


@dataclass(frozen=True)
class _Known[T]:
    """What a look at the vault gave; ``text`` and ``parsed`` are None where there was no such secret."""

    at: datetime
    text: str | None
    parsed: T | None

    def fresh(self, now: datetime) -> bool:
        return now - self.at < (KEPT if self.text is not None else _MISSED)


class _Parsed[T]:
    """What a secret says, parsed again only when its text has changed; looked at every five minutes.

    One thread looks at a time. Meanwhile others have what was known, also that there was none, which counts
    for half a minute: anybody may ask for a key set, and must not make the vault's work of it.
    """

    def __init__(self, secrets: Secrets, name: str, parse: Callable[[str], T], clock: Clock) -> None:
        self._secrets = secrets
        self._name = name
        self._parse = parse
        self._clock = clock
        self._lock = threading.Lock()
        self._known: _Known[T] | None = None

    def value(self) -> T:
        known = self._known
        if known is not None and known.fresh(self._clock.now()):
            return self._said(known)
        if not self._lock.acquire(blocking=known is None) and known is not None:
            return self._said(known)
        try:
            return self._said(self._look())
        finally:
            self._lock.release()

    def _look(self) -> _Known[T]:
        known, now = self._known, self._clock.now()
        if known is not None and known.fresh(now):
            return known
        try:
            text = self._secrets.read(self._name)
        except SecretMissing:
            found: _Known[T] = _Known(now, None, None)
        else:
            unchanged = known is not None and known.text == text
            found = _Known(now, text, known.parsed if known and unchanged else self._parse(text))
        self._known = found
        return found

    def _said(self, known: _Known[T]) -> T:
        if known.parsed is None:
            raise SecretMissing(self._name)
        return known.parsed


def _key_ring(text: str) -> _KeyRing:
    current: dict[str, SigningKey] = {}
    public: list[dict[str, Any]] = []
    for row in json.loads(text):
        key = SigningKey(row["kid"], row["alg"], _signing_key(row["private_key"]))
        if row["state"] == "current":
            if key.alg in current:
                raise ValueError(f"two current signing keys for {key.alg}")
            current[key.alg] = key
        if any(known["kid"] == key.kid for known in public):
            # Nobody could tell which of the two signed (SMART 2.2 section 5.2: unique within the set).
            raise ValueError(f"two signing keys are called {key.kid}")
        public.append(_public_jwk(key))
    return _KeyRing(current, {"keys": public})


def _public_jwk(key: SigningKey) -> dict[str, Any]:
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    maker: Any = ECAlgorithm if key.alg.startswith("ES") else RSAAlgorithm
    members: dict[str, Any] = maker.to_jwk(key.private_key.public_key(), as_dict=True)
    public = {name: value for name, value in members.items() if name in _PUBLIC_MEMBERS}
    return {**public, "use": "sig", "alg": key.alg, "kid": key.kid}


def _signing_key(pem: str) -> "RSAPrivateKey | EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ValueError("a signing key is neither RSA nor elliptic curve")
    return key


def _rsa_key(pem: str) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = _signing_key(pem)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("Graph encrypts for RSA keys only")
    return key


def _certificate_rows(text: str) -> list[_CertificateRow]:
    rows = [_CertificateRow(row) for row in json.loads(text)]
    if not rows:
        raise ValueError("graph-certificates is empty")
    return rows
