"""An issuer of tokens for tests: two RSA keys, one published, and the key set behind the outbound seam."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from shared.errors import Unreachable
from shared.outbound import Answer
from tests.graph.fakes import answer


class KeyServer:
    """Answers GET of one key set's address, and nothing else; remembers what was asked."""

    def __init__(self, *urls: str) -> None:
        self.urls = urls
        self.asked: list[str] = []
        self.key, self.stranger = _key(), _key()

    def send(self, method: str, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        if method != "GET" or url not in self.urls:
            raise Unreachable("nobody there")
        return answer(200, {"keys": [_published(self.key, "kid-1")]})

    def token(
        self, claims: Mapping[str, Any], *, key: RSAPrivateKey | None = None, alg: str = "RS256"
    ) -> str:
        """A signed token; ``alg`` none, HS256 (by the public key as secret) and RS512 are forgeries."""
        headers = {"kid": "kid-1"}
        if alg == "none":
            return jwt.encode(dict(claims), "", algorithm="none", headers=headers)
        if alg == "HS256":
            # PyJWT refuses to sign so; an attacker's library would not.
            return _hs256(claims, json.dumps(_published(self.key, "kid-1")).encode(), headers)
        return jwt.encode(dict(claims), key or self.key, algorithm=alg, headers=headers)


def without(claims: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}


def _key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def _published(key: RSAPrivateKey, kid: str) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "use": "sig", "kid": kid}


def _hs256(claims: Mapping[str, Any], secret: bytes, headers: Mapping[str, str]) -> str:
    import hashlib
    import hmac

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({**headers, "alg": "HS256", "typ": "JWT"}) + b"." + part(dict(claims))
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + mac).decode()
