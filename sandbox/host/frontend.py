"""The HTTP trigger: from a request to a function and back, as the Functions host does it.

* header names reach the function in lower case, repeated headers and query keys joined by ``,``
* empty query values are dropped: ``?launch=`` looks absent
* a body is passed only with a Content-Length above zero
* a path or a method that no route takes answers 404; a function that raises answers 500 with an empty body
* of a repeated response header only the last survives, cookies excepted (`sandbox.host.cookies`)
"""

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sandbox.host.cookies import set_cookie
from sandbox.host.protocol import Message
from sandbox.host.routes import Route, RouteTable
from sandbox.host.worker import Function, HostStartError, InvocationError, Worker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("Host.Http")

_HOP_BY_HOP = frozenset({"content-length", "connection", "transfer-encoding", "keep-alive", "date"})


@dataclass(frozen=True)
class Reply:
    """An HTTP response on its way out."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Limits:
    """What the platform in front of a function allows."""

    body_bytes: int = 100 * 1024 * 1024
    """``FUNCTIONS_REQUEST_BODY_SIZE_LIMIT``: a larger request body answers 413."""
    response_seconds: float = 230.0
    """The load balancer gives up after this time, whatever the function's own timeout, and answers 504."""


class Frontend:
    """The WSGI application in front of the function app's HTTP functions.

    `pages` is the sandbox's own application; it gets every path under `/sandbox/`.
    """

    def __init__(
        self, worker: Worker, prefix: str, limits: Limits, pages: "WSGIApplication | None" = None
    ) -> None:
        """Build the route table from the worker's HTTP triggers."""
        self._worker = worker
        self._limits = limits
        self._pages = pages
        triggers = [one for one in worker.functions.values() if one.trigger["type"] == "httpTrigger"]
        self._routes = RouteTable(_route(function, prefix) for function in triggers)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        if self._pages is not None and environ["PATH_INFO"].startswith("/sandbox/"):
            return self._pages(environ, start_response)
        reply = self._answer(environ)
        start_response(f"{reply.status} {_phrase(reply.status)}", list(reply.headers))
        return [reply.body]

    def _answer(self, environ: "WSGIEnvironment") -> Reply:
        found = self._routes.find(environ["REQUEST_METHOD"], environ["REQUEST_URI"])
        if found is None:
            return Reply(404)
        function, parameters = found
        # No function key exists here, so a function that asks for one can never be called.
        if function.trigger.get("authLevel", "FUNCTION").upper() != "ANONYMOUS":
            return Reply(401)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._limits.body_bytes:
            return Reply(413)
        body = environ["wsgi.input"].read(length) if length else b""
        return self._run(function, _request(environ, parameters, body))

    def _run(self, function: Function, request: Message) -> Reply:
        future: Future[Message] = self._worker.start(function, Message(http=request))
        try:
            outcome = future.result(timeout=self._limits.response_seconds)
        except InvocationError:
            return Reply(500)
        except TimeoutError:
            log.warning("%s gave no answer in time", function.name, extra={"function": function.name})
            return Reply(504)
        return _reply(outcome.return_value)


def _route(function: Function, prefix: str) -> Route[Function]:
    trigger = function.trigger
    template = f"{prefix}/{trigger.get('route') or function.name}"
    first = template.strip("/").partition("/")[0].lower()
    if first in ("admin", "runtime"):
        raise HostStartError(f"function {function.name}: /{first} belongs to the platform")
    try:
        return Route(template, frozenset(one.upper() for one in trigger.get("methods", ())), function)
    except ValueError as error:
        raise HostStartError(f"function {function.name}: {error}") from error


def _request(environ: "WSGIEnvironment", parameters: dict[str, str], body: bytes) -> Message:
    return Message(
        method=environ["REQUEST_METHOD"],
        url=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}{environ['REQUEST_URI']}",
        headers=_headers(environ),
        params=parameters,
        query=_query(environ["QUERY_STRING"]),
        body=Message(bytes=body) if body else Message(),
    )


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    named = {key[5:]: value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            named[key] = environ[key]
    return {key.replace("_", "-").lower(): value for key, value in named.items()}


def _query(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in parse_qsl(text):
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def _reply(value: Message | None) -> Reply:
    if value is None:
        return Reply(204)
    if value.http is None:
        text = value.string if value.string is not None else value.json
        return Reply(200, (("Content-Type", "text/plain; charset=utf-8"),), (text or "").encode())
    http = value.http
    kept = [(name, text) for name, text in http.headers.items() if name.lower() not in _HOP_BY_HOP]
    kept += [("Set-Cookie", set_cookie(cookie)) for cookie in http.cookies or ()]
    body: bytes = http.body.bytes if http.body is not None and http.body.bytes else b""
    return Reply(int(http.status_code), tuple(kept), body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
