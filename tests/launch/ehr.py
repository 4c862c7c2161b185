"""A strict hospital behind ``Outbound.send``: answers as an EHR, refuses, records all.

Its failure modes are one dataclass; the recorder is ``sent``. No network.
"""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.clock import Clock
from shared.errors import AnswerRefused, Unreachable
from shared.outbound import Answer

ORIGIN = "https://ehr.example"
BASE = f"{ORIGIN}/api/FHIR/R4"
ISSUER = f"{ORIGIN}/oauth2"
AUTHORIZE = f"{ORIGIN}/oauth2/authorize"
TOKEN = f"{ORIGIN}/oauth2/token"
JWKS = f"{ORIGIN}/oauth2/keys"
CLIENTS = {"provider-client": "provider", "patient-client": "patient"}
SECRET = "s p+c/é"


@cache
def signing_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Failures:
    """Everything that can go wrong, off by default."""

    down: frozenset[str] = frozenset()
    """Paths' ends that do not answer at all."""
    slow: float = 0.0
    """Seconds that every answer takes."""
    elsewhere: dict[str, Answer] = field(default_factory=dict)
    """Answers of other servers, by address."""
    smart: dict[str, Any] = field(default_factory=dict)
    """Members of smart-configuration that are replaced (None: left out)."""
    smart_status: int = 200
    discovery_body: bytes | None = None
    """What discovery answers instead."""
    metadata: dict[str, Any] | bytes | None = None
    """The capability statement, where there is one: JSON, or as it stands."""
    openid: dict[str, Any] = field(default_factory=dict)
    token_status: int = 200
    token_error: str = "invalid_grant"
    token_members: dict[str, Any] = field(default_factory=dict)
    """Members of the token response that are replaced (None: left out)."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the id_token that are replaced (None: left out)."""
    id_token: str | None = None
    """The id_token itself; ``none`` and ``hs256`` make forgeries, empty leaves it out."""
    signed_by: str = "ehr"
    kid: str = "ehr-1"
    resources: dict[str, Any] = field(default_factory=dict)
    """Resources by ``Type/id`` that are replaced; an int is a status."""


@dataclass(frozen=True)
class Sent:
    method: str
    url: str
    headers: dict[str, str]
    form: dict[str, str]
    service: str


class RedirectNotRegistered(Exception):
    """The hospital shows a page of its own and sends nobody anywhere."""


class Ehr:
    """``Outbound`` to our code, a hospital to the test."""

    def __init__(self, clock: Clock, app_keys: dict[str, Any], public: str, connection: str) -> None:
        """``public``: where the app says that it is; ``connection``: whose redirect URIs are registered."""
        self.public = public
        self.connections = [connection]
        self.clock = clock
        self.failures = Failures()
        self.sent: list[Sent] = []
        self._app_keys = {key["kid"]: key for key in app_keys["keys"]}
        self.bases: tuple[str, ...] = (BASE,)
        self.auth: dict[str, str] = {}
        """How a client is registered, if not with our keys: ``basic`` or ``public``."""
        self._codes: dict[str, dict[str, Any]] = {}
        self._assertions: set[str] = set()
        self.issued: list[str] = []
        """Every access and id token that was given out."""
        self.resources: dict[str, Any] = {}

    # -- the browser's side

    def authorize(self, query: dict[str, str], *, user: str, members: dict[str, Any]) -> str:
        """The user agrees: the address the browser is sent back to."""
        side = CLIENTS[query["client_id"]]
        assert query["response_type"] == "code"
        assert query["aud"] in self.bases
        assert query.get("code_challenge_method") in ("S256", None)
        assert len(query["state"]) >= 22
        registered = [f"{self.public}/launch/{side}/callback/{one}" for one in self.connections]
        if query["redirect_uri"] not in registered:
            raise RedirectNotRegistered
        assert "launch" in query["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = {**query, "user": user, "members": members}
        document = self._document()
        says = document.get("authorization_response_iss_parameter_supported")
        issuer = {"iss": document.get("issuer", ISSUER)} if says else {}
        return f"{query['redirect_uri']}?{urlencode({**issuer, 'code': code, 'state': query['state']})}"

    # -- the server's side

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        timeout: float = 10.0,
        max_bytes: int = 1_000_000,
        service: str,
        **_: Any,
    ) -> Answer:
        self.sent.append(Sent(method, url, dict(headers or {}), dict(form or {}), service))
        path = urlsplit(url).path
        if any(path.endswith(end) for end in self.failures.down) or self.failures.slow > timeout:
            raise Unreachable(service)
        assert url.startswith("https://")
        answer = self.failures.elsewhere.get(url) or self._answer(url, path)
        if len(answer.body) > max_bytes:
            raise AnswerRefused(f"{service}: the answer is too large")
        return answer

    def _answer(self, url: str, path: str) -> Answer:
        if path.endswith("/.well-known/smart-configuration"):
            return self._discovery()
        if path.endswith("/metadata"):
            return self._metadata()
        if path.endswith("/.well-known/openid-configuration"):
            return _json(200, {"issuer": ISSUER, "jwks_uri": JWKS, **self.failures.openid})
        if url == JWKS:
            return _json(200, {"keys": [_public("ehr", "ehr-1")]})
        if url == TOKEN:
            return self._token(self.sent[-1])
        if url.startswith(f"{BASE}/"):
            return self._resource(url, self.sent[-1])
        return _json(404, {})

    def requests(self, service: str) -> list[Sent]:
        return [one for one in self.sent if one.service == service]

    def _discovery(self) -> Answer:
        failures = self.failures
        if failures.discovery_body is not None:
            return Answer(failures.smart_status, {}, failures.discovery_body)
        return _json(failures.smart_status, self._document())

    def _document(self) -> dict[str, Any]:
        document = {
            "issuer": ISSUER,
            "jwks_uri": JWKS,
            "authorization_endpoint": AUTHORIZE,
            "token_endpoint": TOKEN,
            "capabilities": ["launch-ehr", "sso-openid-connect", "authorize-post", "permission-v2"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.failures.smart,
        }
        return _without_none(document)

    def _metadata(self) -> Answer:
        statement = self.failures.metadata
        if isinstance(statement, bytes):
            return Answer(200, {"content-type": "application/xml+fhir"}, statement)
        return _json(200, statement) if statement else _json(404, {})

    def _token(self, request: Sent) -> Answer:
        form = request.form
        if self.failures.token_status != 200:
            return _json(self.failures.token_status, {"error": self.failures.token_error})
        granted = self._codes.pop(form.get("code", ""), None)
        if granted is None:
            return _json(400, {"error": "invalid_grant"})
        if not self._authenticated(request, granted["client_id"]):
            return _json(401, {"error": "invalid_client"})
        challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            challenge.decode() != granted.get("code_challenge")
            or form["redirect_uri"] != granted["redirect_uri"]
        ):
            return _json(400, {"error": "invalid_grant"})
        answer = {
            "access_token": f"token-of-{granted['user']}",
            "token_type": "bearer",
            "expires_in": 3600,
            "scope": granted["scope"],
            "id_token": self._id_token(granted),
            **granted["members"],
            **self.failures.token_members,
        }
        answer = _without_none(answer)
        self.issued += [str(answer[name]) for name in ("access_token", "id_token") if answer.get(name)]
        return _json(200, answer)

    def _authenticated(self, request: Sent, client_id: str) -> bool:
        form, kind = request.form, self.auth.get(client_id)
        if kind == "public":
            return form["client_id"] == client_id and "Authorization" not in request.headers
        if kind == "basic":
            pair = f"{quote_plus(client_id)}:{quote_plus(SECRET)}"
            assert not {"client_id", "client_secret", "client_assertion"} & set(form)
            return request.headers["Authorization"] == f"Basic {b64encode(pair.encode()).decode()}"
        assert "client_id" not in form, "a confidential client does not name itself in the form"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        header = jwt.get_unverified_header(form["client_assertion"])
        assert header["typ"] == "JWT"
        jwk = self._app_keys[header["kid"]]
        key: Any = (RSAAlgorithm if jwk["kty"] == "RSA" else ECAlgorithm).from_jwk(json.dumps(jwk))
        claims = jwt.decode(
            form["client_assertion"],
            key,
            algorithms=["RS384", "ES384"],
            options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
        )
        now = self.clock.now().timestamp()
        assert now < claims["exp"] <= now + 300
        assert claims["aud"] == TOKEN
        assert isinstance(claims["jti"], str)
        assert len(claims["jti"]) <= 151
        fresh = claims["jti"] not in self._assertions
        self._assertions.add(claims["jti"])
        return fresh and claims["iss"] == claims["sub"] == client_id

    def _id_token(self, granted: dict[str, Any]) -> str | None:
        failures, now = self.failures, int(self.clock.now().timestamp())
        claims = _without_none(
            {
                "iss": ISSUER,
                "aud": granted["client_id"],
                "sub": f"sub-of-{granted['user']}",
                "fhirUser": f"{BASE}/{granted['user']}",
                "nonce": granted["nonce"],
                "iat": now,
                "exp": now + 300,
                **failures.claims,
            }
        )
        if failures.id_token == "none":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": "ehr-1"})
        if failures.id_token == "hs256":
            return _forged(claims)
        if failures.id_token is not None:
            return failures.id_token or None
        key = signing_key(failures.signed_by)
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": failures.kid})

    def _resource(self, url: str, request: Sent) -> Answer:
        assert request.headers["Authorization"].startswith("Bearer token-of-")
        name = url.removeprefix(f"{BASE}/")
        found = {**self.resources, **self.failures.resources}.get(name)
        if isinstance(found, int):
            outcome = {"resourceType": "OperationOutcome"}
            return _json(found, outcome if found >= 400 else self.resources.get(name, outcome))
        return _json(200, found) if found is not None else _json(404, {})


def _forged(claims: dict[str, Any]) -> str:
    """HMAC with the published key as the secret; PyJWT itself refuses to make one."""
    parts = ({"alg": "HS256", "kid": "ehr-1", "typ": "JWT"}, claims)
    text = ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    secret = json.dumps(_public("ehr", "ehr-1")).encode()
    mac = urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{mac}"


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))


def _public(name: str, kid: str) -> dict[str, Any]:
    jwk = json.loads(RSAAlgorithm.to_jwk(signing_key(name).public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": "RS256"}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _json(status: int, document: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())
