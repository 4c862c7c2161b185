"""A call written down: where it goes, its headers and its body. Nothing in it can mean another request."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from shared.errors import AddressRefused

USER_AGENT = "Antesala/1"
_DEFAULTS = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
_FORM = "application/x-www-form-urlencoded"
# A backslash is a slash to some readers of addresses, and none to others.
_UNCLEAR = re.compile(r"[\x00-\x1f\x7f\\]")
_AUTHORITY = re.compile(r"[^:/?#]*://([^/?#]*)")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,254}}$)(?:{_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+\]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110 5.5, on one line and without spaces around it.
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)?")

type Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Written:
    """One request, ready to be sent."""

    host: str
    port: int
    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def split(url: str, service: str) -> Url:
    """The address in its parts, percent-encoded where need be; AddressRefused for none of https."""
    parts = Url()
    if not _UNCLEAR.search(url):
        try:
            parts = parse_url(url)
        except (LocationParseError, ValueError):
            parts = Url()
    if parts.scheme != "https" or not parts.host:
        raise AddressRefused(f"{service}: not an https address")
    authority = _AUTHORITY.match(url)
    if authority is None or "@" in authority[1]:
        raise AddressRefused(f"{service}: an address with a user in it")
    # Other readers of the same address would not decode its host.
    if "%" in authority[1] or not _HOST.fullmatch(parts.host):
        raise AddressRefused(f"{service}: not a host's name")
    return parts


def written(
    method: str,
    at: Url,
    query: Query | None,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None,
    json: Any,
    body: bytes | str | None,
) -> Written:
    """The request; ValueError if it cannot be written down."""
    sent, kind = _body(form, json, body)
    lines = {**_DEFAULTS, **({"Content-Type": kind} if kind else {})}
    given = {name.lower() for name in headers}
    lines = {name: value for name, value in lines.items() if name.lower() not in given}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a header that would not stay in its line")
        lines[name] = value
    asked = "&".join(filter(None, (at.query, urlencode(query) if query else "")))
    target = f"{at.path or '/'}?{asked}" if asked else at.path or "/"
    return Written(at.host or "", at.port or 443, method.upper(), target, lines, sent)


def _body(form: Mapping[str, str] | None, json: Any, body: bytes | str | None) -> tuple[bytes | None, str]:
    if form is not None:
        return urlencode(form).encode(), _FORM
    if json is not None:
        return dumps(json, allow_nan=False).encode(), "application/json"
    return (body.encode() if isinstance(body, str) else body), ""
