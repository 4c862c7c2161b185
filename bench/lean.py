"""``python -m bench.lean``: an EHR that takes AuditEvents and does nothing else, until SIGTERM.

So that write-back is bounded by the connector and the storage and not by a strict simulator: it believes any
token, reads no resource, and remembers when each visit was told of. ``GET /sandbox/log`` says so and forgets.
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sandbox.addresses import Addresses
from sandbox.simulator import run_until_told, sandbox_authority

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BASE = "/fhir"
_VISIT = re.compile(rb"appt-\d+")
_UPDATE = {
    "mode": "server",
    "resource": [{"type": "AuditEvent", "interaction": [{"code": "update"}], "updateCreate": True}],
}
_STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [_UPDATE]}


class LeanEhr:
    """The WSGI application."""

    def __init__(self, root: str) -> None:
        """`root`: its own address."""
        self._documents: dict[str, Any] = {
            f"{BASE}/metadata": _STATEMENT,
            f"{BASE}/.well-known/smart-configuration": {
                "issuer": f"{root}{BASE}",
                "authorization_endpoint": f"{root}/authorize",
                "token_endpoint": f"{root}/token",
                "jwks_uri": f"{root}/jwks",
                "capabilities": ["client-confidential-asymmetric"],
                "code_challenge_methods_supported": ["S256"],
            },
        }
        self._lock = threading.Lock()
        self._told: list[tuple[str, float]] = []

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, document = self._answer(method, path, body)
        start_response(f"{status} -", [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if method == "GET" and path in self._documents:
            return 200, self._documents[path]
        if path == "/token":
            return 200, {
                "access_token": "lean",
                "token_type": "bearer",
                "expires_in": 3600,
                "scope": "system/*.*",
            }
        if path.startswith(f"{BASE}/AuditEvent"):
            found = _VISIT.search(body)
            with self._lock:
                self._told.append((found[0].decode() if found else "", time.time()))
            return 201, {}
        if path == "/sandbox/log":
            with self._lock:
                told, self._told = self._told, []
            return 200, told
        if path == "/sandbox/count":
            return 200, len(self._told)
        return 404, {}


def main() -> int:
    """Serve it where Oracle's hospital would be."""
    at = Addresses.from_environ(os.environ)
    run_until_told(LeanEhr(at.oracle_tls_url), at.oracle_http, at.oracle_tls, sandbox_authority())
    return 0


if __name__ == "__main__":
    sys.exit(main())
