"""The JSON Patch documents that an Appointment takes: a status, or the links of a video visit (ehr.md 3.2).

Everything else that RFC 6902 allows is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.ehr.appointments import Rooms
from sandbox.ehr.refusal import Refusal

# From which status an app may go where.
MOVES: Mapping[str, tuple[str, ...]] = {
    "proposed": ("booked", "cancelled"),
    "booked": ("arrived", "checked-in", "cancelled"),
    "arrived": ("checked-in", "cancelled"),
    "checked-in": ("fulfilled", "cancelled"),
}
STATUS_PATH = "/status"
# The order in which links are written; a reading shows the rooms the other way round.
ROOM_PATHS: Mapping[str, str] = {
    "/contained/0/telecom/0/value": "provider",
    "/contained/1/telecom/0/value": "patient",
    "/contained/0/telecom/0/period/start": "start",
    "/contained/0/telecom/0/period/end": "end",
}
LONGEST_LINK = 255


@dataclass(frozen=True)
class Move:
    """The status is to become this."""

    status: str


@dataclass(frozen=True)
class Links:
    """The video links are to become these; `first`: there are to be none yet."""

    rooms: Rooms
    first: bool


def parse(document: object) -> Move | Links:
    """What a patch asks for; Refusal 400 for no JSON Patch, 422 for one that this resource does not take."""
    operations = [_operation(one) for one in document] if isinstance(document, list) else []
    if not operations:
        raise Refusal(400, "structure", "The body is a JSON Patch: an array of operations.")
    known = (STATUS_PATH, *ROOM_PATHS)
    for operation in operations:
        if operation["path"] not in known:
            raise Refusal(422, "not-supported", f"{operation['path'][:80]} cannot be patched.")
        if operation["op"] not in ("add", "replace"):
            raise Refusal(422, "not-supported", f"{operation['op'][:20]} is not supported.")
    if any(one["path"] == STATUS_PATH for one in operations):
        return _move(operations)
    return _links(operations)


def _operation(one: object) -> dict[str, Any]:
    if (
        not isinstance(one, dict)
        or not isinstance(one.get("op"), str)
        or not isinstance(one.get("path"), str)
    ):
        raise Refusal(400, "structure", "An operation has op and path.")
    if not isinstance(one.get("value"), str) and one["op"] in ("add", "replace"):
        raise Refusal(422, "value", "The value of an operation is text.")
    return one


def _move(operations: list[dict[str, Any]]) -> Move:
    if len(operations) > 1 or operations[0]["op"] != "replace":
        raise Refusal(422, "not-supported", "A status is replaced by one operation alone.")
    return Move(operations[0]["value"])


def _links(operations: list[dict[str, Any]]) -> Links:
    values = {ROOM_PATHS[one["path"]]: one["value"] for one in operations}
    if len(operations) != len(ROOM_PATHS) or len(values) != len(ROOM_PATHS):
        raise Refusal(422, "required", "Both links and both ends of their period go together, once each.")
    if len({one["op"] for one in operations}) > 1:
        raise Refusal(422, "not-supported", "add and replace do not mix.")
    for side in ("provider", "patient"):
        if not values[side].startswith("https://") or len(values[side]) > LONGEST_LINK:
            raise Refusal(422, "value", f"A link is https and at most {LONGEST_LINK} characters.")
    if not _ordered(values["start"], values["end"]):
        raise Refusal(422, "value", "The period is two instants with offsets, in order.")
    return Links(Rooms(**values), first=operations[0]["op"] == "add")


def _ordered(start: str, end: str) -> bool:
    try:
        moments = [datetime.fromisoformat(text) for text in (start, end)]
    except ValueError:
        return False
    return all(one.tzinfo for one in moments) and moments[0] < moments[1]
