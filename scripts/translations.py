"""Bring the catalogs up to date: every message that the app can say, from templates, code and tables.

Without arguments: rewrites each ``antesala.po`` (what was translated stays) and compiles its ``antesala.mo``.
With ``--check``: changes nothing, says what is missing or stale, exit 1 if anything is.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from shared.texts import DOMAIN, LANGUAGES, LOCALES  # noqa: E402

PACKAGES = ("config_function", "launch_provider", "launch_patient", "writeback_function", "shared")
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
# What a template or a module calls its messages by; ``ngettext`` takes two forms.
KEYWORDS = {"_": None, "Text": None, "ngettext": (1, 2)}
_ALWAYS = datetime(2026, 1, 1, tzinfo=UTC)
TRANSLATED = [language for language in LANGUAGES if language != next(iter(LANGUAGES))]


def table_messages() -> Iterator[str]:
    """The sentences of the tables, which stand there without a mark of their own."""
    from config_function.beginning import ENVIRONMENTS, REGIONS
    from config_function.checks import PROBES
    from config_function.checks.waiting import LINES
    from config_function.field_rules import OPTION_RULES, RULES
    from config_function.guide import sentences as sentences_of_the_guide
    from config_function.kinds import KINDS
    from config_function.letter_words import CAUSES, UNFORESEEN
    from config_function.letter_words import KINDS as KINDS_OF_LETTERS
    from config_function.records import AUDIENCES, PLANS
    from config_function.wording import WITHOUT_CONTEXT, WORDING
    from shared.patient_words import OTHERWISE, WORDS
    from shared.reasons import REASONS

    for reason in REASONS.values():
        yield from (reason.title, reason.text, reason.staff)
    for words in (OTHERWISE, *WORDS.values()):
        yield from (words.title, words.now)
    for rule in (*RULES, *(rule for rules in OPTION_RULES.values() for rule in rules)):
        yield from (rule.group, rule.label, rule.hint, rule.says, *(label for _, label in rule.choices))
    for kind in KINDS.values():
        yield from (kind.label, kind.registry)
    yield from (probe.label for probe in PROBES)
    for plan in PLANS:
        yield from (plan.name, plan.about)
    for wording in WORDING.values():
        yield from wording.sentences()
    yield from (*AUDIENCES.values(), *WITHOUT_CONTEXT.values())
    yield from sentences_of_the_guide()
    yield from (line.name for line in LINES)
    for cause in (*CAUSES, UNFORESEEN):
        yield from (cause.why, cause.remedy)
    yield from KINDS_OF_LETTERS.values()
    yield from (label for _, label in ENVIRONMENTS)
    yield from REGIONS.values()


def template() -> Catalog:
    """Every message, without translations."""
    found = Catalog(domain=DOMAIN)
    for package in PACKAGES:
        extracted = extract_from_dir(
            str(ROOT / package), METHODS, keywords=KEYWORDS, options_map={"**.html": {"trimmed": "true"}}
        )
        for _, _, message, _, _ in extracted:
            found.add(message)
    for sentence in table_messages():
        if sentence:
            found.add(sentence)
    return found


def updated(language: str, messages: Catalog) -> Catalog:
    """The language's catalog with exactly these messages; translations of those that stayed are kept."""
    path = _path(language, "po")
    kept = _empty(language)
    if path.exists():
        with path.open("rb") as file:
            kept = read_po(file, locale=language, domain=DOMAIN)
    made = _empty(language)
    for message in _sorted(messages):
        before = kept.get(message.id)
        made.add(message.id, before.string if before is not None else "")
    return made


def faults(language: str, messages: Catalog) -> Iterator[str]:
    """What is wrong with a language's files, a line each."""
    made = updated(language, messages)
    for message in _sorted(made):
        if not all(_forms(message)):
            yield f"{language}: not translated: {message.id!r}"
        yield from (f"{language}: {error} in {message.id!r}" for error in message.check(made))
    for suffix, written in (("po", _po(made)), ("mo", _mo(made))):
        path = _path(language, suffix)
        if not path.exists() or path.read_bytes() != written:
            yield f"{path.relative_to(ROOT)} is not up to date: run make translations"


def main(arguments: list[str]) -> int:
    """0 if every catalog is complete (with ``--check``) or was written."""
    messages = template()
    if "--check" in arguments:
        found = [fault for language in TRANSLATED for fault in faults(language, messages)]
        print("\n".join(found) or "Every message is translated.")
        return 1 if found else 0
    for language in TRANSLATED:
        made = updated(language, messages)
        _path(language, "po").parent.mkdir(parents=True, exist_ok=True)
        _path(language, "po").write_bytes(_po(made))
        _path(language, "mo").write_bytes(_mo(made))
        missing = sum(1 for message in _sorted(made) if not all(_forms(message)))
        print(f"{LANGUAGES[language]}: {len(made)} messages, {missing} not translated")
    return 0


def _empty(language: str) -> Catalog:
    return Catalog(
        locale=language,
        domain=DOMAIN,
        project="Antesala",
        version="1",
        header_comment="# Messages of Antesala.",
        last_translator="",
        language_team="",
        msgid_bugs_address="",
        fuzzy=False,
    )


def _path(language: str, suffix: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.{suffix}"


def _sorted(messages: Iterable[Message]) -> list[Message]:
    return sorted((message for message in messages if message.id), key=lambda message: str(message.id))


def _forms(message: Message) -> tuple[str, ...]:
    text = message.string
    forms = tuple(text) if isinstance(text, (tuple, list)) else (text,)
    return tuple(form or "" for form in forms)


def _po(made: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_po(buffer, made, width=110, no_location=True, omit_header=False, sort_output=True)
    # The dates in the header would differ at every run.
    lines = buffer.getvalue().decode("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if "-Date: " not in line and "Generated-By" not in line).encode()


def _mo(made: Catalog) -> bytes:
    buffer = io.BytesIO()
    compiled = read_po(io.BytesIO(_po(made)), locale=str(made.locale), domain=DOMAIN)
    # The same messages are the same file, whenever it is made.
    compiled.creation_date = compiled.revision_date = _ALWAYS
    write_mo(buffer, compiled)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
