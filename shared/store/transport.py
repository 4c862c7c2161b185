"""The storage SDK's way to the network, in the place that it keeps for one (``azure.core``'s HttpTransport).

Over connections that are kept as all of ours are, and not over ``requests``, which the SDK would bring: that
was a third of what a cold instance had to import before its first redirect.
"""

import functools
import ssl
from collections.abc import Iterator
from http.client import HTTPResponse, HTTPSConnection
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import transport as sdk
from azure.core.utils import case_insensitive_dict

from shared.wire import FAILURES, Connection, Origin, Wire, Written, body_of, target


class StorageAnswer(sdk.HttpResponse):
    """An answer that was read to its end."""

    def __init__(self, request: Any, response: HTTPResponse) -> None:
        """Reads it."""
        super().__init__(request, response)
        self.status_code = response.status
        self.reason = response.reason
        self.headers = case_insensitive_dict(response.getheaders())
        self.content_type = self.headers.get("Content-Type")
        self.content = body_of(response)

    def body(self) -> bytes:
        """See ``HttpResponse.body``."""
        return self.content

    def read(self) -> bytes:
        """As a ``rest`` answer gives its body."""
        return self.content

    def stream_download(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """See ``HttpResponse.stream_download``."""
        yield self.content


class StorageTransport(sdk.HttpTransport[Any, Any]):
    """Sends over kept connections. No redirect, no proxy and no certificates from the environment."""

    def __init__(self, connect_seconds: float, read_seconds: float, most: int) -> None:
        """``read_seconds``: of one wait for bytes; ``most``: connections that are kept."""
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._wire = Wire(self._connection, most)

    def send(self, request: Any, **_: Any) -> StorageAnswer:
        """The answer, whatever its status; one of ``azure.core``'s errors where there is none."""
        try:
            return self._wire.send(
                _written(request), lambda response: StorageAnswer(request, response), self._read_seconds
            )
        except _NotConnected as error:
            late = isinstance(error.__cause__, TimeoutError)
            kind: Any = ServiceRequestTimeoutError if late else ServiceRequestError
            cause: Any = error.__cause__
        except FAILURES as error:
            kind = ServiceResponseTimeoutError if isinstance(error, TimeoutError) else ServiceResponseError
            cause = error
        raise kind(type(cause).__name__, error=cause)

    def open(self) -> None:
        """Nothing: connections open when they are needed."""

    def close(self) -> None:
        """Ends the kept connections."""
        self._wire.close()

    def __enter__(self) -> Self:
        """See ``HttpTransport``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keeps the connections: every client of the account uses them."""

    def _connection(self, origin: Origin) -> Connection:
        if origin.scheme == "http":
            return _Plain(origin.host, origin.port, self._connect_seconds)
        context = _public_authorities()
        return _Secured(origin.host, origin.port, timeout=self._connect_seconds, context=context)


class _NotConnected(Exception):
    """Nothing was sent yet."""


class _Plain(Connection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            raise _NotConnected from error


class _Secured(Connection, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            raise _NotConnected from error


@functools.cache
def _public_authorities() -> ssl.SSLContext:
    """One for all accounts: reading the authorities takes longer than a trip to storage."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _written(request: Any) -> Written:
    parts = urlsplit(request.url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    data = request.data
    body = data.encode() if isinstance(data, str) else data
    headers = {"Accept-Encoding": "identity", **request.headers}
    if body is not None or request.method not in ("GET", "HEAD"):
        # The SDK counts the letters of a text, not its bytes.
        headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        headers["Content-Length"] = str(len(body or b""))
    return Written(origin, request.method, target(parts.path, parts.query), headers, body)
