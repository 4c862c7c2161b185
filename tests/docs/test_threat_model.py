"""Every mitigation of the threat model has its test, every residual risk its words, every flow its table."""

import ast
import re
from functools import cache

import pytest

from tests.docs.reading import ROOT, bold, read, rows, section
from tests.docs.said import is_said

TEXT = read("docs/threat-model.md")
FLOWS = re.findall(r"^### (F\d+) (.+)$", TEXT, re.MULTILINE)
THREATS = [row for flow, title in FLOWS for row in rows(section(TEXT, f"{flow} {title}"))]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def collected(path: str) -> frozenset[str]:
    """The tests that pytest finds in a file: of the module, named so, and not marked to be passed over."""
    if not re.fullmatch(r"(?:.*/)?test_\w+\.py", path) or not (ROOT / path).exists():
        return frozenset()
    functions = [node for node in ast.parse(read(path)).body if isinstance(node, ast.FunctionDef)]
    return frozenset(
        one.name
        for one in functions
        if one.name.startswith("test_")
        and not any(re.search(r"\bskip|\bxfail", ast.unparse(mark)) for mark in one.decorator_list)
    )


def test_the_model_should_have_threats_at_all() -> None:
    assert len(THREATS) > 60
    assert {row[0] for row in THREATS} == set("STRIDE")


@pytest.mark.parametrize("row", THREATS, ids=[row[1] for row in THREATS])
def test_a_mitigation_should_name_tests_that_exist(row: tuple[str, ...]) -> None:
    assert len(row) == 4
    assert row[2]
    named = NAMED.findall(row[3])
    assert named
    assert NAMED.sub("", row[3]).strip() == ""
    assert [name for path, name in named if name not in collected(path)] == []


def test_what_pytest_would_not_find_should_not_count() -> None:
    assert "test_a_mitigation_should_name_tests_that_exist" in collected("tests/docs/test_threat_model.py")
    assert collected("tests/docs/reading.py") == frozenset()
    assert collected("tests/docs/test_nothing.py") == frozenset()


def test_every_flow_of_the_diagram_should_have_its_table_and_nothing_else() -> None:
    diagram = re.search(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
    assert diagram
    assert {flow for flow, _ in FLOWS} == set(re.findall(r"\|(F\d+) ", diagram[1]))


def test_every_residual_risk_should_be_listed_once_and_be_reachable() -> None:
    listed = [row[0] for row in rows(section(TEXT, "Residual risks"))]
    assert listed == [f"R{number}" for number in range(1, len(listed) + 1)]
    mentioned = {name for row in THREATS for name in re.findall(r"\bR\d+\b", row[2])}
    assert mentioned <= set(listed)


def test_what_is_printed_bold_should_be_a_name_of_the_portal() -> None:
    names = bold(TEXT)
    assert names
    assert [name for name in names if not is_said(name)] == []
