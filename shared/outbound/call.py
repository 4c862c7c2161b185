"""One call outward: sends a request under the policy, reads the answer up to its limit."""

import ssl
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any, Self

from shared import trace
from shared.clock import Clock
from shared.errors import AddressRefused, AnswerRefused, Unreachable
from shared.outbound.addresses import Addresses, Resolve, normal
from shared.outbound.answer import Answer
from shared.outbound.session import Session
from shared.outbound.transport import CheckedConnection, deadline, directly, through, tls_context
from shared.outbound.writing import Query, split, written
from shared.settings import Settings
from shared.wire import FAILURES, TooLarge, Wire, Written, body_of

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_WORTH_ANOTHER = frozenset({502, 503, 504})


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
        self._proxied = bool(proxy_url)
        context = tls_context(ca_bundle)
        reach = through(proxy_url, context) if proxy_url else directly(self._addresses)
        self._wire = Wire(lambda origin: CheckedConnection(origin.host, origin.port, reach, context))

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
        query: Query | None = None,
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
        request, whom = _request(method, url, query, headers, form, json, body, service)
        repeatable = method.upper() in _REPEATABLE if idempotent is None else idempotent
        until = time.monotonic() + timeout / self._hurry
        with trace.calling(service):
            for _ in range(attempts - 1 if repeatable else 0):
                try:
                    answer = self._attempt(request, until, max_bytes, whom)
                except Unreachable:
                    continue
                if answer.status not in _WORTH_ANOTHER:
                    return answer
            return self._attempt(request, until, max_bytes, whom)

    def refuse_inside(self, host: str, timeout: float = 5.0) -> None:
        """AddressRefused when the host leads inside, Unreachable when it leads nowhere."""
        if self._proxied:
            return
        self._addresses.of(host, 443, timeout)

    def close(self) -> None:
        """Gives up the kept connections."""
        self._wire.close()

    def _attempt(self, request: Written, until: float, max_bytes: int, whom: str) -> Answer:
        """One try. Failures are raised outside the handler: their cause, which holds the URL, is let go."""
        deadline.until = until
        try:
            return self._wire.send(request, lambda response: self._answer(response, max_bytes))
        except TooLarge:
            kind = ""
        except FAILURES as error:
            kind = _kind(error, until)
        finally:
            deadline.until = None
        if not kind:
            raise AnswerRefused(f"{whom}: the answer is too large")
        raise Unreachable(f"{whom}: {kind}")

    def _answer(self, response: HTTPResponse, max_bytes: int) -> Answer:
        if response.length is not None and response.length > max_bytes:
            raise TooLarge
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        return Answer(response.status, headers, body_of(response, max_bytes), self._clock.now())


def _request(
    method: str,
    url: str,
    query: Query | None,
    headers: Mapping[str, str] | None,
    form: Mapping[str, str] | None,
    json: Any,
    body: bytes | str | None,
    service: str,
) -> tuple[Written, str]:
    """The request, and whom it is for in the words of an error."""
    parts = split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise AddressRefused(f"{service}: not an https address")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused(f"{service}: an address with a user in it")
    whom = f"{service} ({normal(parts.hostname)})"
    try:
        return written(method.upper(), parts, query, headers or {}, form, json, body), whom
    except ValueError as error:
        kind = type(error).__name__
    # Raised outside the handler: what could not be written is in the exception.
    raise AddressRefused(f"{whom}: the request cannot be written down ({kind})")


def _kind(error: BaseException, until: float) -> str:
    if isinstance(error, TimeoutError) or time.monotonic() >= until:
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return "the certificate or the TLS handshake was refused"
    return type(error).__name__
