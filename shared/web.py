"""A request and a response as plain values: what a door's logic sees instead of the Functions types.

``shared.edge`` turns the Functions types into these and back; everything between is testable without a host.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Cookie:
    """A cookie to set; ``max_age`` in seconds, 0 deletes it.

    Every cookie is Secure, HttpOnly and Path=/, and its name starts with ``__Host-``. The value must be
    base64url text: the Functions host re-encodes anything else (reference functions.md section 2).
    """

    name: str
    value: str
    max_age: int
    same_site: str = "Lax"


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case; a repeated query key's values are joined by ``,``."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    route: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The header's value, or ``""``."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Response:
    """One HTTP response. Security headers are added at the edge, so that no handler can forget them."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()

    def with_cookies(self, *cookies: Cookie) -> "Response":
        """The same response that also sets these cookies."""
        return replace(self, cookies=(*self.cookies, *cookies))

    def with_headers(self, **headers: str) -> "Response":
        """The same response with more headers; ``_`` in a name stands for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def redirect(url: str, status: int = 303) -> Response:
    """Sends the browser on; 303 so that a form post becomes a GET."""
    return Response(status=status, headers={"Location": url})


def json_response(value: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """A JSON answer."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode(), content_type)


def html(text: str, status: int = 200) -> Response:
    """An HTML page."""
    return Response(status, text.encode())
