"""No row of the specification is silently left out, and the document says what the tests prove."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from scripts.conformance import (
    BINDING,
    DOCUMENT,
    ROOT,
    TABLES,
    document,
    marks,
    open_rows,
    reasons,
    requirements,
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with the tables and one test file of our own."""
    shutil.copytree(ROOT / TABLES, tmp_path / TABLES, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / "tests" / "test_some.py").write_text(text)


def test_the_table_is_whole() -> None:
    rows = requirements()
    assert len({row.id for row in rows}) == len(rows) == 173
    assert Counter(row.level in BINDING for row in rows)[True] == 121
    assert all(row.text.endswith(".") and "#" in row.section for row in rows)


def test_no_binding_row_is_open() -> None:
    assert open_rows() == []


def test_no_row_at_all_is_passed_over() -> None:
    settled = {mark.id for mark in marks()} | set(reasons())
    assert [row.id for row in requirements() if row.id not in settled] == []


def test_every_mark_and_reason_is_of_a_row_that_exists() -> None:
    known = {row.id for row in requirements()}
    assert [mark for mark in marks() if mark.id not in known] == []
    assert set(reasons()) <= known


def test_what_is_proved_needs_no_reason() -> None:
    assert {mark.id for mark in marks()} & set(reasons()) == set()


def test_the_document_is_up_to_date() -> None:
    assert (ROOT / DOCUMENT).read_text("utf-8") == document(), "run `make conformance`"


def test_the_document_leads_to_files_that_are_there() -> None:
    links = set(re.findall(r"\]\((\.\./[^)]+)\)", document()))
    assert links
    assert all((ROOT / DOCUMENT).parent.joinpath(link).is_file() for link in links)


def test_every_mark_that_pytest_sees_is_in_the_document(request: pytest.FixtureRequest) -> None:
    """The marks are read from the source; what is collected in this run must be among them."""
    read = {(mark.path, mark.test, mark.id) for mark in marks()}
    for item in request.session.items:
        for mark in item.iter_markers("smart"):
            path, name = item.location[0], getattr(item, "originalname", item.name)
            assert all((path, name, each) in read for each in mark.args)


def test_a_row_without_proof_or_reason_is_noticed(copy: Path) -> None:
    write(copy, "@pytest.mark.smart(29)\ndef test_x(): ...\n")
    assert 29 not in open_rows(copy)
    assert {32, 33, 41} <= set(open_rows(copy))
    assert "**open**" in document(copy)


@pytest.mark.parametrize(
    "text",
    [
        "pytestmark = pytest.mark.smart(29)\n",
        "@pytest.mark.smart\ndef test_x(): ...\n",
        "@pytest.mark.smart()\ndef test_x(): ...\n",
        "@pytest.mark.smart('29')\ndef test_x(): ...\n",
        "@pytest.mark.smart(29)\ndef helps(): ...\n",
        "@pytest.mark.smart(29)\nclass TestX: ...\n",
    ],
)
def test_a_mark_that_would_not_be_counted_is_a_fault(copy: Path, text: str) -> None:
    write(copy, text)
    with pytest.raises(ValueError, match=r"test_some\.py"):
        marks(copy)
