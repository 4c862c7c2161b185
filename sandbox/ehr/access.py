"""Who may use an API: the bearer token (checked by Authlib), its client's header, its scopes, its patient."""

# mypy: disallow-subclassing-any=False

from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import request

from sandbox.ehr import scopes
from sandbox.ehr.tokens import AccessToken, Tokens
from sandbox.ehr.world import World


class Forbidden(Exception):
    """The token is good and does not allow this; the text says why."""


class _Validator(BearerTokenValidator):
    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    def authenticate_token(self, token_string: str) -> AccessToken | None:
        return self._tokens.find(token_string)


class Access:
    """The door of every API of this hospital."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        """Tokens of this hospital only."""
        self._header = world.hospital.client_id_header
        self._protector = ResourceProtector()
        self._protector.register_token_validator(_Validator(tokens))

    def token(self) -> AccessToken:
        """The request's token; Authlib's `OAuth2Error` if it is no good, `Forbidden` if the header is not."""
        token: AccessToken = self._protector.acquire_token()
        if self._header and request.headers.get(self._header) != token.client_id:
            raise Forbidden(f"The {self._header} header must be the client id of the token.")
        return token


def require_scope(token: AccessToken, resource: str, letter: str) -> None:
    """Raise `Forbidden` unless one of the token's scopes covers this interaction."""
    if not any(one.allows(resource, letter) for one in scopes.parse(token.scope)):
        raise Forbidden(f"The token's scopes do not cover {resource} ({letter}).")


def may_see(token: AccessToken, resource: str, letter: str, patient_id: str | None) -> bool:
    """Whether the token reaches a resource in this patient's compartment (None: in nobody's).

    Staff with a `user/` scope and the backend reach everyone; everything else ends at the patient in context.
    """
    levels = {one.level for one in scopes.parse(token.scope) if one.allows(resource, letter)}
    staff = token.person is not None and token.person.kind == "staff"
    if "system" in levels or (staff and "user" in levels) or patient_id is None:
        return True
    return token.patient is not None and token.patient.fhir_id == patient_id
