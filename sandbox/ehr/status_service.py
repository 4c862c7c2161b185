"""The Epic-like connection status service, SetExternalConnectionStatus (ehr.md 2.6).

What is known of the real one comes from a single public sample; here it takes a POST form or a GET query,
wants the backend client's token and its `Epic-Client-ID`, and refuses whatever it does not know. Success has
no body.
"""

from collections.abc import Mapping

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, jsonify, request

from sandbox.ehr import doors
from sandbox.ehr.access import Access, Forbidden
from sandbox.ehr.people import Person, Visit
from sandbox.ehr.record import Connection, Status
from sandbox.ehr.world import World

_PARAMETERS = ("ConferenceID", "ExternalID", "ExternalIDType", "VendorName", "ConnectionStatus")
_STAFF_TYPE, _PATIENT_TYPE = "1", "2"
_STATUS: Mapping[str, Status] = {"1": "connected", "2": "disconnected"}


class Refusal(Exception):
    """An HTTP status, the service's upper-case code and words."""

    def __init__(self, status: int, code: str, text: str) -> None:
        """Shown to the caller as is."""
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def status_service(world: World, access: Access) -> Blueprint:
    """The service at its one path."""
    routes = Blueprint("status_service", __name__)
    doors.only_servers(routes)
    routes.register_error_handler(Refusal, _answer_refusal)

    @routes.route(world.hospital.status_path, methods=list(world.hospital.status_methods))
    def set_external_connection_status() -> Response:
        forced = _forced(world)
        if forced is not None:
            return forced
        _check_caller(access)
        world.record.add(_connection(world, _values()))
        return Response(status=200)

    return routes


def _forced(world: World) -> Response | None:
    failures = world.failures
    status = 503 if failures.status_service_down else failures.status_service_status
    if status is None:
        return None
    answer = Response(status=status)
    if status in (429, 503) and failures.status_service_retry_after is not None:
        answer.headers["Retry-After"] = str(failures.status_service_retry_after)
    return answer


def _check_caller(access: Access) -> None:
    try:
        token = access.token()
    except OAuth2Error as error:
        raise Refusal(401, "NOT-AUTHENTICATED", str(error)) from error
    except Forbidden as error:
        raise Refusal(403, "CLIENT-ID", str(error)) from error
    if token.side != "backend":
        raise Refusal(403, "NOT-AUTHORIZED", "Only the backend client may report connection status.")


def _values() -> dict[str, str]:
    """The five parameters, each once, in the form of a POST or the query of a GET, and no others."""
    source, other = (request.args, request.form) if request.method == "GET" else (request.form, request.args)
    if other:
        raise Refusal(400, "MIXED-PARAMETERS", "Parameters go in the query of a GET or the form of a POST.")
    if unknown := [name for name in source if name not in _PARAMETERS]:
        raise Refusal(400, "UNKNOWN-PARAMETER", f"{unknown[0]} is not a parameter of this service.")
    for name in _PARAMETERS:
        if len(source.getlist(name)) != 1 or not source[name].strip():
            raise Refusal(400, f"NO-{name.upper()}", f"{name} is required, once.")
    return {name: source[name] for name in _PARAMETERS}


def _connection(world: World, values: dict[str, str]) -> Connection:
    visit = _visit(world, values["ConferenceID"])
    person = _person(world, values["ExternalID"], values["ExternalIDType"])
    if person.kind != "staff" and (person.proxy_for or person.login) not in visit.contacts:
        raise Refusal(400, "INVALID-EXTERNALID", "The person has no part in this conference.")
    status = _STATUS.get(values["ConnectionStatus"])
    if status is None:
        raise Refusal(
            400, "INVALID-CONNECTIONSTATUS", "ConnectionStatus is 1 (connected) or 2 (disconnected)."
        )
    now = world.clock()
    return Connection(visit.key, person.login, status, now, now)


def _visit(world: World, conference: str) -> Visit:
    for visit in world.hospital.visits:
        csns = {contact.csn for contact in visit.contacts.values()}
        if conference == visit.conference_id or conference in csns:
            return visit
    raise Refusal(404, "INVALID-CONFERENCEID", "No conference of this id.")


def _person(world: World, external_id: str, id_type: str) -> Person:
    if id_type not in (_STAFF_TYPE, _PATIENT_TYPE):
        raise Refusal(400, "INVALID-EXTERNALIDTYPE", "ExternalIDType is 1 (user) or 2 (patient).")
    side = "provider" if id_type == _STAFF_TYPE else "patient"
    for person in world.hospital.people:
        if person.ehr_id == external_id and person.side == side:
            return person
    raise Refusal(400, "INVALID-EXTERNALID", "No person of this id and type.")


def _answer_refusal(error: Refusal) -> tuple[Response, int]:
    detail = f"An error occurred while executing the command: {error.code} details: {error.text}"
    answer = jsonify({"Message": "An error has occurred.", "ExceptionMessage": detail})
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer, error.status
