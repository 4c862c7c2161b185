"""Where requests come in and responses leave: what knows the Functions types and the safety headers.

    page(req, handler, audience=..., services=...)   errors become pages
    api(req, handler, services=...)                  errors become RFC 9457 problem documents

Policy:
- a query string over 16 KB, a body over 256 KB or more than 200 form fields is refused unread;
- every response forbids scripts, styles and frames from elsewhere, caching, sniffing and referrers,
  unless the handler set that header itself (``content_security_policy`` makes the header with exceptions);
- every cookie is ``__Host-``, Secure, HttpOnly, Path=/ (``shared.web.Cookie``);
- one log line a request: route, status, reason, milliseconds, connection. No query, no form, no person. A leg
  of a launch has another one, with whose the milliseconds were (``shared.events``).
- the chain that the lines belong to is the host's invocation's (``traced``), never one that a caller names.
- an unexpected exception is logged as its type and the places it passed, never its text: texts hold values.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import azure.functions as func

from shared import trace
from shared.clock import Clock, Entropy
from shared.errors import OutsideError, Refusal, SealError
from shared.pages import Audience, Pages
from shared.request_log import Leg, told_failure, told_leg, told_request
from shared.settings import Settings
from shared.web import Cookie, Request, Response

QUERY_LIMIT = 16 * 1024
BODY_LIMIT = 256 * 1024
FORM_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"

type Handler = Callable[[Request], Response]


_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "display-capture")
)


class Edge(Protocol):
    """What the edge needs of the wired services."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def pages(self) -> Pages: ...


def traced[R](trigger: Callable[[func.HttpRequest], R]) -> Callable[..., R]:
    """A trigger in the chain of the host's invocation, which only a parameter ``context`` brings along."""

    def invoked(req: func.HttpRequest, context: func.Context | None = None) -> R:
        given = context.trace_context.trace_parent if context is not None else ""
        with trace.entered(given or ""):
            return trigger(req)

    invoked.__name__, invoked.__doc__, invoked.__module__ = (
        trigger.__name__,
        trigger.__doc__,
        trigger.__module__,
    )
    # The worker reads this: it refuses a context of any other type than its own, an optional one included.
    invoked.__annotations__ = {**trigger.__annotations__, "context": func.Context}
    return invoked


def page(
    req: func.HttpRequest, handler: Handler, *, audience: Audience, services: Edge, leg: Leg = ""
) -> func.HttpResponse:
    """Answers a browser; whatever goes wrong becomes a page for this audience. ``leg``: of a launch."""

    def failed(request: Request, refusal: Refusal, reference: str) -> Response:
        return services.pages.failure(request, refusal, audience, reference)

    def launched(request: Request, response: Response, reason: str, spent: float) -> None:
        told_leg(request, response, reason, spent, leg=leg, audience=audience)

    return _answer(req, handler, failed, services, said=launched if leg else None)


def api(
    req: func.HttpRequest, handler: Handler, *, services: Edge, body_limit: int = BODY_LIMIT
) -> func.HttpResponse:
    """Answers a program; whatever goes wrong becomes a problem document. ``body_limit`` in bytes."""

    def failed(request: Request, refusal: Refusal, reference: str) -> Response:
        return services.pages.problem(request, refusal, reference)

    return _answer(req, handler, failed, services, body_limit)


def content_security_policy(
    *,
    form_action: tuple[str, ...] = ("'self'",),
    frame_ancestors: tuple[str, ...] = ("'none'",),
    connect: tuple[str, ...] = ("'self'",),
) -> str:
    """The header's value (CSP level 3) with exceptions for one page.

    ``form_action``: Chromium applies it to the redirects that follow a form as well, so a form whose
    answer leads to another origin must name that origin.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            f"connect-src {' '.join(connect)}",
            f"form-action {' '.join(form_action)}",
            f"frame-ancestors {' '.join(frame_ancestors)}",
            "base-uri 'none'",
        )
    )


def refuse_cross_site(request: Request, public_url: str) -> None:
    """Refusal ``cross-site`` unless a page of our own sent this changing request.

    ``Sec-Fetch-Site`` decides where the browser sends it (no page can forge it); else ``Origin`` must be
    ours. A request with neither is refused: every browser sends ``Origin`` with a POST.
    """
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    if site:
        # A page with the policy no-referrer sends Origin: null, even to itself.
        if site == "same-origin" and origin in ("", "null", public_url):
            return
        raise Refusal("cross-site", "sec-fetch-site")
    if origin != public_url:
        raise Refusal("cross-site", "origin")


def incoming(req: func.HttpRequest, body_limit: int = BODY_LIMIT) -> Request:
    """The Functions request as plain values; Refusal too-large over the limits of the module's docstring."""
    parts = urlsplit(req.url)
    body = req.get_body()
    headers = {name.lower(): value for name, value in req.headers.items()}
    if len(parts.query) > QUERY_LIMIT or len(body) > body_limit:
        raise Refusal("too-large")
    return Request(
        method=req.method.upper(),
        path=parts.path,
        query=dict(req.params),
        form=_form(headers.get("content-type", ""), body),
        headers=headers,
        cookies=_cookies(headers.get("cookie", "")),
        route=dict(req.route_params),
        body=body,
    )


def outgoing(response: Response, https: bool) -> func.HttpResponse:
    """A response with the headers no handler can forget, as the Functions type."""
    result = func.HttpResponse(
        body=response.body,
        status_code=response.status,
        headers={**_safety(https), **response.headers, "Content-Type": response.content_type},
        mimetype=response.content_type.partition(";")[0],
    )
    for cookie in response.cookies:
        result.headers.add("Set-Cookie", _set_cookie(cookie))
    return result


def _answer(
    req: func.HttpRequest,
    handler: Handler,
    failed: Callable[[Request, Refusal, str], Response],
    services: Edge,
    body_limit: int = BODY_LIMIT,
    said: Callable[[Request, Response, str, float], None] | None = None,
) -> func.HttpResponse:
    if trace.current() is None:
        with trace.entered():
            return _answer(req, handler, failed, services, body_limit, said)
    begun = services.clock.now()
    # Enough for a failure page even when the request itself cannot be read.
    request = Request(req.method.upper(), urlsplit(req.url).path, route=dict(req.route_params))
    reason = "-"
    try:
        request = incoming(req, body_limit)
        response = handler(request)
    except Exception as error:  # noqa: BLE001 - the outermost frame: an empty 500 would tell nobody anything
        refusal = _refusal(error)
        reference = services.entropy.token(6)
        reason = refusal.reason.code
        told_failure(error, refusal, reference, request)
        response = failed(request, refusal, reference).with_cookies(*refusal.cookies)
    spent = (services.clock.now() - begun).total_seconds() * 1000
    told_request(request, response, reason, spent)
    if said is not None:
        said(request, response, reason, spent)
    if request.method == "HEAD":
        response = replace(response, body=b"")
    return outgoing(response, services.settings.public_url.startswith("https:"))


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    # Doors say themselves what a silent EHR or Graph means; what arrives here is our own storage.
    if isinstance(error, OutsideError) and error.transient:
        return Refusal("storage-unavailable", type(error).__name__)
    if isinstance(error, SealError):
        return Refusal("parameter-invalid", type(error).__name__)
    return Refusal("internal-error", type(error).__name__)


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a posted form; a field sent more than once keeps its values joined by ``,``."""
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        return {}
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Refusal("parameter-invalid", "form") from error
    form: dict[str, str] = {}
    for name, value in pairs:
        form[name] = f"{form[name]},{value}" if name in form else value
    return form


def _cookies(header: str) -> dict[str, str]:
    """RFC 6265 section 5.4, read leniently; of two cookies with one name the first (longest path) counts."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name not in found:
            found[name] = unquote(value.strip('"'))
    return found


def _safety(https: bool) -> Mapping[str, str]:
    headers = {
        "Content-Security-Policy": content_security_policy(),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": _PERMISSIONS,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


def _set_cookie(cookie: Cookie) -> str:
    if not cookie.name.startswith("__Host-"):
        raise ValueError(f"cookie {cookie.name} lacks the __Host- prefix")
    return (
        f"{cookie.name}={cookie.value}; Max-Age={cookie.max_age}; Path=/; Secure; HttpOnly; "
        f"SameSite={cookie.same_site}"
    )
