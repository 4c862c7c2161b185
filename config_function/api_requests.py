"""Who calls the JSON API and what they sent (design 4.7).

Bearer tokens are Entra's for this app; a program's token may only read, and so may a person's
without the scope to write. Requests that ride on the portal's
session cookie are checked for where they come from.
"""

import json
from collections.abc import Mapping
from typing import Any

from config_function.access import Caller, caller_of
from config_function.desk import Desk
from shared.edge import refuse_cross_site
from shared.errors import FieldRefusal, Refusal
from shared.texts import Text
from shared.web import Request

# The delegated scope without which a person's token only reads, whatever else it was granted.
WRITE_SCOPE = "Connector.ReadWrite"


class Callers:
    """Tells callers by their token, else by the portal's session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def of(self, request: Request, *, reading: bool = False) -> Caller:
        """Who calls, and that they may call in this way; ``reading``: a POST that changes nothing of ours."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not token.strip():
                raise Refusal("not-signed-in", "scheme")
            return self._bearer(token.strip(), reading or request.method in ("GET", "HEAD"))
        session = self._desk.sign_in.session(request)
        if session is None or not self._desk.sign_in.current(session):
            raise Refusal("not-signed-in")
        if request.method not in ("GET", "HEAD"):
            refuse_cross_site(request, self._desk.settings.public_url)
        return session.caller

    def _bearer(self, token: str, reading: bool) -> Caller:
        found = self._desk.entra.verify_api_token(token)
        caller = caller_of(
            found.tid, found.oid, found.roles, found.wids, guest=found.guest, program=found.app_only
        )
        if caller.program and not (reading and (caller.admin or caller.reader)):
            raise Refusal("not-allowed", "program")
        if not caller.program and not reading and WRITE_SCOPE not in found.scopes:
            raise Refusal("not-allowed", "scope")
        return caller


def connection_of(request: Request) -> str:
    """The connection's id that the address names."""
    return request.route.get("connection", "")


def if_match(request: Request) -> str:
    """The version that the caller saw (RFC 9110 section 13.1.1); FieldRefusal where it is not given."""
    version = request.header("if-match").strip().removeprefix("W/").strip('"')
    if not version:
        raise FieldRefusal({"If-Match": Text("Send the ETag of the version you changed.")})
    return version


def body_of(request: Request, members: tuple[str, ...]) -> Mapping[str, Any]:
    """The JSON object that was sent; only members that the operation knows."""
    if request.header("content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("media-type")
    try:
        body = json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal("body-invalid") from error
    if not isinstance(body, dict):
        raise Refusal("body-invalid", "no object")
    unknown = [name for name in body if name not in members]
    if unknown:
        nothing = Text("There is no member of this name.")
        raise FieldRefusal(dict.fromkeys((name[:64] for name in unknown[:20]), nothing))
    return body
