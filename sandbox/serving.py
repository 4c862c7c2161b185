"""Serving a WSGI application on loopback, over http or TLS, from threads of this process.

* HTTP/1.1 with keep-alive, so that a client pays for one TLS handshake, not one a request.
* Nagle's algorithm is off and replies are buffered: without both, every keep-alive request waits about
  40 ms for the peer's delayed acknowledgement.
* The TLS handshake happens on the connection's own thread: a client that says nothing holds up nobody.
"""

import io
import logging
import ssl
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"
_HANDSHAKE_SECONDS = 10.0
_LARGEST_BODY = 64 * 1024 * 1024

log = logging.getLogger("sandbox.serving")


class Server:
    """A running server; `port` is the one it really listens on. `close` ends it and gives the port back."""

    def __init__(self, listener: "_Listener") -> None:
        """Start serving in a thread of its own."""
        self.port: int = listener.server_address[1]
        self._listener = listener
        self._thread = threading.Thread(
            target=listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"serve-{self.port}",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; requests that already run are left to finish on their own threads."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()


def serve(app: "WSGIApplication", port: int, ssl_context: ssl.SSLContext | None = None) -> Server:
    """Serve `app` on 127.0.0.1; port 0 lets the system choose. A port in use raises OSError at once."""
    return Server(_Listener(app, port, ssl_context))


def tls_context(certificate: str) -> ssl.SSLContext:
    """A server context from one PEM file that holds the private key and the certificate chain."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, app: "WSGIApplication", port: int, tls: ssl.SSLContext | None) -> None:
        self.app = app
        self.tls = tls
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the name that the standard class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore peers that went away or never spoke TLS; let everything else be seen."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            log.error("A connection ended with an error", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    # An idle keep-alive connection must not hold a thread for ever.
    timeout = 65

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request.settimeout(_HANDSHAKE_SECONDS)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def version_string(self) -> str:
        return "Antesala-Sandbox"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: request lines hold codes and states; whoever wants a log keeps one of their own."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def finish(self) -> None:
        """Close the TLS socket too: the server only knows the plain one that it replaced."""
        super().finish()
        if self.server.tls is not None:
            self.request.close()

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError as error:
            self.close_connection = True
            self.send_error(400, str(error))
            return
        reply = _Reply()
        try:
            payload = reply.collect(self.server.app(self._environ(body), reply.start))
        except Exception:
            log.exception("The application failed while it answered")
            reply, payload = _Reply(), b""
        self._send(reply, payload)

    def _send(self, reply: "_Reply", payload: bytes) -> None:
        code, _, reason = reply.status.partition(" ")
        self.send_response(int(code), reason)
        names = {name.lower() for name, _ in reply.headers}
        for name, value in reply.headers:
            if name.lower() != "date":
                self.send_header(name, value)
        if "content-length" not in names and int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Write the status line and the date."""
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())

    def _body(self) -> IO[bytes]:
        """The request's whole body, so that what the application leaves unread cannot garble what follows."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunked_body()
        text = self.headers.get("Content-Length") or "0"
        if not text.isdecimal() or int(text) > _LARGEST_BODY:
            raise ValueError("Content-Length is not a number or too large")
        return io.BytesIO(self.rfile.read(int(text)))

    def _chunked_body(self) -> IO[bytes]:
        parts = io.BytesIO()
        while size := int(self.rfile.readline(64).split(b";")[0], 16):
            if size < 0 or parts.tell() + size > _LARGEST_BODY:
                raise ValueError("The chunks are too large")
            parts.write(self.rfile.read(size))
            self.rfile.readline(64)
        while self.rfile.readline(4096).strip():
            continue
        return io.BytesIO(parts.getvalue())

    def _environ(self, body: IO[bytes]) -> "WSGIEnvironment":
        path, _, query = self.path.partition("?")
        environ: WSGIEnvironment = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http" if self.server.tls is None else "https",
            "wsgi.input": body,
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "RAW_URI": self.path,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": "localhost",
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
        }
        for name, value in self.headers.items():
            _add_header(environ, name, value)
        return environ


class _Reply:
    """What an application said by WSGI's ``start_response``."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status, self.headers = status, headers
        return _refuse_write

    def collect(self, chunks: Iterable[bytes]) -> bytes:
        try:
            return b"".join(chunks)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()


def _refuse_write(_: bytes) -> None:
    raise NotImplementedError("WSGI's write() is not offered; return an iterable")


def _add_header(environ: "WSGIEnvironment", name: str, value: str) -> None:
    # An underscore would make `X_Y` and `X-Y` the same variable: the classic way to smuggle a header.
    if "_" in name:
        return
    key = name.upper().replace("-", "_")
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        environ[key] = value
        return
    key = f"HTTP_{key}"
    environ[key] = f"{environ[key]},{value}" if key in environ else value
