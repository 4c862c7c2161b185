"""The rules that every Bicep file here keeps, besides being Bicep. Each yields what breaks it.

The compiler and Azure's own preview see more; these need neither, and hold what a reviewer would have to
look for in every change.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from scripts.infra_facts import REQUIRED, ROLES, VERSIONS, WATCHED
from scripts.infra_tree import Declaration, Template, at, literal, members, text_of, walk

_GUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SECRET = re.compile(r"(?i)password|accountKey|primaryKey|sharedKey|sasToken|clientSecret|secretValue")
_OUTSIDE_DIALECT = frozenset(
    {
        "lambda_expression",
        "user_defined_function",
        "type_declaration",
        "import_statement",
        "import_with_statement",
        "using_statement",
        "test_block",
        "assert_statement",
    }
)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


type Rule = Callable[[Template], Iterator[Fault]]


def parses(template: Template) -> Iterator[Fault]:
    """Nothing in the file is unknown to the grammar, and nothing is missing."""
    for node in walk(template.root):
        if node.is_error or node.is_missing:
            what = f"{node.type} is missing" if node.is_missing else f"not Bicep: {text_of(node)[:40]!r}"
            yield Fault(template.name, node.start_point.row + 1, what)


def keeps_the_dialect(template: Template) -> Iterator[Fault]:
    """No function or type of one's own, no lambda, no import: files stay readable without the compiler."""
    for node in walk(template.root):
        if node.type in _OUTSIDE_DIALECT:
            yield Fault(template.name, node.start_point.row + 1, f"{node.type} is outside the plain dialect")


def describes(template: Template) -> Iterator[Fault]:
    """Every parameter and output says what it is for."""
    for one in template.declarations:
        described = any(re.match(r"@description\('.+'\)", text) for text in one.decorators)
        if one.kind in ("parameter", "output") and not described:
            yield Fault(template.name, one.line, f"{one.kind} {one.name} has no description")


def uses_what_it_declares(template: Template) -> Iterator[Fault]:
    """No parameter and no variable is left over."""
    for one in template.declarations:
        if one.kind in ("parameter", "variable") and one.name not in template.names_used:
            yield Fault(template.name, one.line, f"{one.kind} {one.name} is not used")


def reads_no_key(template: Template) -> Iterator[Fault]:
    """No call that reads a key, and no connection string with one."""
    for node in walk(template.root):
        if node.type == "call_expression" and re.match(r"(?:\w+\.)*list[A-Z]?\w*\(", text_of(node)):
            yield Fault(template.name, node.start_point.row + 1, f"reads a key: {text_of(node)[:40]}")
        if node.type == "string" and re.search(r"(?i)AccountKey=|SharedAccess", text_of(node)):
            yield Fault(template.name, node.start_point.row + 1, "a connection string with a key")


def tells_no_secret(template: Template) -> Iterator[Fault]:
    """Outputs are kept with the deployment, where everybody with a reader's role sees them."""
    for one in template.of("output").values():
        if _SECRET.search(text_of(one.node)):
            yield Fault(template.name, one.line, f"output {one.name} looks like a secret")


def knows_its_roles(template: Template) -> Iterator[Fault]:
    """Every GUID in a file is a built-in role of the table."""
    for number, line in enumerate(template.source.splitlines(), 1):
        for guid in _GUID.findall(line.lower()):
            if guid not in ROLES:
                yield Fault(template.name, number, f"{guid} is no role of scripts/infra_facts.py")


def knows_its_versions(template: Template) -> Iterator[Fault]:
    """Every type is in the table, in the version of the table."""
    for one in template.of("resource").values():
        known = VERSIONS.get(one.resource_type)
        if known is None:
            yield Fault(template.name, one.line, f"{one.resource_type} is not in the table of versions")
        elif one.version != known:
            yield Fault(
                template.name, one.line, f"{one.resource_type} is {one.version}, the table says {known}"
            )


def is_secure(template: Template) -> Iterator[Fault]:
    """The properties of the table ``REQUIRED``, on every resource of their type."""
    for one in template.of("resource").values():
        for must in REQUIRED:
            if must.resource != one.resource_type:
                continue
            value = at(one.body, must.path)
            if value is None:
                yield Fault(template.name, one.line, f"{one.name}: {must.path} is not set ({must.why})")
            elif must.values and literal(value) not in must.values:
                line = value.start_point.row + 1
                wrong = f"{one.name}: {must.path} is {literal(value)} ({must.why})"
                yield Fault(template.name, line, wrong)


def is_watched(template: Template) -> Iterator[Fault]:
    """Every resource of ``WATCHED`` has a diagnostic setting with it as scope."""
    scopes = {
        text_of(scope).rpartition("::")[2]
        for one in template.of("resource").values()
        if one.resource_type == "Microsoft.Insights/diagnosticSettings"
        and (scope := at(one.body, "scope")) is not None
    }
    for one in template.of("resource").values():
        if one.resource_type in WATCHED and one.name not in scopes:
            yield Fault(template.name, one.line, f"{one.name} has no diagnostic setting")


RULES: tuple[Rule, ...] = (
    parses,
    keeps_the_dialect,
    describes,
    uses_what_it_declares,
    reads_no_key,
    tells_no_secret,
    knows_its_roles,
    knows_its_versions,
    is_secure,
    is_watched,
)


def modules_fit(templates: Sequence[Template]) -> Iterator[Fault]:
    """Modules exist and get every parameter they need and none else; of their outputs none is left over."""
    files = {template.name: template for template in templates}
    used: set[tuple[str, str]] = set()
    for template in templates:
        for module in template.of("module").values():
            name = (PurePosixPath(template.name).parent / module.reference).as_posix()
            if (called := files.get(name)) is None:
                yield Fault(template.name, module.line, f"there is no module {name}")
                continue
            yield from _parameters_fit(template, module, called)
            used |= {(name, output) for output in _outputs_read(template, module)}
    for template in templates:
        for output in template.of("output").values():
            if template.name != "infra/main.bicep" and (template.name, output.name) not in used:
                yield Fault(template.name, output.line, f"output {output.name} is not used")


def _parameters_fit(template: Template, module: Declaration, called: Template) -> Iterator[Fault]:
    params = at(module.body, "params")
    given = set(members(params)) if params is not None else set()
    known = called.of("parameter")
    needed = {name for name, one in known.items() if not one.has_default}
    for name in sorted(given - set(known)):
        yield Fault(template.name, module.line, f"{called.name} has no parameter {name}")
    for name in sorted(needed - given):
        yield Fault(template.name, module.line, f"{called.name} needs the parameter {name}")


def _outputs_read(template: Template, module: Declaration) -> set[str]:
    pattern = rf"\b{module.name}(?:\[\w+\])?!?\.outputs\.(\w+)"
    return set(re.findall(pattern, template.source))


def faults_of(templates: Sequence[Template]) -> list[Fault]:
    """Everything that is wrong with these files, in their order."""
    single = [fault for template in templates for rule in RULES for fault in rule(template)]
    return sorted([*single, *modules_fit(templates)], key=lambda fault: (fault.file, fault.line))
