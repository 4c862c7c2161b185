"""AuditEvents of a plain FHIR R4 hospital: checked as a validating server does, read for who is connected."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sandbox.ehr.people import Visit
from sandbox.ehr.record import UNATTRIBUTED, Connection, Status
from sandbox.ehr.resources import resources
from sandbox.ehr.world import World

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
# Our own codes, and DICOM's attach and detach, the nearest standard ones (ehr.md 4.1).
_STATUS: dict[str, Status] = {
    "participant-connected": "connected",
    "participant-disconnected": "disconnected",
    "110124": "connected",
    "110125": "disconnected",
}
_LOCAL = ("Patient", "Practitioner", "RelatedPerson", "Appointment", "Encounter")


class InvalidEvent(Exception):
    """The AuditEvent breaks a rule of the specification or refers to nothing; the text says which."""


def check_event(world: World, event: object) -> dict[str, Any]:
    """The event itself when it is a valid R4 AuditEvent whose local references exist; else `InvalidEvent`."""
    # A slow import, and only where AuditEvents are written.
    from fhir.resources.R4B.auditevent import AuditEvent
    from pydantic import ValidationError

    if not isinstance(event, dict) or event.get("resourceType") != "AuditEvent":
        raise InvalidEvent("the body is not an AuditEvent")
    if empty := list(_empty_members(event, "AuditEvent")):
        raise InvalidEvent(f"{empty[0]} is empty or null")
    try:
        AuditEvent.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidEvent(f"AuditEvent.{where}: {first['msg']}") from error
    _check_codes(event)
    for reference in _references(event):
        _check_reference(world, reference)
    return event


def connections_of(world: World, event: dict[str, Any], received: float) -> Iterator[Connection]:
    """What a valid event says about presence: nothing, or one transition in each visit that it names."""
    codes = [one.get("code", "") for one in [*event.get("subtype", []), event["type"]]]
    status = next((_STATUS[code] for code in codes if code in _STATUS), None)
    if status is None:
        return
    for visit in {visit.key: visit for visit in visits_of(world, event)}.values():
        yield Connection(visit.key, _person(world, event), status, _moment(event, status), received)


def visits_of(world: World, event: dict[str, Any]) -> Iterator[Visit]:
    """The visits that an event names."""
    for entity in event.get("entity", []):
        reference = entity.get("what", {}).get("reference", "").removeprefix(world.hospital.fhir_base + "/")
        kind, _, name = reference.partition("/")
        visit = world.hospital.visit(name) if kind in ("Appointment", "Encounter") else None
        if visit is not None:
            yield visit


def _person(world: World, event: dict[str, Any]) -> str:
    agents = sorted(event["agent"], key=lambda one: not one["requestor"])
    references = [one.get("who", {}).get("reference", "") for one in agents]
    people = [world.hospital.person_by_reference(one) for one in references if one]
    return next((one.login for one in people if one), UNATTRIBUTED)


def _moment(event: dict[str, Any], status: Status) -> float:
    period = event.get("period", {})
    text = period.get("start" if status == "connected" else "end") or event["recorded"]
    return datetime.fromisoformat(text).timestamp()


def _check_codes(event: dict[str, Any]) -> None:
    # The models do not enforce required bindings (ehr.md 5.4).
    if event.get("action", "E") not in tuple("CRUDE"):
        raise InvalidEvent("AuditEvent.action: not one of C R U D E")
    if event.get("outcome", "0") not in ("0", "4", "8", "12"):
        raise InvalidEvent("AuditEvent.outcome: not one of 0 4 8 12")
    if not (event["type"].get("system") and event["type"].get("code")):
        raise InvalidEvent("AuditEvent.type: system and code are needed")
    if not event["source"]["observer"]:
        raise InvalidEvent("AuditEvent.source.observer: empty")


def _check_reference(world: World, reference: str) -> None:
    relative = reference.removeprefix(world.hospital.fhir_base + "/")
    kind, _, name = relative.partition("/")
    if kind in _LOCAL and all(one["id"] != name for one in resources(world, kind)):
        raise InvalidEvent(f"a reference to {kind} names nothing that exists here")


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _empty_members(node: Any, path: str) -> Iterator[str]:
    if node in ("", None) or (isinstance(node, dict | list) and not node):
        yield path
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _empty_members(value, f"{path}.{name}")
    elif isinstance(node, list):
        for value in node:
            yield from _empty_members(value, path)
