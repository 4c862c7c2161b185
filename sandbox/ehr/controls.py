"""What tests and the visit player ask of a hospital: register, launch, look at the record. TLS port only."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.ehr import doors
from sandbox.ehr.begin import CannotBegin, begin
from sandbox.ehr.statuses import CannotSet, appointments_state, set_status
from sandbox.ehr.world import World
from sandbox.recorder import CONTROLS


def controls(world: World) -> Blueprint:
    """`PUT /sandbox/registration`, `POST /sandbox/launch`, `POST /sandbox/status`; the rest: recorder's."""
    routes = Blueprint("controls", __name__, url_prefix=CONTROLS.rstrip("/"))
    doors.only_servers(routes)

    @routes.put("/registration")
    def register() -> Response | tuple[Response, int]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict):
            return jsonify({"error": "expected a JSON object"}), 400
        try:
            world.registry.put(wanted)
        except ValueError as error:
            return jsonify({"error": str(error)}), 400
        return jsonify(world.registry.as_json())

    @routes.post("/launch")
    def launch() -> Response | tuple[Response, int]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict) or not set(wanted) <= {"as", "visit", "side", "group"}:
            return jsonify({"error": "expected as, visit, side, group"}), 400
        try:
            url = begin(
                world,
                str(wanted.get("as", "")),
                str(wanted.get("visit", "")),
                wanted.get("side"),
                wanted.get("group"),
            )
        except CannotBegin as error:
            return jsonify({"error": str(error)}), error.status
        return jsonify({"url": url})

    _add_status(routes, world)
    return routes


def _add_status(routes: Blueprint, world: World) -> None:
    @routes.post("/status")
    def status() -> Response | tuple[Response, int]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict) or set(wanted) != {"as", "appointment", "status"}:
            return jsonify({"error": "expected as, appointment, status"}), 400
        try:
            set_status(world, *(str(wanted[name]) for name in ("as", "appointment", "status")))
        except CannotSet as error:
            return jsonify({"error": str(error)}), error.status
        return jsonify(appointments_state(world)[str(wanted["appointment"])])


def state(world: World) -> dict[str, Any]:
    """The record: per visit and person the transitions; appointments, registration, AuditEvents."""
    visits: dict[str, dict[str, list[dict[str, str]]]] = {visit.key: {} for visit in world.hospital.visits}
    for one in world.record.connections():
        entry = {"status": one.status, "at": _instant(one.at), "received": _instant(one.received)}
        visits.setdefault(one.visit, {}).setdefault(one.person, []).append(entry)
    return {
        "hospital": world.hospital.kind,
        "visits": visits,
        "appointments": appointments_state(world),
        "registration": world.registry.as_json(),
        "audit_events": world.record.audit_events(),
    }


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
