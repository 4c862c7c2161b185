"""What a measurement is, how it is told, and how many of them show a trend."""

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

type Kind = Literal["ratio", "median", "p95"]


@dataclass(frozen=True)
class Aim:
    """``of`` a figure must be at most (or ``least``: at least) ``value``."""

    of: Kind
    value: float
    least: bool = False

    def text(self, unit: str) -> str:
        """As the table says it."""
        what = {"ratio": "", "median": f" {unit}", "p95": f" {unit} (p95)"}[self.of]
        return f"{'≥' if self.least else '≤'} {self.value:g}{what}{' x' if self.of == 'ratio' else ''}"


@dataclass(frozen=True)
class Figure:
    """One row. ``ratio`` is to ``against``, measured in the same run; ``note``: what bounds it, or how."""

    section: str
    name: str
    unit: str
    median: float
    p95: float | None = None
    ratio: float | None = None
    against: str = ""
    aim: Aim | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        value = {"ratio": self.ratio, "median": self.median, "p95": self.p95}[self.aim.of]
        if value is None:
            return False
        return value >= self.aim.value if self.aim.least else value <= self.aim.value

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "met": self.met}

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """From JSON values."""
        values = {name: value for name, value in document.items() if name != "met"}
        aim = values.pop("aim")
        return cls(**values, aim=Aim(**aim) if aim else None)


def timed(
    section: str,
    name: str,
    seconds: Sequence[float],
    *,
    floor: float | None = None,
    against: str = "",
    aim: Aim | None = None,
    note: str = "",
) -> Figure:
    """A figure in milliseconds; ``floor``: the other side's median in seconds."""
    median = statistics.median(seconds)
    ratio = median / floor if floor else None
    return Figure(
        section, name, "ms", median * 1000, percentile(seconds, 0.95) * 1000, ratio, against, aim, note
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The power with which the second grows by the first: least squares on a log-log scale."""
    logs = [(math.log(size), math.log(value)) for size, value in points]
    mean_x = statistics.fmean(x for x, _ in logs)
    mean_y = statistics.fmean(y for _, y in logs)
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread


def memory(section: str, what: str, held: Sequence[tuple[int, float]]) -> Figure:
    """What a process holds in MiB after the most, beyond what it holds after the fewest."""
    (few, little), (many, much) = held[0], held[-1]
    note = f"{little:.0f} MiB at {few:,}, {much:.0f} at {many:,}"
    return Figure(section, f"memory gained by {what}", "MiB", much - little, aim=Aim("median", 24), note=note)


HEAD = ("", "median", "p95", "ratio", "to", "aim", "met")


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the cells of a table's row."""
    unit = f" {figure.unit}"
    return (
        figure.name,
        number(figure.median) + unit,
        "" if figure.p95 is None else number(figure.p95) + unit,
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        figure.against,
        "" if figure.aim is None else figure.aim.text(figure.unit),
        {None: "", True: "yes", False: "no"}[figure.met],
    )


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """The lines that the terminal shows."""
    rows = [HEAD, *(cells(one) for one in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"  {one.name}: {one.note}" for one in figures if one.note)


def written(machine: str, date: str, figures: Sequence[Figure]) -> str:
    """The run as JSON."""
    document = {"machine": machine, "date": date, "figures": [one.document() for one in figures]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
