"""What a form shows: every field with what was typed, what is wrong with it, and what somebody else saved."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config_function import fields
from config_function.field_rules import OBJECT_ID, OPTION_RULES, RULES, Rule, Step
from shared.connection import Revision
from shared.texts import Sentence, Text

# What the saved value of an emptied field looks like.
EMPTY = Text("(empty)")
# What is said of a secret that is another one by now.
CHANGED = Text("changed")


@dataclass(frozen=True)
class Field:
    """One field of a form. ``meanwhile``: the saved value, where it differs from what was typed by then."""

    rule: Rule
    value: str
    fault: Sentence = ""
    meanwhile: Sentence = ""

    @property
    def chosen(self) -> list[str]:
        """The people of a list, no more than the field may hold; whatever is no object id is passed over."""
        parts = [part.strip() for part in self.value.split(",")]
        return [part for part in parts if re.fullmatch(OBJECT_ID, part)][: self.rule.items or 1]


@dataclass(frozen=True)
class Group:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]

    @property
    def plain(self) -> list[Field]:
        """The fields that are always shown."""
        return [field for field in self.fields if not field.rule.more]

    @property
    def more(self) -> list[Field]:
        """The fields that are shown on demand."""
        return [field for field in self.fields if field.rule.more]

    @property
    def more_open(self) -> bool:
        """Whether one of those has to be looked at."""
        return any(field.fault or field.meanwhile for field in self.more)

    @property
    def adapters(self) -> str:
        """The adapters with which these fields count, space-separated; empty: always."""
        return " ".join(self.fields[0].rule.only)


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
    for rule in _rules(step):
        made.setdefault(rule.group, []).append(_field(rule, revision, typed or {}, faults or {}, compare))
    return [Group(title, tuple(members)) for title, members in made.items()]


def sent(step: Step, form: Mapping[str, str], revision: Revision) -> dict[str, Any]:
    """Of what a form sent, the settings of this step, as ``fields.read`` takes them.

    Of the write-back's options those of the chosen adapter alone, whatever stands in another one's fields.
    """
    values: dict[str, Any] = fields.only(form, fields.of_step(step))
    adapter = form.get("adapter", revision.writeback.adapter)
    rules = OPTION_RULES.get(adapter, ()) if fields.BY_NAME[fields.OPTIONS].step == step else ()
    options = {rule.option: form[rule.name] for rule in rules if rule.name in form}
    return values | ({fields.OPTIONS: options} if options else {})


def by_field(faults: Mapping[str, Sentence], adapter: str) -> dict[str, Sentence]:
    """Faults by the names that a form's fields have: an option's field is its adapter's."""
    names = {f"{fields.OPTIONS}.{rule.option}": rule.name for rule in OPTION_RULES.get(adapter, ())}
    return {names.get(name, name): text for name, text in faults.items()}


def every_rule() -> Iterator[Rule]:
    """Every field of every step in the order of the forms, the options of each adapter one by one."""
    for rule in RULES:
        if rule.shape != "options":
            yield rule
        else:
            for rules in OPTION_RULES.values():
                yield from rules


def summary(revision: Revision) -> list[tuple[Step, str, list[tuple[Rule, str]]]]:
    """Every setting in words, by step and group; of the options those that are set. Secrets have none."""
    made: dict[tuple[Step, str], list[tuple[Rule, str]]] = {}
    for rule in every_rule():
        text = shown(rule, fields.get(revision, rule))
        if rule.path or (rule.option and text):
            made.setdefault((rule.step, rule.group), []).append((rule, text))
    return [(step, group, rows) for (step, group), rows in made.items()]


def changes(older: Revision, newer: Revision) -> list[tuple[Rule, Sentence, Sentence]]:
    """What differs between two revisions, in words, with both values; of a secret, that it changed."""
    made: list[tuple[Rule, Sentence, Sentence]] = []
    for rule in every_rule():
        before, after = fields.get(older, rule), fields.get(newer, rule)
        if before != after:
            made.append((rule, shown(rule, before), shown(rule, after)))
        elif fields.secret_changed(rule, older, newer):
            made.append((rule, "", CHANGED))
    return made


def shown(rule: Rule, value: Any) -> str:
    """A value in words, for a page that only shows it."""
    if rule.shape == "choice":
        return dict(rule.choices).get(value, str(value))
    if rule.shape == "flag":
        return "Yes" if value else "No"
    if rule.shape == "lines":
        return ", ".join(value)
    return fields.typed(rule, value)


def _rules(step: Step) -> Iterator[Rule]:
    return (rule for rule in every_rule() if rule.step == step)


def _field(
    rule: Rule, revision: Revision, typed: Mapping[str, str], faults: Mapping[str, Sentence], compare: bool
) -> Field:
    saved = fields.typed(rule, fields.get(revision, rule))
    if rule.shape == "secret":
        return Field(rule, "", faults.get(rule.name, ""))
    value = _ticked(rule, typed[rule.name]) if rule.name in typed else saved
    differs = compare and value.replace("\r\n", "\n").strip() != saved
    meanwhile: Sentence = (shown(rule, fields.get(revision, rule)) or EMPTY) if differs else ""
    return Field(rule, value, faults.get(rule.name, ""), meanwhile)


def _ticked(rule: Rule, text: str) -> str:
    """What was typed as the form would show it again: a ticked box sends ``no,yes``."""
    if rule.shape == "flag":
        return "yes" if text.endswith("yes") else "no"
    if rule.shape == "people":
        return ",".join(dict.fromkeys(part for part in text.split(",") if part))
    return text
