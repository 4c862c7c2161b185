"""The JSON API: its problems, its versions, and its own description."""

import re
from typing import Any

import pytest

from config_function.openapi import OPERATIONS, openapi
from shared.connection import CONNECTION_ID
from shared.errors import FieldRefusal
from shared.pages import Pages
from shared.web import Request
from tests.config.house import ADMIN, ANALYST, POOL, Browser, House, beginning, routes

DECIDED = {
    "provider_client_id": "p",
    "patient_client_id": "q",
    "backend_client_id": "b",
    "approver": ANALYST,
    "organizers": [POOL],
}


def made(house: House, admin: Browser, **changes: Any) -> dict[str, Any]:
    body = {**beginning(house.base), "settings": DECIDED, **changes}
    answer = admin.call("POST", "/config/api/connections", body)
    assert answer.status == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_connection_is_made_changed_and_submitted(house: House) -> None:
    admin = house.browser(ADMIN)
    document = made(house, admin)
    assert re.fullmatch(CONNECTION_ID, document["id"])
    assert document["id"].startswith("a")
    path = f"/config/api/connections/{document['id']}"
    got = admin.call("GET", path)
    assert got.headers["etag"] == f'"{document["version"]}"'
    changed = admin.call("PUT", path, {"settings": {"chat": "disabled"}}, if_match=got.headers["etag"])
    assert changed.json()["latest"]["settings"]["chat"] == "disabled"
    assert changed.json()["latest"]["settings"]["provider_client_id"] == "p"
    submitted = admin.call("POST", f"{path}/submit", if_match=changed.headers["etag"])
    assert submitted.json()["latest"]["state"] == "submitted"
    assert submitted.json()["latest"]["endpoints"]["token"].endswith("/token")


def test_the_defaults_are_those_of_the_ehr(house: House) -> None:
    admin = house.browser(ADMIN)
    shown = made(house, admin, kind="fhir")["latest"]["settings"]
    assert (shown["visit_kind"], shown["visit_key"], shown["provider_user_key"], shown["adapter"]) == (
        "appointment",
        "",
        "",
        "fhir",
    )


def test_a_region_is_in_the_id_and_decides_where_the_row_lies(house: House) -> None:
    admin = house.browser(ADMIN)
    document = made(house, admin, region="apac")
    assert document["id"].startswith("p")
    assert house.stores.region("apac").connections.get(document["id"]) is not None
    assert house.stores.region("americas").connections.get(document["id"]) is None


def test_a_stale_or_missing_version_is_refused(house: House) -> None:
    admin = house.browser(ADMIN)
    path = f"/config/api/connections/{made(house, admin)['id']}"
    missing = admin.call("PUT", path, {"settings": {}})
    assert (missing.status, missing.json()["errors"][0]["field"]) == (422, "If-Match")
    stale = admin.call("PUT", path, {"settings": {"chat": "enabled"}}, if_match='"stale"')
    assert (stale.status, stale.json()["code"]) == (409, "changed-meanwhile")


def test_an_unfinished_connection_cannot_be_submitted(house: House) -> None:
    admin = house.browser(ADMIN)
    document = made(house, admin, settings={})
    answer = admin.call(
        "POST", f"/config/api/connections/{document['id']}/submit", if_match=document["version"]
    )
    named = {error["field"] for error in answer.json()["errors"]}
    assert named == {"provider_client_id", "patient_client_id", "backend_client_id", "approver", "organizers"}


def test_approval_is_not_in_the_api() -> None:
    assert not [path for _, path, _ in routes() if path.startswith("config/api") and "approve" in path]


BODIES = [
    (b"", "application/json", 400, "body-invalid"),
    (b"[]", "application/json", 400, "body-invalid"),
    (b"{", "application/json", 400, "body-invalid"),
    (b"\xff", "application/json", 400, "body-invalid"),
    (b"[" * 100_000, "application/json", 400, "body-invalid"),
    (b"{}", "text/plain", 415, "media-type"),
    (b"a=b", "application/x-www-form-urlencoded", 415, "media-type"),
    (b'{"surprise": 1}', "application/json", 422, "field-invalid"),
    (b"{}", "application/json", 422, "field-invalid"),
    (b'{"settings": []}', "application/json", 422, "field-invalid"),
    (b" " * 300_000, "application/json", 413, "too-large"),
]


@pytest.mark.parametrize(("body", "kind", "status", "code"), BODIES, ids=lambda part: str(part)[:24])
def test_bad_bodies_become_problems(house: House, body: bytes, kind: str, status: int, code: str) -> None:
    admin = house.browser(ADMIN)
    answer = admin.send("POST", "/config/api/connections", body, {"content-type": kind, **admin.site})
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_problem_has_the_shape_of_rfc_9457() -> None:
    problem = Pages().problem(Request("GET", "/"), FieldRefusal({"name": "A sentence."}), "ref")
    import json

    document = json.loads(problem.body)
    assert set(document) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert document["status"] == problem.status == 422
    assert document["errors"] == [{"field": "name", "detail": "A sentence."}]


def test_records_and_registration_can_be_downloaded(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    answer = admin.call("GET", f"/config/api/connections/{connection}/records?download=1")
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="antesala-{connection}-records.json"'
    )
    purposes = [record["purpose"] for record in answer.json()["records"]]
    assert purposes == ["provider-visit", "patient-visit", "provider-view", "patient-device-test"]
    sheet = admin.call("GET", f"/config/api/connections/{connection}/registration").json()
    assert [row["client"] for row in sheet["registration"]] == ["provider", "patient", "backend"]


def test_people_are_searched_in_the_own_directory(house: House) -> None:
    admin = house.browser(ADMIN)
    found = admin.call("GET", "/config/api/people?q=Tomas").json()["people"]
    assert [somebody["oid"] for somebody in found] == [ANALYST]
    assert admin.call("GET", "/config/api/people?q=T").status == 422
    house.microsoft.down = True
    assert admin.call("GET", "/config/api/people?q=Tomas").status in (200, 503)


def test_the_openapi_document_names_every_route_of_the_api_and_no_other(house: House) -> None:
    served = house.browser().get("/config/api/openapi.json").json()
    described = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    routed = {(method, f"/{path}") for method, path, _ in routes() if path.startswith("config/api")}
    assert described == routed
    assert served["openapi"] == "3.1.0"


def test_every_reference_of_the_openapi_document_leads_somewhere() -> None:
    document = openapi("https://antesala.example")
    schemas = document["components"]["schemas"]
    wanted = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert wanted <= set(schemas)
    assert {operation.answer for operation in OPERATIONS} <= set(schemas)


def test_answers_are_what_the_openapi_document_says(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    schemas = openapi("x")["components"]["schemas"]
    one = f"/config/api/connections/{connection}"
    for path, schema in (
        (one, "Connection"),
        (f"{one}/records", "Records"),
        (f"{one}/registration", "RegistrationSheet"),
        (f"{one}/clinicians", "Clinicians"),
        (f"{one}/launches", "Launches"),
        (f"{one}/history", "History"),
        (f"{one}/health", "Health"),
    ):
        document = admin.call("GET", path).json()
        assert set(document) == set(schemas[schema]["required"]), path
    assert set(admin.call("GET", one).json()["latest"]) == set(schemas["Revision"]["required"])
    verdict = admin.call("POST", f"{one}/checks/discovery").json()
    assert set(verdict) == set(schemas["Verdict"]["required"])
