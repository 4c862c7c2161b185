"""Which endpoints a FHIR base names (SMART App Launch 2.2, sections 2.1.4 and 2.2: smart-configuration).

- asked for at ``{base}/.well-known/smart-configuration``; where that is not there (a DSTU2 base, an old
  server), at ``{base}/metadata`` through the deprecated ``oauth-uris`` extension (``smart.capability``);
- relative addresses are read against the FHIR base;
- every address must be https, without user name or fragment. Only the authorization endpoint, which the
  browser opens and not we, may be http on a host that the operator listed (the sandbox);
- an answer that redirects is no answer: the base is what was approved, not what it points to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from shared.clock import Clock
from shared.connection import EhrKind, Endpoints
from shared.errors import AnswerRefused, Refusal, StatusRefused
from shared.outbound import Answer, Outbound
from shared.smart import capability
from shared.smart.dialect import DIALECTS
from shared.smart.shelf import Shelf

_URL_LIMIT = 2048
_LIST_LIMIT = 500
_SECONDS = 8.0
# A configuration has a few kilobytes.
_MOST_BYTES = 500_000


@dataclass(frozen=True)
class SmartConfiguration:
    """The members of smart-configuration that this client uses; addresses are absolute and checked."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str = ""
    jwks_uri: str = ""
    capabilities: frozenset[str] = frozenset()
    auth_methods: frozenset[str] = frozenset()
    algs: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    challenge_methods: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    names_issuer: bool = False
    """Whether its answers at the redirect URI say who they are from (RFC 9207)."""

    def endpoints(self, jwks: str = "") -> Endpoints:
        """What the portal shows, approves and pins; ``jwks``: the key set, if only the issuer names it."""
        return Endpoints(self.issuer, self.authorization_endpoint, self.token_endpoint, self.jwks_uri or jwks)


type Asking = Callable[[tuple[str, str], Callable[[], SmartConfiguration]], SmartConfiguration]


class Discovery:
    """Reads and remembers SMART configurations; raises OutsideError where there is none to be had.

    ``private_hosts``: hosts whose authorization endpoint may be http (sandbox only; empty in production).
    """

    def __init__(self, outbound: Outbound, clock: Clock, private_hosts: frozenset[str] = frozenset()) -> None:
        self._outbound = outbound
        self._private = private_hosts
        self._shelf: Shelf[tuple[str, str], SmartConfiguration] = Shelf(clock)

    def get(self, fhir_base: str, *, client_id: str = "", kind: EhrKind = "fhir") -> SmartConfiguration:
        """The configuration of this base; ``client_id`` counts where the EHR answers per client (Epic)."""
        return self._through(self._shelf.get, fhir_base, client_id, kind)

    def renew(self, fhir_base: str, *, client_id: str = "", kind: EhrKind = "fhir") -> SmartConfiguration:
        """The same, asked of the server now: for the portal. Launches keep what they have where it fails."""
        return self._through(self._shelf.renew, fhir_base, client_id, kind)

    def pinned(self, config: SmartConfiguration, endpoints: Endpoints) -> SmartConfiguration:
        """The configuration, if every address is on an approved origin; Refusal ``endpoint-changed``.

        Where it names no issuer (a DSTU2 base beside the R4 one), identities must be of the approved issuer.
        """
        pairs = (
            ("authorization", config.authorization_endpoint, endpoints.authorization),
            ("token", config.token_endpoint, endpoints.token),
            # Where no key set was shown, keys may come from the approved authorization server alone.
            ("jwks", config.jwks_uri, endpoints.jwks or endpoints.token),
        )
        for name, found, approved in pairs:
            if found and origin(found) != origin(approved):
                raise Refusal("endpoint-changed", name)
        if endpoints.issuer and config.issuer and config.issuer != endpoints.issuer:
            raise Refusal("endpoint-changed", "issuer")
        return config if config.issuer else replace(config, issuer=endpoints.issuer)

    def _through(self, ask: Asking, base: str, client_id: str, kind: EhrKind) -> SmartConfiguration:
        headers = DIALECTS[kind].headers(client_id)
        return ask((base, client_id if headers else ""), lambda: self._fetch(base, headers))

    def _fetch(self, base: str, headers: Mapping[str, str]) -> SmartConfiguration:
        root = base.rstrip("/") + "/"
        answer = self._ask(f"{root}.well-known/smart-configuration", "application/json", headers)
        if answer.status in (400, 401, 403, 404, 405, 406, 410, 501):
            fallback = self._ask(f"{root}metadata", capability.ACCEPT, headers, capability.MOST_BYTES)
            return self._configuration(root, capability.oauth_uris(fallback))
        return self._configuration(root, _document(answer))

    def _ask(self, url: str, accept: str, headers: Mapping[str, str], max_bytes: int = _MOST_BYTES) -> Answer:
        return self._outbound.send(
            "GET",
            url,
            headers={"Accept": accept, **headers},
            timeout=_SECONDS,
            max_bytes=max_bytes,
            service="ehr-discovery",
        )

    def _configuration(self, root: str, document: Mapping[str, Any]) -> SmartConfiguration:
        methods = _words(document, "code_challenge_methods_supported")
        if methods and "S256" not in methods:
            raise AnswerRefused("the authorization server offers no S256 challenge")
        return SmartConfiguration(
            authorization_endpoint=self._address(
                root, document, "authorization_endpoint", browser=True, required=True
            ),
            token_endpoint=self._address(root, document, "token_endpoint", required=True),
            issuer=_text(document, "issuer"),
            jwks_uri=self._address(root, document, "jwks_uri"),
            capabilities=_words(document, "capabilities"),
            auth_methods=_words(document, "token_endpoint_auth_methods_supported"),
            algs=_words(document, "token_endpoint_auth_signing_alg_values_supported"),
            scopes=_words(document, "scopes_supported"),
            challenge_methods=methods,
            prompts=_words(document, "prompt_values_supported"),
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(
        self,
        root: str,
        document: Mapping[str, Any],
        name: str,
        *,
        browser: bool = False,
        required: bool = False,
    ) -> str:
        text = _text(document, name)
        if not text:
            if required:
                raise AnswerRefused(f"{name} is missing")
            return ""
        return checked_address(_resolved(root, text, name), name, self._private if browser else frozenset())


def checked_address(url: str, name: str, http_hosts: frozenset[str] = frozenset()) -> str:
    """The address itself, if we may use it; AnswerRefused otherwise (``name`` is for the log)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise AnswerRefused(f"{name} is no address") from error
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise AnswerRefused(f"{name} is no plain address")
    # A backslash is a slash to browsers and none to us.
    if any(not "!" <= letter <= "~" or letter == "\\" for letter in url):
        raise AnswerRefused(f"{name} holds characters that belong in no address")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in http_hosts):
        raise AnswerRefused(f"{name} is not https")
    return url


def _resolved(root: str, text: str, name: str) -> str:
    try:
        return urljoin(root, text)
    except ValueError as error:
        raise AnswerRefused(f"{name} is no address") from error


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address (RFC 6454), to compare; all empty for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ("", "", 0)
    return (parts.scheme, parts.hostname or "", port)


def _document(answer: Answer) -> Mapping[str, Any]:
    if answer.status != 200:
        raise StatusRefused(answer.status, retry_after=answer.retry_after())
    document = answer.json()
    if not isinstance(document, dict):
        raise AnswerRefused("discovery answered something that is no JSON object")
    return document


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _URL_LIMIT:
        raise AnswerRefused(f"{name} is no text of at most {_URL_LIMIT} characters")
    return value


def _words(document: Mapping[str, Any], name: str) -> frozenset[str]:
    value = document.get(name)
    if not isinstance(value, list):
        return frozenset()
    return frozenset(word for word in value[:_LIST_LIMIT] if isinstance(word, str))
