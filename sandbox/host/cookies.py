"""Cookies as they leave the Functions host.

The worker library parses each ``Set-Cookie`` with `http.cookies` and hands the host a message; the host
writes it anew with ASP.NET Core's ``Cookies.Append``: the value percent-encoded, attributes in ASP.NET's
spelling. A cookie that the parser did not understand (``Partitioned``, a space or JSON in the value) never
reaches the host at all.
"""

from datetime import UTC, datetime
from urllib.parse import quote

from sandbox.host.protocol import Message, RpcHttpCookie

_SAME_SITE = {
    RpcHttpCookie.SameSite.Lax: "lax",
    RpcHttpCookie.SameSite.Strict: "strict",
    RpcHttpCookie.SameSite.ExplicitNone: "none",
}


def set_cookie(cookie: Message) -> str:
    """The value of the ``Set-Cookie`` header that the host writes for the worker's `cookie`."""
    parts = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires is not None:
        parts.append(f"expires={_http_date(cookie.expires.value)}")
    if cookie.max_age is not None:
        parts.append(f"max-age={int(cookie.max_age.value)}")
    if cookie.domain is not None and cookie.domain.value:
        parts.append(f"domain={cookie.domain.value}")
    path = cookie.path.value if cookie.path is not None else ""
    parts.append(f"path={path or '/'}")
    if cookie.secure is not None and cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in _SAME_SITE:
        parts.append(f"samesite={_SAME_SITE[cookie.same_site]}")
    if cookie.http_only is not None and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)


def _http_date(timestamp: Message) -> str:
    moment = datetime.fromtimestamp(timestamp.seconds, UTC)
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
