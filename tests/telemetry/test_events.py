"""The table of events against the code: every line is a row, with exactly its fields; no row is left over."""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import trace
from shared.errors import StatusRefused
from shared.events import COMMON, EVENTS, failure, note
from shared.redaction import redacted

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "config_function", "launch_provider", "launch_patient", "writeback_function")
# The table itself, and what adds to lines that others wrote.
_EXEMPT = frozenset({"shared/events.py"})
_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def calls(module: ast.Module) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(module) if isinstance(node, ast.Call))


def fields_of(call: ast.Call, module: ast.Module) -> set[str]:
    """The names that a call of ``note`` passes; those of ``**self._about(…)`` stand in the method's dict."""
    found: set[str] = set()
    for keyword in call.keywords:
        if keyword.arg is not None:
            found.add(keyword.arg)
            continue
        assert isinstance(keyword.value, ast.Call)
        assert isinstance(keyword.value.func, ast.Attribute)
        found |= returned(module, keyword.value.func.attr)
    return found - {"level"}


def returned(module: ast.Module, method: str) -> set[str]:
    (function,) = [one for one in ast.walk(module) if isinstance(one, ast.FunctionDef) and one.name == method]
    (answer,) = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)]
    assert isinstance(answer, ast.Dict)
    return {key.value for key in answer.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def said() -> dict[str, list[tuple[str, set[str]]]]:
    """Every event that the code logs: where, and with which fields."""
    found: dict[str, list[tuple[str, set[str]]]] = {}
    for name, module in modules():
        for call in calls(module):
            if isinstance(call.func, ast.Name) and call.func.id == "note":
                (event,) = call.args
                assert isinstance(event, ast.Constant), f"{name}:{call.lineno}: name it by a literal"
                found.setdefault(str(event.value), []).append((name, fields_of(call, module)))
    return found


def test_every_event_should_be_logged_with_exactly_its_fields() -> None:
    for event, places in said().items():
        for place, fields in places:
            assert event in EVENTS, place
            assert fields == set(EVENTS[event].fields), (event, place)


def test_every_row_should_be_logged_by_something() -> None:
    assert set(EVENTS) == set(said())


def test_nothing_else_should_write_lines() -> None:
    others = [
        f"{name}:{call.lineno}"
        for name, module in modules()
        if name not in _EXEMPT
        for call in calls(module)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in _METHODS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("log", "_log", "logger", "_logger", "logging")
    ]
    assert others == []


@pytest.mark.parametrize("event", EVENTS.values(), ids=list(EVENTS))
def test_a_field_should_neither_hide_a_record_s_own_nor_be_taken_for_a_secret(event: object) -> None:
    row = EVENTS[getattr(event, "name", "")]
    assert not {*row.fields, *COMMON} & set(vars(logging.makeLogRecord({})))
    for field in row.fields:
        # Appended as JSON for the queries, and read by a second handler.
        assert redacted(f'"{field}":"value-1"') == f'"{field}":"value-1"'
    assert row.text % dict.fromkeys(row.fields, 1)
    assert row.meaning.endswith(".")


def test_a_line_should_say_chain_visit_and_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "antesala.writeback"), trace.entered("a" * 32):
        trace.about("key-1")
        note("parked", connection="c-1", attempt=3, age_seconds=1.5, reason="refused", status=422)
    (record,) = caplog.records
    known = vars(record)
    assert (record.name, record.levelno) == ("antesala.writeback", logging.ERROR)
    assert record.getMessage() == "parked: refused 422"
    assert (known["event"], known["trace"], known["visit"]) == ("parked", "a" * 32, "key-1")
    assert (known["connection"], known["attempt"], known["status"]) == ("c-1", 3, 422)


def test_what_slips_into_a_field_should_be_taken_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        note("not-genuine", reason="x?code=s3cret-code of ana@clinic.example")
    assert "s3cret" not in caplog.text
    assert "ana@" not in str(vars(caplog.records[0]))


def test_a_failure_should_be_told_in_our_words_only() -> None:
    assert failure(StatusRefused(503)) == "status 503"
    assert failure(ValueError("Zephyrina Quill")) == "ValueError"
