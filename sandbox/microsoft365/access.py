"""Access tokens of the simulated Entra: which resource a scope asks for, and what the token for it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.microsoft365.cast import APP_NAME, Person, Registration
from sandbox.microsoft365.failures import Failures
from sandbox.microsoft365.tokens import Keyring, person_claims

OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
GRAPH_SCOPES = frozenset({"User.Read"})


class ScopeRefusedError(Exception):
    """The scope cannot be granted; the message is Entra's, with its code."""


@dataclass(frozen=True)
class Issuance:
    """Makes access tokens; `login` is this Entra's own base URL, `graph` the audience of Graph."""

    keyring: Keyring
    registration: Registration
    failures: Failures
    login: str
    graph: str

    def resource_of(self, scopes: Sequence[str]) -> tuple[str, list[str]]:
        """The one resource (`graph` or `api`) that delegated scopes ask for, and their short names."""
        wanted = [self._split(scope) for scope in scopes if scope not in OPENID_SCOPES]
        resources = {resource for resource, _ in wanted} or {"graph"}
        if len(resources) > 1:
            raise ScopeRefusedError("AADSTS28000: Provided value for the input parameter scope is not valid.")
        return resources.pop(), [name for _, name in wanted]

    def app_resource(self, scope: str | None) -> str:
        """The resource of an app-only request, whose one scope must end in `/.default`."""
        if scope == f"{self.graph}/.default":
            return "graph"
        if scope in {f"{base}/.default" for base in self._api_names()}:
            return "api"
        raise ScopeRefusedError(
            "AADSTS1002012: The provided value for scope is not valid. Client credential flows must have "
            "a scope value with /.default suffixed to the resource identifier."
        )

    def for_app(self, resource: str, tenant: str) -> str:
        """An app-only token for `resource` in `tenant`."""
        principal = str(uuid5(NAMESPACE_URL, f"{tenant}/{self.registration.client_id}"))
        claims = {"tid": tenant, "oid": principal, "sub": principal, "idtyp": "app"}
        if resource == "graph":
            roles = sorted(self.registration.granted - set(self.failures.missing_permissions))
            return self.sign({**self._graph_claims(tenant), **claims, "roles": roles})
        roles = list(self.registration.api_roles)
        issuer = f"{self.login}/{tenant}/v2.0"
        return self.sign(
            {**self._api_claims(), **claims, "iss": issuer, **({"roles": roles} if roles else {})}
        )

    def for_person(self, resource: str, person: Person, scopes: Sequence[str]) -> str:
        """A delegated token: the app acting for `person` within `scopes` (short names)."""
        scp = " ".join(scopes)
        if resource == "graph":
            who = {"oid": person.oid, "tid": person.tenant, "name": person.name, "upn": person.upn}
            return self.sign({**self._graph_claims(person.tenant), **who, "idtyp": "user", "scp": scp})
        who = person_claims(person, self.registration.client_id, self.login, self.failures.emit_wids)
        return self.sign({**who, **self._api_claims(), "scp": scp})

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign the claims with the times of a token made now, unless they bring their own."""
        return self.keyring.sign({**self.keyring.times(), **claims})

    def _split(self, scope: str) -> tuple[str, str]:
        base, _, name = scope.rpartition("/")
        if base in ("", self.graph) and name in GRAPH_SCOPES:
            return "graph", name
        if base in self._api_names() and name in {*self.registration.api_scopes, ".default"}:
            # `.default` stands for everything that was consented to.
            return "api", " ".join(sorted(self.registration.api_scopes)) if name == ".default" else name
        raise ScopeRefusedError("AADSTS70011: The provided value for the input parameter scope is not valid.")

    def _api_names(self) -> tuple[str, str]:
        return f"api://{self.registration.client_id}", self.registration.client_id

    def _graph_claims(self, tenant: str) -> dict[str, Any]:
        return {
            "aud": self.graph,
            "iss": f"https://sts.windows.net/{tenant}/",
            "appid": self.registration.client_id,
            "app_displayname": APP_NAME,
            "appidacr": "2",
            "ver": "1.0",
        }

    def _api_claims(self) -> dict[str, Any]:
        client = self.registration.client_id
        return {"aud": client, "azp": client, "azpacr": "2", "ver": "2.0"}
