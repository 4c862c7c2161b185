"""What the API of one person's data sends and takes, as JSON Schema."""

from config_function.clinicians import LONGEST
from config_function.people_schemas import CURSOR_LIMIT, Schema

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}


def person_schemas() -> dict[str, Schema]:
    """The schemas by name."""
    fact = _whole(presence={"enum": ["waiting", "in", "out"]}, at=_NUMBER)
    visit = _whole(
        visit=_TEXT,
        created_at=_TEXT,
        closed_at=_TEXT,
        launches=_many(_whole(side={"enum": ["provider", "patient"]}, at=_TEXT, oid=_TEXT)),
        organizer=_FLAG,
        told=_many(_whole(status={"enum": ["connected", "disconnected"]}, at=_NUMBER)),
        seen=_many(_whole(participant=_TEXT, facts=_many(fact))),
    )
    return {
        "PersonChoice": {
            "type": "object",
            "properties": {
                "ehr_user": {"type": "string", "minLength": 1, "maxLength": LONGEST},
                "cursor": {"type": "string", "maxLength": CURSOR_LIMIT},
            },
            "required": ["ehr_user"],
            "additionalProperties": False,
        },
        "PersonalData": _whole(
            **dict.fromkeys(("connection", "region", "ehr_user", "exported_at", "next"), _TEXT),
            **dict.fromkeys(("parked_messages", "visits_searched", "unreadable_entries"), _NUMBER),
            link={"anyOf": [_whole(oid=_TEXT, linked_at=_TEXT, sub_mac=_TEXT), {"type": "null"}]},
            visits=_many(visit),
        ),
        "Erased": _whole(
            connection=_TEXT,
            unlinked=_FLAG,
            next=_TEXT,
            **dict.fromkeys(("visits", "parked_messages", "visits_searched"), _NUMBER),
        ),
    }


def _whole(**members: Schema) -> Schema:
    """An object of which every member is there."""
    return {"type": "object", "properties": members, "required": list(members)}


def _many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}
