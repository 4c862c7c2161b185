"""How a FHIR server takes what we write, by its CapabilityStatement (reference ehr.md 4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.ehr.status_moves import JSON_PATCH
from shared.errors import AnswerRefused

# What a server may write for JSON Patch; the list is optional.
_PATCHES = frozenset({JSON_PATCH, "application/json", "json"})


@dataclass(frozen=True)
class Taking:
    """``by_id``: clients choose ids of AuditEvents. ``encounter``: how one is changed, if at all."""

    by_id: bool
    conditionally: bool
    encounter: Literal["patch", "put", ""] = ""

    @property
    def repeatable(self) -> bool:
        """Whether writing an event again makes no second one."""
        return self.by_id or self.conditionally


def taking(statement: Any) -> Taking:
    """Reads the statement; AnswerRefused where AuditEvents cannot be written."""
    resources = _resources(statement)
    events = resources.get("AuditEvent", {})
    codes = _interactions(events)
    by_id = events.get("updateCreate") is True and "update" in codes
    if not by_id and "create" not in codes:
        raise AnswerRefused("the server does not say that it takes AuditEvents")
    conditionally = events.get("conditionalCreate") is True and _searches_entities(events)
    return Taking(by_id, conditionally, _changing(statement, _interactions(resources.get("Encounter", {}))))


def _changing(statement: Any, codes: list[Any]) -> Literal["patch", "put", ""]:
    formats = statement.get("patchFormat")
    if "patch" in codes and (not isinstance(formats, list) or _PATCHES & {str(one) for one in formats}):
        return "patch"
    return "put" if "update" in codes else ""


def _searches_entities(resource: Mapping[str, Any]) -> bool:
    """A lenient server that passes over our condition would find any event and never keep ours."""
    listed = resource.get("searchParam")
    return isinstance(listed, list) and any(
        isinstance(one, dict) and one.get("name") == "entity" for one in listed
    )


def _interactions(resource: Mapping[str, Any]) -> list[Any]:
    listed = resource.get("interaction")
    return [one.get("code") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _resources(statement: Any) -> dict[str, Mapping[str, Any]]:
    """What the server says of each type; of a type that is named twice, the first."""
    rests = statement.get("rest") if isinstance(statement, dict) else None
    found: dict[str, Mapping[str, Any]] = {}
    for rest in rests if isinstance(rests, list) else []:
        if isinstance(rest, dict) and rest.get("mode") == "server" and isinstance(rest.get("resource"), list):
            for one in rest["resource"]:
                if isinstance(one, dict) and isinstance(one.get("type"), str):
                    found.setdefault(one["type"], one)
    return found
