"""What a token of Entra proves: MSAL decodes id tokens without validating them, this module validates.

For every token: RS256 by the tenant's published keys, ``iss`` exactly that of the token's own ``tid``,
``tid`` one of the operator's tenants (so that an unverified ``tid`` never makes us fetch keys from
elsewhere), ``aud`` this app, ``exp``, version 2.0. Personal accounts have a tenant of their own and are
refused by it.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from shared.errors import OutsideError, Refusal
from shared.events import failure as failure_of
from shared.events import note
from shared.oidc import KeySets, TokenRefused
from shared.settings import Settings

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(frozen=True)
class Account:
    """Somebody who signed in: (``tid``, ``oid``); name and username are for showing, never for rules.

    ``wids``: template ids of directory roles, present only where the app's manifest asks for them.
    """

    tid: str
    oid: str
    name: str
    username: str
    roles: frozenset[str]
    wids: frozenset[str]
    guest: bool


@dataclass(frozen=True)
class ApiCaller:
    """Who calls the JSON API. ``app_only``: a program without a person; ``scopes`` are empty then."""

    tid: str
    oid: str
    roles: frozenset[str]
    wids: frozenset[str]
    scopes: frozenset[str]
    app_only: bool
    guest: bool


class EntraClaims:
    """Turns tokens of Entra into people and programs, or refuses them."""

    def __init__(self, settings: Settings, keysets: KeySets) -> None:
        self._settings = settings
        self._keysets = keysets

    def account(self, id_token: str, *, nonce: str, tenant: str = "") -> Account:
        """The signed-in person. ``nonce``: the flow's own, sent as its SHA-256; ``tenant``: where fixed.

        Refusal ``wrong-organization`` for a tenant we do not serve or did not ask for, ``sign-in-failed`` for
        everything else.
        """
        tid = self._tenant(id_token)
        if tenant and tid != tenant:
            raise Refusal("wrong-organization")
        claims = self._verified(id_token, tid, "sign-in-failed")
        expected = sha256(nonce.encode()).hexdigest()
        if not hmac.compare_digest(_text(claims, "nonce").encode(), expected.encode()):
            raise Refusal("sign-in-failed", "nonce")
        return Account(
            tid,
            _object_id(claims, "sign-in-failed"),
            _text(claims, "name"),
            _text(claims, "preferred_username"),
            _texts(claims, "roles"),
            _texts(claims, "wids"),
            _is_guest(claims, tid, self._issuer(tid)),
        )

    def caller(self, bearer: str) -> ApiCaller:
        """The caller of the JSON API, from an access token for this app; Refusal ``not-signed-in`` otherwise.

        So also where Microsoft's keys cannot be had. An id token has the same audience as a v2 access token;
        it is told apart by having no ``azp``, and by its ``nonce``. A program's token has no ``scp``, and its
        ``sub`` is its ``oid``.
        """
        try:
            tid = self._tenant(bearer)
        except Refusal as refusal:
            raise Refusal("not-signed-in", refusal.detail) from refusal
        try:
            claims = self._verified(bearer, tid, "not-signed-in")
        except OutsideError as error:
            # Nobody has proven anything yet, and another answer would tell anybody whom we serve.
            note("keys-unread", tenant=tid, failure=failure_of(error))
            raise Refusal("not-signed-in", "no keys") from error
        if not _text(claims, "azp") or "nonce" in claims:
            raise Refusal("not-signed-in", "not an access token")
        oid = _object_id(claims, "not-signed-in")
        scopes = frozenset(_text(claims, "scp").split())
        if not scopes and not _is_program(claims, oid):
            raise Refusal("not-signed-in", "neither delegated nor app-only")
        guest = _is_guest(claims, tid, self._issuer(tid))
        roles, wids = _texts(claims, "roles"), _texts(claims, "wids")
        return ApiCaller(tid, oid, roles, wids, scopes, not scopes, guest)

    def _tenant(self, token: str) -> str:
        """The tenant that the token claims to be of, as yet unverified, but one of ours."""
        tid = _text(_peek(token), "tid")
        if not tid:
            raise Refusal("sign-in-failed", "malformed")
        if tid == PERSONAL_TENANT or tid not in self._settings.tenants:
            raise Refusal("wrong-organization")
        return tid

    def _issuer(self, tid: str) -> str:
        return f"{self._settings.login_url}/{tid}/v2.0"

    def _verified(self, token: str, tid: str, code: str) -> Mapping[str, Any]:
        try:
            claims = self._keysets.verify(
                token,
                jwks_url=f"{self._settings.login_url}/{tid}/discovery/v2.0/keys",
                issuer=self._issuer(tid),
                audience=self._settings.client_id,
                algorithms=("RS256",),
                required=("iss", "aud", "exp", "iat", "tid", "oid"),
            )
        except TokenRefused as refused:
            raise Refusal(code, refused.why) from refused
        if claims.get("ver") != "2.0":
            raise Refusal(code, "version")
        return claims


def _peek(token: str) -> Mapping[str, Any]:
    """The claims without any verification; empty for what is no JWT."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _texts(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name)
    return (
        frozenset(text for text in value if isinstance(text, str)) if isinstance(value, list) else frozenset()
    )


def _object_id(claims: Mapping[str, Any], code: str) -> str:
    oid = _text(claims, "oid")
    if not oid:
        raise Refusal(code, "no object id")
    return oid


def _is_guest(claims: Mapping[str, Any], tid: str, issuer: str) -> bool:
    """Somebody of another directory: ``idp`` differs from the tenant's own issuers, or ``acct`` says 1."""
    idp = _text(claims, "idp")
    return claims.get("acct") == 1 or (idp != "" and idp not in (issuer, f"https://sts.windows.net/{tid}/"))


def _is_program(claims: Mapping[str, Any], oid: str) -> bool:
    idtyp = _text(claims, "idtyp")
    return idtyp == "app" or (idtyp == "" and _text(claims, "sub") == oid)
