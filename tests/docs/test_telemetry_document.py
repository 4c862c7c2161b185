"""``docs/telemetry.md`` lists the events of the table and the health, and asks for what exists."""

import re
from pathlib import Path

from config_function.checks.waiting import LATE, LINES, MUCH_TOO_LATE
from config_function.deep_check import FRESH
from shared.events import COMMON, EVENTS
from shared.redaction import TALKATIVE

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
LEVELS = {20: "info", 30: "warning", 40: "error"}


def row(name: str) -> str:
    event = EVENTS[name]
    fields = ", ".join(f"`{field}`" for field in event.fields)
    return f"| `{name}` | {LEVELS[event.level]} | {fields} | {event.meaning} |"


def test_every_event_should_be_listed_as_it_is_and_nothing_else() -> None:
    table = DOCUMENT.split("| event | level | fields | meaning |")[1].split("\n\n")[0]
    listed = re.findall(r"^\| `.*$", table, re.MULTILINE)
    assert listed == [row(name) for name in EVENTS]


def test_the_common_fields_should_be_listed() -> None:
    assert re.findall(r"^- `(\w+)`:", DOCUMENT, re.MULTILINE) == list(COMMON)


def test_every_question_should_ask_for_what_is_logged() -> None:
    known = {name: {*COMMON, *event.fields} for name, event in EVENTS.items()}
    questions = re.findall(r"```kusto\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(questions) == 3
    for question in questions:
        events = re.findall(r'fields\.event == "([^"]+)"', question)
        wanted = set(re.findall(r"fields\.(\w+)", question))
        assert all(wanted <= known[event] for event in events)
        assert wanted <= set().union(*known.values())


def test_the_limits_should_be_those_of_the_code() -> None:
    attendance, writeback = LINES
    assert (
        f"older than {attendance.slow / 60:.0f} minute | than {attendance.stuck / 60:.0f} minutes" in DOCUMENT
    )
    assert f"| {writeback.slow / 60:.0f} minutes | {writeback.stuck / 60:.0f} minutes |" in DOCUMENT
    assert f"waited for {LATE // 60} minutes | for {MUCH_TOO_LATE // 3_600} hours" in DOCUMENT
    assert f"once in {FRESH.seconds} seconds" in DOCUMENT


def test_the_quiet_libraries_should_be_named() -> None:
    (listed,) = re.findall(r"The loggers of (.*?) say warnings only", DOCUMENT, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == set(TALKATIVE)
