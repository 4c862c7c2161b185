"""One call outward: builds the request, sends it under the policy, reads the answer up to its limit."""

import logging
import time
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

import requests
from requests import PreparedRequest
from urllib3.exceptions import HTTPError

from shared import trace
from shared.clock import Clock
from shared.errors import AddressRefused, AnswerRefused, Unreachable
from shared.outbound.addresses import Addresses, Resolve, normal
from shared.outbound.answer import Answer
from shared.outbound.session import Session
from shared.outbound.transport import CheckedAdapter, deadline, tls_context
from shared.settings import Settings

USER_AGENT = "Antesala/1"
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_WORTH_ANOTHER = frozenset({502, 503, 504})
_CHUNK = 65_536

# At level DEBUG it writes every path and query into the log, and at WARNING those of an answer whose headers
# are broken, with what the server sent.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Outbound:
    """The one seam outward; see the package's docstring for what it promises. Safe for many threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        private_hosts: frozenset[str] = frozenset(),
        ca_bundle: str = "",
        proxy_url: str = "",
        resolve: Resolve | None = None,
        hurry: float = 1.0,
    ) -> None:
        """``ca_bundle``: trusted instead of the public authorities; ``resolve``: host, port to addresses.

        ``hurry``: every deadline is this many times shorter than the caller says (``Settings.hurry``).
        """
        self._clock = clock
        self._hurry = hurry
        self._addresses = Addresses(private_hosts, resolve)
        self._proxies = {"https": proxy_url} if proxy_url else {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        # A cookie set by one hospital must not travel with the next call.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.adapters.clear()
        context = tls_context(ca_bundle)
        self._session.mount("https://", CheckedAdapter(context, None if proxy_url else self._addresses))

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Self:
        """The seam as the operator set it up."""
        return cls(
            clock,
            private_hosts=settings.private_hosts,
            ca_bundle=settings.ca_bundle,
            proxy_url=settings.proxy_url,
            hurry=settings.hurry,
        )

    @property
    def session(self) -> Session:
        """The same seam in the shape of a ``requests`` session, for MSAL."""
        return Session(self)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | str | None = None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        timeout: float = 10.0,
        max_bytes: int = 1_000_000,
        attempts: int = 1,
        idempotent: bool | None = None,
        service: str,
    ) -> Answer:
        """The answer, whatever its status.

        At most one of ``form``, ``json``, ``body``. ``timeout``: seconds for everything, all attempts
        together. ``attempts`` counts for methods that may be repeated, or where ``idempotent`` says so.
        ``service``: our own word for whom we call, for errors. AddressRefused, Unreachable, or AnswerRefused
        for a body that is too large.
        """
        origin = self._checked(url, service)
        request = self._prepared(method, url, headers, form, json, body, query, f"{service} ({origin})")
        repeatable = method.upper() in _REPEATABLE if idempotent is None else idempotent
        until = time.monotonic() + timeout / self._hurry
        with trace.calling(service):
            for _ in range(attempts - 1 if repeatable else 0):
                try:
                    answer = self._attempt(request, until, max_bytes, f"{service} ({origin})")
                except Unreachable:
                    continue
                if answer.status not in _WORTH_ANOTHER:
                    return answer
            return self._attempt(request, until, max_bytes, f"{service} ({origin})")

    def refuse_inside(self, host: str, timeout: float = 5.0) -> None:
        """AddressRefused when the host leads inside, Unreachable when it leads nowhere."""
        if self._proxies:
            return
        self._addresses.of(host, 443, timeout)

    def close(self) -> None:
        """Gives up the kept connections."""
        self._session.close()

    def _checked(self, url: str, service: str) -> str:
        parts = _split(url)
        if parts is None or parts.scheme != "https" or not parts.hostname:
            raise AddressRefused(f"{service}: not an https address")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused(f"{service}: an address with a user in it")
        return normal(parts.hostname)

    def _prepared(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
        json: Any,
        body: bytes | str | None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None,
        whom: str,
    ) -> PreparedRequest:
        data: Any = dict(form) if form is not None else body
        params: Any = list(query.items() if isinstance(query, Mapping) else query) if query else None
        request = requests.Request(method.upper(), url, dict(headers or {}), None, data, params, json=json)
        try:
            return self._session.prepare_request(request)
        except (requests.RequestException, ValueError) as error:
            kind = type(error).__name__
        raise AddressRefused(f"{whom}: the request cannot be written down ({kind})")

    def _attempt(self, request: PreparedRequest, until: float, max_bytes: int, whom: str) -> Answer:
        """One try. Failures are raised outside the handler: their cause, which holds the URL, is let go."""
        deadline.until = until
        try:
            return self._exchange(request, max_bytes, whom)
        except (requests.RequestException, HTTPError, OSError) as error:
            kind = _kind(error, until)
        finally:
            deadline.until = None
        raise Unreachable(f"{whom}: {kind}")

    def _exchange(self, request: PreparedRequest, max_bytes: int, whom: str) -> Answer:
        with self._session.send(
            request,
            stream=True,
            allow_redirects=False,
            timeout=deadline.left(),
            proxies=self._proxies,
        ) as response:
            announced = response.headers.get("Content-Length", "")
            if announced.isdecimal() and int(announced) > max_bytes and request.method != "HEAD":
                raise AnswerRefused(f"{whom}: the answer is too large")
            chunks: list[bytes] = []
            left = max_bytes
            while chunk := response.raw.read(min(_CHUNK, left + 1), decode_content=True):
                left -= len(chunk)
                if left < 0:
                    raise AnswerRefused(f"{whom}: the answer is too large")
                chunks.append(chunk)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, b"".join(chunks), self._clock.now())


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _kind(error: Exception, until: float) -> str:
    if isinstance(error, TimeoutError | requests.Timeout) or time.monotonic() >= until:
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate or the TLS handshake was refused"
    return type(error).__name__
