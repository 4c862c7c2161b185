"""docs/performance.md shows a run as the script writes it, and the model as it computes it today."""

import json
import re

import pytest

from bench.__main__ import SECTIONS
from bench.capacity import PerVisit, lines
from bench.document import CAPACITY, DOCUMENT, FIGURES, between, figures_of, mark, placed
from bench.figures import HEAD, Aim, Figure, exponent, percentile, table, timed, written

TEXT = DOCUMENT.read_text("utf-8")
SOME = Figure("cold", "start", "ms", 480.0, 512.3, 1.5, "bare", Aim("ratio", 1.8), "why")


def test_the_models_tables_should_be_those_it_computes() -> None:
    assert between(TEXT, CAPACITY) == list(lines(PerVisit()))


def test_the_figures_should_be_a_run_in_the_scripts_own_form() -> None:
    shown = between(TEXT, FIGURES)
    assert re.fullmatch(r"Measured on \d{4}-\d\d-\d\d: .+, \d+ cores, .+\.", shown[0])
    titles = [line.removeprefix("### ") for line in shown if line.startswith("### ")]
    assert titles == [title for title, _ in SECTIONS.values()]
    heads = [line for line in shown if line.startswith(("| |", "|  |"))]
    assert heads == [f"| {' | '.join(HEAD)} |"] * len(titles)
    rows = [line for line in shown if line.startswith("| ") and line not in heads]
    assert all(line.count(" | ") == len(HEAD) - 1 for line in rows), rows


def test_every_aim_that_is_missed_should_be_explained_with_what_was_reached() -> None:
    missed = [row.split(" | ")[3] for row in between(TEXT, FIGURES) if row.endswith("| no |")]
    section = TEXT.partition("## Aims that are missed")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    explained = [number for row in rows for number in re.findall(r"\d\.\d\d", row[1])]
    assert sorted(explained) == sorted(missed)


def test_the_model_should_count_with_what_was_measured() -> None:
    """Legs of launches as the table has them; within a half, for machines differ."""
    shown = {row.split(" | ")[0]: row.split(" | ")[1] for row in between(TEXT, FIGURES) if " | " in row}
    first, other = (
        float(shown[f"| {name}"].split()[0].replace(",", "")) / 1000
        for name in ("provider first", "patient after provider")
    )
    counted = PerVisit().launch_seconds
    assert counted / 1.5 < (first + 1.2 * other) / 2.2 < counted * 1.5


def test_a_run_should_come_back_from_its_json() -> None:
    run = json.loads(written("A machine, 2 cores, Linux", "2030-03-01", [SOME]))
    assert [Figure.read(row) for row in run["figures"]] == [SOME]
    assert run["figures"][0]["met"] is True
    text = "\n".join(figures_of(run))
    assert "| start | 480 ms | 512 ms | 1.50 | bare | ≤ 1.8 x | yes |" in text
    assert "- start: why" in text


def test_what_is_placed_should_replace_what_was_there_and_nothing_else() -> None:
    text = f"before\n{mark('x')}\nold\n{mark('x', end=True)}\nafter\n"
    once = placed(text, "x", ["new"])
    assert between(once, "x") == ["new"]
    assert placed(once, "x", ["new"]) == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    with pytest.raises(ValueError, match="no marks for y"):
        placed(text, "y", [])


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim("ratio", 1.4), False),
        (Aim("ratio", 1.5), True),
        (Aim("median", 480), True),
        (Aim("p95", 500), False),
        (Aim("ratio", 1.6, least=True), False),
        (Aim("ratio", 1.5, least=True), True),
    ],
)
def test_an_aim_should_be_met_at_its_value_and_not_beyond(aim: Aim, met: bool) -> None:
    assert Figure("cold", "start", "ms", 480.0, 512.3, 1.5, "bare", aim).met is met


def test_an_aim_without_its_figure_should_not_be_met() -> None:
    assert Figure("cold", "start", "ms", 480.0, aim=Aim("ratio", 9)).met is False


def test_medians_percentiles_and_exponents_should_be_those_of_the_book() -> None:
    assert percentile([float(one) for one in range(1, 101)], 0.95) == 95
    assert percentile([7.0], 0.95) == 7
    assert exponent([(1, 3), (10, 30), (100, 300)]) == pytest.approx(1)
    assert exponent([(1, 5), (100, 5)]) == pytest.approx(0)
    assert exponent([(2, 4), (3, 9), (5, 25)]) == pytest.approx(2)
    one = timed("smart", "leg", [0.001, 0.002, 0.009], floor=0.001)
    assert (one.median, one.p95, one.ratio) == (2.0, 9.0, 2.0)


def test_the_table_should_line_up_and_end_with_its_notes() -> None:
    shown = list(table([SOME]))
    assert shown[1].startswith("start")
    assert shown[0].index("ratio") == shown[1].index("1.50")
    assert shown[-1] == "  start: why"
