"""The FHIR R4 API: metadata, read and search; AuditEvent or Appointment PATCH where the hospital takes it.

Errors are OperationOutcomes. An unknown search parameter is an error, not ignored.
"""

import json
import secrets
from collections.abc import Iterable

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, request

from sandbox.ehr import doors
from sandbox.ehr.access import Access, Forbidden, may_see, require_scope
from sandbox.ehr.appointment_api import AppointmentPatches
from sandbox.ehr.audit import ID, InvalidEvent, check_event, connections_of
from sandbox.ehr.capability import capability_statement, searchable
from sandbox.ehr.queries import criteria, matches
from sandbox.ehr.refusal import Refusal
from sandbox.ehr.resources import Resource, patient_id, resources
from sandbox.ehr.tokens import AccessToken
from sandbox.ehr.world import World

NOTHING_FOUND = "4101"
_FORMATS = ("application/fhir+json", "application/json")


def fhir_api(world: World, access: Access) -> Blueprint:
    """Everything below the FHIR base but discovery."""
    routes = Blueprint("fhir", __name__, url_prefix=world.hospital.fhir_path)
    doors.only_servers(routes)
    api = _Api(world, access)
    routes.before_request(api.refuse_when_down)
    routes.register_error_handler(Refusal, _outcome)
    routes.add_url_rule("/metadata", "metadata", api.metadata)
    routes.add_url_rule("/<kind>/<name>", "read", api.read, methods=["GET"])
    routes.add_url_rule("/<kind>", "search", api.search, methods=["GET"])
    if world.hospital.audit_events:
        routes.add_url_rule("/AuditEvent", "create", api.create_event, methods=["POST"])
        routes.add_url_rule("/AuditEvent/<name>", "update", api.update_event, methods=["PUT"])
    if world.hospital.moves_appointments:
        routes.add_url_rule("/Appointment/<name>", "patch", api.patch_appointment, methods=["PATCH"])
    routes.add_url_rule("/<kind>", "no-type", _unsupported, methods=["POST", "PUT", "PATCH", "DELETE"])
    routes.add_url_rule("/<kind>/<name>", "no-one", _unsupported, methods=["POST", "PUT", "PATCH", "DELETE"])
    return routes


class _Api:
    def __init__(self, world: World, access: Access) -> None:
        self._world = world
        self._access = access
        self._patches = AppointmentPatches(world)

    def refuse_when_down(self) -> None:
        failures = self._world.failures
        if failures.fhir_down:
            wait = failures.status_service_retry_after
            headers = [("Retry-After", str(wait))] if wait is not None else []
            raise Refusal(503, "transient", "The service is unavailable.", headers)

    def metadata(self) -> Response:
        return _json(capability_statement(self._world.hospital))

    def read(self, kind: str, name: str) -> Response:
        token = self._token(kind, "r")
        if kind == "AuditEvent" and self._world.hospital.audit_events:
            return self._read_event(name)
        found = next((one for one in self._of(kind) if one["id"] == name), None)
        if found is None:
            raise Refusal(404, "not-found", f"There is no {kind} of this id.")
        if not may_see(token, kind, "r", patient_id(found)):
            raise Refusal(403, "forbidden", "The resource is not in the token's patient compartment.")
        version = found.get("meta", {}).get("versionId")
        return _with_etag(_json(found), version) if version else _json(found)

    def search(self, kind: str) -> Response:
        token = self._token(kind, "s")
        everything = list(self._of(kind))
        wanted = criteria(kind, searchable(self._world.hospital)[kind])
        patient = dict(wanted).get("patient", "").removeprefix("Patient/")
        if patient and not may_see(token, kind, "s", patient):
            raise Refusal(403, "forbidden", "The search reaches beyond the token's patient compartment.")
        found = [
            one
            for one in everything
            if may_see(token, kind, "s", patient_id(one)) and all(matches(one, *pair) for pair in wanted)
        ]
        return _json(self._bundle(found))

    def patch_appointment(self, name: str) -> Response:
        token = self._token("Appointment", "u")
        etag = self._patches.patch(name, token)
        # The answer to a patch is empty; what it made is known by its version.
        return Response(status=200, headers={"ETag": etag, "Cache-Control": "no-store"})

    def create_event(self) -> Response:
        self._token("AuditEvent", "c")
        return self._keep_event(self._checked_event(), secrets.token_hex(16))

    def update_event(self, name: str) -> Response:
        self._token("AuditEvent", "u")
        if not ID.fullmatch(name):
            raise Refusal(400, "value", "The id is not a FHIR id.")
        event = self._checked_event()
        if event.get("id") != name:
            raise Refusal(400, "value", "The id in the body must be the id in the URL.")
        return self._keep_event(event, name)

    def _token(self, kind: str, letter: str) -> AccessToken:
        try:
            token = self._access.token()
            require_scope(token, kind, letter)
        except OAuth2Error as error:
            raise Refusal(error.status_code, "login", str(error), _challenge(error)) from error
        except Forbidden as error:
            raise Refusal(403, "forbidden", str(error)) from error
        return token

    def _of(self, kind: str) -> Iterable[Resource]:
        if kind not in searchable(self._world.hospital):
            raise Refusal(404, "not-supported", "This resource type is not supported.")
        return resources(self._world, kind)

    def _checked_event(self) -> Resource:
        if request.mimetype not in _FORMATS:
            raise Refusal(415, "not-supported", "Send application/fhir+json.")
        try:
            return check_event(self._world, request.get_json(force=True, silent=True))
        except InvalidEvent as error:
            raise Refusal(422, "invalid", str(error)) from error

    def _keep_event(self, event: Resource, name: str) -> Response:
        kept = {key: value for key, value in event.items() if key != "meta"} | {"id": name}
        known = self._world.record.audit_event(name) is not None
        connections = connections_of(self._world, kept, self._world.clock())
        version = self._world.record.put_audit_event(kept, connections)
        answer = _json(_versioned(kept, version), 200 if known else 201)
        return _with_version(answer, f"{self._world.hospital.fhir_base}/AuditEvent/{name}", version)

    def _read_event(self, name: str) -> Response:
        found = self._world.record.audit_event(name)
        if found is None:
            raise Refusal(404, "not-found", "There is no AuditEvent of this id.")
        return _with_version(_json(_versioned(*found)), "", found[1])

    def _bundle(self, found: list[Resource]) -> Resource:
        base = self._world.hospital.fhir_base
        entries: list[Resource] = [
            {
                "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found
        ]
        if self._world.hospital.outcome_in_search:
            entries.append({"resource": _search_outcome(bool(found)), "search": {"mode": "outcome"}})
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        return (
            bundle
            | {"link": [{"relation": "self", "url": request.url}]}
            | ({"entry": entries} if entries else {})
        )


def _search_outcome(found: bool) -> Resource:
    if found:
        text, code = "Some data may be withheld.", "4119"
    else:
        text, code = "Resource request returns no results.", NOTHING_FOUND
    coding = {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369", "code": code, "display": text}
    issue = {"severity": "warning", "code": "processing", "details": {"coding": [coding], "text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _challenge(error: OAuth2Error) -> list[tuple[str, str]]:
    return [(name, value) for name, value in error.get_headers() if name.lower() == "www-authenticate"]


def _versioned(event: Resource, version: int) -> Resource:
    return event | {"meta": {"versionId": str(version)}}


def _with_etag(answer: Response, version: str) -> Response:
    answer.headers["ETag"] = f'W/"{version}"'
    return answer


def _with_version(answer: Response, url: str, version: int) -> Response:
    _with_etag(answer, str(version))
    if url:
        answer.headers["Location"] = f"{url}/_history/{version}"
    return answer


def _outcome(error: Refusal) -> Response:
    issue = {"severity": "error", "code": error.code, "diagnostics": error.text}
    answer = _json({"resourceType": "OperationOutcome", "issue": [issue]}, error.status)
    answer.headers.extend(error.headers)
    return answer


def _unsupported(**_path: str) -> Response:
    raise Refusal(405, "not-supported", f"{request.method} is not supported here.")


def _json(content: Resource, status: int = 200) -> Response:
    answer = Response(json.dumps(content), status, mimetype="application/fhir+json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
