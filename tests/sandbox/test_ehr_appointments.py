"""Appointments of the Oracle-like hospital: PATCH by the published rules, statuses set by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.ehr.appointment_patch import MOVES
from sandbox.ehr.resources import resources
from tests.sandbox.ehr_client import Connector, connector, query

ZEPH, BALT = "644177310551", "644177320552"
WRITE = "system/Appointment.read system/Appointment.write"
PATCH = "application/json-patch+json"
Operations = list[dict[str, Any]]


@pytest.fixture
def oracle() -> Connector:
    return connector("oracle")


def backend(app: Connector, scope: str = WRITE) -> dict[str, str]:
    return app.headers(app.backend_token(scope).json["access_token"], "backend")


def address(app: Connector, name: str = ZEPH) -> str:
    return f"{app.hospital.fhir_path}/Appointment/{name}"


def etag(app: Connector, name: str = ZEPH) -> str:
    answer = app.tls.get(address(app, name), headers=backend(app))
    assert answer.headers["ETag"] == f'W/"{answer.json["meta"]["versionId"]}"'
    return str(answer.headers["ETag"])


def move(status: str, **changes: Any) -> Operations:
    return [{"op": "replace", "path": "/status", "value": status} | changes]


def patch(app: Connector, body: object, name: str = ZEPH, **changes: str | None) -> Any:
    """A PATCH that is right in everything that `changes` does not name; None leaves a header out."""
    headers = backend(app) | {"If-Match": etag(app), "Content-Type": PATCH} | changes
    kept = {header: value for header, value in headers.items() if value is not None}
    text = body if isinstance(body, str) else json.dumps(body)
    return app.tls.patch(address(app, name), data=text, headers=kept)


def shown(app: Connector, name: str = ZEPH) -> dict[str, Any]:
    found: dict[str, Any] = app.tls.get("/sandbox/state").json["appointments"][name]
    return found


def statuses(app: Connector) -> list[tuple[str, str]]:
    return [(one["status"], one["by"]) for one in shown(app)["history"]]


def by_hand(app: Connector, status: str, login: str = "evidal", name: str = ZEPH) -> Any:
    wanted = {"as": login, "appointment": name, "status": status}
    return app.tls.post("/sandbox/status", json=wanted)


def test_a_status_moves_under_its_version_and_the_record_says_who(oracle: Connector) -> None:
    first = etag(oracle)
    answer = patch(oracle, move("arrived"))
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["ETag"] == etag(oracle) != first
    assert oracle.tls.get(address(oracle), headers=backend(oracle)).json["status"] == "arrived"
    oracle.clock.now += 60
    assert patch(oracle, move("checked-in")).status_code == 200
    assert patch(oracle, move("fulfilled")).status_code == 200
    assert statuses(oracle) == [(one, "connector") for one in ("arrived", "checked-in", "fulfilled")]
    assert shown(oracle)["history"][0]["at"] == "2026-05-28T20:26:40.000+00:00"
    assert shown(oracle)["history"][1]["at"] == "2026-05-28T20:27:40.000+00:00"
    assert shown(oracle, BALT)["status"] == "booked"


ALL_STATUSES = ("proposed", "booked", "arrived", "checked-in", "fulfilled", "cancelled", "noshow", "gone")


def test_only_the_published_moves_are_made(oracle: Connector) -> None:
    for before in ("booked", "arrived", "checked-in", "fulfilled", "cancelled", "noshow"):
        for after in ALL_STATUSES:
            assert by_hand(oracle, before).status_code == 200
            answer = patch(oracle, move(after))
            assert answer.status_code == (200 if after in MOVES.get(before, ()) else 422), (before, after)
    assert {pair for pair in MOVES.items() if pair[0] == "booked"} == {
        ("booked", ("arrived", "checked-in", "cancelled"))
    }


LINK = "https://localhost:7443/l/"
ROOMS: Operations = [
    {"op": "add", "path": "/contained/0/telecom/0/value", "value": f"{LINK}provider"},
    {"op": "add", "path": "/contained/1/telecom/0/value", "value": f"{LINK}patient"},
    {"op": "add", "path": "/contained/0/telecom/0/period/start", "value": "2026-05-28T20:00:00Z"},
    {"op": "add", "path": "/contained/0/telecom/0/period/end", "value": "2026-05-28T22:00:00Z"},
]


def rooms(place: int, **changes: Any) -> Operations:
    return [one | (changes if number == place else {}) for number, one in enumerate(ROOMS)]


REFUSED: dict[str, tuple[object, dict[str, str | None], int]] = {
    "no If-Match: overwrites blindly": (move("arrived"), {"If-Match": None}, 412),
    "a stale version: overwrites another": (move("arrived"), {"If-Match": 'W/"0-0"'}, 409),
    "any version: overwrites blindly": (move("arrived"), {"If-Match": "*"}, 409),
    "the version as a strong tag": (move("arrived"), {"If-Match": '"1-0"'}, 409),
    "plain JSON": (move("arrived"), {"Content-Type": "application/json"}, 415),
    "FHIR JSON": (move("arrived"), {"Content-Type": "application/fhir+json"}, 415),
    "no JSON": ("{", {}, 400),
    "no array": ({"status": "arrived"}, {}, 400),
    "no operation": ([], {}, 400),
    "an operation that is none": (["arrived"], {}, 400),
    "no path": ([{"op": "replace", "value": "arrived"}], {}, 400),
    "a path without a slash": (move("arrived", path="status"), {}, 422),
    "a path that is not for apps": (move("x", path="/description"), {}, 422),
    "a participant": (move("accepted", path="/participant/0/status"), {}, 422),
    "add": (move("arrived", op="add"), {}, 422),
    "remove": ([{"op": "remove", "path": "/status"}], {}, 422),
    "test before replace": ([*move("booked", op="test"), *move("arrived")], {}, 422),
    "two moves at once": ([*move("arrived"), *move("checked-in")], {}, 422),
    "a move together with links": ([*move("arrived"), *ROOMS], {}, 422),
    "a number": (move("arrived", value=1), {}, 422),
    "a status that does not exist": (move("gone"), {}, 422),
    "back": (move("proposed"), {}, 422),
    "the status that it has": (move("booked"), {}, 422),
    "no-show by an app": (move("noshow"), {}, 422),
    "fulfilled before it was checked in": (move("fulfilled"), {}, 422),
    "a link alone": (ROOMS[:1], {}, 422),
    "three of four": (ROOMS[:3], {}, 422),
    "five": ([*ROOMS, ROOMS[0]], {}, 422),
    "add and replace mixed": (rooms(3, op="replace"), {}, 422),
    "replace where nothing is": ([one | {"op": "replace"} for one in ROOMS], {}, 422),
    "a link that is too long": (rooms(1, value=LINK + "x" * 231), {}, 422),
    "a link without TLS": (rooms(0, value="http://localhost/"), {}, 422),
    "a window that ends before it begins": (rooms(3, value="2026-05-28T19:00:00Z"), {}, 422),
    "a window without an offset": (rooms(2, value="2026-05-28T20:00:00"), {}, 422),
    "a window that is no time": (rooms(2, value="soon"), {}, 422),
}


@pytest.mark.parametrize(("body", "headers", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_patch_should_be_refused(
    oracle: Connector, body: object, headers: dict[str, str | None], status: int
) -> None:
    before = shown(oracle)
    answer = patch(oracle, body, ZEPH, **headers)
    assert (answer.status_code, answer.json["resourceType"]) == (status, "OperationOutcome"), answer.text
    assert answer.json["issue"][0]["diagnostics"]
    assert shown(oracle) == before


def test_a_version_that_somebody_else_has_outdated_is_refused(oracle: Connector) -> None:
    known = etag(oracle)
    assert by_hand(oracle, "arrived").status_code == 200
    assert patch(oracle, move("checked-in"), **{"If-Match": known}).status_code == 409
    assert statuses(oracle) == [("arrived", "evidal")]


def test_patch_should_need_a_backend_or_staff_and_the_scope_to_write(oracle: Connector) -> None:
    body, match = json.dumps(move("arrived")), {"If-Match": etag(oracle), "Content-Type": PATCH}
    reading = backend(oracle, "system/Appointment.read")
    other = backend(oracle, "system/Encounter.read")
    for headers, status in (({}, 401), (reading, 403), (other, 403), (patients(oracle), 403)):
        answer = oracle.tls.patch(address(oracle), data=body, headers={**headers, **match})
        assert (answer.status_code, answer.json["resourceType"]) == (status, "OperationOutcome")
    writing = backend(oracle, "system/Appointment.write")
    links = oracle.tls.patch(address(oracle), data=json.dumps(ROOMS), headers={**writing, **match})
    assert links.status_code == 403
    assert statuses(oracle) == []
    assert oracle.tls.patch(address(oracle), data=body, headers={**writing, **match}).status_code == 200
    assert patch(oracle, move("arrived"), "1").status_code == 404
    assert oracle.tls.put(address(oracle), json={}, headers=backend(oracle)).status_code == 405


def patients(app: Connector) -> dict[str, str]:
    """What a patient's app gets at most: it may ask for user/ scopes, but no patient writes appointments."""
    scope = "launch user/Appointment.read user/Appointment.write"
    launch = app.launch_value("zquillfeather")
    answer = app.authorize(app.authorize_parameters("patient", launch=launch, scope=scope))
    code = query(answer.headers["Location"])["code"]
    return app.headers(app.exchange(code, "patient").json["access_token"], "patient")


def test_links_are_written_in_one_order_and_read_in_the_other(oracle: Connector) -> None:
    assert patch(oracle, ROOMS).status_code == 200
    assert patch(oracle, ROOMS).status_code == 409
    found = oracle.tls.get(address(oracle), headers=backend(oracle)).json
    read = {one["type"][0]["text"]: one["telecom"][0]["value"] for one in found["contained"]}
    assert list(read) == ["Patient Virtual Meeting Room", "Provider Virtual Meeting Room"]
    assert read["Patient Virtual Meeting Room"] == f"{LINK}patient"
    assert patch(oracle, [one | {"op": "test"} for one in ROOMS]).status_code == 422
    again = [one | {"op": "replace", "value": one["value"].replace("/l/", "/m/")} for one in ROOMS]
    assert patch(oracle, again).status_code == 200
    assert shown(oracle)["links"]["provider"] == f"{LINK}provider".replace("/l/", "/m/")
    assert patch(oracle, move("arrived")).status_code == 200
    from fhir.resources.R4B.appointment import Appointment

    Appointment.model_validate(next(resources(oracle.world, "Appointment")))


def test_failure_modes(oracle: Connector) -> None:
    failures = oracle.world.failures
    failures.appointment_locked = True
    assert patch(oracle, move("arrived")).status_code == 423
    failures.appointment_locked = False
    failures.appointment_dependency_failed = True
    assert patch(oracle, move("arrived")).status_code == 424
    failures.appointment_dependency_failed = False
    failures.appointment_conflicts = 2
    assert [patch(oracle, move("arrived")).status_code for _ in range(3)] == [409, 409, 200]
    assert failures.appointment_conflicts == 0
    assert statuses(oracle) == [("arrived", "connector")]


def test_staff_set_a_status_by_hand_on_the_schedule(oracle: Connector) -> None:
    form = {"as": "evidal", "appointment": ZEPH, "status": "noshow"}
    answer = oracle.http.post("/schedule/status", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/schedule?as=evidal")
    page = oracle.http.get("/schedule?as=evidal").text
    assert "Did not come" in page
    assert "by Dr. Elena Vidal" in page
    assert "Did not come" in oracle.http.get("/portal?as=iquillfeather").text
    marks = oracle.http.get("/schedule/marks?as=evidal").json["statuses"][ZEPH]
    assert [(one["status"], one["name"]) for one in marks] == [("noshow", "Did not come")]
    assert patch(oracle, move("arrived")).status_code == 422
    assert statuses(oracle) == [("noshow", "evidal")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"as": "zquillfeather"}, 403),
        ({"as": ""}, 403),
        ({"status": "proposed"}, 400),
        ({"appointment": "1"}, 404),
    ],
)
def test_nobody_else_sets_anything_else(oracle: Connector, changes: dict[str, str], status: int) -> None:
    form = {"as": "evidal", "appointment": ZEPH, "status": "arrived"} | changes
    assert oracle.http.post("/schedule/status", data=form).status_code == status
    assert oracle.tls.post("/sandbox/status", json=form).status_code == status
    assert oracle.tls.post("/sandbox/status", json={"as": "evidal"}).status_code == 400
    assert statuses(oracle) == []


def test_other_hospitals_take_no_status() -> None:
    fhir = connector("fhir")
    assert by_hand(fhir, "arrived", name="appt-zeph-4417731").status_code == 404
    assert fhir.tls.get("/sandbox/state").json["appointments"] == {}
    token = fhir.backend_token("system/Appointment.u").json["access_token"]
    answer = fhir.tls.patch("/fhir/Appointment/appt-zeph-4417731", headers=fhir.headers(token, "backend"))
    assert answer.status_code == 405


def test_statuses_survive_a_restart(tmp_path: Path) -> None:
    first = connector("oracle", tmp_path)
    assert patch(first, move("arrived")).status_code == 200
    assert patch(first, ROOMS).status_code == 200
    before = shown(first)
    again = connector("oracle", tmp_path)
    assert shown(again) == before
    assert patch(again, move("checked-in")).status_code == 200
