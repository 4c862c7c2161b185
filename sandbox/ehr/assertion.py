"""Client authentication by signed assertion (SMART App Launch 2.2, client-confidential-asymmetric).

Authlib's RFC 7523 class does the decoding; what it leaves open is closed here: RS384 and ES384 only, `typ`
JWT, one audience that is exactly the token URL, five minutes at most, a `jti` that was never seen.
"""

# mypy: disallow-subclassing-any=False

from collections.abc import Callable
from typing import Any

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from sandbox.ehr.clients import SIGNED, Client
from sandbox.ehr.keysets import KeySetError, KeySets
from sandbox.ehr.tokens import Tokens
from sandbox.ehr.world import World

ALGORITHMS = ["RS384", "ES384"]
LONGEST_LIFE = 300
LONGEST_JTI = 151


class SignedAssertion(JWTBearerClientAssertion):
    """The `private_key_jwt` method of one hospital's token endpoint."""

    CLIENT_AUTH_METHOD = SIGNED

    def __init__(self, world: World, tokens: Tokens) -> None:
        """No leeway: both ends of the sandbox read one clock."""
        super().__init__(leeway=0)
        self._world = world
        self._tokens = tokens
        self._key_sets = KeySets(world.clock, world.outbound_session_factory)

    def __call__(self, query_client: Callable[[str], Client | None], request: OAuth2Request) -> Client | None:
        """The client that signed, or None where there is no assertion; a `client_id` beside it must agree."""
        client: Client | None = super().__call__(query_client, request)
        if client is not None and request.form.get("client_id", client.client_id) != client.client_id:
            raise InvalidClientError(description="client_id is not the assertion's.")
        return client

    def get_audiences(self) -> list[str]:
        """The token URL and nothing else."""
        return [self._world.hospital.token_url]

    def resolve_client_public_key(self, client: Client) -> Client:
        """The client stands for its key set: which key is meant is known once the header is read."""
        return client

    def process_assertion_claims(self, assertion: str, client: Client) -> dict[str, Any]:
        """Verify header, signature and claims; raises `InvalidClientError`, which names what is wrong."""
        header, _ = self.extract_assertion(assertion)
        _check_header(header, client)
        try:
            token = jwt.decode(assertion, self._key(client, header), algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description="Assertion: bad signature or algorithm.") from error
        self.verify_claims(token.claims)
        return token.claims

    def verify_claims(self, claims: dict[str, Any]) -> None:
        """The claims' rules, `jti` last, so that a refused assertion does not use it up."""
        now = self._world.clock()
        _require(claims.get("iss") == claims.get("sub"), "iss and sub must both be the client id")
        _require(claims.get("aud") == self._world.hospital.token_url, "aud must be exactly the token URL")
        expires = _number(claims.get("exp"))
        _require(now < expires, "expired, or exp is not a number")
        _require(expires - now <= LONGEST_LIFE, "exp is more than five minutes ahead")
        for name in ("iat", "nbf"):
            _require(name not in claims or 0 < _number(claims[name]) <= now, f"{name} is in the future")
        jti = claims.get("jti")
        _require(
            isinstance(jti, str) and 0 < len(jti) <= LONGEST_JTI, "jti must be text of 1 to 151 characters"
        )
        _require(self._tokens.fresh_assertion(claims["sub"], str(jti), expires), "jti was used before")

    def _key(self, client: Client, header: dict[str, Any]) -> Key:
        try:
            return self._key_sets.key(client.registration.jwks_url, header["kid"])
        except KeySetError as error:
            raise InvalidClientError(description=f"Assertion: {error}.") from error


def _check_header(header: dict[str, Any], client: Client) -> None:
    _require(bool(client.registration.jwks_url), "this client is not registered with a JWKS URL")
    _require(header.get("typ") == "JWT", "typ must be JWT")
    _require(header.get("alg") in ALGORITHMS, "alg must be RS384 or ES384")
    _require(isinstance(header.get("kid"), str) and bool(header["kid"]), "kid is missing")
    _require(header.get("jku") in (None, client.registration.jwks_url), "jku is not the registered JWKS URL")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidClientError(description=f"Assertion: {otherwise}.")


def _number(value: object) -> float:
    """The value as a number of seconds; whatever is none counts as long past."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
