"""Request bodies held against Graph's published metadata (v1.0, August 2026, MIT; `graph-metadata.json`).

A property or an enum value that the metadata does not know is a 400, as are values of another type.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sandbox.microsoft365.errors import bad_request

_METADATA: dict[str, Any] = json.loads((Path(__file__).parent / "graph-metadata.json").read_text())
TYPES: dict[str, Any] = _METADATA["types"]
OPERATIONS: dict[str, Any] = _METADATA["operations"]

# Edm.DateTimeOffset: the offset is not optional.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


def check_entity(kind: str, body: object) -> dict[str, Any]:
    """Return `body` if it is an object that the type `kind` of the metadata can hold."""
    return _check_object(kind, TYPES[kind]["members"], body, "")


def check_parameters(operation: str, body: object, ignored: str | None = None) -> dict[str, Any]:
    """Return the parameters of an action.

    Properties of the type `ignored` are checked too, and then left out: the service takes and forgets them.
    """
    parameters: Mapping[str, str] = OPERATIONS[operation]["parameters"]
    also: Mapping[str, str] = TYPES[ignored]["members"] if ignored else {}
    checked = _check_object(operation, {**also, **parameters}, body, "")
    return {name: value for name, value in checked.items() if name in parameters}


def moment(value: str) -> datetime:
    """The instant that an Edm.DateTimeOffset names, in UTC."""
    text = re.sub(r"\.(\d{6})\d+", r".\1", value)
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def spell(instant: datetime) -> str:
    """An instant as Graph writes it: UTC, seven digits."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _check_object(kind: str, members: Mapping[str, str], body: object, where: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request(f"Expected a JSON object{_at(where)}.")
    for name, value in body.items():
        if name.startswith("@odata."):
            continue
        if name not in members:
            raise bad_request(
                f"The property '{name}' does not exist on type 'microsoft.graph.{kind}'. "
                "Make sure to only use property names that are defined by the type."
            )
        _check_value(members[name], value, f"{where}/{name}" if where else name)
    return body


def _check_value(declared: str, value: object, where: str) -> None:
    if value is None:
        return
    if declared.startswith("Collection("):
        _check_collection(declared, value, where)
    elif declared.startswith("Edm."):
        if not _is_primitive(declared, value):
            raise bad_request(f"Cannot convert the value of '{where}' to the expected type '{declared}'.")
    else:
        _check_structured(declared.removeprefix("graph."), value, where)


def _check_collection(declared: str, value: object, where: str) -> None:
    if not isinstance(value, list):
        raise bad_request(f"Expected a collection{_at(where)}.")
    for item in value:
        if item is None:
            raise bad_request(f"A null value was found{_at(where)}, which is not allowed in a collection.")
        _check_value(declared[len("Collection(") : -1], item, where)


def _check_structured(kind: str, value: object, where: str) -> None:
    declared = TYPES.get(kind)
    if declared is None:
        raise bad_request(f"'{where}' cannot be set.")
    if declared["kind"] == "enum":
        if value not in declared["members"]:
            raise bad_request(f"Invalid value{_at(where)}: not a member of the enumeration '{kind}'.")
    else:
        _check_object(kind, declared["members"], value, where)


def _is_primitive(declared: str, value: object) -> bool:
    if declared == "Edm.Boolean":
        return isinstance(value, bool)
    if declared == "Edm.Int32":
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str) or declared == "Edm.Stream":
        return False
    if declared == "Edm.DateTimeOffset":
        return _is_moment(value)
    return declared != "Edm.Guid" or is_guid(value)


def _is_moment(value: str) -> bool:
    if not _MOMENT.fullmatch(value):
        return False
    try:
        moment(value)
    except (ValueError, OverflowError):
        return False
    return True


def is_guid(value: str) -> bool:
    """Whether `value` is an object id in its usual spelling."""
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _at(where: str) -> str:
    return f" at '{where}'" if where else ""
