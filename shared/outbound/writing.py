"""Writes a request down: an address, headers and a body as bytes that can mean nothing else to a server."""

import json as json_text
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit

from shared.wire import Origin, Written

type Query = Mapping[str, str] | Sequence[tuple[str, str]]

DEFAULTS = {"User-Agent": "Antesala/1", "Accept": "application/json", "Accept-Encoding": "gzip"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Line breaks would begin another header; blanks around a value are no part of it (RFC 9110 5.5).
_VALUE = re.compile(r"(?!\s)[^\r\n\x00]*")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT = "!$%&'()*+,/:;=?@[]~"


def split(url: str) -> SplitResult | None:
    """The address taken apart; None for what is none. Line breaks, which ``urlsplit`` drops, are refused."""
    if _CONTROLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def written(
    method: str,
    parts: SplitResult,
    query: Query | None,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None,
    json: Any,
    body: bytes | str | None,
) -> Written:
    """The request; ValueError if it cannot be written down."""
    sent, kind = _body(form, json, body)
    lines = DEFAULTS | ({"Content-Type": kind} if kind else {})
    if sent is not None or method not in ("GET", "HEAD"):
        lines["Content-Length"] = str(len(sent or b""))
    given = {name.lower() for name in headers}
    lines = {name: value for name, value in lines.items() if name.lower() not in given}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a header that would not stay in its line")
        value.encode("latin-1")
        lines[name] = value
    origin = Origin("https", _host(parts.hostname or ""), parts.port or 443)
    return Written(origin, method, _target(parts, query), lines, sent)


def _host(name: str) -> str:
    if ":" in name:
        ip_address(name)
        return name
    if not name.isascii():
        import idna

        name = idna.encode(name, uts46=True).decode("ascii")
    if not _HOST.fullmatch(name):
        raise ValueError("not a host's name")
    return name


def _target(parts: SplitResult, query: Query | None) -> str:
    """Path and query; dots are resolved as RFC 3986 5.2.4 says, and what has no place there is encoded."""
    path = urljoin("https://host", parts.path) if "/." in parts.path else parts.path
    path = path.removeprefix("https://host") or "/"
    asked = [one for one in (parts.query, urlencode(query) if query else "") if one]
    return "?".join(_quoted(one) for one in (path, "&".join(asked)) if one)


def _quoted(text: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=_KEPT)


def _body(form: Mapping[str, str] | None, json: Any, body: bytes | str | None) -> tuple[bytes | None, str]:
    if form:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    if body:
        return body.encode() if isinstance(body, str) else body, ""
    if json is not None:
        return json_text.dumps(json, allow_nan=False).encode(), "application/json"
    return None, ""
