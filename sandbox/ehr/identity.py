"""id_tokens (OpenID Connect on Authlib): RS256, five minutes, nonce echoed, one stable `sub` per user."""

# mypy: disallow-subclassing-any=False

import hashlib
from typing import Any

from authlib.oauth2 import OAuth2Request
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import RSAKey

from sandbox.ehr.clients import Client
from sandbox.ehr.people import Person
from sandbox.ehr.signing import ALGORITHM
from sandbox.ehr.tokens import Tokens
from sandbox.ehr.world import World

LIFE_SECONDS = 300


class IdToken(OpenIDCode):
    """The id_token of one hospital, and its failure modes."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        """A nonce is optional, as in OpenID Connect's code flow; a sent one is used once."""
        super().__init__(require_nonce=False)
        self._world = world
        self._tokens = tokens

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        """Whether this client already got a code with this nonce."""
        return self._tokens.nonce_used(request.payload.client_id, nonce)

    def process_token(self, grant: Any, response: tuple[int, dict[str, Any], Any]) -> dict[str, Any]:
        """Add the id_token to the answer when `openid` was granted."""
        if self._world.failures.id_token_missing:
            return response[1]
        token: dict[str, Any] = super().process_token(grant, response)
        return token

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        """The key to sign with."""
        keys = self._world.signing
        return keys.impostor if self._world.failures.id_token_wrong_signature else keys.published

    def get_client_algorithm(self, client: Client) -> str:
        """RS256 for everybody."""
        return ALGORITHM

    def get_encode_header(self, client: Client) -> dict[str, str]:
        """The published kid, even over a forgery."""
        return {"alg": ALGORITHM, "kid": self._world.signing.kid, "typ": "JWT"}

    def get_compatible_claims(self, request: OAuth2Request) -> dict[str, Any]:
        """Issuer, audience and times by the world's clock."""
        failures = self._world.failures
        now = int(self._world.clock()) - (3600 if failures.id_token_expired else 0)
        return {
            "iss": "https://other.example/oauth2"
            if failures.id_token_wrong_issuer
            else self._world.hospital.issuer,
            "aud": "somebody-else" if failures.id_token_wrong_audience else request.client.client_id,
            "iat": now,
            "exp": now + (LIFE_SECONDS if not failures.id_token_expired else 0),
        }

    def generate_user_info(self, user: Person, scope: str) -> dict[str, str]:
        """`sub` always; `fhirUser` where granted, absolute or relative as the hospital does it."""
        claims = {"sub": self._subject(user)}
        if "fhirUser" in scope.split():
            hospital = self._world.hospital
            base = f"{hospital.fhir_base}/" if hospital.absolute_fhir_user else ""
            claims["fhirUser"] = base + user.reference
        if self._world.failures.id_token_wrong_nonce:
            claims["nonce"] = "a-nonce-that-nobody-sent"
        return claims

    def _subject(self, user: Person) -> str:
        salt = "other" if self._world.failures.id_token_other_sub else "sub"
        return hashlib.sha256(f"{salt}|{self._world.hospital.issuer}|{user.login}".encode()).hexdigest()[:32]
