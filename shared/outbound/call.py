"""One call outward: sends a request under the policy, and reads the answer up to its limit."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Self

from urllib3.exceptions import HTTPError, SSLError
from urllib3.exceptions import TimeoutError as TookTooLong
from urllib3.util import Url

from shared import trace
from shared.clock import Clock
from shared.errors import AddressRefused, AnswerRefused, Unreachable
from shared.outbound.addresses import Addresses, Resolve, normal
from shared.outbound.answer import Answer
from shared.outbound.session import Session
from shared.outbound.transport import deadline, manager, tls_context
from shared.outbound.writing import Query, Written, split, written
from shared.settings import Settings

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_WORTH_ANOTHER = frozenset({502, 503, 504})
_CHUNK = 65_536
_DIGITS = 18

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
        self._proxied = bool(proxy_url)
        self._pools = manager(tls_context(ca_bundle), self._addresses, proxy_url)

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
        """The same seam in the shape that MSAL asks of a session."""
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
        at = split(url, service)
        whom = f"{service} ({normal(at.host or '')})"
        request = _written(whom, method, at, query, headers or {}, form, json, body)
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
        self._pools.clear()

    def _attempt(self, request: Written, until: float, max_bytes: int, whom: str) -> Answer:
        """One try. Failures are raised outside the handler: their cause, which holds the URL, is let go."""
        deadline.until = until
        try:
            return self._exchange(request, max_bytes, whom)
        except (HTTPError, OSError) as error:
            kind = _kind(error, until)
        finally:
            deadline.until = None
        raise Unreachable(f"{whom}: {kind}")

    def _exchange(self, request: Written, max_bytes: int, whom: str) -> Answer:
        pool = self._pools.connection_from_host(request.host, request.port, "https")
        with pool.urlopen(
            request.method,
            request.target,
            request.body,
            request.headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=deadline.left(),
            preload_content=False,
        ) as response:
            announced = response.headers.get("Content-Length", "")
            if _is_more(announced, max_bytes) and request.method != "HEAD":
                raise AnswerRefused(f"{whom}: the answer is too large")
            chunks: list[bytes] = []
            left = max_bytes
            while chunk := response.read(min(_CHUNK, left + 1), decode_content=True):
                left -= len(chunk)
                if left < 0:
                    raise AnswerRefused(f"{whom}: the answer is too large")
                chunks.append(chunk)
            headers = {name.lower(): response.headers[name] for name in response.headers}
            return Answer(response.status, headers, b"".join(chunks), self._clock.now())


def _written(whom: str, method: str, at: Url, *parts: Any) -> Written:
    try:
        return written(method, at, *parts)
    except ValueError as error:
        kind = type(error).__name__
    raise AddressRefused(f"{whom}: the request cannot be written down ({kind})")


def _is_more(announced: str, most: int) -> bool:
    """Whether a length that was announced is more; one of so many digits is, whatever they are."""
    return announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > most)


def _kind(error: Exception, until: float) -> str:
    if isinstance(error, TimeoutError | TookTooLong) or time.monotonic() >= until:
        return "no answer in time"
    if isinstance(error, SSLError):
        return "the certificate or the TLS handshake was refused"
    return type(error).__name__
