"""Connections that keep the policy: to checked addresses only, and never longer than the call's deadline."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from shared.outbound.addresses import Addresses
from shared.wire import Connection

# The longest answer of a proxy to CONNECT.
_PROXY_BYTES = 16_384


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


class PunctualSocket(ssl.SSLSocket):
    """A TLS socket on which every wait ends with the call's deadline.

    A time-out per read, as usual, would let a server that sends a byte now and then hold the call for ever.
    """

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.recv_into``."""
        self.settimeout(deadline.left())
        return super().recv_into(*args, **kwargs)

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        """See ``socket.recv``."""
        self.settimeout(deadline.left())
        return super().recv(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.send``; ``sendall`` comes by here, too."""
        self.settimeout(deadline.left())
        return super().send(*args, **kwargs)


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """TLS 1.2 or better, certificates checked by name; trusts the bundle, or the public authorities."""
    import certifi

    context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = PunctualSocket
    return context


type Reach = Callable[[str, int], Any]
"""A socket that leads to the host's port."""


class CheckedConnection(Connection):
    """A connection over TLS, wherever ``reach`` finds the host."""

    default_port = 443

    def __init__(self, host: str, port: int, reach: Reach, context: ssl.SSLContext) -> None:
        """Opens nothing yet."""
        super().__init__(host, port)
        self._reach = reach
        self._context = context

    def connect(self) -> None:
        """See ``HTTPConnection.connect``."""
        self.sock = _secured(self._reach(self.host, self.port), self._context, self.host)


def directly(addresses: Addresses) -> Reach:
    """To the first of the name's checked addresses that listens."""

    def reach(host: str, port: int) -> socket.socket:
        failure = OSError("no address")
        for address in addresses.of(host, port, deadline.left()):
            try:
                return _connected(address, port)
            except OSError as error:
                failure = error
        raise failure

    return reach


def through(proxy_url: str, context: ssl.SSLContext) -> Reach:
    """By CONNECT through a proxy, which resolves the name; nothing is checked here."""
    proxy = urlsplit(proxy_url)
    at, by_tls = proxy.hostname or "", proxy.scheme == "https"
    door = proxy.port or (443 if by_tls else 80)

    def reach(host: str, port: int) -> Any:
        sock: socket.socket = _connected(at, door)
        try:
            if by_tls:
                sock = _secured(sock, context, at)
            _ask_for_tunnel(sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except BaseException:
            sock.close()
            raise
        return sock

    return reach


def _connected(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), deadline.left())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _secured(sock: Any, context: ssl.SSLContext, host: str) -> Any:
    sock.settimeout(deadline.left())
    name = host.rstrip(".")
    try:
        if isinstance(sock, ssl.SSLSocket):
            # The standard library speaks no TLS within TLS; only a proxy that is itself https needs it.
            from urllib3.util.ssltransport import SSLTransport

            return SSLTransport(sock, context, name)
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def _ask_for_tunnel(sock: socket.socket, authority: str) -> None:
    """CONNECT (RFC 9110 9.3.6). Byte by byte, since what follows the answer belongs to TLS."""
    sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        sock.settimeout(deadline.left())
        byte = sock.recv(1)
        if not byte or len(answer) >= _PROXY_BYTES:
            raise ConnectionError("the proxy's answer has no end")
        answer += byte
    version, _, rest = answer.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest.startswith(b"2"):
        raise ConnectionError("the proxy refused")
