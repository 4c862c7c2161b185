"""What a form shows: every field with what was typed, what is wrong with it, and what somebody else saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config_function import fields
from config_function.field_rules import Rule, Step
from shared.connection import Revision
from shared.texts import Sentence


@dataclass(frozen=True)
class Field:
    """One field of a form. ``meanwhile``: the saved value, where it differs from what was typed by then."""

    rule: Rule
    value: str
    fault: Sentence = ""
    meanwhile: str = ""

    @property
    def chosen(self) -> list[str]:
        """The people of a list."""
        return [part for part in self.value.split(",") if part]


@dataclass(frozen=True)
class Group:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]

    @property
    def faulty(self) -> bool:
        """Whether one of them has to be looked at."""
        return any(field.fault or field.meanwhile for field in self.fields)


def groups(
    step: Step,
    revision: Revision,
    typed: Mapping[str, str] | None = None,
    faults: Mapping[str, Sentence] | None = None,
    *,
    compare: bool = False,
) -> list[Group]:
    """The step's fields in their groups; ``typed`` wins, ``compare`` shows the difference."""
    made: dict[str, list[Field]] = {}
    for rule in fields.of_step(step):
        made.setdefault(rule.group, []).append(_field(rule, revision, typed or {}, faults or {}, compare))
    return [Group(title, tuple(members)) for title, members in made.items()]


def shown(rule: Rule, value: Any) -> str:
    """A value in words, for a page that only shows it."""
    if rule.shape == "choice":
        return dict(rule.choices).get(value, str(value))
    if rule.shape == "flag":
        return "Yes" if value else "No"
    if rule.shape in ("lines", "options"):
        return ", ".join(fields.typed(rule, value).splitlines())
    return fields.typed(rule, value)


def _field(
    rule: Rule, revision: Revision, typed: Mapping[str, str], faults: Mapping[str, Sentence], compare: bool
) -> Field:
    saved = fields.typed(rule, fields.get(revision, rule))
    if rule.shape == "secret":
        return Field(rule, "", faults.get(rule.name, ""))
    value = _ticked(rule, typed[rule.name]) if rule.name in typed else saved
    differs = compare and value.replace("\r\n", "\n").strip() != saved
    meanwhile = shown(rule, fields.get(revision, rule)) or "(empty)" if differs else ""
    return Field(rule, value, faults.get(rule.name, ""), meanwhile)


def _ticked(rule: Rule, text: str) -> str:
    """What was typed as the form would show it again: a ticked box sends ``no,yes``."""
    if rule.shape == "flag":
        return "yes" if text.endswith("yes") else "no"
    if rule.shape == "people":
        return ",".join(dict.fromkeys(part for part in text.split(",") if part))
    return text
