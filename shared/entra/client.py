"""Tokens for Graph and the sign-in of people, both by MSAL over ``shared.outbound``'s session.

MSAL's objects discover the authority over the network when built, so each is built at first use, not at
start. An object whose token request failed is thrown away: MSAL replays a refused request's answer for a
minute, and a misconfiguration that was just cured would seem to go on (graph.md 8.1).
"""

import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.entra.claims import Account, ApiCaller, EntraClaims
from shared.entra.credential import IdentityToken, client_credential
from shared.errors import AnswerRefused, OutsideError, Refusal, StatusRefused, Unreachable
from shared.oidc import KeySets
from shared.outbound import Outbound
from shared.secrets import Secrets
from shared.settings import Settings

MICROSOFT_LOGINS = frozenset(
    {
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
        "https://login.partner.microsoftonline.cn",
    }
)
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_TURN_SECONDS = 15.0
# What Entra says of an account that was switched off.
_DISABLED = "AADSTS50057"


@dataclass(frozen=True)
class SignIn:
    """Where to send the browser, and what must come back with it: ``flow``, JSON, to be kept sealed."""

    url: str
    flow: Mapping[str, Any] = field(repr=False)

    @property
    def state(self) -> str:
        """The OAuth state of the flow, which names its cookie."""
        return str(self.flow["state"])


class Entra:
    """Microsoft's identity platform, for one app registration and the operator's tenants."""

    def __init__(
        self,
        settings: Settings,
        outbound: Outbound,
        keysets: KeySets,
        secrets: Secrets,
        identity_token: IdentityToken | None = None,
    ) -> None:
        self._settings = settings
        self._outbound = outbound
        self._secrets = secrets
        self._identity_token = identity_token
        self._claims = EntraClaims(settings, keysets)
        self._apps: dict[tuple[str, bool], Any] = {}
        self._turns: dict[tuple[str, bool], threading.Lock] = {}
        self._lock = threading.Lock()

    def app_token(self, tenant: str, *, refused: str = "") -> str:
        """An access token for Graph in this tenant, from memory where one lives for five more minutes.

        ``refused``: a token that Graph answered with 401; it is not given again. One request at a time per
        tenant, so that a cold start asks once. StatusRefused, AnswerRefused or Unreachable when there is
        none.
        """
        if tenant not in self._settings.tenants:
            raise Refusal("wrong-organization")
        with self._turn((tenant, False)):
            token = self._granted(tenant)
            if refused and token == refused:
                self._forget((tenant, False))
                token = self._granted(tenant)
        return token

    def begin(
        self,
        tenant: str | None,
        redirect_uri: str,
        *,
        prompt: str | None = "select_account",
        login_hint: str = "",
    ) -> SignIn:
        """Starts a sign-in (authorization code with PKCE, ``response_mode=query``, no refresh token).

        ``tenant`` None: any organization that this deployment serves. The query mode is chosen because the
        cookie that carries the flow is SameSite=Lax and would not come with a posted form.
        """
        app = self._app((self._authority(tenant), True))
        with _sign_in_errors():
            flow = app.initiate_auth_code_flow(
                scopes=[],
                redirect_uri=redirect_uri,
                prompt=prompt,
                login_hint=login_hint or None,
                response_mode="query",
            )
        url = str(flow.pop("auth_uri"))
        return SignIn(url, {**flow, "tenant": tenant or ""})

    def finish(self, flow: Mapping[str, Any], query: Mapping[str, str]) -> Account:
        """Redeems the code and says who signed in.

        Refusal ``sign-in-failed``, ``account-unusable`` or ``wrong-organization``.
        """
        tenant = str(flow.get("tenant", ""))
        app = self._app((self._authority(tenant or None), True))
        kept = {name: value for name, value in flow.items() if name != "tenant"}
        # Only what the protocol needs: MSAL would also parse a client_info that anybody may write into a URL.
        answer = {name: query[name] for name in ("state", "code", "error") if query.get(name)}
        with _sign_in_errors():
            result = app.acquire_token_by_auth_code_flow(kept, answer)
        id_token = result.get("id_token")
        if "error" in result or not isinstance(id_token, str):
            raise refused_sign_in(result)
        return self._claims.account(id_token, nonce=str(flow["nonce"]), tenant=tenant)

    def verify_api_token(self, bearer: str) -> ApiCaller:
        """Who calls the JSON API with this access token; Refusal ``not-signed-in``."""
        return self._claims.caller(bearer)

    def _granted(self, tenant: str) -> str:
        app = self._app((tenant, False))
        with _token_errors():
            result = app.acquire_token_for_client(scopes=[f"{self._settings.graph_url}/.default"])
        token = result.get("access_token")
        if isinstance(token, str):
            return token
        self._forget((tenant, False))
        transient = result.get("error") in _TRANSIENT_ERRORS
        raise StatusRefused(503 if transient else 400, _error_code(result))

    def _authority(self, tenant: str | None) -> str:
        if tenant is not None:
            return tenant
        return next(iter(self._settings.tenants)) if len(self._settings.tenants) == 1 else "organizations"

    @contextmanager
    def _turn(self, key: tuple[str, bool]) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        if not turn.acquire(timeout=_TURN_SECONDS):
            raise Unreachable("microsoft 365 sign-in")
        try:
            yield
        finally:
            turn.release()

    def _app(self, key: tuple[str, bool]) -> Any:
        with self._lock:
            app = self._apps.get(key)
        if app is None:
            with _token_errors():
                app = self._built(*key)
            with self._lock:
                app = self._apps.setdefault(key, app)
        return app

    def _forget(self, key: tuple[str, bool]) -> None:
        with self._lock:
            self._apps.pop(key, None)

    def _built(self, tenant: str, for_people: bool) -> Any:
        import msal

        warnings.filterwarnings(
            "ignore", message="response_mode='form_post' is recommended", category=UserWarning
        )
        return msal.ConfidentialClientApplication(
            self._settings.client_id,
            client_credential=client_credential(self._settings, self._secrets, self._identity_token),
            authority=f"{self._settings.login_url}/{tenant}",
            http_client=self._outbound.session,
            # Asking Microsoft about a host that is not Microsoft's would leave the machine for nothing.
            instance_discovery=self._settings.login_url in MICROSOFT_LOGINS,
            exclude_scopes=["offline_access"],
            token_cache=_forgetful_cache() if for_people else None,
        )


def _forgetful_cache() -> Any:
    """A token cache that keeps nothing: people's tokens are needed once and must not gather in memory."""
    import msal

    class ForgetfulCache(msal.TokenCache):  # type: ignore[misc]
        def add(self, event: Any, now: Any = None) -> None:
            """Let go of what was granted."""

    return ForgetfulCache()


def refused_sign_in(result: Mapping[str, Any]) -> Refusal:
    """What it means for the person that Entra gave no token; another account may do."""
    code = _error_code(result)
    return Refusal("account-unusable" if code.endswith(_DISABLED) else "sign-in-failed", code)


def _error_code(result: Mapping[str, Any]) -> str:
    """The OAuth error with Entra's number, as ``invalid_client AADSTS700027``; no stranger's text."""
    error = str(result.get("error", ""))
    numbers = [f"AADSTS{number}" for number in result.get("error_codes") or [] if isinstance(number, int)]
    return " ".join([error if _ERROR_CODE.fullmatch(error) else "error", *numbers[:1]])


@contextmanager
def _token_errors() -> Iterator[None]:
    """MSAL's ways of failing, in this project's tree."""
    from msal.exceptions import MsalError

    try:
        yield
    except OutsideError:
        raise
    except OSError as failure:  # every exception of the session's library is one
        raise Unreachable("microsoft 365 sign-in") from failure
    except MsalError as failure:
        raise StatusRefused(503, "msal") from failure
    except (ValueError, RuntimeError) as failure:
        raise AnswerRefused("microsoft 365 sign-in") from failure


@contextmanager
def _sign_in_errors() -> Iterator[None]:
    """A state, nonce or code that MSAL refuses is the sign-in's failure, not an outage."""
    try:
        with _token_errors():
            yield
    except AnswerRefused as failure:
        raise Refusal("sign-in-failed", type(failure.__cause__).__name__) from failure
