"""The fields of a log line reach the alerts through the text, which is all that the worker hands on."""

import json
import logging
import re
from pathlib import Path

import pytest

from shared.log_fields import show_fields

QUERIES = Path(__file__).resolve().parents[2] / "infra" / "queries"


class Texts(logging.Handler):
    """Keeps the text and nothing else, as the worker does."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def texts() -> Texts:
    return Texts()


@pytest.fixture
def root(texts: Texts) -> logging.Logger:
    root = logging.RootLogger(logging.WARNING)
    root.addHandler(texts)
    return root


def log(root: logging.Logger, name: str, text: str, *args: object, **fields: object) -> None:
    root.handle(root.makeRecord(name, logging.WARNING, "", 0, text, args, None, extra=fields))


def fields_of(query: str, text: str) -> dict[str, object]:
    """What the query takes out of a text."""
    pattern = re.search(r"extract\(@'([^']+)', 1, message\)", (QUERIES / query).read_text("utf-8"))
    assert pattern
    found = re.search(pattern[1], text)
    return json.loads(found[1]) if found else {}


@pytest.mark.parametrize("query", ["parked.kql", "late.kql", "forged.kql", "age.kql", "dead-letters.kql"])
def test_a_query_should_find_the_fields_in_the_text(query: str, root: logging.Logger, texts: Texts) -> None:
    show_fields(root)
    log(root, "antesala.writeback", "told {later}: %s", "100% down", event="retry", age_seconds=901.5)
    assert texts.texts[0].startswith("told {later}: 100% down {")
    assert fields_of(query, texts.texts[0]) == {"event": "retry", "age_seconds": 901.5}


def test_lines_of_others_and_lines_without_fields_should_stay_as_they_are(
    root: logging.Logger, texts: Texts
) -> None:
    show_fields(root)
    log(root, "azure.core", "their line", event="retry")
    log(root, "antesala.edge", "GET / %d", 200)
    assert texts.texts == ["their line", "GET / 200"]


def test_fields_should_be_shown_once(root: logging.Logger, texts: Texts) -> None:
    second = Texts()
    root.addHandler(second)
    show_fields(root)
    show_fields(root)
    log(root, "antesala.writeback", "parked", event="parked")
    assert texts.texts == second.texts == ['parked {"event":"parked"}']
