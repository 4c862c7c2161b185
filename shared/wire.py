"""HTTP/1.1 over connections that are kept for the next call: beneath ``shared.outbound`` and storage.

On the standard library's client, which the Functions library loads anyway: another one costs a cold instance
a fifth of its start, and every call several times the processor's time.
"""

import re
import select
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import quote

FAILURES = (HTTPException, OSError, zlib.error)
"""What a call over a wire can end with, beside what a caller's own code raises."""
_CHUNK = 65_536
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER_HEADER = 32 + zlib.MAX_WBITS
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN = "!$%&'()*+,/:;=?@[]~"


class TooLarge(Exception):
    """A body has more bytes than it may."""


@dataclass(frozen=True)
class Origin:
    """Where a connection leads."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Written:
    """One request, ready to be sent; its parts hold no line break."""

    origin: Origin
    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class Connection(HTTPConnection):
    """A connection on which a request leaves in one piece: one record of TLS, one packet where it fits."""

    _held: bytearray | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """See ``HTTPConnection.request``; the connection is open already."""
        self._held = bytearray()
        try:
            super().request(*args, **kwargs)
            held = self._held
        finally:
            self._held = None
        super().send(held)

    def send(self, data: Any) -> None:
        """See ``HTTPConnection.send``."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data


class Wire:
    """Sends over a kept connection, or a new one. Follows nothing, repeats nothing. Safe for many threads."""

    def __init__(self, connection: Callable[[Origin], Connection], most: int = 64) -> None:
        """``connection``: one that is not open yet; ``most``: how many are kept when nobody needs them."""
        self._connection = connection
        self._most = most
        self._kept: list[tuple[Origin, Connection]] = []
        self._lock = threading.Lock()

    def send[T](self, request: Written, read: Callable[[HTTPResponse], T], seconds: float | None = None) -> T:
        """What ``read`` makes of the answer; what it leaves unread ends the connection.

        ``seconds``: of one wait for bytes, where the socket has no deadline of its own.
        """
        connection = self._taken(request.origin) or self._opened(request.origin)
        try:
            if seconds is not None:
                connection.sock.settimeout(seconds)
            connection.request(request.method, request.target, request.body, request.headers)
            response = connection.getresponse()
            made = read(response)
        except BaseException:
            connection.close()
            raise
        if response.isclosed() and connection.sock is not None:
            self._keep(request.origin, connection)
        else:
            response.close()
            connection.close()
        return made

    def close(self) -> None:
        """Ends the connections that are kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()

    def _opened(self, origin: Origin) -> Connection:
        connection = self._connection(origin)
        connection.connect()
        return connection

    def _taken(self, origin: Origin) -> Connection | None:
        """The newest that is kept for the origin and was not ended meanwhile."""
        while True:
            with self._lock:
                place = next((at for at, (one, _) in enumerate(self._kept) if one == origin), None)
                if place is None:
                    return None
                connection = self._kept.pop(place)[1]
            if _is_quiet(connection):
                return connection
            connection.close()

    def _keep(self, origin: Origin, connection: Connection) -> None:
        with self._lock:
            self._kept.insert(0, (origin, connection))
            oldest = self._kept.pop()[1] if len(self._kept) > self._most else None
        if oldest is not None:
            oldest.close()


def target(path: str, query: str = "") -> str:
    """What is asked of a server; whatever has no place in a request's first line is percent-encoded."""
    text = f"{path or '/'}?{query}" if query else path or "/"
    return quote(_LONE_PERCENT.sub("%25", text), safe=_PLAIN)


def body_of(response: HTTPResponse, most: int | None = None) -> bytes:
    """The whole body, unpacked: TooLarge beyond ``most`` bytes, and one of FAILURES if some are missing."""
    unpacked = _Unpacked() if response.getheader("Content-Encoding", "").lower() in _PACKED else None
    pieces: list[bytes] = []
    left = most
    while piece := response.read(_CHUNK if left is None else min(_CHUNK, left + 1)):
        if unpacked is not None:
            piece = unpacked.of(piece, left)
        if left is not None:
            left -= len(piece)
            if left < 0:
                raise TooLarge
        pieces.append(piece)
    if response.length or (unpacked is not None and not unpacked.complete):
        raise IncompleteRead(b"")
    return b"".join(pieces)


class _Unpacked:
    """A packed body, piece by piece, and never more of it than the caller can take."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_EITHER_HEADER)
        self.complete = True

    def of(self, data: bytes, most: int | None) -> bytes:
        """What the piece unpacks to; one byte more than ``most`` shows that there is more."""
        made = b""
        while data and (most is None or len(made) <= most):
            if self._inflate.eof:
                # RFC 1952 2.2: a file may have several members.
                self._inflate = zlib.decompressobj(_EITHER_HEADER)
            made += self._inflate.decompress(data, 0 if most is None else most + 1 - len(made))
            data = self._inflate.unused_data
        self.complete = self._inflate.eof
        return made


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing waits to be read: an end, or bytes that nobody asked for."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
