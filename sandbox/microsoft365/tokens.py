"""Signing keys of the simulated tenants and the tokens made with them.

All tenants share the keys, as Entra's do. Claims follow the id token and access token references of Entra
(graph.md 5 and 8.3) and, for validation tokens of change notifications, graph.md 3.5.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.store import write_aside

PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""The documented application id of the service that publishes change notifications."""

LIFETIME = 3600


class TokenError(Exception):
    """A token cannot be accepted; the message says why, for the simulator's own answers."""


class Keyring:
    """The current signing key and every key that is still published.

    With a `folder` the keys outlive the process. `clock` gives the time, in UTC.
    """

    def __init__(self, clock: Callable[[], datetime], folder: Path | None) -> None:
        self._clock = clock
        self._file = None if folder is None else folder / "signing-keys.json"
        self._keys: list[RSAKey] = self._load() or [_new_key()]
        self._stranger = _new_key()
        self._save()

    def rotate(self) -> str:
        """Sign with a new key from now on, publish it beside the old ones, and return its `kid`."""
        self._keys.append(_new_key())
        self._save()
        return str(self._keys[-1].kid)

    def published(self) -> list[dict[str, Any]]:
        """The public keys as a JWKS lists them, newest last."""
        return [{**key.as_dict(private=False), "use": "sig"} for key in self._keys]

    def sign(self, claims: Mapping[str, Any], algorithm: str = "RS256") -> str:
        """A signed JWT. `algorithm` other than RS256 forges: `stranger`, `none` or `HS256`."""
        current = self._keys[-1]
        header = {"typ": "JWT", "alg": "RS256", "kid": current.kid}
        payload = json.dumps(claims).encode()
        if algorithm == "none":
            return _unsigned(header | {"alg": "none"}, payload)
        if algorithm == "HS256":
            return _confused(header | {"alg": "HS256"}, payload, current)
        key = self._stranger if algorithm == "stranger" else current
        return jws.serialize_compact(header, payload, key, ["RS256"])

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours whose time has come and not gone; raises `TokenError` otherwise."""
        for key in reversed(self._keys):
            try:
                signed = jws.deserialize_compact(token, key, ["RS256"])
            except (JoseError, ValueError):
                continue
            claims: dict[str, Any] = json.loads(signed.payload or b"{}")
            return self._in_time(claims)
        raise TokenError("Access token validation failure. Invalid signature.")

    def times(self, lifetime: int = LIFETIME) -> dict[str, int]:
        """`iat`, `nbf` and `exp` of a token made now."""
        now = int(self._clock().timestamp())
        return {"iat": now, "nbf": now, "exp": now + lifetime}

    def _in_time(self, claims: dict[str, Any]) -> dict[str, Any]:
        now = self._clock().timestamp()
        if not claims.get("nbf", 0) - 300 <= now < claims.get("exp", 0):
            raise TokenError("Lifetime validation failed, the token is expired.")
        return claims

    def _load(self) -> list[RSAKey]:
        if self._file is None or not self._file.exists():
            return []
        return [RSAKey.import_key(entry) for entry in json.loads(self._file.read_text())]

    def _save(self) -> None:
        if self._file is None:
            return
        write_aside(self._file, json.dumps([key.as_dict(private=True) for key in self._keys]))


def subject(person: Person, client_id: str) -> str:
    """The `sub` of a person for one app: pairwise, so that two apps cannot compare notes."""
    digest = hashlib.sha256(f"{client_id}|{person.tenant}|{person.oid}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def person_claims(person: Person, client_id: str, login: str, wids: bool) -> dict[str, Any]:
    """What a v2.0 token says about a person: identity, roles, and where a guest comes from."""
    claims: dict[str, Any] = {
        "iss": f"{login}/{person.tenant}/v2.0",
        "tid": person.tenant,
        "oid": person.oid,
        "sub": subject(person, client_id),
        "name": person.name,
        "preferred_username": person.upn,
        "ver": "2.0",
        "acct": 0 if person.home is None else 1,
    }
    if person.roles:
        claims["roles"] = list(person.roles)
    if wids and person.wids:
        claims["wids"] = list(person.wids)
    if person.home is not None:
        claims["idp"] = f"https://sts.windows.net/{person.home}/"
    return claims


def _new_key() -> RSAKey:
    key = RSAKey.generate_key(2048, private=True)
    return RSAKey.import_key({**key.as_dict(private=True), "kid": key.thumbprint(), "alg": "RS256"})


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unsigned(header: Mapping[str, Any], payload: bytes) -> str:
    return f"{_encode(json.dumps(header).encode())}.{_encode(payload)}."


def _confused(header: Mapping[str, Any], payload: bytes, key: RSAKey) -> str:
    """An HMAC under the published PEM: a verifier that lets the token name its algorithm accepts it."""
    signed = f"{_encode(json.dumps(header).encode())}.{_encode(payload)}"
    return f"{signed}.{_encode(hmac.digest(key.as_pem(private=False), signed.encode(), 'sha256'))}"
