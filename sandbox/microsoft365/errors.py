"""Errors of the simulated Graph in Graph's own envelope (graph.md 1.6)."""

import uuid
from datetime import datetime
from typing import Any


class GraphError(Exception):
    """An answer other than success: HTTP status, `error.code`, message, and headers if any."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def bad_request(message: str) -> GraphError:
    """400: the body or the query breaks a rule."""
    return GraphError(400, "BadRequest", message)


def no_meeting() -> GraphError:
    """404: unknown or expired meeting."""
    return GraphError(404, "NotFound", "3004: Specified meeting is not found.")


def envelope(
    error: GraphError, request_id: str, client_request_id: str | None, now: datetime
) -> dict[str, Any]:
    """The JSON body that carries `error`."""
    inner = {
        "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": client_request_id or request_id,
    }
    return {"error": {"code": error.code, "message": error.message, "innerError": inner}}


def new_request_id() -> str:
    """A fresh value for the `request-id` header."""
    return str(uuid.uuid4())
