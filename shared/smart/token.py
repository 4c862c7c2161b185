"""The token endpoint: codes into tokens, and tokens of our own (SMART 2.2 sections 2.1.6, 4 and 5).

Failures are OutsideErrors; a ``StatusRefused`` carries the OAuth error code (RFC 6749 section 5.2) as
``code``.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from shared.clock import Clock, Entropy
from shared.connection import Client
from shared.errors import AnswerRefused, StatusRefused, Unreachable
from shared.keys import SigningKeys
from shared.outbound import Answer, Outbound
from shared.secrets import Secrets
from shared.smart.assertion import ASSERTION_TYPE, client_assertion
from shared.smart.discovery import SmartConfiguration

TOKEN_LIMIT = 16_384
_ERROR = re.compile(r"[a-z_]{1,40}")
_SECONDS = 10.0


@dataclass(frozen=True)
class TokenAnswer:
    """A token response. Its repr shows which members came, never their values.

    ``extra``: every member this class does not name, as it came (Epic's context keys). ``patient`` and
    ``encounter`` are bare ids, empty where absent or of the wrong type.
    """

    access_token: str = field(repr=False)
    scope: str = ""
    expires_in: int = 0
    id_token: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)
    encounter: str = field(default="", repr=False)
    fhir_context: tuple[Any, ...] = field(default=(), repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token_type: str = "Bearer"

    def member(self, name: str) -> str:
        """A context member as text; numbers are written out, anything else is absent."""
        value = {"patient": self.patient, "encounter": self.encounter}.get(name) or self.extra.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value if isinstance(value, str) else ""


class Tokens:
    """Asks token endpoints; authenticates as the client was registered.

    ``tenant``: the organization of the connection, whose keys sign; Refusal keys-missing where it has none.
    """

    def __init__(
        self, outbound: Outbound, keys: SigningKeys, secrets: Secrets, clock: Clock, entropy: Entropy
    ) -> None:
        self._outbound = outbound
        self._keys = keys
        self._secrets = secrets
        self._clock = clock
        self._entropy = entropy

    def exchange_code(
        self,
        config: SmartConfiguration,
        client: Client,
        code: str,
        verifier: str,
        redirect_uri: str,
        *,
        tenant: str,
    ) -> TokenAnswer:
        """Trades an authorization code. Only a public client names itself in the form."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        return self._ask(config, client, form, tenant)

    def backend(self, config: SmartConfiguration, client: Client, scope: str, *, tenant: str) -> TokenAnswer:
        """A token of our own for ``system/`` scopes (Backend Services); the client must be confidential."""
        if client.auth == "none":
            raise AnswerRefused("a public client cannot authenticate on its own")
        return self._ask(config, client, {"grant_type": "client_credentials", "scope": scope}, tenant)

    def secret(self, client: Client) -> str:
        """The client's own secret, for a service that takes it as a password; SecretMissing, Unreachable."""
        return self._secrets.read(client.secret_name)

    def _ask(
        self, config: SmartConfiguration, client: Client, form: Mapping[str, str], tenant: str
    ) -> TokenAnswer:
        members, headers = self._authentication(config, client, tenant)
        answer = self._outbound.send(
            "POST",
            config.token_endpoint,
            headers={"Accept": "application/json", **headers},
            form={**form, **members},
            timeout=_SECONDS,
            service="ehr-token",
        )
        if answer.status != 200:
            raise StatusRefused(answer.status, _error_code(answer), answer.retry_after())
        if answer.is_page:
            raise Unreachable("ehr-token: a gateway's page instead of an answer")
        return token_answer(answer.json())

    def _authentication(
        self, config: SmartConfiguration, client: Client, tenant: str
    ) -> tuple[dict[str, str], dict[str, str]]:
        if client.auth == "none":
            return {"client_id": client.client_id}, {}
        if client.auth == "client_secret_basic":
            secret = self.secret(client)
            pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}"
            return {}, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        assertion = client_assertion(
            client.client_id,
            config.token_endpoint,
            self._keys.current(tenant, client.alg),
            self._clock.now(),
            self._entropy.token(24),
        )
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}, {}


def token_answer(document: Any) -> TokenAnswer:
    """Reads a token response, tolerant where servers differ and strict where it matters; AnswerRefused."""
    if not isinstance(document, dict):
        raise AnswerRefused("the token response is no JSON object")
    access = document.get("access_token")
    if not isinstance(access, str) or not 0 < len(access) <= TOKEN_LIMIT or not _visible(access):
        raise AnswerRefused("the token response has no usable access_token")
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AnswerRefused("the token is no Bearer token")
    named = {
        "access_token",
        "token_type",
        "scope",
        "expires_in",
        "id_token",
        "patient",
        "encounter",
        "fhirContext",
    }
    context = document.get("fhirContext")
    return TokenAnswer(
        access_token=access,
        scope=_text(document, "scope"),
        expires_in=_seconds(document.get("expires_in")),
        id_token=_text(document, "id_token"),
        patient=_text(document, "patient"),
        encounter=_text(document, "encounter"),
        fhir_context=tuple(context[:50]) if isinstance(context, list) else (),
        extra={name: value for name, value in document.items() if name not in named},
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) and len(value) <= TOKEN_LIMIT else ""


def _seconds(value: Any) -> int:
    try:
        return max(0, min(int(value), 86_400))
    except (TypeError, ValueError, OverflowError):
        return 0


def _visible(text: str) -> bool:
    return all("!" <= letter <= "~" for letter in text)


def _error_code(answer: Answer) -> str:
    """The ``error`` member of a refusal; empty where the answer has none that looks like one."""
    try:
        document = answer.json()
    except AnswerRefused:
        return ""
    code = document.get("error") if isinstance(document, dict) else None
    return code if isinstance(code, str) and _ERROR.fullmatch(code) else ""
