"""A Bicep file as a tree with the few questions that the rules ask of it; parsed by tree-sitter-bicep."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))
_DECLARATIONS = frozenset(
    {
        "parameter_declaration",
        "variable_declaration",
        "resource_declaration",
        "module_declaration",
        "output_declaration",
    }
)


def text_of(node: Node) -> str:
    """The source of a node."""
    return (node.text or b"").decode()


def literal(node: Node) -> str:
    """The source of a value; of a plain string what stands between its quotes."""
    text = text_of(node)
    return text[1:-1] if node.type == "string" else text


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the file."""
    yield node
    for child in node.children:
        yield from walk(child)


def members(node: Node) -> dict[str, Node]:
    """The values of an object by property name; nested resources are none."""
    found: dict[str, Node] = {}
    for child in node.named_children:
        if child.type == "object_property" and len(child.named_children) == 2:
            key, value = child.named_children
            found[literal(key)] = value
    return found


def at(node: Node | None, path: str) -> Node | None:
    """The value at a dotted path below an object, or None."""
    for name in path.split("."):
        if node is None or node.type != "object":
            return None
        node = members(node).get(name)
    return node


@dataclass(frozen=True)
class Declaration:
    """A parameter, variable, resource, module or output (``kind``). ``decorators``: their source."""

    kind: str
    name: str
    node: Node
    decorators: tuple[str, ...] = ()
    parent: "Declaration | None" = None

    @property
    def line(self) -> int:
        """Where it stands, counted from 1."""
        return self.node.start_point.row + 1

    @property
    def has_default(self) -> bool:
        """Whether a parameter may be left out."""
        return any(child.type == "=" for child in self.node.children)

    @property
    def reference(self) -> str:
        """What a resource or module is: ``Microsoft.Web/sites@2024-04-01``, ``vault.bicep``."""
        return next((literal(child) for child in self.node.named_children if child.type == "string"), "")

    @property
    def resource_type(self) -> str:
        """The full type of a resource without its version, also of one that stands inside another."""
        own = self.reference.partition("@")[0]
        return f"{self.parent.resource_type}/{own}" if self.parent else own

    @property
    def version(self) -> str:
        """The API version; a resource inside another has that one's."""
        own = self.reference.partition("@")[2]
        return own or (self.parent.version if self.parent else "")

    @property
    def body(self) -> Node | None:
        """The object that describes it, also inside a condition or a loop."""
        for child in self.node.named_children:
            if child.type == "object":
                return child
            if child.type in ("if_statement", "for_statement"):
                return next((node for node in walk(child) if node.type == "object"), None)
        return None


class Template:
    """One file. ``name``: its path from the repository's root, for messages."""

    def __init__(self, name: str, source: bytes) -> None:
        self.name = name
        self.source = source.decode()
        self.root = _PARSER.parse(source).root_node

    @cached_property
    def declarations(self) -> tuple[Declaration, ...]:
        """Everything that is declared, resources inside resources included."""
        return tuple(_declared(self.root, None))

    def of(self, kind: str) -> dict[str, Declaration]:
        """Those of one kind by name."""
        return {one.name: one for one in self.declarations if one.kind == kind}

    @cached_property
    def names_used(self) -> frozenset[str]:
        """Every identifier that stands where a value does, not where a name is given."""
        given = {one.node.named_children[0].id for one in self.declarations}
        found: set[str] = set()
        for node in walk(self.root):
            if node.type not in ("identifier", "compatible_identifier") or node.id in given:
                continue
            parent = node.parent
            key = parent is not None and parent.type == "object_property"
            if not (key and parent is not None and parent.named_children[0].id == node.id):
                found.add(text_of(node))
        return frozenset(found)


def read_templates(root: Path) -> tuple[Template, ...]:
    """Every Bicep file below ``infra/``."""
    paths = sorted((root / "infra").rglob("*.bicep"))
    return tuple(Template(path.relative_to(root).as_posix(), path.read_bytes()) for path in paths)


def _declared(node: Node, parent: Declaration | None) -> Iterator[Declaration]:
    decorators: tuple[str, ...] = ()
    for child in node.named_children:
        if child.type == "decorators":
            decorators = tuple(text_of(one) for one in child.named_children)
        elif child.type in _DECLARATIONS:
            kind = child.type.removesuffix("_declaration")
            made = Declaration(kind, text_of(child.named_children[0]), child, decorators, parent)
            yield made
            yield from _declared(child, made if kind == "resource" else parent)
            decorators = ()
        elif child.type not in ("comment", "diagnostic_comment"):
            yield from _declared(child, parent)
