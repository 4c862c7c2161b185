"""``python -m bench.document``: the last run's figures and the model's tables, into docs/performance.md.

Between two marks stands what is written here; the rest of the document is written by people.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.__main__ import OUTPUT, SECTIONS
from bench.capacity import PerVisit, lines
from bench.figures import HEAD, Figure, cells

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
FIGURES, CAPACITY = "figures", "capacity"


def mark(name: str, end: bool = False) -> str:
    """The comment before or behind what is written by a program."""
    return f"<!-- {name}: {'end' if end else 'begin, written by a program'} -->"


def placed(text: str, name: str, content: Sequence[str]) -> str:
    """The document with this content between the marks of this name; ValueError where they are not."""
    before, begin, rest = text.partition(mark(name) + "\n")
    _, end, after = rest.partition(mark(name, end=True))
    if not begin or not end:
        raise ValueError(f"docs/performance.md has no marks for {name}")
    return "".join((before, begin, "\n", "\n".join(content), "\n\n", end, after))


def between(text: str, name: str) -> list[str]:
    """The lines between the marks of this name."""
    found = text.partition(mark(name) + "\n")[2].partition(mark(name, end=True))[0]
    return found.strip().splitlines()


def figures_of(run: Mapping[str, object]) -> Iterator[str]:
    """A run's date and machine, and a table a section."""
    rows = run["figures"]
    found = [Figure.read(row) for row in rows] if isinstance(rows, list) else []
    yield f"Measured on {run['date']}: {run['machine']}."
    for section, (title, _) in SECTIONS.items():
        mine = [one for one in found if one.section == section]
        if mine:
            yield from ("", f"### {title}", "", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|")
            yield from (f"| {' | '.join(cells(one))} |" for one in mine)
            notes = [one for one in mine if one.note]
            yield from [""] * bool(notes)
            yield from (f"- {one.name}: {one.note}" for one in notes)


def main(arguments: list[str]) -> int:
    """0 when the document was written; 1 where there is no run to write down."""
    source = Path(arguments[0]) if arguments else OUTPUT
    text = placed(DOCUMENT.read_text("utf-8"), CAPACITY, list(lines(PerVisit())))
    if source.exists():
        text = placed(text, FIGURES, list(figures_of(json.loads(source.read_text("utf-8")))))
    DOCUMENT.write_text(text, "utf-8")
    if not source.exists():
        sys.stderr.write("There are no figures yet: run `make bench` first.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
