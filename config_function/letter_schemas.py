"""What the API of undelivered records sends and takes, as JSON Schema."""

from typing import Any

from config_function.letter_words import CAUSE
from config_function.letters import ID
from shared.store.dead_letters import MOST

type Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}


def letter_schemas() -> dict[str, Schema]:
    """The schemas by name."""
    texts = dict.fromkeys(("id", "at", "queue", "kind", "reason", "cause", "title", "remedy"), _TEXT)
    letter = _whole({**texts, "status": _NUMBER, "attempts": _NUMBER, "unopened": _FLAG})
    ids = {
        "type": "array",
        "items": {"type": "string", "pattern": f"^{ID}$"},
        "minItems": 1,
        "maxItems": MOST,
    }
    return {
        "DeadLetters": _whole(
            {"connection": _TEXT, "complete": _FLAG, "letters": {"type": "array", "items": letter}}
        ),
        "LetterChoice": {
            "type": "object",
            "description": "Which letters are meant: some by their ids, those of one cause, or all.",
            "properties": {
                "letters": ids,
                "cause": {"type": "string", "pattern": f"^{CAUSE}$"},
                "all": {"const": True},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
        "SentAgain": _whole(
            {"connection": _TEXT, **dict.fromkeys(("sent", "left", "unopened"), _NUMBER)},
        ),
        "Discarded": _whole({"connection": _TEXT, **dict.fromkeys(("discarded", "left"), _NUMBER)}),
    }


def _whole(members: dict[str, Schema]) -> Schema:
    """An object of which every member is there."""
    return {"type": "object", "properties": members, "required": list(members)}
