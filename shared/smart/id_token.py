"""Who launched: the id_token, verified (OpenID Connect Core 3.1.3.7; SMART 2.2 section 3.0.5, fhirUser)."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.clock import Clock
from shared.connection import EhrKind
from shared.errors import AnswerRefused, Refusal, StatusRefused
from shared.oidc import KeySets, TokenRefused
from shared.outbound import Outbound
from shared.smart.dialect import DIALECTS
from shared.smart.discovery import SmartConfiguration, checked_address, origin
from shared.smart.shelf import Shelf

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384")
_USER_TYPES = ("Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person")
_REFERENCE = re.compile(rf"(?P<base>.*/)?(?P<type>{'|'.join(_USER_TYPES)})/(?P<id>[A-Za-z0-9.\-]{{1,128}})")
_SUB_LIMIT = 255


@dataclass(frozen=True)
class Identity:
    """A verified identity. ``user_type`` and ``user_id`` come from fhirUser, or are empty."""

    sub: str = field(repr=False)
    user_type: str = ""
    user_id: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def reference(self) -> str:
        """The user as a relative FHIR reference, or empty."""
        return f"{self.user_type}/{self.user_id}" if self.user_type else ""


class IdTokens:
    """Verifies id_tokens of EHRs: Refusal ``identity-invalid``, or an OutsideError when there are no keys.

    The issuer is often not the FHIR base (Epic: ``.../oauth2``). It is the one that smart-configuration
    names; a server that names none must issue from the origin of its token endpoint, which is pinned.
    """

    def __init__(self, keysets: KeySets, outbound: Outbound, clock: Clock) -> None:
        self._keysets = keysets
        self._outbound = outbound
        self._shelf: Shelf[str, str] = Shelf(clock)

    def verify(
        self,
        token: str,
        config: SmartConfiguration,
        client_id: str,
        nonce: str,
        bases: tuple[str, ...] = (),
        kind: EhrKind = "fhir",
    ) -> Identity:
        """The identity in the token. ``bases``: FHIR bases under which an absolute fhirUser may lie."""
        issuer = config.issuer or self._claimed_issuer(token, config)
        forms = DIALECTS[kind].issuer_forms(issuer)
        try:
            claims = self._keysets.verify(
                token,
                jwks_url=self.jwks_url(config, issuer),
                issuer=lambda claims: named if (named := str(claims.get("iss"))) in forms else issuer,
                audience=client_id,
                algorithms=ALGORITHMS,
                required=("exp", "iat", "iss", "aud", "sub", "nonce"),
            )
        except TokenRefused as error:
            raise Refusal("identity-invalid", str(error.why)) from error
        if claims.get("azp", client_id) != client_id:
            # Said even of a single audience, it is who asked for the token (OpenID Connect Core 3.1.3.7).
            raise Refusal("identity-invalid", "azp")
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise Refusal("identity-invalid", "nonce")
        return _identity(claims, bases)

    def jwks_url(self, config: SmartConfiguration, issuer: str = "") -> str:
        """Where the keys are: ``jwks_uri``, else what openid-configuration says, same origin."""
        if config.jwks_uri:
            return config.jwks_uri
        named = issuer or config.issuer
        if not named:
            raise AnswerRefused("the server names neither an issuer nor a key set")
        url = self._shelf.get(named, lambda: self._openid_configuration(named))
        if origin(url) not in (origin(config.token_endpoint), origin(named)):
            raise Refusal("endpoint-changed", "jwks")
        return url

    def _openid_configuration(self, issuer: str) -> str:
        url = f"{checked_address(issuer, 'issuer').rstrip('/')}/.well-known/openid-configuration"
        answer = self._outbound.send(
            "GET", url, headers={"Accept": "application/json"}, timeout=8.0, service="ehr-discovery"
        )
        if answer.status != 200:
            raise StatusRefused(answer.status, retry_after=answer.retry_after())
        document = answer.json()
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise AnswerRefused("openid-configuration speaks for another issuer")
        return checked_address(str(document.get("jwks_uri") or ""), "jwks_uri")

    def _claimed_issuer(self, token: str, config: SmartConfiguration) -> str:
        import jwt

        try:
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.InvalidTokenError as error:
            raise Refusal("identity-invalid", "malformed") from error
        if not isinstance(claimed, str) or origin(claimed) != origin(config.token_endpoint):
            raise Refusal("identity-invalid", "issuer")
        return claimed


def _identity(claims: Mapping[str, Any], bases: tuple[str, ...]) -> Identity:
    sub = claims["sub"]
    if not isinstance(sub, str) or not 0 < len(sub) <= _SUB_LIMIT:
        raise Refusal("identity-invalid", "sub")
    user = claims.get("fhirUser")
    if user is None:
        return Identity(sub, claims=claims)
    found = _REFERENCE.fullmatch(user) if isinstance(user, str) and len(user) <= 2048 else None
    if found is None:
        raise Refusal("identity-invalid", "fhirUser")
    base = found["base"]
    if base is not None and base.rstrip("/") not in {known.rstrip("/") for known in bases}:
        raise Refusal("identity-invalid", "fhirUser of another server")
    return Identity(sub, found["type"], found["id"], claims)
