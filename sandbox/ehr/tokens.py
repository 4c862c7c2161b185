"""Codes and access tokens that are alive, and the assertion ids that were seen; all in memory."""

# mypy: disallow-subclassing-any=False

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from authlib.oauth2.rfc6749 import TokenMixin
from authlib.oidc.core import AuthorizationCodeMixin

from sandbox.ehr.launches import Launch
from sandbox.ehr.people import Person

CODE_SECONDS = 60


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """An authorization code and what it stands for; `launch` is None after a standalone launch."""

    code: str
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: Person
    launch: Launch | None
    expires: float

    def get_redirect_uri(self) -> str:
        """The address the code was sent to."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """The scope that was asked for."""
        return self.scope

    def get_nonce(self) -> str:
        """The nonce to echo, or an empty string."""
        return self.nonce

    def get_auth_time(self) -> None:
        """Not reported."""

    def get_acr(self) -> None:
        """Not reported."""

    def get_amr(self) -> None:
        """Not reported."""


@dataclass(frozen=True)
class AccessToken(TokenMixin):
    """An access token: of a person (with the patient in context, if any) or, without one, of the backend."""

    value: str
    client_id: str
    side: str
    scope: str
    person: Person | None
    patient: Person | None
    expires: float
    revoked: bool = False
    expired: bool = False

    def get_scope(self) -> str:
        """The granted scope."""
        return self.scope

    def is_expired(self) -> bool:
        """As it was when the token was looked up."""
        return self.expired

    def is_revoked(self) -> bool:
        """Whether its code was used a second time."""
        return self.revoked


class Tokens:
    """The store behind the authorization server."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start empty."""
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, Code] = {}
        self._spent: dict[str, str] = {}
        self._tokens: dict[str, AccessToken] = {}
        self._assertions: dict[tuple[str, str], float] = {}
        self._nonces: set[tuple[str, str]] = set()

    def keep_code(self, code: Code) -> None:
        """Make a code redeemable."""
        with self._lock:
            self._codes[code.code] = code
            if code.nonce:
                self._nonces.add((code.client_id, code.nonce))

    def redeem(self, value: str, client_id: str) -> Code | None:
        """Take the code away, whoever asks; give it only in time and to its own client.

        A second attempt revokes the token that came of the first (RFC 6749 section 4.1.2).
        """
        with self._lock:
            code = self._codes.pop(value, None)
            if code is None:
                self._revoke(self._spent.get(value))
                return None
            self._spent[value] = ""
        return code if code.client_id == client_id and code.expires > self._clock() else None

    def keep_token(self, token: AccessToken, code: str | None) -> None:
        """Make a token valid, and remember the code it came of."""
        with self._lock:
            self._tokens[token.value] = token
            if code is not None:
                self._spent[code] = token.value

    def find(self, value: str) -> AccessToken | None:
        """The token, with its expiry decided now."""
        token = self._tokens.get(value)
        return token and replace(token, expired=token.expires <= self._clock())

    def fresh_assertion(self, client_id: str, jti: str, expires: float) -> bool:
        """Whether this id is new; remembered until the assertion has expired."""
        now = self._clock()
        with self._lock:
            self._assertions = {key: end for key, end in self._assertions.items() if end > now}
            if (client_id, jti) in self._assertions:
                return False
            self._assertions[client_id, jti] = expires
            return True

    def nonce_used(self, client_id: str, nonce: str) -> bool:
        """Whether a code was already given for this nonce."""
        return (client_id, nonce) in self._nonces

    def _revoke(self, value: str | None) -> None:
        if value and value in self._tokens:
            self._tokens[value] = replace(self._tokens[value], revoked=True)
