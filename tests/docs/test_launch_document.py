"""``docs/launch.md`` names every reason with which a launch can end, as the table of reasons names it."""

import re
from pathlib import Path

import pytest

from launch_patient.device_ticket import RESULTS
from shared.launch.waiting import MOST_WAITING
from shared.reasons import REASONS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "launch.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", DOCUMENT, re.MULTILINE))
# The code of both doors and of what they stand on; reasons are raised by name.
PLACES = (
    "launch_provider/**/*.py",
    "launch_patient/**/*.py",
    "shared/launch/**/*.py",
    "shared/smart/**/*.py",
    "shared/meeting/**/*.py",
    "shared/entra/**/*.py",
    "shared/context.py",
    "shared/edge.py",
)
# Raised on the way of the portal's API or sign-in alone.
PORTAL = frozenset({"not-signed-in"})


def raised() -> set[str]:
    """Every code that stands as a text of its own in the code of the doors."""
    found: set[str] = set()
    for place in PLACES:
        for path in ROOT.glob(place):
            found |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text("utf-8")))
    # Named by two parts, or by the window's state.
    return (found & set(REASONS)) | {"too-early", "too-late"}


def test_every_reason_of_the_doors_should_be_documented_and_nothing_else() -> None:
    assert len(raised()) > 30
    assert set(ROWS) == raised() - PORTAL


@pytest.mark.parametrize("code", sorted(ROWS))
def test_a_reason_should_be_shown_in_the_document_as_on_the_page(code: str) -> None:
    assert ROWS[code].strip() == REASONS[code].title


def test_the_words_of_the_device_test_should_be_those_of_the_code() -> None:
    listed = re.search(r"one word of\s+its result \(([^)]+)\)", DOCUMENT)
    assert listed
    assert tuple(re.findall(r"`(\w+)`", listed[1])) == RESULTS


def test_the_longest_wait_should_be_that_of_the_code() -> None:
    assert f"Up to {MOST_WAITING.total_seconds() / 60:.0f} minutes before" in DOCUMENT
