"""The documents, taken apart: pages, tables, links, names of the portal."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def read(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text("utf-8")


def rows(text: str) -> Iterator[tuple[str, ...]]:
    """The cells of every row of every table, head and rule left out. A cell may hold ``|`` in backticks."""
    head = True
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped.startswith("|"):
            head = True
            continue
        cells = re.split(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)", stripped.strip("|"))
        if all(re.fullmatch(r"\s*:?-*:?\s*", cell) for cell in cells) and any("-" in cell for cell in cells):
            head = False
        elif not head:
            yield tuple(cell.strip() for cell in cells)


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next of its level or a higher one."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert heading, title
    rest = text[heading.end() :]
    following = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def bold(text: str) -> set[str]:
    """What is printed bold, the leading words of list points (which end with a full stop) left out."""
    return {" ".join(words.split()) for words in re.findall(r"\*\*([^*]+)\*\*", text)}


def code(cell: str) -> str:
    """A cell's text without its backticks."""
    return cell.strip("`")
