"""How the simulated Entra answers the app: by redirect, by a posted form, or with its JSON error."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, jsonify, make_response, render_template

# Plain RFC 6749 codes that the library answers without an AADSTS text of ours.
_CODES = {
    "invalid_request": 9002313,
    "invalid_grant": 70000,
    "invalid_client": 7000215,
    "invalid_scope": 70011,
    "unauthorized_client": 700016,
    "unsupported_grant_type": 70003,
    "unsupported_response_type": 700054,
    "access_denied": 65004,
    "login_required": 50058,
}


def redirection(redirect_uri: str, params: Mapping[str, str], response_mode: str | None) -> Response:
    """Send `params` to the app: in the query, or as a form that posts itself (`form_post`)."""
    if response_mode == "form_post":
        page = render_template("posting.html", action=redirect_uri, fields=params)
        return uncached(make_response(page))
    joint = "&" if "?" in redirect_uri else "?"
    response = Response(status=302)
    response.headers["Location"] = redirect_uri + joint + urlencode(params, quote_via=quote)
    return uncached(response)


def uncached(response: Response) -> Response:
    """Pages and answers of a sign-in are never kept."""
    response.headers["Cache-Control"] = "no-store"
    return response


# Texts of the library that mean something more precise to Entra than their OAuth code says.
_TEXTS = {
    "Missing 'client_id' parameter.": 900144,
    "The client does not exist on this server.": 700016,
}


def described(error: Any) -> str:
    """The error's text with an AADSTS code in front."""
    text = error.description or error.get_error_description() or "The request is not valid."
    if text in _TEXTS:
        return f"AADSTS{_TEXTS[text]}: {text}"
    return text if text.startswith("AADSTS") else f"AADSTS{_CODES.get(error.error, 90000)}: {text}"


def token_error(error: Any, now: datetime) -> Response:
    """The JSON that Entra's token endpoint answers."""
    response = error_envelope(error.error, described(error), now)
    response.status_code = error.status_code
    return response


def error_envelope(error: str, text: str, now: datetime) -> Response:
    """Entra's error object, status 400 unless the caller changes it."""
    codes = [int(code) for code in re.findall(r"^AADSTS(\d+)", text)]
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
    response = jsonify(
        error=error,
        error_description=f"{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
        error_codes=codes,
        timestamp=stamp,
        trace_id=trace,
        correlation_id=correlation,
    )
    response.status_code = 400
    return uncached(response)
