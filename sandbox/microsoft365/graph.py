"""The simulated Microsoft Graph: what every request goes through, and its routes.

Below `/graph/v1.0` and `/graph/beta`, TLS only. A request is answered in this order: the failure modes
(delay, 429, 503), the bearer token (signature, audience, time), the operation's permission, the operation.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, jsonify, request

from sandbox.microsoft365.doors import tls_only
from sandbox.microsoft365.errors import GraphError, bad_request, envelope, new_request_id
from sandbox.microsoft365.tokens import TokenError
from sandbox.microsoft365.world import World

Answer = tuple[int, dict[str, Any] | None]


@dataclass(frozen=True)
class Caller:
    """Who calls, by the access token: an app alone (`oid` None), or an app for a person."""

    tenant: str
    app: str
    oid: str | None
    permissions: frozenset[str]
    version: str

    def needs(self, *anyone_of: str) -> None:
        """Raise a 403 unless an app-only caller holds one of the application permissions."""
        if self.oid is not None:
            raise GraphError(403, "Forbidden", "Delegated access is not offered by this simulator here.")
        if not self.permissions.intersection(anyone_of):
            raise GraphError(403, "Forbidden", _missing(anyone_of))

    def needs_directory(self, *anyone_of: str) -> None:
        """The same in the words of the directory."""
        if not self.permissions.intersection(anyone_of):
            text = "Insufficient privileges to complete the operation."
            raise GraphError(403, "Authorization_RequestDenied", text)


Operation = Callable[..., Answer]


class Graph:
    """Routes of the simulated Graph over `world`."""

    def __init__(self, app: Flask, world: World) -> None:
        self._app, self.world = app, world
        app.add_url_rule(
            "/graph/<path:rest>", "graph", tls_only(self._unknown), methods=["GET", "POST", "PATCH", "DELETE"]
        )

    def route(self, method: str, path: str, name: str, operation: Operation) -> None:
        """Serve `operation(caller, **path values)` under both versions; `name` is for failure modes."""

        def view(version: str, **values: str) -> Response:
            return self._answer(name, version, lambda caller: operation(caller, **values))

        rule = f"/graph/<any('v1.0','beta'):version>{path}"
        self._app.add_url_rule(rule, f"graph {method} {path}", tls_only(view), methods=[method])

    def _answer(self, name: str, version: str, run: Callable[[Caller], Answer]) -> Response:
        request_id = new_request_id()
        try:
            with self.world.taking(name):
                self._strike(name)
                status, body = run(self._caller(version))
            response = jsonify(body) if body is not None else Response(status=status)
            response.status_code = status
        except GraphError as error:
            response = self._error(error, request_id)
        response.headers["request-id"] = request_id
        if given := request.headers.get("client-request-id"):
            response.headers["client-request-id"] = given
        return response

    def _strike(self, name: str) -> None:
        only = self.world.failures.throttle_operation
        if only and only != name:
            return
        after = self.world.failures.retry_after
        headers = {} if after is None else {"Retry-After": after}
        if self.world.strikes("throttle"):
            raise GraphError(429, "TooManyRequests", "Too many requests. Please try later.", headers)
        if self.world.strikes("unavailable"):
            raise GraphError(503, "ServiceUnavailable", "The service is unavailable.", headers)

    def _caller(self, version: str) -> Caller:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("Access token is empty.")
        try:
            claims = self.world.keyring.verify(token.strip())
        except TokenError as error:
            raise _unauthenticated(str(error)) from None
        if claims.get("aud") != self.world.graph:
            raise _unauthenticated("Access token validation failure. Invalid audience.")
        app_only = claims.get("idtyp") == "app"
        granted = claims.get("roles", []) if app_only else str(claims.get("scp", "")).split()
        oid = None if app_only else claims.get("oid")
        return Caller(claims["tid"], claims["appid"], oid, frozenset(granted), version)

    def _error(self, error: GraphError, request_id: str) -> Response:
        client = request.headers.get("client-request-id")
        response = jsonify(envelope(error, request_id, client, self.world.clock()))
        response.status_code = error.status
        response.headers.update(error.headers)
        return response

    def _unknown(self, rest: str) -> Response:
        segment = rest.rsplit("/", maxsplit=1)[-1] if rest else ""
        error = bad_request(f"Resource not found for the segment '{segment}'.")
        return self._answer("unknown", "v1.0", lambda _: _raise(error))


def body_of_request() -> object:
    """The request's JSON; a 400 if there is none."""
    if request.mimetype != "application/json":
        raise bad_request("Write requests must contain the Content-Type header declaration application/json.")
    found: object = request.get_json(silent=True)
    if found is None:
        raise bad_request("Unable to read JSON request payload.")
    return found


def _unauthenticated(message: str) -> GraphError:
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": "Bearer"})


def _missing(anyone_of: Iterable[str]) -> str:
    return f"Missing role permissions on the request. API requires one of '{', '.join(sorted(anyone_of))}'."


def _raise(error: GraphError) -> Answer:
    raise error
