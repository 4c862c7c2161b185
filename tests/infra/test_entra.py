"""The registration script asks for what the code needs and does nothing twice; the Teams script fits."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from config_function.access import ADMIN_ROLE, READER_ROLE
from config_function.api_requests import WRITE_SCOPE
from config_function.checks.microsoft import POLICY_NAME
from infra.entra import register_app
from infra.entra.register_app import PLAN, Graph, Registrar, options_of
from sandbox.addresses import Addresses
from sandbox.microsoft365.cast import GRANTED, Registration, default_registration
from shared.entra.credential import _EXCHANGE_AUDIENCE

ROOT = Path(__file__).resolve().parents[2]
# Microsoft Graph's application permissions and their ids, the same in every tenant.
PERMISSION_IDS = {
    "OnlineMeetings.ReadWrite.All": "b8bb2037-6e08-44ac-a4ea-4674e010e2a4",
    "OnlineMeetingArtifact.Read.All": "df01ed3b-eb61-4eca-9965-6b3d789751b2",
    "VirtualAppointment.Read.All": "d4f67ec2-59b5-4bdc-b4af-d78f6f9c1954",
    "User.ReadBasic.All": "97235f07-e226-4f63-ace3-39588e11d3a1",
    "LicenseAssignment.Read.All": "e2f98668-2877-4f38-a2f4-8202e0717aa1",
}
IDENTITY = "0c5c8a2e-6a0e-4a53-9d0a-9a4f2f9f6a11"
PERSON = "6a1e7a5c-2d57-4a6e-8b5c-2f1d0f8f7b22"
TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
ARGUMENTS = [
    "--host",
    "https://visits.example",
    "--identity",
    IDENTITY,
    "--admin",
    PERSON,
    "--tenant",
    TENANT,
]


class Directory(Graph):
    """A tenant in memory that answers as Graph does; it records what was written."""

    def __init__(self) -> None:
        super().__init__("https://graph.invalid")
        self.lists: dict[str, list[dict[str, Any]]] = {
            "applications": [],
            "servicePrincipals": [{"id": "sp-graph", "appId": register_app.GRAPH_APP}],
            "oauth2PermissionGrants": [],
        }
        self.writes: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        where, _, query = path.strip("/").partition("?")
        if where.endswith(("appRoleAssignedTo", "appRoleAssignments")):
            where = "assigned"
        if method == "GET":
            return {"value": self._filtered(self.lists.get(where, []), unquote(query))}
        self.writes.append((method, path, body))
        body = json.loads(json.dumps(body))
        if method == "POST":
            made = {"id": f"id-{len(self.writes)}", **body}
            if where == "applications":
                made["appId"] = "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631"
                made["web"]["redirectUriSettings"] = [{"uri": uri} for uri in made["web"]["redirectUris"]]
            self.lists.setdefault(where, []).append(made)
            return made
        folder, _, name = where.rpartition("/")
        next(one for one in self.lists[folder] if one["id"] == name).update(body)
        return {}

    @staticmethod
    def _filtered(rows: list[dict[str, Any]], query: str) -> list[dict[str, Any]]:
        wanted = re.findall(r"(\w+) eq '([^']*)'", query)
        return [row for row in rows if all(row.get(name) == value for name, value in wanted)]


def register(directory: Directory, *more: str) -> list[str]:
    said: list[str] = []
    options = options_of([*ARGUMENTS, *more])
    Registrar(directory, options.what_if, said.append).run(options)
    return said


def test_the_permissions_should_be_those_that_the_code_was_tried_with() -> None:
    assert {one["name"]: one["id"] for one in PLAN["permissions"]} == PERMISSION_IDS
    assert set(PERMISSION_IDS) == GRANTED
    assert all(len(one["why"]) > 20 for one in PLAN["permissions"])


def test_roles_scopes_and_redirects_should_be_called_as_in_the_code() -> None:
    assert {one["value"] for one in PLAN["roles"]} == {ADMIN_ROLE, READER_ROLE}
    assert {one["value"] for one in PLAN["scopes"]} == Registration(frozenset(), ()).api_scopes
    assert WRITE_SCOPE in {one["value"] for one in PLAN["scopes"]}
    sandbox = default_registration(Addresses(), "").redirect_uris
    assert {uri.replace(Addresses().app_url, "") for uri in sandbox} == set(PLAN["redirectPaths"])


def test_a_first_run_should_make_everything() -> None:
    directory = Directory()
    register(directory)
    (app,) = directory.lists["applications"]
    assert app["web"]["redirectUris"] == [f"https://visits.example{path}" for path in PLAN["redirectPaths"]]
    assert app["identifierUris"] == [f"api://{app['appId']}"]
    assert app["api"]["requestedAccessTokenVersion"] == 2
    (access,) = app["requiredResourceAccess"]
    assert {one["id"] for one in access["resourceAccess"]} == set(PERMISSION_IDS.values())
    (credential,) = directory.lists[f"applications/{app['id']}/federatedIdentityCredentials"]
    assert credential["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert (credential["subject"], credential["audiences"]) == (IDENTITY, [_EXCHANGE_AUDIENCE])
    granted = {one["appRoleId"] for one in directory.lists["assigned"] if one["resourceId"] == "sp-graph"}
    assert granted == set(PERMISSION_IDS.values())
    admin = next(role["id"] for role in app["appRoles"] if role["value"] == ADMIN_ROLE)
    assert any(
        (one["principalId"], one["appRoleId"]) == (PERSON, admin) for one in directory.lists["assigned"]
    )
    assert directory.lists["oauth2PermissionGrants"][0]["scope"] == "openid profile"


def test_a_second_run_should_change_nothing() -> None:
    directory = Directory()
    register(directory)
    directory.writes.clear()
    assert register(directory) == []
    assert directory.writes == []


def test_what_if_should_change_nothing_and_say_each_step() -> None:
    directory = Directory()
    assert register(directory, "--what-if") == ["Would register the application Antesala"]
    register(directory)
    directory.writes.clear()
    directory.lists["assigned"].clear()
    said = register(directory, "--what-if", "--host", "https://emea.example")
    assert directory.writes == []
    assert "Would update web" in said
    assert len([one for one in said if one.startswith("Would consent to ")]) == len(PERMISSION_IDS)


def test_what_others_added_should_stay() -> None:
    directory = Directory()
    register(directory)
    (app,) = directory.lists["applications"]
    app["web"]["redirectUris"].insert(0, "https://elsewhere.example/callback")
    app["appRoles"].append({"id": "x", "value": "Other.Role"})
    app["requiredResourceAccess"].append({"resourceAppId": "other", "resourceAccess": []})
    register(directory, "--host", "https://emea.example")
    assert app["web"]["redirectUris"][0] == "https://elsewhere.example/callback"
    assert "https://emea.example/config/signin/callback" in app["web"]["redirectUris"]
    assert {"Other.Role", ADMIN_ROLE} <= {role["value"] for role in app["appRoles"]}
    assert {"other", register_app.GRAPH_APP} == {
        one["resourceAppId"] for one in app["requiredResourceAccess"]
    }


def test_the_optional_permission_and_the_consent_can_be_left_out() -> None:
    directory = Directory()
    register(directory, "--no-optional", "--no-consent")
    (access,) = directory.lists["applications"][0]["requiredResourceAccess"]
    assert PERMISSION_IDS["LicenseAssignment.Read.All"] not in {one["id"] for one in access["resourceAccess"]}
    assert [one for one in directory.lists["assigned"] if one["resourceId"] == "sp-graph"] == []


def test_two_registrations_of_one_name_should_be_refused_until_one_is_chosen() -> None:
    directory = Directory()
    directory.lists["applications"] = [
        {"id": name, "appId": name, "displayName": "Antesala", "web": {"redirectUris": []}}
        for name in ("one", "two")
    ]
    with pytest.raises(register_app.AzureError, match="--client-id"):
        register(directory)
    register(directory, "--client-id", "two")
    assert directory.lists["applications"][0]["web"]["redirectUris"] == []
    assert directory.lists["applications"][1]["web"]["redirectUris"] != []


@pytest.mark.parametrize("host", ["http://visits.example", "visits.example", "https://visits.example/config"])
def test_a_host_that_is_no_address_should_be_refused(host: str) -> None:
    with pytest.raises(SystemExit):
        options_of(["--host", host])


def test_the_teams_script_should_make_the_policy_that_the_portal_checks() -> None:
    script = (ROOT / "infra/entra/Grant-TeamsPolicy.ps1").read_text("utf-8")
    assert f"$PolicyName = '{POLICY_NAME}'" in script
    assert "SupportsShouldProcess" in script
    changing = re.findall(r"^( *)(?:New|Set|Grant)-Cs\w+", script, re.MULTILINE)
    asked = re.findall(r"ShouldProcess\(.*?\)\) \{\n( *)((?:New|Set|Grant)-Cs\w+)", script)
    assert len(changing) == len(asked) == 5
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
