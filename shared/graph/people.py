"""People of the tenant's directory, read live and never stored (Graph v1.0 user; User.ReadBasic.All)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.graph.service import Graph, GraphRefused

_SELECT = "id,displayName,userPrincipalName"
_LONGEST_TEXT = 64
# Graph takes at most 15 expressions in one filter (Graph, "Use the $filter query parameter").
_AT_ONCE = 15


@dataclass(frozen=True)
class Somebody:
    """A person as the directory shows them; only ``oid`` may be stored."""

    oid: str
    name: str
    username: str


class People:
    """The directory of a tenant."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def get(self, tenant: str, oid: str) -> Somebody | None:
        """The person, by object id or user principal name; None where the directory knows nobody of it."""
        path = f"/users/{quote(oid, safe='@')}"
        try:
            return _somebody(self._graph.call(tenant, "GET", path, query={"$select": _SELECT}, attempts=2))
        except GraphRefused as refused:
            if refused.status == 404:
                return None
            raise

    def several(self, tenant: str, oids: Sequence[str]) -> dict[str, Somebody]:
        """Those of these object ids whom the directory knows; one question for fifteen of them."""
        found: dict[str, Somebody] = {}
        for start in range(0, len(oids), _AT_ONCE):
            quoted = ",".join(f"'{oid.replace("'", "''")}'" for oid in oids[start : start + _AT_ONCE])
            query = {"$filter": f"id in ({quoted})", "$select": _SELECT, "$top": str(_AT_ONCE)}
            answer = self._graph.call(tenant, "GET", "/users", query=query, attempts=2)
            found |= {somebody.oid: somebody for somebody in _listed(answer)}
        return found

    def search(self, tenant: str, text: str, limit: int = 20) -> list[Somebody]:
        """People of whose name, first name, surname, username or mail the text is the beginning."""
        wanted = text.strip()[:_LONGEST_TEXT].replace("'", "''")
        if not wanted:
            return []
        places = ("displayName", "givenName", "surname", "userPrincipalName", "mail")
        query = {
            "$filter": " or ".join(f"startswith({place},'{wanted}')" for place in places),
            "$select": _SELECT,
            "$top": str(limit),
        }
        return _listed(self._graph.call(tenant, "GET", "/users", query=query, attempts=2))


def _listed(answer: Mapping[str, Any]) -> list[Somebody]:
    found = answer.get("value")
    return [_somebody(item) for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _somebody(document: Mapping[str, Any]) -> Somebody:
    def text(name: str) -> str:
        return str(document.get(name) or "")

    return Somebody(text("id"), text("displayName"), text("userPrincipalName"))
