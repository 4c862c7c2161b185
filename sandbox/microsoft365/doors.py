"""Which of the two doors a page or endpoint answers on: http for browsers, TLS for servers."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, jsonify, request

View = Callable[..., Any]


def tls_only(view: View) -> View:
    """Refuse a server-to-server endpoint over plain http: tokens never travel in the clear."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.scheme != "https":
            return refusal("This endpoint answers on the TLS port only.")
        return view(*args, **kwargs)

    return guarded


def browser_only(view: View) -> View:
    """Refuse a page on the TLS port: browsers do not trust the sandbox's certificate."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.scheme != "http":
            return refusal("This page is for browsers and answers on the http port only.")
        return view(*args, **kwargs)

    return guarded


def refusal(text: str) -> Response:
    """A 403 that says which door to take."""
    response = jsonify({"error": {"code": "WrongDoor", "message": text}})
    response.status_code = 403
    return response
