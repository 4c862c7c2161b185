"""The app's own keys, parsed once: to sign client assertions, to open Graph's notifications, to seal.

The secrets' shapes (``shared.secrets``):

* ``sealing-keys``, ``visit-keys``: JSON array of base64url 32-byte keys, oldest first; see ``key_lists``.
* ``ehr-signing-keys``: JSON array of ``{"kid", "alg", "private_key", "state"}``; PEM PKCS 8; one ``current``
  per algorithm signs, ``next`` and ``old`` are only published, so that an EHR that caches our key set knows
  them in time. Where several organizations share a deployment, each has a set of its own instead,
  ``ehr-signing-keys-{tenant id}``.
* ``graph-certificates``: JSON array of ``{"id", "private_key", "certificate"}``, oldest first, and perhaps
  ``from``; see ``key_lists``.
"""

import json
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.clock import Clock, SystemClock
from shared.errors import Refusal
from shared.key_lists import in_use, since_of, symmetric_rows
from shared.reread import Reread
from shared.secrets import SIGNING_KEYS, SecretMissing, Secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PUBLIC_MEMBERS = frozenset({"kty", "n", "e", "crv", "x", "y"})


def symmetric_keys(secrets: Secrets, name: str) -> list[bytes]:
    """The 32-byte keys of a secret, oldest first; ValueError when it is not of that shape."""
    return [row.key for row in symmetric_rows(secrets.read(name), name)]


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
            tenant: Reread(secrets, signing_keys_name(tenant if several else ""), _key_ring, clock)
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
        self._clock = clock or SystemClock()
        self._rows = Reread(secrets, "graph-certificates", _certificate_rows, self._clock, keeps=True)

    def newest(self) -> GraphCertificate:
        """The certificate for new subscriptions: the newest that is in use."""
        row = in_use(self._rows.value(), self._clock.now())
        return GraphCertificate(row.id, row.der_base64)

    def private_key(self, certificate_id: str) -> "RSAPrivateKey | None":
        """The key that belongs to a certificate of ours; None for an id that is not ours.

        Another instance may have read of a certificate that this one has not: the vault is asked once more.
        """
        found = self._known(certificate_id)
        if found is None:
            self._rows.anew()
            found = self._known(certificate_id)
        return found

    def _known(self, certificate_id: str) -> "RSAPrivateKey | None":
        for row in self._rows.value():
            if row.id == certificate_id:
                return row.private_key()
        return None


class _CertificateRow:
    """One certificate; its private key is parsed when first needed, which takes 30 ms and more."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.id: str = row["id"]
        self.since = since_of(row)
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


def _key_ring(text: str) -> _KeyRing:
    current: dict[str, SigningKey] = {}
    public: list[dict[str, Any]] = []
    for row in json.loads(text):
        key = SigningKey(row["kid"], row["alg"], private_key(row["private_key"]))
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


def private_key(pem: str) -> "RSAPrivateKey | EllipticCurvePrivateKey":
    """The key in a PEM text; ValueError for what is no key, or a key of another kind."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ValueError("a signing key is neither RSA nor elliptic curve")
    return key


def _rsa_key(pem: str) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = private_key(pem)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("Graph encrypts for RSA keys only")
    return key


def _certificate_rows(text: str) -> list[_CertificateRow]:
    rows = [_CertificateRow(row) for row in json.loads(text)]
    if not rows:
        raise ValueError("graph-certificates is empty")
    return rows
