"""Two runs beside each other: what changed, and only of what both have."""

from dataclasses import replace
from pathlib import Path

from bench.compare import changes, read
from bench.figures import Figure, written

LEG = Figure("smart", "leg 1", "ms", 10.0, ratio=2.0)
HEAVY = Figure("cold", "heavy libraries", "", 0.0)


def test_a_change_should_be_told_in_per_cent_of_what_was() -> None:
    lines = list(changes([LEG, HEAVY], [replace(LEG, median=12.5, ratio=1.0), replace(HEAVY, median=1.0)]))
    assert lines[1].split() == ["leg", "1", "10.0", "ms", "12.5", "ms", "+25%", "-50%"]
    assert lines[2].split() == ["heavy", "libraries", "0.00", "1.00"], "nothing is a share of none"


def test_what_only_one_run_has_should_be_left_out() -> None:
    assert len(list(changes([LEG], [HEAVY, replace(LEG, section="launch")]))) == 1


def test_an_older_run_should_be_read_as_it_was_written(tmp_path: Path) -> None:
    older = tmp_path / "results.json"
    older.write_text(written("A machine", "2030-03-01", [LEG, HEAVY]), "utf-8")
    assert read(older) == [LEG, HEAVY]
