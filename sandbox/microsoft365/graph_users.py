"""Graph's users: one by id or UPN, the search that a directory picker needs, licences (graph.md 5)."""

from typing import Any

from flask import request

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.errors import GraphError
from sandbox.microsoft365.graph import Answer, Caller, Graph
from sandbox.microsoft365.licences import licence_details
from sandbox.microsoft365.metadata import TYPES
from sandbox.microsoft365.user_queries import filtered, searched
from sandbox.microsoft365.world import World

_BASIC = ("id", "displayName", "givenName", "surname", "userPrincipalName", "mail")
_FULL = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
_OPTIONS = frozenset({"$select", "$filter", "$search", "$top", "$count", "$orderby", "$skiptoken"})
_MOST = 999


class UserOperations:
    """The operations, over `world`; `install` gives them their routes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, graph: Graph) -> None:
        """Serve them."""
        graph.route("GET", "/users", "users", self.listed)
        graph.route("GET", "/users/<user>", "users", self.get)
        graph.route("GET", "/users/<user>/licenseDetails", "users", self.licences)
        graph.route("GET", "/me", "users", self.me)

    def get(self, caller: Caller, user: str) -> Answer:
        """GET users/{id or UPN}."""
        caller.needs_directory("User.ReadBasic.All", *_FULL)
        return 200, self._shown(caller, self._member(caller, user))

    def licences(self, caller: Caller, user: str) -> Answer:
        """GET users/{id or UPN}/licenseDetails: the basic permission does not suffice."""
        caller.needs_directory("LicenseAssignment.Read.All", *_FULL)
        if option := next((name for name in request.args if name.startswith("$")), ""):
            raise _unsupported(f"The query option '{option}' is not supported.")
        found = self._member(caller, user)
        context = f"{self.world.graph}/v1.0/$metadata#users('{user}')/licenseDetails"
        return 200, {"@odata.context": context, "value": licence_details(found, self.world.failures)}

    def me(self, caller: Caller) -> Answer:
        """GET me: for a delegated token."""
        caller.needs_directory("User.Read")
        found = self.world.directory.by_oid(caller.tenant, caller.oid or "")
        if found is None:
            raise GraphError(404, "Request_ResourceNotFound", "Resource does not exist.")
        return 200, self._shown(caller, found)

    def listed(self, caller: Caller) -> Answer:
        """GET users with $search or $filter, $select, $top, $count and pages."""
        caller.needs_directory("User.ReadBasic.All", *_FULL)
        if unknown := [name for name in request.args if name.startswith("$") and name not in _OPTIONS]:
            raise _unsupported(f"The query option '{unknown[0]}' is not supported.")
        people = self._matching(self.world.directory.members(caller.tenant))
        size, start = _size(), _number("$skiptoken", 0)
        page = people[start : start + size]
        body: dict[str, Any] = {"value": [self._shown(caller, one) for one in page]}
        if request.args.get("$count") == "true" and _eventual():
            body["@odata.count"] = len(people)
        if start + size < len(people):
            body["@odata.nextLink"] = self._next_link(start + size)
        return 200, body

    def _member(self, caller: Caller, user: str) -> Person:
        directory = self.world.directory
        found = directory.by_oid(caller.tenant, user) or directory.by_upn(caller.tenant, user)
        if found is None:
            text = f"Resource '{user}' does not exist or one of its queried references is not present."
            raise GraphError(404, "Request_ResourceNotFound", text)
        return found

    def _matching(self, people: list[Person]) -> list[Person]:
        search, filter_ = request.args.get("$search"), request.args.get("$filter")
        if search is not None:
            if not _eventual():
                raise _unsupported(
                    "Request with $search query parameter only works through MSGraph with a special "
                    "request header: 'ConsistencyLevel: eventual'"
                )
            people = searched(people, search)
        if filter_ is not None:
            people = filtered(people, filter_)
        order = request.args.get("$orderby")
        if order not in (None, "displayName"):
            raise _unsupported("Sorting is supported by displayName only.")
        return sorted(people, key=lambda one: one.name) if order else people

    def _shown(self, caller: Caller, person: Person) -> dict[str, Any]:
        selected = [name for name in request.args.get("$select", "").split(",") if name] or list(_BASIC)
        for name in selected:
            if name not in TYPES["user"]["members"]:
                text = f"Could not find a property named '{name}' on type 'microsoft.graph.user'."
                raise GraphError(400, "BadRequest", text)
            if name not in _BASIC and not caller.permissions.intersection({*_FULL, "User.Read"}):
                text = "Insufficient privileges to complete the operation."
                raise GraphError(403, "Authorization_RequestDenied", text)
        known = _properties(person)
        return {name: known.get(name) for name in selected}

    def _next_link(self, start: int) -> str:
        from urllib.parse import quote, urlencode

        query = {**request.args.to_dict(), "$skiptoken": str(start)}
        version = "beta" if request.path.startswith("/graph/beta/") else "v1.0"
        return f"{self.world.graph}/{version}/users?{urlencode(query, quote_via=quote)}"


def _properties(person: Person) -> dict[str, Any]:
    return {
        "id": person.oid,
        "displayName": person.name,
        "givenName": person.given_name,
        "surname": person.surname,
        "userPrincipalName": person.upn,
        "mail": person.mail,
        "jobTitle": person.job,
        "accountEnabled": True,
        "userType": "Member" if person.home is None else "Guest",
        "preferredLanguage": "en-US",
    }


def _eventual() -> bool:
    return request.headers.get("ConsistencyLevel", "").lower() == "eventual"


def _size() -> int:
    size = _number("$top", 100)
    if not 1 <= size <= _MOST:
        raise _unsupported("Invalid page size specified. Must be between 1 and 999 inclusive.")
    return size


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, str(otherwise))
    if not text.isdecimal():
        raise _unsupported(f"Invalid value '{text}' for {name}.")
    return int(text)


def _unsupported(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)
