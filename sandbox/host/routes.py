"""Route templates as the Functions host (ASP.NET Core) reads them.

Supported: literals, ``{x}``, ``{x?}``, ``{x:int}`` and the other constraints in `_CONSTRAINTS`,
``{*rest}``, and segments that mix text and parameters (``{name}.css``). Literals match without regard to
case, a trailing slash means nothing, ``%2F`` inside a segment stays as it is. Of several templates that
fit, the more literal wins.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

_PARAMETER = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<rules>(?::\w+(?:\([^)]*\))?)*)(?P<optional>\??)\}"
)
_RULE = re.compile(r":(\w+)(?:\(([^)]*)\))?")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)

_CONSTRAINTS: dict[str, Callable[[str, str], bool]] = {
    "int": lambda value, _: _is_integer(value, 31),
    "long": lambda value, _: _is_integer(value, 63),
    "guid": lambda value, _: _GUID.fullmatch(value) is not None,
    "alpha": lambda value, _: value.isascii() and (value.isalpha() or not value),
    "bool": lambda value, _: value.lower() in ("true", "false"),
    "minlength": lambda value, size: len(value) >= int(size),
    "maxlength": lambda value, size: len(value) <= int(size),
    "length": lambda value, size: len(value) == int(size),
}


@dataclass(frozen=True)
class Route[T]:
    """One template with the methods it takes (empty: all) and what it leads to."""

    template: str
    methods: frozenset[str]
    target: T
    _segments: tuple["_Segment", ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the template; an unknown constraint raises ValueError."""
        parts = [part for part in self.template.strip("/").split("/") if part]
        object.__setattr__(self, "_segments", tuple(_Segment(part) for part in parts))

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sorts more literal templates first, segment by segment."""
        return tuple(segment.rank for segment in self._segments)

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The parameters that the raw path segments `parts` give, or None if the template does not fit."""
        found: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            if segment.catches_all:
                return segment.take("/".join(parts[index:]), found)
            if index >= len(parts):
                if segment.take("", found) is None or not segment.optional:
                    return None
            elif segment.take(parts[index], found) is None:
                return None
        return found if len(parts) <= len(self._segments) else None


class _Segment:
    """One part of a template between slashes."""

    def __init__(self, text: str) -> None:
        parameters = list(_PARAMETER.finditer(text))
        leftover = _PARAMETER.sub("", text)
        if "{" in leftover or "}" in leftover:
            raise ValueError(f"this host cannot read the route segment {text!r}")
        self.catches_all = any(one["star"] for one in parameters)
        self.optional = bool(parameters) and (self.catches_all or bool(parameters[-1]["optional"]))
        self._rules = {one["name"]: _rules(one["rules"]) for one in parameters}
        self._pattern = _pattern(text, parameters)
        self.rank = self._rank(leftover)

    def _rank(self, literal_text: str) -> int:
        """ASP.NET's order of a segment: literal, mixed, constrained, free, catch-all."""
        if not self._rules:
            return 1
        if literal_text:
            return 2
        constrained = any(self._rules.values())
        return (4 if constrained else 5) if self.catches_all else (3 if constrained else 4)

    def take(self, raw: str, found: dict[str, str]) -> dict[str, str] | None:
        """Add the parameters of the raw segment to `found` and return it, or None if it does not fit."""
        value = _decode(raw)
        if not value and self.optional:
            return (
                found if all(_holds(rule, "") for rules in self._rules.values() for rule in rules) else None
            )
        fit = self._pattern.fullmatch(value)
        if fit is None:
            return None
        values = fit.groupdict()
        if not all(_holds(rule, values[name]) for name, rules in self._rules.items() for rule in rules):
            return None
        found.update(values)
        return found


class RouteTable[T]:
    """Finds what a path and a method lead to."""

    def __init__(self, routes: Iterable[Route[T]]) -> None:
        """Order the routes so that the more literal comes first."""
        self._routes = sorted(routes, key=lambda route: route.precedence)

    def find(self, method: str, raw_path: str) -> tuple[T, dict[str, str]] | None:
        """Target and parameters, or None: a wrong method is as unknown as a wrong path."""
        path = raw_path.partition("?")[0].strip("/")
        parts = path.split("/") if path else []
        for route in self._routes:
            if route.methods and method not in route.methods:
                continue
            if (values := route.match(parts)) is not None:
                return route.target, values
        return None


def _rules(text: str) -> list[tuple[str, str]]:
    rules = [(one[1], one[2] or "") for one in _RULE.finditer(text)]
    for name, _ in rules:
        if name not in _CONSTRAINTS:
            raise ValueError(f"this host does not know the route constraint {name!r}")
    return rules


def _holds(rule: tuple[str, str], value: str) -> bool:
    name, argument = rule
    # An absent optional value satisfies every constraint but those on length, as in ASP.NET.
    return (not value and "length" not in name) or bool(_CONSTRAINTS[name](value, argument))


def _pattern(text: str, parameters: list[re.Match[str]]) -> re.Pattern[str]:
    pattern, end = "", 0
    for one in parameters:
        pattern += re.escape(text[end : one.start()]) + f"(?P<{one['name']}>{'.*' if one['star'] else '.+?'})"
        end = one.end()
    return re.compile(pattern + re.escape(text[end:]), re.IGNORECASE | re.DOTALL)


def _decode(raw: str) -> str:
    return "%2F".join(unquote(piece) for piece in re.split("%2f", raw, flags=re.IGNORECASE))


def _is_integer(value: str, bits: int) -> bool:
    if re.fullmatch(r"[+-]?[0-9]+", value) is None:
        return False
    return -(1 << bits) <= int(value) < 1 << bits
