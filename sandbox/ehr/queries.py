"""Searches of the FHIR API: what may be asked, and which resources it finds. What is unknown is an error."""

import re
from collections.abc import Callable
from datetime import datetime

from flask import request

from sandbox.ehr.refusal import Refusal
from sandbox.ehr.resources import Resource, patient_id

_MOMENT = re.compile(r"(ge|lt)(\d{4}-\d\d-\d\dT\S+)")


def criteria(kind: str, known: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parameters of the search under way, in order; `known` are those of this resource type."""
    if unknown := [name for name in request.args if name not in (*known, "_count", "_format")]:
        raise Refusal(400, "not-supported", f"Unknown search parameter: {unknown[0]}")
    pairs = request.args.items(multi=True) if "date" in known else request.args.items()
    wanted = [(name, value) for name, value in pairs if name not in ("_count", "_format")]
    if not wanted:
        raise Refusal(400, "required", f"Search by one of: {', '.join(known)}")
    if "date" in known:
        _check_dates(kind, wanted)
    return wanted


def matches(one: Resource, name: str, value: str) -> bool:
    """Whether a resource answers to one parameter."""
    tests: dict[str, Callable[[], bool]] = {
        "_id": lambda: one["id"] in value.split(","),
        "patient": lambda: patient_id(one) == value.removeprefix("Patient/"),
        "practitioner": lambda: f"Practitioner/{value.removeprefix('Practitioner/')}" in _actors(one),
        "identifier": lambda: (
            value.rpartition("|")[2] in [each["value"] for each in one.get("identifier", [])]
        ),
        "appointment": lambda: (
            f"Appointment/{value.removeprefix('Appointment/')}"
            in [each["reference"] for each in one.get("appointment", [])]
        ),
        "date": lambda: _within(datetime.fromisoformat(one["start"]), value),
    }
    return tests[name]()


def _check_dates(kind: str, wanted: list[tuple[str, str]]) -> None:
    """A search for somebody's appointments says from when or until when, each at most once (ehr.md 3.2)."""
    dates = [value for name, value in wanted if name == "date"]
    named = [name for name, _ in wanted if name != "date"]
    if len(set(named)) != len(named):
        raise Refusal(400, "not-supported", "Each parameter but date may be given once.")
    if "_id" not in named and not (named and dates):
        raise Refusal(400, "required", f"Search {kind} by _id, or by a person and a date.")
    prefixes = [_bound(value)[0] for value in dates]
    if len(set(prefixes)) != len(prefixes):
        raise Refusal(400, "value", "Two dates are one with ge and one with lt.")


def _bound(value: str) -> tuple[str, datetime]:
    found = _MOMENT.fullmatch(value)
    try:
        moment = datetime.fromisoformat(found[2]) if found else None
    except ValueError:
        moment = None
    if found is None or moment is None or moment.tzinfo is None:
        raise Refusal(400, "value", "A date is ge or lt and a moment with its offset.")
    return found[1], moment


def _within(moment: datetime, value: str) -> bool:
    prefix, bound = _bound(value)
    return moment >= bound if prefix == "ge" else moment < bound


def _actors(one: Resource) -> list[str]:
    return [each["actor"]["reference"] for each in one.get("participant", []) if "actor" in each]
