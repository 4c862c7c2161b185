"""Writes a request down: an address, headers and a body as bytes that can mean nothing else to a server."""

import json as json_text
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from shared.wire import Origin, Written, target

type Query = Mapping[str, str] | Sequence[tuple[str, str]]

DEFAULTS = {"User-Agent": "Antesala/1", "Accept": "application/json", "Accept-Encoding": "gzip"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
# RFC 1035 2.3.4, and the underscore that names on one machine may have.
_HOST = re.compile(r"(?=.{1,254}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Line breaks would begin another header; blanks around a value are no part of it (RFC 9110 5.5).
_VALUE = re.compile(r"(?!\s)[^\r\n\x00]*")


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
    if sent is None and method not in ("GET", "HEAD"):
        lines["Content-Length"] = "0"
    given = {name.lower() for name in headers}
    lines = {name: value for name, value in lines.items() if name.lower() not in given}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a header that would not stay in its line")
        value.encode("latin-1")
        lines[name] = value
    origin = Origin("https", _host(parts), parts.port or 443)
    return Written(origin, method, _target(parts, query), lines, sent)


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    if "[" in parts.netloc:
        # No zone, and nothing between the bracket and the port.
        if "%" in name or parts.netloc.rpartition("]")[2][:1] not in ("", ":"):
            raise ValueError("not an address")
        return str(ip_address(name))
    if not name.isascii():
        import idna

        name = idna.encode(name, uts46=True).decode("ascii")
    if not _HOST.fullmatch(name):
        raise ValueError("not a host's name")
    return name


def _target(parts: SplitResult, query: Query | None) -> str:
    asked = urlencode(query) if query else ""
    path = _without_dots(parts.path) if "/." in parts.path else parts.path
    return target(path, f"{parts.query}&{asked}" if parts.query and asked else parts.query or asked)


def _without_dots(path: str) -> str:
    """RFC 3986 5.2.4: what is asked for is what was checked, whoever would resolve the dots."""
    kept: list[str] = []
    _, *segments = path.split("/")
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    return "/".join(["", *kept, *([""] if segments[-1] in (".", "..") else [])])


def _body(form: Mapping[str, str] | None, json: Any, body: bytes | str | None) -> tuple[bytes | None, str]:
    if form:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    if body:
        return body.encode() if isinstance(body, str) else body, ""
    if json is not None:
        return json_text.dumps(json, allow_nan=False).encode(), "application/json"
    return None, ""
