"""``docs/privacy.md`` as data: which fields, queues, cookies and ages it names."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text("utf-8")
NO_MEMBERS_OF_THEIR_OWN = frozenset({"roster.people", "roster.left", "roster.forgotten", "writeback.options"})
"""Objects whose members are named by ids or by options, not by us."""
_PACKED = re.compile(r"(document|revision)(_\d+)?")


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def named(cells: Iterable[str]) -> set[str]:
    """What stands in backticks."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def tables() -> dict[str, str]:
    """How long the rows of each table are kept, in words."""
    return {next(iter(named(cells[:1]))): cells[-1] for cells in rows("Tables")}


def fields(table: str) -> set[str]:
    """The documented fields of a table."""
    return named(cells[0] for cells in rows(f"`{table}`"))


def members(value: Any, path: str = "") -> set[str]:
    """The paths of all members of a JSON value; a list is written as what it holds."""
    if isinstance(value, Mapping) and path not in NO_MEMBERS_OF_THEIR_OWN:
        return {
            found
            for name, inner in value.items()
            for found in members(inner, f"{path}.{name}" if path else name)
        }
    inside = (
        [found for item in value if isinstance(item, Mapping) for found in members(item, path)]
        if (isinstance(value, list | tuple))
        else []
    )
    return set(inside) or {path}


def stored(row: Mapping[str, Any]) -> set[str]:
    """The paths of all that a row holds: columns as they are, packed documents by their members."""
    found: set[str] = set()
    packed: dict[str, str] = {}
    for name, value in row.items():
        fit = _PACKED.fullmatch(name)
        if name in ("PartitionKey", "RowKey"):
            continue
        if fit and isinstance(value, str):
            packed[fit[1]] = packed.get(fit[1], "") + value
        else:
            found.add(name)
    for text in packed.values():
        found |= members(json.loads(text))
    return found
