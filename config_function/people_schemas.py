"""What the API of clinicians, launches, history and health sends and takes, as JSON Schema."""

from collections.abc import Mapping
from typing import Any, get_args

from config_function.clinicians import LONGEST
from config_function.health import Condition
from config_function.launch_report import SIDES
from shared.connection import State

type Schema = dict[str, Any]

CURSOR_LIMIT = 2_000
"""Characters of a cursor."""

STATE: Schema = {"enum": list(get_args(State.__value__))}
"""The state of a revision."""

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def people_schemas() -> dict[str, Schema]:
    """The schemas by name."""
    audit = _whole({**_all(_TEXT, "what", "by", "at", "detail"), "settings": _TEXTS})
    # A setting's value has the type that the setting has.
    difference = _whole({"setting": _TEXT, "before": {}, "after": {}})
    revision = _whole(
        {
            "number": _NUMBER,
            "state": STATE,
            **_all(_TEXT, "changed_by", "changed_at", "rejected_because"),
            "differences": _many(difference),
            "audit": _many(audit),
        }
    )
    clinician = _whole(
        {
            **_all(_TEXT, "ehr_user", "oid", "name", "username", "linked_at", "version"),
            "in_directory": {"type": ["boolean", "null"]},
        }
    )
    day = _whole({**_all(_NUMBER, "launches", "got_in"), "most_frequent_code": _TEXT, "complete": _FLAG})
    launch = _whole(
        {**_all(_TEXT, "at", "code", "title", "remedy"), "side": {"enum": list(SIDES)}, "got_in": _FLAG}
    )
    return {
        "EhrUser": {
            **_whole({"ehr_user": {"type": "string", "minLength": 1, "maxLength": LONGEST}}),
            "additionalProperties": False,
        },
        "Clinicians": _whole({**_all(_TEXT, "connection", "next"), "clinicians": _many(clinician)}),
        "Unlinked": _whole({"connection": _TEXT, "unlinked": _FLAG}),
        "Launches": _whole({"connection": _TEXT, "last_24_hours": day, "launches": _many(launch)}),
        "History": _whole(
            {"connection": _TEXT, "approved": _NUMBER, "revisions": _many(revision), "audit": _many(audit)}
        ),
        "Health": _whole(
            {
                **_all(_TEXT, "connection", "sentence", "last_launch"),
                "condition": {"enum": list(get_args(Condition.__value__))},
                **_all(_NUMBER, "launches", "failed", "dead_letters"),
            }
        ),
    }


def _whole(members: Mapping[str, Schema]) -> Schema:
    """An object of which every member is there."""
    return {"type": "object", "properties": dict(members), "required": list(members)}


def _all(schema: Schema, *names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, schema)


def _many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}
