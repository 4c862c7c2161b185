"""The SMART authorization server of one hospital, on Authlib."""

# mypy: disallow-subclassing-any=False

from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, Response, request

from sandbox.ehr.assertion import SignedAssertion
from sandbox.ehr.clients import SIGNED, find_client
from sandbox.ehr.context import launch_members, patient_of
from sandbox.ehr.grants import BackendGrant, LaunchGrant, SmartRequest, StrictPkce
from sandbox.ehr.identity import IdToken
from sandbox.ehr.people import Person
from sandbox.ehr.tokens import AccessToken, Code, Tokens
from sandbox.ehr.world import World

WRONG_ISSUER = "https://other.example/oauth2"


class Authorization:
    """Authlib's server, wired to this hospital's clients, launches and people."""

    def __init__(self, app: Flask, world: World) -> None:
        """Register grants, client authentication and extensions."""
        self._world = world
        self.tokens = Tokens(world.clock)
        app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {
            "authorization_code": world.hospital.user_token_seconds,
            "client_credentials": world.hospital.backend_token_seconds,
        }
        self._server = AuthorizationServer(app, lambda name: find_client(world, name), self._save_token)
        self._server.register_client_auth_method(SIGNED, SignedAssertion(world, self.tokens))
        bound = type("BoundLaunchGrant", (LaunchGrant,), {"world": world, "tokens": self.tokens})
        extensions = [SmartRequest(world), StrictPkce(), IdToken(world, self.tokens), _LaunchContext(world)]
        self._server.register_grant(bound, extensions)
        self._server.register_grant(BackendGrant)
        self._issuer = _Issuer(world)
        self._server.register_extension(self._issuer)

    def consent(self, person: Person | None) -> Any:
        """Check the authorization request under way, of a person known or not: a grant, or `OAuth2Error`."""
        return self._server.get_consent_grant(end_user=person)

    def grant(self, grant: Any, person: Person | None) -> Response:
        """Send the browser back with a code for this person, or with `access_denied` for None."""
        response: Response = self._server.create_authorization_response(grant_user=person, grant=grant)
        return response

    def refuse(self, error: OAuth2Error) -> Response:
        """Send the browser back with the error; only for an error that knows its redirect URI."""
        response: Response = self._server.handle_error_response(None, error)
        self._issuer.add_issuer_parameter(self._server, response)
        return response

    def token(self) -> Response:
        """Answer the token request under way, never to be cached."""
        begun = self._world.clock()
        response: Response = self._early_refusal() or self._server.create_token_response()
        if slow := self._world.failures.token_slow_seconds:
            self._world.sleep(max(0.0, begun + slow - self._world.clock()))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"
        return response

    def _early_refusal(self) -> Response | None:
        failures = self._world.failures
        try:
            if failures.token_error is not None:
                raise _forced(failures.token_error, failures.token_error_status)
            _check_shape()
        except OAuth2Error as error:
            response: Response = self._server.handle_error_response(None, error)
            return response
        return None

    def _save_token(self, token: dict[str, Any], oauth: OAuth2Request) -> None:
        code: Code | None = oauth.authorization_code
        launch = code.launch if code else None
        hospital, client = self._world.hospital, oauth.client
        if launch is not None and client.side == "provider":
            token["scope"] = " ".join(dict.fromkeys([*token["scope"].split(), *hospital.extra_scopes]))
        token["token_type"] = hospital.token_type
        kept = AccessToken(
            value=token["access_token"],
            client_id=client.client_id,
            side=client.side,
            scope=token["scope"],
            person=oauth.user,
            patient=patient_of(hospital, launch) if launch else _own_patient(self._world, oauth.user),
            expires=self._world.clock() + token["expires_in"],
        )
        self.tokens.keep_token(kept, code.code if code else None)


class _Issuer(IssuerParameter):
    def __init__(self, world: World) -> None:
        self._world = world

    def get_issuer(self) -> str:
        return WRONG_ISSUER if self._world.failures.wrong_iss_response else self._world.hospital.issuer


class _LaunchContext:
    """Adds the launch's members to the token answer; an extension of the launch grant."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, grant: LaunchGrant) -> None:
        grant.register_hook("after_create_token_response", self.add)

    def add(self, grant: LaunchGrant, response: tuple[int, dict[str, Any], Any]) -> None:
        code: Code = grant.request.authorization_code
        if code.launch is not None:
            response[1].update(launch_members(self._world, code.launch))


def _own_patient(world: World, person: Person | None) -> Person | None:
    if person is None or person.kind == "staff":
        return None
    return world.hospital.person(person.proxy_for or person.login)


def _check_shape() -> None:
    """Parameters belong in the form, once each, with one way of authentication (RFC 6749 2.3, 3.2)."""
    if request.args:
        raise InvalidRequestError("Token requests carry no query.")
    for name, values in request.form.lists():
        if len(values) > 1:
            raise InvalidRequestError(f"Multiple '{name}' in request.")
    if "client_assertion" in request.form and "Authorization" in request.headers:
        raise InvalidRequestError("More than one way of client authentication.")
    if "client_secret" in request.form:
        raise InvalidClientError(description="client_secret_post is not supported.")


def _forced(code: str, status: int) -> OAuth2Error:
    error = OAuth2Error(description="Refused by the sandbox's failure mode.", status_code=status)
    error.error = code
    return error
