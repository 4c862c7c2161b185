"""Connections that keep the policy: to checked addresses only, and never longer than the call's deadline.

On urllib3, by hooks that it and ``ssl`` offer for it: a pool's ``ConnectionCls``, a manager's
``pool_classes_by_scheme``, and a context's ``sslsocket_class``.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from shared.outbound.addresses import Addresses

POOLED = 32


class Deadline(threading.local):
    """Until when the present thread's call may last, on the monotonic clock."""

    until: float | None = None

    def left(self) -> float:
        """Seconds left; TimeoutError when there are none."""
        if self.until is None:
            return 30.0
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return left


deadline = Deadline()


class _Punctual:
    """A socket on which every wait ends with the call's deadline.

    A time-out per read, as usual, would let a server that sends a byte now and then hold the call for ever.
    """

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.recv_into``."""
        self.settimeout(deadline.left())  # type: ignore[attr-defined]
        return super().recv_into(*args, **kwargs)  # type: ignore[misc, no-any-return]

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        """See ``socket.recv``: how urllib3 reads TLS that goes through TLS."""
        self.settimeout(deadline.left())  # type: ignore[attr-defined]
        return super().recv(*args, **kwargs)  # type: ignore[misc, no-any-return]

    def send(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.send``; TLS's ``sendall`` comes by here, too."""
        self.settimeout(deadline.left())  # type: ignore[attr-defined]
        return super().send(*args, **kwargs)  # type: ignore[misc, no-any-return]


class PunctualSocket(_Punctual, ssl.SSLSocket):
    """One that speaks TLS."""

    def do_handshake(self, block: bool = False) -> None:
        """See ``SSLSocket.do_handshake``."""
        self.settimeout(deadline.left())
        super().do_handshake(block)


class PunctualPlainSocket(_Punctual, socket.socket):
    """One to a proxy, before it speaks TLS."""


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """TLS 1.2 or better, certificates checked by name; trusts the bundle, or the public authorities."""
    import certifi

    context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = PunctualSocket
    return context


def manager(context: ssl.SSLContext, addresses: Addresses, proxy_url: str) -> PoolManager:
    """Kept connections to every host; with a proxy, which resolves the names, nothing is checked here."""
    kept: dict[str, Any] = {"num_pools": POOLED, "maxsize": POOLED, "ssl_context": context}
    if proxy_url:
        made: PoolManager = ProxyManager(proxy_url, proxy_ssl_context=context, **kept)
    else:
        made = PoolManager(**kept)
    made.pool_classes_by_scheme = {"https": _pool_class(None if proxy_url else addresses)}
    return made


class _Response(HTTPResponse):
    """An answer whose pieces have sizes: the standard library reads to the end for a negative one."""

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise ValueError("a piece of negative size")
        return size


class _Whole(HTTPSConnection):
    """Sends a request in one piece: one record of TLS, one packet where it fits."""

    response_class = _Response
    _held: bytearray | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """See ``HTTPConnection.request``."""
        self._held = bytearray()
        try:
            super().request(*args, **kwargs)
            held = bytes(self._held)
        finally:
            self._held = None
        super().send(held)

    def send(self, data: Any) -> None:
        """See ``HTTPConnection.send``."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data


def _pool_class(addresses: Addresses | None) -> type[HTTPSConnectionPool]:
    class Connection(_Whole):
        def _new_conn(self) -> socket.socket:
            if addresses is None:
                sock = PunctualPlainSocket(fileno=super()._new_conn().detach())
                sock.settimeout(deadline.left())
                return sock
            failure, port = OSError("no address"), self.port or 443
            for address in addresses.of(self.host, port, deadline.left()):
                try:
                    return create_connection((address, port), deadline.left(), None, self.socket_options)
                except OSError as error:
                    failure = error
            raise NewConnectionError(self, "no connection") from failure

    class Pool(HTTPSConnectionPool):
        ConnectionCls: Callable[..., Any] = Connection  # type: ignore[assignment]

    return Pool
