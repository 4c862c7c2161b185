"""The two grants: authorization code for launches, client credentials for the backend service."""

# mypy: disallow-subclassing-any=False

from typing import Any, ClassVar

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, grants
from authlib.oauth2.rfc7636 import CodeChallenge

from sandbox.ehr import scopes
from sandbox.ehr.clients import SIGNED, SYMMETRIC, Client
from sandbox.ehr.launches import Launch
from sandbox.ehr.people import Person
from sandbox.ehr.tokens import CODE_SECONDS, Code, Tokens
from sandbox.ehr.world import World

_ONCE = ("aud", "launch", "nonce", "code_challenge", "code_challenge_method")
_LONGEST = 8192


class LaunchGrant(grants.AuthorizationCodeGrant):
    """Authorization code grant with SMART's launch context. `world` and `tokens` are set by a subclass."""

    TOKEN_ENDPOINT_AUTH_METHODS = (SIGNED, SYMMETRIC)
    world: World
    tokens: Tokens

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Keep the code with the launch that it uses up; of two requests with one value only one succeeds."""
        data = request.payload.data
        launch = self._used_launch(data.get("launch"))
        self.tokens.keep_code(
            Code(
                code=code,
                client_id=request.client.client_id,
                redirect_uri=data["redirect_uri"],
                scope=request.scope,
                nonce=data.get("nonce", ""),
                code_challenge=data["code_challenge"],
                code_challenge_method=data["code_challenge_method"],
                person=request.user,
                launch=launch,
                expires=self.world.clock() + CODE_SECONDS,
            )
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """Take the code away for good; Authlib would leave it redeemable until the token is made."""
        return self.tokens.redeem(code, client.client_id)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Nothing is left to delete: the code went when it was looked up."""

    def authenticate_user(self, authorization_code: Code) -> Person:
        """The person whom the code stands for; in one failure mode a patient, whoever it was."""
        if self.world.failures.patient_token_for_provider and self.request.client.side == "provider":
            people = self.world.hospital.people
            return next(person for person in people if person.kind == "patient")
        return authorization_code.person

    def _used_launch(self, value: str | None) -> Launch | None:
        if not value:
            return None
        launch = self.world.launches.use(value)
        if launch is None:
            raise InvalidRequestError("launch: already used.", redirect_uri=self.redirect_uri)
        return launch


class SmartRequest:
    """What SMART asks of an authorization request beyond OAuth (ehr.md 1.3); extends `LaunchGrant`."""

    def __init__(self, world: World) -> None:
        """Checks against this hospital."""
        self._world = world

    def __call__(self, grant: LaunchGrant) -> None:
        """Register with the grant."""
        grant.register_hook("after_validate_authorization_request_payload", self.check)

    def check(self, grant: LaunchGrant, _redirect_uri: str) -> None:
        """Raise the OAuth error that says what is wrong."""
        payload = grant.request.payload
        _check_once(payload.datalist)
        if not payload.state:
            raise InvalidRequestError("Missing 'state'.")
        if payload.data.get("aud") != self._world.hospital.fhir_base:
            raise InvalidRequestError("aud must be exactly the FHIR base URL.")
        if payload.data.get("code_challenge_method") != "S256" or not payload.data.get("code_challenge"):
            raise InvalidRequestError("PKCE with code_challenge_method S256 is required.")
        self._check_launch(grant.request.client, payload.data.get("launch"), payload.scope.split())

    def _check_launch(self, client: Client, launch: str | None, words: list[str]) -> None:
        if launch is None:
            if scopes.LAUNCH in words:
                raise InvalidScopeError("Scope 'launch' needs the launch parameter.")
            return
        if scopes.LAUNCH not in words:
            raise InvalidScopeError("An EHR launch needs the scope 'launch'.")
        if self._world.launches.find(launch, client.side) is None:
            raise InvalidRequestError("launch: not issued for this client, already used, or expired.")


class StrictPkce(CodeChallenge):
    """PKCE for every client, S256 only."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    CODE_CHALLENGE_METHODS: ClassVar[dict[str, Any]] = {"S256": CodeChallenge.CODE_CHALLENGE_METHODS["S256"]}


class BackendGrant(grants.ClientCredentialsGrant):
    """SMART Backend Services: system scopes only, and never none."""

    TOKEN_ENDPOINT_AUTH_METHODS = (SIGNED, SYMMETRIC)

    def validate_requested_scope(self) -> None:
        """Authlib would answer 200 to a foreign scope."""
        if self.request.client.get_allowed_scope(self.request.payload.scope) is None:
            raise InvalidScopeError("Only system/ scopes that exist, and at least one.")


def _check_once(datalist: dict[str, list[Any]]) -> None:
    for name, values in datalist.items():
        if name in _ONCE and len(values) > 1:
            raise InvalidRequestError(f"Multiple '{name}' in request.")
        if any(len(value) > _LONGEST for value in values):
            raise InvalidRequestError(f"'{name}' is too long.")
