"""The authorization server of the simulated Entra, on Authlib: code grant with PKCE, client credentials.

What is stricter here than the library's defaults, as Entra is: S256 is demanded of this confidential client;
a code is spent by its first use, whatever comes of it, and only where it was issued; scopes of two resources
cannot be mixed; app-only scopes end in `/.default`. `state` and `nonce` are demanded too.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
    grants,
)
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from flask import Flask, Response, request

from sandbox.microsoft365.access import ScopeRefusedError
from sandbox.microsoft365.assertion import ASSERTION_TYPE, AssertionRefusedError, ClientProof
from sandbox.microsoft365.cast import Person, Registration
from sandbox.microsoft365.directory import ANY_TENANT
from sandbox.microsoft365.redirection import described, redirection, token_error
from sandbox.microsoft365.tokens import LIFETIME, person_claims
from sandbox.microsoft365.world import World

_CODE_SECONDS = 600


@dataclass(frozen=True)
class Code:
    """An authorization code and what it was issued for; Authlib asks through the `get_` methods."""

    authority: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: Person
    expires: float

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What was asked for."""
        return self.scope


class Client:
    """The registered app, as Authlib asks about it."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration

    def get_client_id(self) -> str:
        """Its application id."""
        return self.registration.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: a request must name one."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Scopes are judged before, with Entra's words."""
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Only an exact match counts."""
        return redirect_uri in self.registration.redirect_uris

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """A confidential client with a certificate knows one method."""
        return method == "private_key_jwt"

    def check_response_type(self, response_type: str) -> bool:
        """Code only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """The two grants of a web app with a daemon part; no refresh tokens."""
        return grant_type in ("authorization_code", "client_credentials")


class Entra(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server over the world; the tenant comes from the path of the current request."""

    def __init__(self, app: Flask, world: World) -> None:
        self.world = world
        self.codes: dict[str, Code] = {}
        super().__init__(app, self._client, lambda *_: None)
        self.register_client_auth_method("private_key_jwt", self._authenticate)
        self.register_token_generator("default", self._token)
        self.register_grant(_CodeGrant, [_S256(required=True), _IdToken(world)])
        self.register_grant(_ClientCredentials)

    def handle_error_response(self, _: Any, error: OAuth2Error) -> Response:
        """Errors in Entra's envelope, or back to the app where the request may be answered there."""
        if error.redirect_uri:
            return redirection(error.redirect_uri, error_params(error), request.values.get("response_mode"))
        return token_error(error, self.world.clock())

    def _client(self, client_id: str) -> Client | None:
        registration = self.world.registration
        return Client(registration) if client_id == registration.client_id else None

    def _authenticate(self, query_client: Any, oauth: Any) -> Client:
        form: Mapping[str, str] = oauth.form
        if "client_secret" in form or "Authorization" in oauth.headers:
            raise InvalidClientError("AADSTS7000215: Invalid client secret provided.", status_code=401)
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise InvalidClientError(
                "AADSTS7000218: The request body must contain the following parameter: "
                "'client_assertion' or 'client_secret'.",
                status_code=401,
            )
        client: Client | None = query_client(form.get("client_id"))
        if client is None:
            raise UnauthorizedClientError("AADSTS700016: Application was not found in the directory.")
        proof = ClientProof(self.world.registration, self.world.clock)
        try:
            proof.check(form["client_assertion"], client.get_client_id(), self._audiences())
        except AssertionRefusedError as refused:
            raise InvalidClientError(str(refused), status_code=401) from None
        return client

    def _audiences(self) -> frozenset[str]:
        base = f"{self.world.login}/{authority()}"
        return frozenset({f"{base}/oauth2/v2.0/token", f"{base}/v2.0"})

    def _token(self, grant_type: str, user: Person | None, scope: str, **_: Any) -> dict[str, Any]:
        issuance = self.world.issuance
        token: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
        }
        try:
            if grant_type == "client_credentials":
                resource = issuance.app_resource(scope)
                if authority() not in self.world.consented:
                    raise UnauthorizedClientError(
                        f"AADSTS700016: Application was not found in the directory '{authority()}'. This can "
                        "happen if it has not been consented to by an administrator of the tenant."
                    )
                return {**token, "access_token": issuance.for_app(resource, authority())}
            resource, names = issuance.resource_of(scope.split())
        except ScopeRefusedError as refused:
            raise InvalidScopeError(str(refused)) from None
        if user is None:
            raise InvalidGrantError("AADSTS70000: The code names nobody.")
        access = issuance.for_person(resource, user, names)
        return {**token, "scope": scope, "access_token": access}


def authority() -> str:
    """The tenant in the current request's path."""
    return str((request.view_args or {})["tenant"])


def error_params(error: OAuth2Error) -> dict[str, str]:
    """What an error redirect carries."""
    state = {"state": error.state} if error.state else {}
    return {"error": error.error, "error_description": described(error), **state}


class _S256(CodeChallenge):  # type: ignore[misc]
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: Any) -> None:
        """Refuse a request without a challenge: the library would let a confidential client pass."""
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("AADSTS9002325: Proof Key for Code Exchange with S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        """Name a mismatch as Entra does."""
        try:
            super().validate_code_verifier(grant, result)
        except InvalidGrantError:
            raise InvalidGrantError(
                "AADSTS501481: The Code_Verifier does not match the code_challenge supplied "
                "in the authorization request."
            ) from None


class _IdToken(OpenIDCode):  # type: ignore[misc]
    def __init__(self, world: World) -> None:
        super().__init__(require_nonce=True)
        self._world = world

    def exists_nonce(self, _nonce: str, _request: Any) -> bool:
        """Entra keeps no book of nonces."""
        return False

    def encode_id_token(self, _token: Any, oauth: Any) -> str:
        """A v2.0 id token of the person, for the app."""
        world, client_id = self._world, oauth.client.get_client_id()
        code: Code = oauth.authorization_code
        nonce = secrets.token_hex(16) if world.failures.wrong_nonce else code.nonce
        claims = {
            **world.keyring.times(),
            **person_claims(code.person, client_id, world.login, world.failures.emit_wids),
            "aud": client_id,
            "nonce": nonce,
        }
        return world.keyring.sign(claims, world.failures.id_token_signature or "RS256")


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)
    server: Entra

    @staticmethod
    def validate_authorization_redirect_uri(oauth: Any, client: Client) -> str:
        """The redirect URI, if it is exactly a registered one."""
        wanted = oauth.payload.redirect_uri
        if not wanted or not client.check_redirect_uri(wanted):
            raise InvalidRequestError(
                "AADSTS50011: The redirect URI specified in the request does not match "
                "the redirect URIs configured for the application."
            )
        return str(wanted)

    def validate_requested_scope(self) -> None:
        """Judge scope, state and response mode while an error can still go back to the app."""
        data = self.request.payload.data
        if not data.get("state"):
            raise InvalidRequestError(
                "AADSTS900144: The request must contain the following parameter: 'state'."
            )
        if data.get("response_mode", "query") not in ("query", "form_post"):
            raise InvalidRequestError("AADSTS90014: The response mode is not supported for this client.")
        scopes = (data.get("scope") or "").split()
        if "openid" not in scopes:
            raise InvalidScopeError("AADSTS70011: The scope must contain openid to sign a person in.")
        try:
            self.server.world.issuance.resource_of(scopes)
        except ScopeRefusedError as refused:
            raise InvalidScopeError(str(refused)) from None

    def create_authorization_response(
        self, redirect_uri: str, grant_user: Person
    ) -> tuple[int, bytes, list[tuple[str, str]]]:
        """Send the code by the response mode that was asked for."""
        self.request.user = grant_user
        code = secrets.token_urlsafe(48)
        self.save_authorization_code(code, self.request)
        data = self.request.payload.data
        params = {"code": code, "state": data["state"], "session_state": secrets.token_hex(16)}
        response = redirection(redirect_uri, params, data.get("response_mode"))
        return response.status_code, response.get_data(), list(response.headers)

    def save_authorization_code(self, code: str, oauth: Any) -> None:
        """Keep the code for ten minutes."""
        data = oauth.payload.data
        self.server.codes[code] = Code(
            authority(),
            data["redirect_uri"],
            data["scope"],
            data["nonce"],
            data["code_challenge"],
            data["code_challenge_method"],
            oauth.user,
            self.server.world.clock().timestamp() + _CODE_SECONDS,
        )

    def query_authorization_code(self, code: str, _client: Client) -> Code:
        """Take the code: from here on nobody else can use it."""
        found = self.server.codes.pop(code, None)
        if found is None or found.authority != authority():
            raise InvalidGrantError(
                "AADSTS54005: OAuth2 Authorization code was already redeemed or is unknown."
            )
        if found.expires <= self.server.world.clock().timestamp():
            raise InvalidGrantError("AADSTS70008: The provided authorization code has expired.")
        if self.request.payload.redirect_uri != found.redirect_uri:
            raise InvalidGrantError(
                "AADSTS500112: The reply address does not match the reply address provided "
                "when requesting the authorization code."
            )
        return found

    def delete_authorization_code(self, _code: Code) -> None:
        """Gone already, when it was taken."""

    def authenticate_user(self, code: Code) -> Person:
        """Whoever chose an account."""
        return code.person


class _ClientCredentials(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)

    def validate_requested_scope(self) -> None:
        """App-only tokens belong to one tenant."""
        if authority() in ANY_TENANT:
            raise InvalidRequestError("AADSTS50194: App-only tokens are issued by a tenant, not by 'common'.")
