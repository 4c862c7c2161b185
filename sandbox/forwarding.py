"""A TLS door in front of an http server on this machine, for a host that has none of its own (Core Tools)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "date"})
_SECONDS = 230.0


def forwarder(target: str) -> "WSGIApplication":
    """An application that passes each request on to `target` (scheme, host and port) and its answer back."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                environ["REQUEST_METHOD"],
                target + environ["REQUEST_URI"],
                headers=_headers(environ),
                data=environ["wsgi.input"].read(),
                allow_redirects=False,
                timeout=_SECONDS,
                stream=True,
            )
            # Bytes as they came: a decoded body would no longer fit its Content-Encoding.
            body = answer.raw.read(decode_content=False)
        kept = [(name, text) for name, text in answer.raw.headers.items() if name.lower() not in _HOP_BY_HOP]
        start_response(f"{answer.status_code} {answer.reason}", kept)
        return [body]

    return app


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-"): value
        for key, value in environ.items()
        if key.startswith("HTTP_") and key[5:].lower() not in _HOP_BY_HOP
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers
