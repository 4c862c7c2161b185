"""Connections that keep the policy: to checked addresses only, and never longer than the call's deadline.

Uses only hooks that urllib3 and ``ssl`` offer for it: a pool's ``ConnectionCls``, ``pool_classes_by_scheme``,
and a context's ``sslsocket_class``.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool
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


class PunctualSocket(ssl.SSLSocket):
    """A TLS socket on which every wait ends with the call's deadline.

    A time-out per read, as usual, would let a server that sends a byte now and then hold the call for ever.
    """

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.recv_into``."""
        self.settimeout(deadline.left())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """See ``socket.send``; ``sendall`` comes by here, too."""
        self.settimeout(deadline.left())
        return super().send(*args, **kwargs)


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """TLS 1.2 or better, certificates checked by name; trusts the bundle, or the public authorities."""
    import certifi

    context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = PunctualSocket
    return context


class CheckedAdapter(HTTPAdapter):
    """requests' way to the network, through connections that check whom they reach."""

    def __init__(self, context: ssl.SSLContext, addresses: Addresses | None) -> None:
        """Without ``addresses`` nothing is checked here: a proxy resolves the names."""
        self._context = context
        self._addresses = addresses
        super().__init__(pool_connections=POOLED, pool_maxsize=POOLED, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """See ``HTTPAdapter.init_poolmanager``."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        if self._addresses is not None:
            self.poolmanager.pool_classes_by_scheme = {"https": _pool_class(self._addresses)}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """See ``HTTPAdapter.proxy_manager_for``."""
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """The pool's key without TLS options: they stand in our context, and no caller can change them."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the stock method would read the public bundle into our context once per connection."""


def _pool_class(addresses: Addresses) -> type[HTTPSConnectionPool]:
    class CheckedConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            failure, port = OSError("no address"), self.port or 443
            for address in addresses.of(self.host, port, deadline.left()):
                try:
                    return create_connection((address, port), deadline.left(), None, self.socket_options)
                except OSError as error:
                    failure = error
            raise NewConnectionError(self, "no connection") from failure

    class CheckedPool(HTTPSConnectionPool):
        ConnectionCls: Callable[..., Any] = CheckedConnection  # type: ignore[assignment]

    return CheckedPool
