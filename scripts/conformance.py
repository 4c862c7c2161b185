"""docs/smart-conformance.md: every requirement of SMART App Launch 2.2 on a client, and what proves it here.

    requirements.csv   what the specification asks, by the id of HL7's own list, in this project's words
    reasons.csv        why a row does not apply to this client, or where it differs
    tests              ``@pytest.mark.smart(29, 62)`` on a test that goes red if those rows are broken

Run as a script it writes the document; ``tests/conformance/test_table.py`` holds it up to date.
"""

import ast
import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLES = Path("tests") / "conformance"
DOCUMENT = Path("docs") / "smart-conformance.md"
SPECIFICATION = "https://hl7.org/fhir/smart-app-launch/STU2.2/"
BINDING = frozenset({"SHALL", "SHALL NOT"})

_KINDS = {
    "not ours": "Not asked of this client.",
    "not used": "This client does not do what the rule is about.",
    "withdrawn": "No longer counted as a requirement.",
    "differs": "Deliberately done otherwise.",
}
_PAGES = {
    "app-launch.html": "App launch",
    "scopes-and-launch-context.html": "Scopes and launch context",
    "backend-services.html": "Backend services",
    "token-introspection.html": "Token introspection",
    "client-confidential-asymmetric.html": "Asymmetric client authentication",
    "client-confidential-symmetric.html": "Symmetric client authentication",
    "conformance.html": "Discovery",
    "brands.html": "Brands",
}


@dataclass(frozen=True)
class Requirement:
    """One row; ``section``: page and anchor of the specification."""

    id: int
    level: str
    text: str
    section: str

    @property
    def page(self) -> str:
        """The page of the specification."""
        return self.section.partition("#")[0]


@dataclass(frozen=True)
class Mark:
    """A test that claims a requirement; ``path`` from the repository's root.

    Not the line: the document would be out of date with every edit of a test.
    """

    id: int
    path: str
    test: str


def requirements(root: Path = ROOT) -> list[Requirement]:
    """All rows, in the order of their ids."""
    rows = _rows(root / TABLES / "requirements.csv")
    return [Requirement(int(row["id"]), row["level"], row["requirement"], row["section"]) for row in rows]


def reasons(root: Path = ROOT) -> dict[int, tuple[str, str]]:
    """Kind and sentence of every row that no test covers; ValueError for an unknown kind or a second row."""
    found: dict[int, tuple[str, str]] = {}
    for row in _rows(root / TABLES / "reasons.csv"):
        if row["kind"] not in _KINDS or int(row["id"]) in found or not row["reason"].strip():
            raise ValueError(f"reasons.csv: {row}")
        found[int(row["id"])] = (row["kind"], row["reason"])
    return found


def marks(root: Path = ROOT) -> list[Mark]:
    """Every claim of a test, in the order of files; ValueError for a marker that is not on a test."""
    found = []
    for path in sorted((root / "tests").rglob("*.py")):
        text = path.read_text("utf-8")
        if "mark.smart" in text:
            found += list(_marks_of(ast.parse(text), path.relative_to(root).as_posix()))
    return found


def open_rows(root: Path = ROOT) -> list[int]:
    """Ids of SHALL and SHALL NOT rows that neither a test covers nor a reason explains."""
    settled = {mark.id for mark in marks(root)} | set(reasons(root))
    return [row.id for row in requirements(root) if row.level in BINDING and row.id not in settled]


def document(root: Path = ROOT) -> str:
    """The document's text."""
    rows, why = requirements(root), reasons(root)
    proofs: dict[int, list[Mark]] = {}
    for mark in marks(root):
        proofs.setdefault(mark.id, []).append(mark)
    lines = [*_head(rows, proofs, why)]
    for page in dict.fromkeys(row.page for row in rows):
        lines += ["", f"## {_PAGES[page]}", "", "| | | Requirement | Proof |", "|---|---|---|---|"]
        lines += [_line(row, proofs.get(row.id, []), why.get(row.id)) for row in rows if row.page == page]
    return "\n".join(lines) + "\n"


def _head(
    rows: list[Requirement], proofs: Mapping[int, list[Mark]], why: Mapping[int, tuple[str, str]]
) -> Iterator[str]:
    binding = [row for row in rows if row.level in BINDING]
    yield "# Conformance with SMART App Launch 2.2, as a client"
    yield ""
    yield (
        f"HL7's list has {len(rows)} rows for clients, {len(binding)} of them SHALL or SHALL NOT. Here "
        f"{sum(row.id in proofs for row in binding)} of those are proved by tests that go red if the rule is "
        f"broken, {sum(row.id in why for row in binding)} have a stated reason, and "
        f"{sum(row.id not in proofs and row.id not in why for row in binding)} are open."
    )
    yield ""
    yield (
        "The rules are restated in this project's words; the number is that of HL7's list and links to the "
        "specification, whose words count. A test's name says what it proves. This page is written by "
        "`make conformance` from `tests/conformance/` and the tests' own marks; a test holds it up to date."
    )


def _line(row: Requirement, proofs: list[Mark], why: tuple[str, str] | None) -> str:
    cells = [f"{_KINDS[why[0]]} {why[1]}"] if why else []
    cells += [f"[{_words(mark.test)}](../{mark.path})" for mark in proofs]
    number = f"[{row.id}]({SPECIFICATION}{row.section})"
    return f"| {number} | {row.level} | {row.text} | {'<br>'.join(cells) or '**open**'} |"


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _marks_of(tree: ast.Module, path: str) -> Iterator[Mark]:
    seen = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if _is_mark(decorator):
                    seen += 1
                    yield from _claims(decorator, node, path)
    if seen != sum(_names_mark(node) for node in ast.walk(tree)):
        raise ValueError(f"{path}: a smart marker that is not a test's decorator")


def _claims(decorator: ast.expr, test: ast.FunctionDef, path: str) -> Iterator[Mark]:
    ids = [ast.literal_eval(each) for each in decorator.args] if isinstance(decorator, ast.Call) else []
    if not test.name.startswith("test_") or not ids or not all(isinstance(each, int) for each in ids):
        raise ValueError(f"{path}: {test.name}: a smart marker names requirements by number, on a test")
    for each in ids:
        yield Mark(each, path, test.name)


def _is_mark(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _names_mark(node.func)


def _names_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.smart"


def main() -> int:
    """Writes the document; 1 if a binding row is open."""
    (ROOT / DOCUMENT).write_text(document(), "utf-8")
    still = open_rows()
    print(f"{DOCUMENT}: {len(still)} binding rows open {still or ''}".rstrip())
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
