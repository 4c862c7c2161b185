"""What changed between two runs, figure by figure: whether they say the same within their noise."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, number


def read(path: Path) -> list[Figure]:
    """The figures of a run; OSError or ValueError if it is none."""
    return [Figure.read(row) for row in json.loads(path.read_text("utf-8"))["figures"]]


def changes(older: Sequence[Figure], newer: Sequence[Figure]) -> Iterator[str]:
    """A line for each figure that both have, before, now and by how much; the ratio too, which travels."""
    before = {(one.section, one.name): one for one in older}
    rows = [("changed", "before", "now", "by", "ratio by")]
    for one in newer:
        if (known := before.get((one.section, one.name))) is not None:
            unit = f" {one.unit}"
            old, new = number(known.median) + unit, number(one.median) + unit
            rows.append((one.name, old, new, _by(known.median, one.median), _by(known.ratio, one.ratio)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _by(before: float | None, now: float | None) -> str:
    """In per cent; nothing where there is nothing to compare with."""
    if before is None or now is None or math.isclose(before, 0):
        return ""
    return f"{(now - before) / abs(before):+.0%}"
