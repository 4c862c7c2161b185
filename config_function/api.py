"""The JSON API of the portal: the same operations, by bearer token or by the portal's session (design 4.7).

Approving is not here, because it needs the approver's browser. Who calls: ``config_function.api_requests``.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from config_function import fields
from config_function.access import Caller, View, may_search
from config_function.api_requests import Callers, body_of, connection_of, if_match
from config_function.beginning import COPY, ENVIRONMENTS, MEMBERS, new_connection
from config_function.connections import version_of
from config_function.desk import Desk
from config_function.kinds import KINDS
from config_function.names import LONGEST, NO_NAME, NO_PERSON, SHORTEST
from config_function.openapi import openapi
from config_function.records import Record, documents, records, registration
from shared.connection import Approved, EhrKind, Revision
from shared.errors import FieldRefusal, OutsideError, Refusal
from shared.texts import Text
from shared.web import Request, Response, json_response

PEOPLE_FOUND = 10


class Api:
    """One method an operation; each takes the request and gives the answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._callers = Callers(desk)

    def document(self, _: Request) -> Response:
        """The OpenAPI 3.1 document; open to anybody, it holds nothing of anybody's."""
        return json_response(openapi(self._desk.settings.public_url)).with_headers(
            Cache_Control="public, max-age=300"
        )

    def health(self, request: Request) -> Response:
        """How the app itself is doing, for monitors; 503 where something of it has failed."""
        caller = self._caller(request)
        if not (caller.admin or caller.reader):
            raise Refusal("not-allowed")
        report = self._desk.deep_check.report(caller.tenant, lambda: self._desk.connections.all(caller))
        return json_response(report.document(), report.status)

    def everything(self, request: Request) -> Response:
        """Every connection that the caller may see."""
        views = self._desk.connections.all(self._caller(request))
        return json_response({"connections": [connection_document(view) for view in views]})

    def create(self, request: Request) -> Response:
        """A new connection; its base is looked at first."""
        caller = self._caller(request)
        body = body_of(request, (*MEMBERS, COPY, "settings"))
        new = new_connection(body, self._desk.settings)
        view = self._desk.connections.create(caller, new, _settings(body))
        where = f"/config/api/connections/{view.connection.id}"
        return _answer(view, 201).with_headers(Location=where)

    def get(self, request: Request) -> Response:
        """One connection, with the version to change it under as its ETag."""
        return _answer(self._view(request, self._caller(request)))

    def put(self, request: Request) -> Response:
        """Changes settings; a setting that is left out keeps its value."""
        caller, version = self._caller(request), if_match(request)
        body = body_of(request, ("settings",))
        view = self._desk.connections.edit(caller, connection_of(request), version, _settings(body))
        return _answer(view)

    def submit(self, request: Request) -> Response:
        """Asks the approver."""
        caller, version = self._caller(request), if_match(request)
        return _answer(self._desk.connections.submit(caller, connection_of(request), version))

    def reject(self, request: Request) -> Response:
        """Sends the newest revision back with a reason; the approver's own doing."""
        caller = self._caller(request)
        body = body_of(request, ("number", "reason"))
        number, reason = fields.whole(body.get("number")), body.get("reason")
        if number is None or not isinstance(reason, str):
            raise FieldRefusal({"number": Text("A whole number."), "reason": Text("A text.")})
        return _answer(self._desk.connections.reject(caller, connection_of(request), number, reason))

    def records(self, request: Request) -> Response:
        """The integration records of the approved revision; none while there is none."""
        view = self._view(request, self._caller(request))
        rows: tuple[Record, ...] = ()
        if view.approved is not None:
            rows = records(self._desk.addresses, Approved(view.connection, view.approved))
        listed = {"revision": view.connection.approved, "records": documents(rows)}
        return _named(request, {"connection": view.connection.id, **listed}, "records")

    def registration(self, request: Request) -> Response:
        """What to register in the EHR, from the newest revision."""
        view = self._view(request, self._caller(request))
        rows = registration(self._desk.addresses, view.connection, view.latest)
        listed = {"revision": view.latest.number, "registration": documents(rows)}
        return _named(request, {"connection": view.connection.id, **listed}, "registration")

    def checks(self, request: Request) -> Response:
        """What can be checked, for a monitor that runs each check by itself."""
        view = self._view(request, self._caller(request))
        translate = self._desk.pages.translate(request)
        planned = [
            {"probe": one.probe.name, "person": one.person, "label": translate(one.probe.label)}
            for one in self._desk.checks.plan(view)
        ]
        listed = {"revision": view.latest.number, "checks": planned}
        return json_response({"connection": view.connection.id, **listed})

    def check(self, request: Request) -> Response:
        """One probe's verdict."""
        caller = self._caller(request, reading=True)
        body = body_of(request, ("person",)) if request.body else {}
        person = body.get("person", "")
        if not isinstance(person, str):
            raise FieldRefusal({"person": NO_PERSON})
        view = self._view(request, caller)
        verdict = self._desk.checks.run(caller, view, request.route.get("probe", ""), person)
        return json_response(verdict.document(self._desk.pages.translate(request)))

    def inspect_base(self, request: Request) -> Response:
        """Looks at a FHIR base before a connection is made of it."""
        caller = self._caller(request)
        if not caller.admin:
            raise Refusal("not-allowed")
        body = body_of(request, ("fhir_base", "kind", "environment"))
        base, kind, environment = body.get("fhir_base"), body.get("kind", "fhir"), body.get("environment", "")
        if not isinstance(base, str) or len(base) > 500:
            raise FieldRefusal({"fhir_base": Text("A text of up to 500 characters.")})
        if not isinstance(kind, str) or kind not in KINDS:
            raise FieldRefusal({"kind": Text("Choose one of: %(choices)s.", choices=", ".join(KINDS))})
        if not isinstance(environment, str) or environment not in ("", *dict(ENVIRONMENTS)):
            raise FieldRefusal(
                {"environment": Text("Choose one of: %(choices)s.", choices="test, production")}
            )
        known: EhrKind = KINDS[cast("EhrKind", kind)].kind
        report = self._desk.bases.inspect(base, known, environment)
        return json_response(report.document(self._desk.pages.translate(request)))

    def search_people(self, request: Request) -> Response:
        """People of the caller's own directory whose name begins with the text; nothing of it is kept."""
        caller = self._caller(request)
        if not may_search(caller, lambda: self._desk.connections.all(caller)):
            raise Refusal("not-allowed")
        text = request.query.get("q", "").strip()
        if not SHORTEST <= len(text) <= LONGEST:
            raise FieldRefusal({"q": NO_NAME})
        try:
            found = self._desk.people.search(caller.tenant, text, PEOPLE_FOUND)
        except OutsideError as error:
            raise Refusal("directory-unavailable", type(error).__name__) from error
        return json_response({"people": [asdict(somebody) for somebody in found]})

    def _view(self, request: Request, caller: Caller) -> View:
        return self._desk.connections.load(caller, connection_of(request))

    def _caller(self, request: Request, *, reading: bool = False) -> Caller:
        return self._callers.of(request, reading=reading)


def connection_document(view: View) -> dict[str, Any]:
    """A connection as the API shows it."""
    connection = view.connection
    return {
        "id": connection.id,
        "environment": connection.environment,
        "kind": connection.kind,
        "region": connection.region,
        "fhir_base": connection.fhir_base,
        "copied_from": connection.copied_from,
        "created_at": connection.created_at,
        "version": version_of(view),
        "latest": _revision_document(view.latest),
        "approved": _revision_document(view.approved) if view.approved is not None else None,
    }


def _revision_document(revision: Revision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "state": revision.state,
        "settings": fields.settings(revision),
        "endpoints": asdict(revision.endpoints),
        "proof": asdict(revision.proof),
        "rejected_because": revision.rejected_because,
        "changed_by": revision.changed_by,
        "changed_at": revision.changed_at,
    }


def _answer(view: View, status: int = 200) -> Response:
    return json_response(connection_document(view), status).with_headers(ETag=f'"{version_of(view)}"')


def _named(request: Request, document: dict[str, Any], name: str) -> Response:
    """The document; as a file to keep where ``download=1`` asks for one."""
    response, wanted = json_response(document), request.query.get("download", "")
    if not wanted:
        return response
    if wanted != "1":
        raise FieldRefusal({"download": Text("Choose one of: %(choices)s.", choices="1")})
    file = f"antesala-{document['connection']}-{name}.json"
    return response.with_headers(Content_Disposition=f'attachment; filename="{file}"')


def _settings(body: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = body.get("settings", {})
    if not isinstance(settings, dict):
        raise FieldRefusal({"settings": Text("An object of settings by name.")})
    return settings
