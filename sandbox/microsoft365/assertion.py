"""Client authentication of the simulated Entra: a JWT signed with the app's certificate, or federated.

Rules of the certificate assertion (Entra, "application authentication certificate credentials"): PS256 with
`x5t#S256`, or RS256 with `x5t`; `iss` and `sub` are the client id; `aud` is the token endpoint or the
tenant's v2.0 issuer; `exp` and `nbf` hold. A repeated `jti` is not refused: MSAL re-uses one assertion.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from sandbox.microsoft365.cast import FederatedCredential, Registration

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW = 300
_LONGEST = 24 * 3600


class AssertionRefusedError(Exception):
    """The client is not who it says; the message starts with the AADSTS code Entra would answer."""


class _RoomyRegistry(jws.JWSRegistry):
    # A header with x5c is far longer than the library's default of 512 bytes.
    max_header_length = 16384


class ClientProof:
    """Decides whether an assertion proves that the caller is the registered app."""

    def __init__(self, registration: Registration, clock: Callable[[], datetime]) -> None:
        self._registration = registration
        self._clock = clock

    def check(self, assertion: str, client_id: str, audiences: frozenset[str]) -> None:
        """Return if `assertion` proves `client_id`; else raise `AssertionRefusedError` in Entra's words."""
        header, claims = _read(assertion)
        if claims.get("iss") in {trust.issuer for trust in self._registration.federated}:
            self._check_federated(assertion, claims)
            return
        self._check_signature(assertion, header)
        if not claims.get("iss") == claims.get("sub") == client_id:
            raise AssertionRefusedError("AADSTS700021: Client assertion names another application.")
        if claims.get("aud") not in audiences:
            raise AssertionRefusedError(
                "AADSTS700023: Client assertion audience claim does not match Realm issuer."
            )
        self._check_times(claims)

    def _check_signature(self, assertion: str, header: Mapping[str, Any]) -> None:
        certificate = self._named_certificate(header)
        key = RSAKey.import_key(_public_pem(certificate))
        algorithm = "PS256" if "x5t#S256" in header else "RS256"
        _verify(assertion, key, algorithm, "AADSTS700027")

    def _named_certificate(self, header: Mapping[str, Any]) -> x509.Certificate:
        for pem in self._registration.certificates:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            if _names(header, certificate):
                return certificate
        raise AssertionRefusedError(
            "AADSTS700027: The certificate with identifier used to sign the client assertion "
            "is not registered on application."
        )

    def _check_federated(self, assertion: str, claims: Mapping[str, Any]) -> None:
        trust = self._matching_trust(claims)
        _verify(assertion, RSAKey.import_key(trust.public_key), "RS256", "AADSTS700211")
        if claims.get("aud") != trust.audience:
            raise AssertionRefusedError(
                "AADSTS700212: No matching federated identity record found for audience."
            )
        self._check_times(claims)

    def _matching_trust(self, claims: Mapping[str, Any]) -> FederatedCredential:
        for trust in self._registration.federated:
            if (trust.issuer, trust.subject) == (claims.get("iss"), claims.get("sub")):
                return trust
        raise AssertionRefusedError("AADSTS700213: No matching federated identity record found for subject.")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock().timestamp()
        expiry, start = claims.get("exp"), claims.get("nbf", claims.get("iat", now))
        if not isinstance(expiry, int | float) or not isinstance(start, int | float):
            raise AssertionRefusedError("AADSTS700024: Client assertion has no valid time range.")
        if not start - _SKEW <= now < expiry + _SKEW or expiry > now + _LONGEST:
            raise AssertionRefusedError("AADSTS700024: Client assertion is not within its valid time range.")


def _read(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, payload, _ = assertion.split(".")
        parts = json.loads(_decode(header)), json.loads(_decode(payload))
    except ValueError:
        raise AssertionRefusedError("AADSTS50027: JWT token is invalid or malformed.") from None
    if not all(isinstance(part, dict) for part in parts):
        raise AssertionRefusedError("AADSTS50027: JWT token is invalid or malformed.")
    return parts


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _names(header: Mapping[str, Any], certificate: x509.Certificate) -> bool:
    """Whether the header's thumbprint, and its certificate if it brings one, are those of `certificate`."""
    name, digest = ("x5t#S256", hashes.SHA256()) if "x5t#S256" in header else ("x5t", hashes.SHA1())  # noqa: S303
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(digest)).decode().rstrip("=")
    if "x5c" in header and not _brings(header["x5c"], certificate):
        return False
    return str(header.get(name, "")).rstrip("=") == thumbprint


def _brings(chain: object, certificate: x509.Certificate) -> bool:
    """Whether an x5c chain starts with `certificate`; MSAL leaves the line breaks of the PEM in."""
    first = chain[0] if isinstance(chain, list) and chain else None
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    return isinstance(first, str) and "".join(first.split()) == der


def _public_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _verify(assertion: str, key: RSAKey, algorithm: str, code: str) -> None:
    registry = _RoomyRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        jws.deserialize_compact(assertion, key, registry=registry)
    except (JoseError, ValueError):
        raise AssertionRefusedError(f"{code}: Client assertion contains an invalid signature.") from None
