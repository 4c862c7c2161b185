"""The portal's routes as a WSGI application, for tools that speak HTTP to a server."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import azure.functions as func

from tests.config.house import PUBLIC, route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answers as the Functions host does: 404 for a method or path that no function has."""
    method, path = environ["REQUEST_METHOD"], _text(environ["PATH_INFO"])
    found = route(method, path)
    if found is None:
        start_response("404 Not Found", [])
        return [b""]
    function, values = found
    answer = function(_request(environ, method, path, values))
    status = f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
    start_response(status, list(answer.headers.items()))
    return [answer.get_body()]


def _request(environ: "WSGIEnvironment", method: str, path: str, values: dict[str, str]) -> func.HttpRequest:
    query = environ.get("QUERY_STRING", "")
    return func.HttpRequest(
        method=method,
        url=f"{PUBLIC}{path}?{query}",
        headers=_headers(environ),
        # The host drops empty values (reference functions.md section 2).
        params={name: value for name, value in parse_qsl(query) if value},
        route_params=values,
        body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
    )


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    named: dict[str, Any] = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        named["content-type"] = environ["CONTENT_TYPE"]
    return named


def _text(path: str) -> str:
    """WSGI carries a path's bytes as Latin-1 (PEP 3333)."""
    return path.encode("latin-1").decode("utf-8", "replace")
