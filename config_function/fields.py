"""Every setting that a person or program may type: one table of rules, used by the forms and the API alike.

A row says where the value lives in a revision, how long it may be, of which characters, and the sentence
shown beside the field when it is refused. An empty text means "not decided yet" and is accepted in a draft;
``config_function.revisions`` says what a submitted revision must have.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from config_function.field_rules import OPTION_RULES, RULES, Rule, Shape, Step
from shared.connection import Client, Revision, Writeback
from shared.errors import FieldRefusal
from shared.texts import Sentence, Text

# Of any whole number that is sent.
LARGEST = 10**9
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
OPTIONS = "writeback_options"
CHANGED = "changed"
"""What a difference says of a secret, in place of a value."""


def of_step(step: Step) -> tuple[Rule, ...]:
    """The fields of one page of the form."""
    return tuple(rule for rule in RULES if rule.step == step)


def read(values: Mapping[str, Any], adapter: str = "none") -> dict[str, Any]:
    """Parses what was typed or sent, by field name; FieldRefusal names every wrong or unknown field.

    ``adapter``: by whose table the write-back's options are read where the values choose none; a wrong one is
    named ``writeback_options.name``.
    """
    parsed: dict[str, Any] = {}
    faults: dict[str, Sentence] = {}
    for name, value in values.items():
        rule = BY_NAME.get(name)
        if rule is None:
            faults[name[:64]] = Text("There is no setting of this name.")
            continue
        if rule.shape == "options":
            continue
        try:
            parsed[name] = _PARSERS[rule.shape](rule, value)
        except ValueError:
            faults[name] = rule.says
    if OPTIONS in values and "adapter" not in faults:
        parsed[OPTIONS], wrong = _options(parsed.get("adapter", adapter), values[OPTIONS])
        faults |= wrong
    if "time_zone" in parsed and not _is_zone(parsed["time_zone"]):
        faults["time_zone"] = BY_NAME["time_zone"].says
    if faults:
        raise FieldRefusal(faults)
    return parsed


def apply(revision: Revision, parsed: Mapping[str, Any]) -> Revision:
    """The revision with these settings; secrets are not a revision's business.

    Options belong to their adapter: another one begins without any.
    """
    adapter = parsed.get("adapter", revision.writeback.adapter)
    if adapter != revision.writeback.adapter:
        revision = replace(revision, writeback=Writeback(adapter))
    for name, value in parsed.items():
        if BY_NAME[name].path:
            revision = _put(revision, BY_NAME[name].path, value)
    return revision


def settings(revision: Revision) -> dict[str, Any]:
    """Every setting by field name, as the API shows it; secrets never."""
    return {rule.name: _plain(get(revision, rule)) for rule in RULES if rule.path}


def handed_on(revision: Revision) -> dict[str, Any]:
    """The settings that a copy begins with: not what belongs to one EHR server or was registered there."""
    own = {"name", "issuers", "frames", "provider_client_id", "patient_client_id", "backend_client_id"}
    handed = {name: value for name, value in settings(revision).items() if name not in own}
    # The one option that is an address on the EHR's own server.
    handed["writeback_options"].pop("interconnect_base", None)
    return handed


def get(revision: Revision, rule: Rule) -> Any:
    """The field's value in this revision; ``""`` for a secret and for another adapter's option."""
    if rule.option:
        ours = revision.writeback.adapter in rule.only
        return revision.writeback.options.get(rule.option, "") if ours else ""
    value: Any = revision
    for part in rule.path.split("."):
        value = getattr(value, part) if part else ""
    return value


def typed(rule: Rule, value: Any) -> str:
    """The value as a form shows it, so that ``read`` gives the same value back."""
    if rule.shape == "flag":
        return "yes" if value else "no"
    if rule.shape == "lines":
        return "\n".join(value)
    if rule.shape == "people":
        return ",".join(value)
    return str(value)


def differences(older: Revision, newer: Revision) -> list[tuple[Rule, Any, Any]]:
    """Which settings differ between two revisions, with both values; a secret only says that it changed."""
    pairs = [(rule, get(older, rule), get(newer, rule)) for rule in RULES if rule.path]
    pairs += [(rule, "", CHANGED) for rule in RULES if secret_changed(rule, older, newer)]
    return [(rule, before, after) for rule, before, after in pairs if before != after]


def secret_changed(rule: Rule, older: Revision, newer: Revision) -> bool:
    """Whether the rule is a client's secret, and the two revisions name different ones."""
    if rule.shape != "secret":
        return False
    side = rule.name.removesuffix("_secret")
    before: Client = getattr(older, side)
    after: Client = getattr(newer, side)
    return before.secret_name != after.secret_name


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _put(whole: Any, path: str, value: Any) -> Any:
    head, _, rest = path.partition(".")
    return replace(whole, **{head: _put(getattr(whole, head), rest, value) if rest else value})


def _text(rule: Rule, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    text = value.strip()
    if not rule.least <= len(text) <= rule.most or not re.fullmatch(rule.pattern, text):
        raise ValueError("length or characters")
    return text


def _choice(rule: Rule, value: Any) -> str:
    if value not in [code for code, _ in rule.choices]:
        raise ValueError("not of the list")
    return str(value)


def _flag(_: Rule, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # A form sends "no" from a hidden field and, where ticked, "yes" behind it.
    answers = {"no": False, "yes": True, "no,yes": True}
    if not isinstance(value, str) or value not in answers:
        raise ValueError("neither yes nor no")
    return answers[value]


def _number(rule: Rule, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,6}\s*", value):
        value = int(value)
    number = whole(value)
    if number is None or not rule.least <= number <= rule.most:
        raise ValueError("not a number of the range")
    return number


def _list(rule: Rule, value: Any, separator: str) -> tuple[str, ...]:
    parts = value.split(separator) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("not a list of texts")
    wanted = [part.strip() for part in parts if part.strip()]
    texts = tuple(dict.fromkeys(_text(rule, part) for part in wanted))
    if len(texts) > rule.items:
        raise ValueError("too many")
    return texts


def _lines(rule: Rule, value: Any) -> tuple[str, ...]:
    return tuple(text.rstrip("/") for text in _list(rule, value, "\n"))


def _people(rule: Rule, value: Any) -> tuple[str, ...]:
    return _list(rule, value, ",")


def _options(adapter: str, value: Any) -> tuple[dict[str, str], dict[str, Sentence]]:
    """The options that are set, and what is wrong, by the adapter's table; an empty text sets nothing."""
    if not isinstance(value, dict) or len(value) > BY_NAME[OPTIONS].items:
        return {}, {OPTIONS: BY_NAME[OPTIONS].says}
    rules = {rule.option: rule for rule in OPTION_RULES.get(adapter, ())}
    parsed: dict[str, str] = {}
    faults: dict[str, Sentence] = {}
    for name, text in value.items():
        rule = rules.get(name)
        if rule is None:
            faults[f"{OPTIONS}.{name[:64]}"] = Text("This way of writing back has no such option.")
            continue
        try:
            if isinstance(text, str) and not text.strip():
                continue
            parsed[name] = _PARSERS[rule.shape](rule, text)
        except ValueError:
            faults[f"{OPTIONS}.{name}"] = rule.says
    return parsed, faults


# Options are read by their adapter's table: ``_options``.
_PARSERS: Mapping[Shape, Callable[[Rule, Any], Any]] = {
    "text": _text,
    "secret": _text,
    "choice": _choice,
    "flag": _flag,
    "number": _number,
    "lines": _lines,
    "people": _people,
}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def whole(value: Any) -> int | None:
    """A JSON number without a fraction, however it is written (JSON Schema 2020-12 section 6.1.1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        return None
    return int(value) if value == int(value) else None


def only(values: Mapping[str, Any], rules: Iterable[Rule]) -> dict[str, Any]:
    """Of what a form sent, the fields of these rules."""
    names = {rule.name for rule in rules}
    return {name: value for name, value in values.items() if name in names}
