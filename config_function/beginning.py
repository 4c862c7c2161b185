"""The fields that a connection begins with and never changes: environment, kind, region, base, name."""

import re
from collections.abc import Mapping
from typing import Any, cast

from config_function.bases import LONGEST, NO_BASE
from config_function.connections import NewConnection
from config_function.field_rules import RULES
from config_function.kinds import KINDS
from shared.connection import CONNECTION_ID, EhrKind, Environment, Region
from shared.errors import FieldRefusal
from shared.settings import Settings
from shared.texts import Sentence, Text

ENVIRONMENTS = (("test", "Test"), ("production", "Production"))
REGIONS: Mapping[str, str] = {
    "americas": "Americas",
    "emea": "Europe, Middle East, Africa",
    "apac": "Asia, Pacific",
}
MEMBERS = ("environment", "kind", "region", "name", "fhir_base")
COPY = "copy_of"


def regions(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The regions that this app offers."""
    return tuple((code, label) for code, label in REGIONS.items() if settings.region_enabled(code))


def kinds() -> tuple[tuple[str, str], ...]:
    """The EHRs to choose from."""
    return tuple((kind.kind, kind.label) for kind in KINDS.values())


def new_connection(values: Mapping[str, Any], settings: Settings) -> NewConnection:
    """Parses the five fields; FieldRefusal for each that is missing or wrong."""
    faults: dict[str, Sentence] = {}
    listed = {
        "environment": dict(ENVIRONMENTS),
        "kind": dict(kinds()),
        "region": dict(regions(settings)),
    }
    for member, allowed in listed.items():
        value = values.get(member)
        if not isinstance(value, str) or value not in allowed:
            faults[member] = Text("Choose one of: %(choices)s.", choices=", ".join(allowed))
    name = next(rule for rule in RULES if rule.name == "name")
    if not isinstance(values.get("name"), str) or not values["name"].strip():
        faults["name"] = name.says
    base = values.get("fhir_base")
    # Longer than a base may be, so that a pasted page below it still gets its own sentence.
    if not isinstance(base, str) or not base.strip() or len(base) > 2 * LONGEST:
        faults["fhir_base"] = NO_BASE
    copy_of = values.get(COPY, "")
    if not isinstance(copy_of, str) or not re.fullmatch(f"({CONNECTION_ID})?", copy_of):
        faults[COPY] = Text("Give the ID of one connection.")
    if faults:
        raise FieldRefusal(faults)
    return NewConnection(
        cast("Environment", values["environment"]),
        cast("EhrKind", values["kind"]),
        cast("Region", values["region"]),
        str(values["name"]).strip(),
        str(base),
        copy_of,
    )
