"""The JSON schema (2020-12) of each setting, made from the table that the API reads by."""

from collections.abc import Mapping
from typing import Any

from config_function.field_rules import OPTION_RULES, Rule, Shape

type Schema = dict[str, Any]

_SHAPES: Mapping[Shape, Schema] = {
    "flag": {"type": "boolean"},
    "secret": {"type": "string", "writeOnly": True},
    "text": {"type": "string"},
    "choice": {"type": "string"},
    "number": {"type": "integer"},
    "lines": {"type": "array"},
    "people": {"type": "array"},
    "options": {"type": "object"},
}


def setting_schema(rule: Rule) -> Schema:
    """What the API takes for this field."""
    schema: Schema = {**_SHAPES[rule.shape], "description": f"{rule.label}. {rule.hint}"}
    if rule.shape == "choice":
        schema["enum"] = [code for code, _ in rule.choices]
    if rule.shape in ("text", "secret"):
        schema |= {"maxLength": rule.most, "minLength": rule.least, "pattern": f"^({rule.pattern})$"}
    if rule.shape == "number":
        schema |= {"minimum": rule.least, "maximum": rule.most}
    if rule.shape in ("lines", "people"):
        schema |= {"maxItems": rule.items, "items": _item(rule)}
    if rule.shape == "options":
        schema |= {"maxProperties": rule.items, "properties": _options(), "additionalProperties": False}
    return schema


def _options() -> dict[str, Schema]:
    """The options of every adapter by name; which of them an adapter has stands in each description."""
    made: dict[str, Schema] = {}
    for rules in OPTION_RULES.values():
        for rule in rules:
            schema = _option(rule)
            if rule.option in made:
                schema["description"] = f"{made[rule.option]['description']} {schema['description']}"
            made[rule.option] = schema
    return made


def _option(rule: Rule) -> Schema:
    usual = f" Usual: {rule.usual}" if rule.usual else ""
    schema: Schema = {"type": "string", "description": f"{rule.group}: {rule.label}. {rule.hint}{usual}"}
    if rule.choices:
        return schema | {"enum": ["", *(code for code, _ in rule.choices)]}
    return schema | {"maxLength": rule.most, "pattern": f"^({rule.pattern})?$"}


def _item(rule: Rule) -> Schema:
    return {"type": "string", "maxLength": rule.most, "pattern": f"^({rule.pattern})$"}
