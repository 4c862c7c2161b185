"""The part of OData's `$search` and `$filter` that looking for a person needs; everything else is refused."""

import re
from collections.abc import Callable, Sequence

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.errors import GraphError

_FIELDS: dict[str, Callable[[Person], str]] = {
    "id": lambda one: one.oid,
    "displayname": lambda one: one.name,
    "givenname": lambda one: one.given_name,
    "surname": lambda one: one.surname,
    "mail": lambda one: one.mail,
    "userprincipalname": lambda one: one.upn,
}
_TERM = re.compile(r'\s*"(\w+):((?:[^"\\]|\\.)*)"\s*')
_STARTS = re.compile(r"startswith\(\s*(\w+)\s*,\s*'((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_EQUALS = re.compile(r"(\w+)\s+eq\s+'((?:[^']|'')*)'", re.IGNORECASE)
_IN = re.compile(r"(\w+)\s+in\s+\(\s*((?:'(?:[^']|'')*'\s*,?\s*)+)\)", re.IGNORECASE)

Test = Callable[[Person], bool]


def searched(people: Sequence[Person], query: str) -> list[Person]:
    """Who matches `"displayName:ele" OR "mail:ele"`: terms by words that begin so, joined by AND or OR."""
    return _select(people, query, _search_term)


def filtered(people: Sequence[Person], query: str) -> list[Person]:
    """Who passes a filter of `eq`, `in` and `startswith` clauses joined by `and` or `or`."""
    return _select(people, query, _clause)


def _select(people: Sequence[Person], query: str, read: Callable[[str], Test]) -> list[Person]:
    ways = [[read(term) for term in _split(way, "and")] for way in _split(query, "or")]
    return [one for one in people if any(all(test(one) for test in way) for way in ways)]


def _split(query: str, word: str) -> list[str]:
    """Split at a joining word that stands outside quotes."""
    parts = re.split(rf"(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*')|\s+{word}\s+", query, flags=re.IGNORECASE)
    terms, current = [], ""
    for index in range(0, len(parts), 2):
        current += parts[index] or ""
        quoted = parts[index + 1] if index + 1 < len(parts) else None
        if quoted is not None:
            current += quoted
        else:
            terms.append(current)
            current = ""
    return terms


def _search_term(text: str) -> Test:
    match = _TERM.fullmatch(text)
    if match is None:
        raise GraphError(400, "BadRequest", 'Syntax error in $search: terms are "property:value".')
    read, wanted = _field(match[1]), re.sub(r"\\(.)", r"\1", match[2]).lower().split()

    def test(one: Person) -> bool:
        words = [*re.split(r"[\s.@]+", read(one).lower()), read(one).lower()]
        return bool(wanted) and all(any(word.startswith(part) for word in words) for part in wanted)

    return test


def _clause(text: str) -> Test:
    text = text.strip()
    if match := _STARTS.fullmatch(text):
        read, prefix = _field(match[1]), _literal(match[2])
        return lambda one: read(one).lower().startswith(prefix)
    if match := _EQUALS.fullmatch(text):
        read_one, value = _field(match[1]), _literal(match[2])
        return lambda one: read_one(one).lower() == value
    if match := _IN.fullmatch(text):
        read_any = _field(match[1])
        values = {_literal(each) for each in re.findall(r"'((?:[^']|'')*)'", match[2])}
        return lambda one: read_any(one).lower() in values
    raise GraphError(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified.")


def _field(name: str) -> Callable[[Person], str]:
    if name.lower() not in _FIELDS:
        raise GraphError(400, "Request_UnsupportedQuery", f"Unsupported property '{name}' in a query.")
    return _FIELDS[name.lower()]


def _literal(text: str) -> str:
    return text.replace("''", "'").lower()
