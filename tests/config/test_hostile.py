"""Hostile requests to the portal and its API: each row says what an attacker gains if it passes.

Every row is refused with its own reason, and afterwards nothing that is stored has changed.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from config_function import blueprint
from shared.settings import Settings
from shared.store import Stores
from tests.config.house import (
    ADMIN,
    ANALYST,
    CLINICIAN,
    PUBLIC,
    READER,
    Browser,
    House,
    Page,
    beginning,
    forget_rooms,
)
from tests.config.scene import Scene
from tests.fakes import FakeClock

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
NOBODY = ""


@dataclass(frozen=True)
class Attack:
    """``path`` may name {serving} and {waiting}, connections of the house; ``who`` is signed in."""

    gain: str
    who: str
    method: str
    path: str
    status: int
    code: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = FORM
    site: str = "own"

    def __str__(self) -> str:
        return self.gain


SITES = {
    "own": {"origin": PUBLIC, "sec-fetch-site": "same-origin"},
    "other": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "sibling": {"origin": "https://evil.localhost", "sec-fetch-site": "same-site"},
    "liar": {"origin": f"{PUBLIC}.evil.example"},
    "silent": {},
}
PAGE = "/config/connections/{waiting}"
API = "/config/api/connections/{waiting}"
SERVING = "/config/api/connections/{serving}"
SETTINGS = {"settings": {"name": "Taken over"}}
CONTROL = chr(0)

ATTACKS = (
    # -- roles
    Attack("a reader edits", READER, "POST", PAGE + "/edit/ehr", 403, "not-allowed", {"name": "x"}),
    Attack("a reader edits by the API", READER, "PUT", API, 403, "not-allowed", SETTINGS, kind=JSON,
           headers=(("if-match", '"now"'),)),
    Attack("a reader makes a connection", READER, "POST", "/config/connections/new", 403, "not-allowed",
           beginning("https://ehr.sierra.example/fhir")),
    Attack("a reader makes one by the API", READER, "POST", "/config/api/connections", 403, "not-allowed",
           beginning("https://ehr.sierra.example/fhir"), kind=JSON),
    Attack("a reader submits", READER, "POST", PAGE + "/submit", 403, "not-allowed", {"version": "v"}),
    Attack("a reader sends back", READER, "POST", PAGE + "/reject", 403, "not-allowed",
           {"number": "1", "reason": "x"}),
    Attack("a reader probes the network with our server", READER, "POST", "/config/api/bases", 403,
           "not-allowed", {"fhir_base": "https://ehr.sierra.example/fhir"}, kind=JSON),
    Attack("a reader reads the whole directory", READER, "GET", "/config/api/people?q=Tomas", 403,
           "not-allowed"),
    Attack("a reader makes a meeting for a clinician", READER, "POST", SERVING + "/checks/access-policy", 403,
           "not-allowed", {"person": CLINICIAN}, kind=JSON),
    Attack("a reader takes out a person's data", READER, "POST", PAGE + "/personal-data/export", 403,
           "not-allowed", {"ehr_user": "EMP-1"}),
    Attack("a reader erases a person by the API", READER, "POST", SERVING + "/personal-data/erase", 403,
           "not-allowed", {"ehr_user": "EMP-1"}, kind=JSON),
    Attack("the approver erases a person", ANALYST, "POST", PAGE + "/personal-data/erase", 403,
           "not-allowed", {"ehr_user": "EMP-1", "sure": "1"}),
    Attack("an administrator approves alone", ADMIN, "POST", PAGE + "/approve", 403, "not-allowed",
           {"number": "1"}),
    Attack("an administrator signs in to the EHR for the approver", ADMIN, "POST", PAGE + "/ehr", 403,
           "not-allowed", {}),
    Attack("an administrator sends back in the approver's name", ADMIN, "POST", API + "/reject", 403,
           "not-allowed", {"number": 1, "reason": "x"}, kind=JSON),
    Attack("the approver approves without proof", ANALYST, "POST", PAGE + "/approve", 403, "proof-missing",
           {"number": "1"}),
    Attack("the approver approves what they never saw", ANALYST, "POST", PAGE + "/approve", 409,
           "changed-meanwhile", {"number": "2"}),
    Attack("the approver makes connections", ANALYST, "POST", "/config/connections/new", 403, "not-allowed",
           beginning("https://ehr.sierra.example/fhir")),
    Attack("a colleague without a role sees settings", CLINICIAN, "GET", PAGE, 404, "not-found"),
    Attack("a colleague without a role reads them by the API", CLINICIAN, "GET", API, 404, "not-found"),
    Attack("a colleague without a role reads the directory", CLINICIAN, "GET", "/config/api/people?q=Tomas",
           403, "not-allowed"),
    # -- sessions and tokens
    Attack("anybody reads settings", NOBODY, "GET", API, 401, "not-signed-in"),
    Attack("anybody changes settings", NOBODY, "PUT", API, 401, "not-signed-in", SETTINGS, kind=JSON),
    Attack("a forged session opens", NOBODY, "GET", API, 401, "not-signed-in",
           headers=(("cookie", "__Host-session=gAAAAABforgedforgedforged"),)),
    Attack("a session without its prefix opens", NOBODY, "GET", API, 401, "not-signed-in",
           headers=(("cookie", "session=anything"),)),
    Attack("another app's token opens", NOBODY, "GET", API, 401, "not-signed-in",
           headers=(("authorization", "Bearer of-another-app"),)),
    Attack("a password opens", NOBODY, "GET", API, 401, "not-signed-in",
           headers=(("authorization", "Basic YWRtaW46YWRtaW4="),)),
    Attack("a bad token falls back to the session", ADMIN, "PUT", API, 401, "not-signed-in", SETTINGS,
           kind=JSON, headers=(("authorization", "Bearer of-another-app"),)),
    Attack("a program changes settings", NOBODY, "PUT", API, 403, "not-allowed", SETTINGS, kind=JSON,
           headers=(("authorization", "Bearer program"),)),
    Attack("a program takes out a person's data", NOBODY, "POST", API + "/personal-data/export", 403,
           "not-allowed", {"ehr_user": "EMP-1"}, kind=JSON, headers=(("authorization", "Bearer program"),)),
    Attack("a program submits", NOBODY, "POST", API + "/submit", 403, "not-allowed",
           headers=(("authorization", "Bearer program"), ("if-match", '"v"'))),
    Attack("a foreign sign-in answer opens a session", NOBODY, "GET",
           "/config/signin/callback?code=good&state=" + "a" * 32, 400, "sign-in-expired"),
    Attack("a foreign EHR answer counts as proof", ANALYST, "GET",
           "/config/ehr/callback/abbbbbbbbbbbbbbb?code=c&state=s", 400, "flow-unknown"),
    # -- other sites
    Attack("another site submits", ADMIN, "POST", PAGE + "/submit", 403, "cross-site", {"version": "v"},
           site="other"),
    Attack("another site approves", ANALYST, "POST", PAGE + "/approve", 403, "cross-site", {"number": "1"},
           site="other"),
    Attack("a sibling site sends back", ANALYST, "POST", PAGE + "/reject", 403, "cross-site",
           {"number": "1", "reason": "x"}, site="sibling"),
    Attack("a look-alike origin edits", ADMIN, "POST", PAGE + "/edit/ehr", 403, "cross-site", {"name": "x"},
           site="liar"),
    Attack("a request without any origin edits", ADMIN, "POST", PAGE + "/edit/ehr", 403, "cross-site",
           {"name": "x"}, site="silent"),
    Attack("another site edits by the API", ADMIN, "PUT", API, 403, "cross-site", SETTINGS, kind=JSON,
           site="other"),
    Attack("another site signs people out", ADMIN, "POST", "/config/signout", 403, "cross-site", {},
           site="other"),
    Attack("another site erases a person", ADMIN, "POST", PAGE + "/personal-data/erase", 403, "cross-site",
           {"ehr_user": "EMP-1", "sure": "1"}, site="other"),
    Attack("another site begins the EHR sign-in", ANALYST, "POST", PAGE + "/ehr", 403, "cross-site", {},
           site="other"),
    Attack("a plain form of another site passes as JSON", ADMIN, "PUT", API, 415, "media-type", SETTINGS,
           headers=(("if-match", '"v"'),)),
    # -- what is sent
    Attack("a change overwrites a newer one", ADMIN, "PUT", API, 409, "changed-meanwhile", SETTINGS,
           kind=JSON, headers=(("if-match", '"old"'),)),
    Attack("an unknown setting becomes part of the row", ADMIN, "PUT", API, 422, "field-invalid",
           {"settings": {"approved": 1, "tenant": "x"}}, kind=JSON, headers=(("if-match", '"now"'),)),
    Attack("the state is set by hand", ADMIN, "PUT", API, 422, "field-invalid",
           {"settings": {}, "state": "approved"}, kind=JSON, headers=(("if-match", '"now"'),)),
    Attack("the region is chosen freely", ADMIN, "POST", "/config/api/connections", 422, "field-invalid",
           beginning("https://ehr.sierra.example/fhir", region="moon"), kind=JSON),
    Attack("deep nesting exhausts the parser", ADMIN, "PUT", API, 400, "body-invalid", "[" * 100_000,
           kind=JSON, headers=(("if-match", '"now"'),)),
    Attack("a huge body exhausts memory", ADMIN, "PUT", API, 413, "too-large", "x" * 300_000, kind=JSON),
    Attack("a connection's id climbs out of its table", ADMIN, "GET", "/config/api/connections/..%2F..%2Fx",
           404, "not-found"),
    Attack("a probe's name reaches other code", ADMIN, "POST", SERVING + "/checks/__class__", 404,
           "not-found"),
    Attack("a person's id reaches other paths of Graph", ADMIN, "POST", SERVING + "/checks/access-policy",
           422, "field-invalid", {"person": "../../me"}, kind=JSON),
    Attack("a control character splits a header", ADMIN, "PUT", API, 422, "field-invalid",
           {"settings": {"name": f"a{CONTROL}b"}}, kind=JSON, headers=(("if-match", '"now"'),)),
    Attack("an accepted issuer on a foreign server launches", ADMIN, "PUT", API, 422, "field-invalid",
           {"settings": {"issuers": ["https://evil.example/fhir"]}}, kind=JSON,
           headers=(("if-match", '"now"'),)),
)  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len({str(attack) for attack in ATTACKS}) >= 40


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_it_is_refused_and_nothing_changes(scene: Scene, attack: Attack) -> None:
    browser = scene.house.browser(attack.who)
    headers = dict(attack.headers)
    if headers.get("if-match") == '"now"':
        headers["if-match"] = f'"{scene.version(scene.house.browser(ADMIN))}"'
    before = scene.rows()
    page = _send(browser, attack, attack.path.format(serving=scene.serving, waiting=scene.waiting), headers)
    assert page.status == attack.status, page.text
    assert attack.code in page.text
    assert scene.rows() == before
    assert "__Host-session" not in page.headers.get("set-cookie", "")


def _send(browser: Browser, attack: Attack, path: str, headers: dict[str, str]) -> Page:
    if attack.method == "GET":
        return browser.send("GET", path, headers={**SITES[attack.site], **headers})
    if attack.kind == FORM and attack.method == "POST":
        browser.site = SITES[attack.site]
        return browser.post(path, attack.body or {}, **headers)
    body = attack.body if isinstance(attack.body, str) else json.dumps(attack.body)
    return browser.send(
        attack.method, path, body.encode(), {"content-type": attack.kind, **SITES[attack.site], **headers}
    )


# -- another organization ---------------------------------------------------------------------------------

FOREIGN: tuple[tuple[str, str, dict[str, str] | None], ...] = (
    ("GET", "/config/connections/{theirs}", None),
    ("GET", "/config/connections/{theirs}/edit/ehr", None),
    ("GET", "/config/connections/{theirs}/registration", None),
    ("GET", "/config/connections/{theirs}/records", None),
    ("GET", "/config/connections/{theirs}/checks", None),
    ("GET", "/config/connections/{theirs}/history", None),
    ("GET", "/config/connections/new?from={theirs}", None),
    ("POST", "/config/connections/{theirs}/submit", {"version": "v"}),
    ("POST", "/config/connections/{theirs}/approve", {"number": "1"}),
    ("POST", "/config/connections/{theirs}/reject", {"number": "1", "reason": "x"}),
    ("POST", "/config/connections/{theirs}/ehr", {}),
    ("GET", "/config/connections/{theirs}/personal-data", None),
    ("POST", "/config/connections/{theirs}/personal-data/export", {"ehr_user": "EMP-1"}),
    ("POST", "/config/connections/{theirs}/personal-data/erase", {"ehr_user": "EMP-1", "sure": "1"}),
)


@pytest.mark.parametrize(("method", "path", "form"), FOREIGN)
def test_another_organizations_connection_is_not_there(
    scene: Scene,
    azurite_settings: Settings,
    stores: Stores,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    form: dict[str, str] | None,
) -> None:
    other = House(azurite_settings, stores, clock)
    monkeypatch.setattr(blueprint, "services", lambda: other.services)
    forget_rooms()
    stranger, before = other.browser(ADMIN), scene.rows()
    url = path.format(theirs=scene.waiting)
    page = stranger.get(url) if form is None else stranger.post(url, form)
    assert page.status == 404
    assert scene.rows() == before


def test_a_session_of_one_organization_is_none_in_another(scene: Scene) -> None:
    admin = scene.house.browser(ADMIN)
    scene.house.services.settings = replace(
        scene.house.settings, tenants=frozenset({"99999999-9999-4999-8999-999999999999"})
    )
    forget_rooms()
    assert admin.call("GET", f"/config/api/connections/{scene.waiting}").status == 401
