"""Register Antesala in Microsoft Entra, or bring an existing registration up to date.

    python3 infra/entra/register_app.py --host https://connector.example [--identity <object ID>] [--what-if]

Needs Python 3.9 and the Azure CLI, signed in as somebody who may register applications; consent takes a
Privileged Role Administrator or a Global Administrator. What it makes is in app.json beside it. A second run
finds things done and changes nothing; what somebody else added to the registration stays. A new registration
takes Entra some seconds to spread: if a step is refused because of that, run it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

Json = dict[str, Any]
PLAN: Json = json.loads((Path(__file__).parent / "app.json").read_text("utf-8"))
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
# Of the person who signs in, the app learns who it is and nothing more.
SIGN_IN_SCOPES = "openid profile"
# Ids of roles and scopes must be the same in every run; the namespace is this project's own.
NAMESPACE = uuid.UUID("7b0f6f0e-5a5e-4d0f-9a53-0f6a3c1f9f11")


class AzureError(Exception):
    """The Azure CLI or Graph refused; the message is theirs."""


class Graph:
    """Microsoft Graph by `az rest`, with the rights of whoever is signed in there."""

    def __init__(self, root: str) -> None:
        self._root = root

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer's document; AzureError when there is none."""
        command = ["az", "rest", "--method", method, "--url", self._root + "/v1.0" + path, "--output", "json"]
        if body is not None:
            command += ["--headers", "Content-Type=application/json", "--body", json.dumps(body)]
        try:
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        except OSError as error:
            raise AzureError("the Azure CLI (az) is not installed") from error
        if ended.returncode:
            raise AzureError(ended.stderr.decode().strip())
        answer: Json = json.loads(ended.stdout or b"{}")
        return answer


class Registrar:
    """Compares what is there with what should be, and does the difference; says each step."""

    def __init__(self, graph: Graph, what_if: bool, say: Callable[[str], object] = print) -> None:
        self._graph = graph
        self._what_if = what_if
        self._say = say

    def run(self, options: argparse.Namespace) -> str:
        """The client ID, or "" where it would only now be made."""
        app = self._app(options)
        if not app:
            return ""
        self._credentials(app, options)
        service = self._service(app["appId"])
        if service:
            self._consent(service, options)
            self._administrators(service, app, options)
        return str(app["appId"])

    def _app(self, options: argparse.Namespace) -> Json | None:
        found = self._list("/applications?$filter=" + quote(f"displayName eq '{options.name}'"))
        if options.client_id:
            found = self._list("/applications?$filter=" + quote(f"appId eq '{options.client_id}'"))
        if len(found) > 1:
            raise AzureError(
                f"{len(found)} applications are called {options.name}: choose one with --client-id"
            )
        app = found[0] if found else None
        if app is None:
            app = self._do(
                "register the application " + options.name, "POST", "/applications", desired({}, options)
            )
            if app is None:
                return None
        wanted = desired(app, options)
        changed = {name: value for name, value in wanted.items() if _differs(app, name, value)}
        if changed:
            self._do("update " + ", ".join(sorted(changed)), "PATCH", f"/applications/{app['id']}", changed)
        return app

    def _credentials(self, app: Json, options: argparse.Namespace) -> None:
        path = f"/applications/{app['id']}/federatedIdentityCredentials"
        known = {(one["issuer"], one["subject"]) for one in self._list(path)}
        issuer = f"{options.login}/{options.tenant}/v2.0"
        for identity in options.identity:
            if (issuer, identity) in known:
                continue
            body = {
                "name": f"antesala-{identity}",
                "issuer": issuer,
                "subject": identity,
                "audiences": [options.audience],
            }
            self._do(f"trust the managed identity {identity}", "POST", path, body)

    def _service(self, client_id: str) -> Json | None:
        found = self._list("/servicePrincipals?$filter=" + quote(f"appId eq '{client_id}'"))
        if found:
            return found[0]
        return self._do(
            "let the application into this tenant", "POST", "/servicePrincipals", {"appId": client_id}
        )

    def _consent(self, service: Json, options: argparse.Namespace) -> None:
        if options.no_consent:
            return
        graph = self._list("/servicePrincipals?$filter=" + quote(f"appId eq '{GRAPH_APP}'"))[0]
        held = {
            one["appRoleId"]
            for one in self._list(f"/servicePrincipals/{service['id']}/appRoleAssignments")
            if one["resourceId"] == graph["id"]
        }
        for permission in permissions(options):
            if permission["id"] not in held:
                said = f"consent to {permission['name']}: {permission['why']}"
                self._assign(said, service["id"], graph["id"], permission["id"])
        self._sign_in(service, graph)

    def _sign_in(self, service: Json, graph: Json) -> None:
        filtered = quote(f"clientId eq '{service['id']}' and resourceId eq '{graph['id']}'")
        grants = [
            one
            for one in self._list("/oauth2PermissionGrants?$filter=" + filtered)
            if not one.get("principalId")
        ]
        held = set(" ".join(one["scope"] for one in grants).split())
        if held >= set(SIGN_IN_SCOPES.split()):
            return
        said = f"consent to {SIGN_IN_SCOPES}: people sign in without being asked one by one"
        if grants:
            scope = " ".join(sorted(held | set(SIGN_IN_SCOPES.split())))
            self._do(said, "PATCH", f"/oauth2PermissionGrants/{grants[0]['id']}", {"scope": scope})
            return
        body = {
            "clientId": service["id"],
            "consentType": "AllPrincipals",
            "resourceId": graph["id"],
            "scope": SIGN_IN_SCOPES,
        }
        self._do(said, "POST", "/oauth2PermissionGrants", body)

    def _administrators(self, service: Json, app: Json, options: argparse.Namespace) -> None:
        role = role_id("Connector.Admin", app)
        path = f"/servicePrincipals/{service['id']}/appRoleAssignedTo"
        held = {one["principalId"] for one in self._list(path) if one["appRoleId"] == role}
        for person in options.admin:
            if person not in held:
                self._assign(f"make {person} an administrator", person, service["id"], role)

    def _assign(self, said: str, principal: str, resource: str, role: str) -> None:
        body = {"principalId": principal, "resourceId": resource, "appRoleId": role}
        self._do(said, "POST", f"/servicePrincipals/{resource}/appRoleAssignedTo", body)

    def _list(self, path: str) -> list[Json]:
        found: list[Json] = self._graph.call("GET", path).get("value", [])
        return found

    def _do(self, said: str, method: str, path: str, body: Json) -> Json | None:
        self._say(("Would " if self._what_if else "") + said)
        return None if self._what_if else self._graph.call(method, path, body)


def permissions(options: argparse.Namespace) -> list[Json]:
    """What is asked for: the optional one too, unless told otherwise."""
    return [one for one in PLAN["permissions"] if not (options.no_optional and one.get("optional"))]


def role_id(value: str, app: Json | None = None) -> str:
    """The id of an app role: that of the registration if it has the role already."""
    for role in (app or {}).get("appRoles", []):
        if role["value"] == value:
            return str(role["id"])
    return str(uuid.uuid5(NAMESPACE, "role/" + value))


def desired(app: Json, options: argparse.Namespace) -> Json:
    """The members of the registration that this script answers for, merged into what it has."""
    api = app.get("api") or {}
    resources = [one for one in app.get("requiredResourceAccess", []) if one["resourceAppId"] != GRAPH_APP]
    return {
        "displayName": app.get("displayName", options.name),
        "signInAudience": "AzureADMultipleOrgs"
        if options.multitenant
        else app.get("signInAudience", "AzureADMyOrg"),
        "web": {**_web(app), "redirectUris": _redirects(app, options)},
        "appRoles": _merged(app.get("appRoles", []), [_role(one) for one in PLAN["roles"]]),
        "api": {
            **api,
            "requestedAccessTokenVersion": 2,
            "oauth2PermissionScopes": _merged(
                api.get("oauth2PermissionScopes", []), [_scope(one) for one in PLAN["scopes"]]
            ),
        },
        "requiredResourceAccess": [*resources, _access(app, options)],
        **({"identifierUris": app.get("identifierUris") or ["api://" + app["appId"]]} if app else {}),
    }


def _web(app: Json) -> Json:
    """Without the second form in which Graph tells the redirect URIs: sent along, the two must agree."""
    return {name: value for name, value in (app.get("web") or {}).items() if name != "redirectUriSettings"}


def _differs(app: Json, name: str, value: Any) -> bool:
    if name == "web":
        return bool(_web(app) != value)
    return bool(app.get(name) != value)


def _redirects(app: Json, options: argparse.Namespace) -> list[str]:
    known = (app.get("web") or {}).get("redirectUris", [])
    wanted = [host.rstrip("/") + path for host in options.host for path in PLAN["redirectPaths"]]
    return list(dict.fromkeys([*known, *wanted]))


def _merged(known: list[Json], ours: list[Json]) -> list[Json]:
    """What is there stays as it is; what is ours and missing comes after it."""
    values = {one["value"] for one in known}
    return [*known, *(one for one in ours if one["value"] not in values)]


def _role(role: Json) -> Json:
    return {
        "id": role_id(role["value"]),
        "value": role["value"],
        "displayName": role["title"],
        "description": role["about"],
        "allowedMemberTypes": role["members"],
        "isEnabled": True,
    }


def _scope(scope: Json) -> Json:
    return {
        "id": str(uuid.uuid5(NAMESPACE, "scope/" + scope["value"])),
        "value": scope["value"],
        "type": "User",
        "isEnabled": True,
        "adminConsentDisplayName": scope["value"],
        "adminConsentDescription": scope["about"],
    }


def _access(app: Json, options: argparse.Namespace) -> Json:
    known = [
        entry
        for one in app.get("requiredResourceAccess", [])
        if one["resourceAppId"] == GRAPH_APP
        for entry in one["resourceAccess"]
    ]
    ids = {entry["id"] for entry in known}
    ours = [{"id": one["id"], "type": "Role"} for one in permissions(options) if one["id"] not in ids]
    return {"resourceAppId": GRAPH_APP, "resourceAccess": [*known, *ours]}


def _https(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.path not in ("", "/"):
        raise argparse.ArgumentTypeError("give an https address without a path")
    return text


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--host", type=_https, action="append", default=[], help="address that users see; one per stamp"
    )
    parser.add_argument(
        "--identity", action="append", default=[], help="object ID of a stamp's managed identity"
    )
    parser.add_argument(
        "--admin", action="append", default=[], help="object ID of a person who becomes administrator"
    )
    parser.add_argument("--name", default=PLAN["name"], help="name of the registration")
    parser.add_argument("--client-id", default="", help="an existing registration")
    parser.add_argument("--tenant", default="", help="tenant ID; default: that of az login")
    parser.add_argument(
        "--multitenant", action="store_true", help="several organizations share the deployment"
    )
    parser.add_argument("--no-optional", action="store_true", help="leave the optional permission out")
    parser.add_argument(
        "--no-consent", action="store_true", help="somebody else consents, in the Entra admin center"
    )
    parser.add_argument(
        "--login", default="https://login.microsoftonline.com", help="login endpoint of your cloud"
    )
    parser.add_argument(
        "--graph", default="https://graph.microsoft.com", help="Microsoft Graph of your cloud"
    )
    parser.add_argument(
        "--audience", default="api://AzureADTokenExchange", help="of federated tokens in your cloud"
    )
    parser.add_argument("--what-if", action="store_true", help="change nothing, say what would be done")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do it, and print the client ID."""
    options = options_of(arguments)
    graph = Graph(options.graph)
    try:
        if options.identity and not options.tenant:
            options.tenant = graph.call("GET", "/organization?$select=id")["value"][0]["id"]
        client_id = Registrar(graph, options.what_if).run(options)
    except AzureError as error:
        print(f"register_app: {error}", file=sys.stderr)
        return 1
    print(f"Client ID: {client_id or 'not yet'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
