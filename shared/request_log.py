"""What the log says of a request: that it was answered, why not, and of a launch how long whom it waited for.

No query, no form, no person; an unexpected exception as its type and the places it passed, never its text.
"""

import re
import traceback
from typing import Literal
from urllib.parse import unquote

from shared import trace
from shared.connection import CONNECTION_ID
from shared.errors import Refusal
from shared.events import note
from shared.pages import Audience
from shared.web import Request, Response

type Leg = Literal["", "begin", "return", "account", "confirm", "wait"]
"""Of a launch: to the EHR, back from it, back from Microsoft 365, the page of both names, a wait's end."""

_CONNECTION = re.compile(CONNECTION_ID)


def told_request(request: Request, response: Response, reason: str, spent: float) -> None:
    """One line a request. ``spent``: milliseconds; ``reason``: ``-`` where nothing was refused."""
    note(
        "request",
        method=request.method,
        route=_route(request),
        status=response.status,
        reason=reason,
        duration_ms=round(spent),
        connection=_named(request),
    )


def told_failure(error: Exception, refusal: Refusal, reference: str, request: Request) -> None:
    """Says why a request was refused; ``reference`` is on the page that the person sees."""
    code, level = refusal.reason.code, refusal.reason.level
    if code != "internal-error":
        note("refused", level=level, reason=code, reference=reference, detail=refusal.detail)
        return
    surprised(error, _route(request), reference)


def surprised(error: Exception, where: str, reference: str = "") -> None:
    """Reports what nobody foresaw, by its type and the places it passed."""
    places = " < ".join(
        f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    )
    note("surprise", where=where, kind=type(error).__name__, reference=reference, places=places)


def told_leg(
    request: Request, response: Response, reason: str, spent: float, *, leg: Leg, audience: Audience
) -> None:
    """One leg of a launch, with whose the milliseconds were."""
    scope = trace.current() or trace.Scope("", "")
    note(
        "launch",
        connection=_named(request),
        side="patient" if audience == "patient" else "provider",
        leg=leg,
        reason=reason,
        status=response.status,
        duration_ms=round(spent),
        own_ms=round(max(0.0, spent - trace.others_ms(scope))),
        ehr_ms=round(trace.others_ms(scope, "ehr")),
        entra_ms=round(trace.others_ms(scope, "entra")),
        graph_ms=round(trace.others_ms(scope, "graph")),
    )


def _route(request: Request) -> str:
    """The path with its values taken out again: ``/launch/provider/{connection}``."""
    names = {value: f"{{{name}}}" for name, value in request.route.items() if value}
    return "/".join(names.get(unquote(part), part) for part in request.path[:200].split("/"))


def _named(request: Request) -> str:
    for value in request.route.values():
        if _CONNECTION.fullmatch(value or ""):
            return value
    return "-"
