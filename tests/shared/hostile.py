"""A TLS server that does to its clients what a test says, byte by byte."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import trustme

type Behaviour = Callable[[socket.socket, bytes], None]


class HostileServer:
    """Listens on 127.0.0.1; every request is kept in ``requests`` before ``behaviour`` answers it.

    ``records``: in how many records of TLS each came.
    """

    def __init__(
        self,
        certificate: trustme.LeafCert | None,
        behaviour: Behaviour,
        newest: ssl.TLSVersion | None = None,
    ) -> None:
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._context)
            if newest is not None:
                # Level 0, so that it is the client's choice and not this library's.
                self._context.set_ciphers("ALL:@SECLEVEL=0")
                self._context.minimum_version, self._context.maximum_version = ssl.TLSVersion.TLSv1, newest
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.records: list[int] = []
        self.connections = 0
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError), raw:
            raw.settimeout(10)
            if self._context is None:
                self._behaviour(raw, b"")
                return
            with self._context.wrap_socket(raw, server_side=True) as tls:
                while (head := self._head(tls)) and not self.over.is_set():
                    self.requests.append(head)
                    self._behaviour(tls, head)

    def _head(self, sock: socket.socket) -> bytes:
        data, records = b"", 0

        def more() -> bytes:
            nonlocal records
            records += 1
            return sock.recv(65_536)

        while b"\r\n\r\n" not in data:
            chunk = more()
            if not chunk:
                return b""
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                while len(body) < int(value):
                    body += more()
        self.records.append(records)
        return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> Behaviour:
    """An orderly answer, as often as asked."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]

    def behave(sock: socket.socket, _: bytes) -> None:
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return behave


def drip(first: bytes, server: Callable[[], HostileServer]) -> Behaviour:
    """Sends the beginning of an answer, then a byte now and then for ever."""

    def behave(sock: socket.socket, _: bytes) -> None:
        sock.sendall(first)
        while not server().over.wait(0.05):
            sock.sendall(b"x")

    return behave
