"""FHIR API, AuditEvents and the status service: who may do what, and what the record says afterwards."""

from copy import deepcopy
from typing import Any

import pytest

from sandbox.ehr.resources import resources
from tests.sandbox.ehr_client import Connector, connector, query


@pytest.fixture(params=["epic", "fhir"])
def app(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


@pytest.fixture
def epic() -> Connector:
    return connector("epic")


@pytest.fixture
def fhir() -> Connector:
    return connector("fhir")


def bearer(app: Connector, side: str = "provider", login: str = "evidal") -> dict[str, str]:
    return app.headers(app.exchange(app.code_for(login, side), side).json["access_token"], side)


def backend(app: Connector, scope: str = "system/Encounter.rs") -> dict[str, str]:
    return app.headers(app.backend_token(scope).json["access_token"], "backend")


def reference(app: Connector, login: str) -> str:
    person = app.hospital.person(login)
    assert person is not None
    return person.reference


def test_every_resource_should_be_valid_r4(app: Connector) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    kinds = ("Patient", "Practitioner", "RelatedPerson", "Appointment", "Encounter")
    for kind in kinds:
        found = list(resources(app.world, kind))
        assert found
        for one in found:
            get_fhir_model_class(kind).model_validate(deepcopy(one))
    statement = app.tls.get(f"{app.hospital.fhir_path}/metadata").json
    get_fhir_model_class("CapabilityStatement").model_validate(deepcopy(statement))


def test_metadata_should_declare_audit_events_only_where_they_are_taken(app: Connector) -> None:
    rest = app.tls.get(f"{app.hospital.fhir_path}/metadata").json["rest"][0]
    declared = [one for one in rest["resource"] if one["type"] == "AuditEvent"]
    assert bool(declared) is not app.epic
    if declared:
        assert declared[0]["updateCreate"] is True


def test_read_should_need_a_good_token(app: Connector) -> None:
    path = f"{app.hospital.fhir_path}/{reference(app, 'zquillfeather')}"
    assert app.tls.get(path).status_code == 401
    assert app.tls.get(path, headers=app.headers("invented", "provider")).status_code == 401
    headers = bearer(app)
    answer = app.tls.get(path, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json")
    assert app.http.get(path, headers=headers).status_code == 403
    app.clock.now += app.hospital.user_token_seconds + 1
    late = app.tls.get(path, headers=headers)
    assert (late.status_code, late.json["resourceType"]) == (401, "OperationOutcome")
    assert "Bearer" in late.headers["WWW-Authenticate"]


def test_epic_should_ask_for_its_client_id_header(epic: Connector) -> None:
    headers = bearer(epic)
    path = f"{epic.hospital.fhir_path}/{reference(epic, 'zquillfeather')}"
    assert epic.tls.get(path, headers=headers | {"Epic-Client-ID": "other"}).status_code == 403
    assert epic.tls.get(path, headers={"Authorization": headers["Authorization"]}).status_code == 403


def test_scope_should_limit_what_can_be_done(app: Connector) -> None:
    headers = bearer(app)
    patients = f"{app.hospital.fhir_path}/Patient?_id={reference(app, 'zquillfeather').partition('/')[2]}"
    assert app.tls.get(patients, headers=headers).status_code == 403  # user/Patient.r has no s
    assert app.tls.get(f"{app.hospital.fhir_path}/RelatedPerson/x", headers=headers).status_code == 403


def test_patient_token_should_end_at_the_patients_compartment(app: Connector) -> None:
    headers = bearer(app, "patient", "zquillfeather")
    base = app.hospital.fhir_path
    assert app.tls.get(f"{base}/{reference(app, 'zquillfeather')}", headers=headers).status_code == 200
    assert app.tls.get(f"{base}/{reference(app, 'bockenfels')}", headers=headers).status_code == 403
    other = reference(app, "bockenfels").partition("/")[2]
    assert app.tls.get(f"{base}/Appointment?patient={other}", headers=headers).status_code == 403
    own = reference(app, "zquillfeather").partition("/")[2]
    found = app.tls.get(f"{base}/Appointment?patient={own}", headers=headers).json
    assert found["total"] == (2 if app.epic else 1)
    everyone = ",".join(
        contact.appointment_id for visit in app.hospital.visits for contact in visit.contacts.values()
    )
    ids = app.tls.get(f"{base}/Appointment?_id={everyone}", headers=headers).json
    assert ids["total"] == found["total"]


def test_patient_scope_without_a_patient_in_context_should_reach_nobody(epic: Connector) -> None:
    launch = epic.launch_value("evidal", "CONF-77120")
    asked = epic.authorize_parameters(launch=launch, scope="launch patient/Patient.r")
    code = query(epic.authorize(asked).headers["Location"])["code"]
    headers = epic.headers(epic.exchange(code).json["access_token"], "provider")
    path = f"{epic.hospital.fhir_path}/{reference(epic, 'zquillfeather')}"
    assert epic.tls.get(path, headers=headers).status_code == 403


def test_search_should_find_the_encounter_of_an_appointment(app: Connector) -> None:
    appointment = next(iter(app.hospital.visits[0].contacts.values())).appointment_id
    found = app.tls.get(
        f"{app.hospital.fhir_path}/Encounter?appointment=Appointment/{appointment}", headers=backend(app)
    ).json
    matches = [one["resource"] for one in found["entry"] if one["search"]["mode"] == "match"]
    assert [one["class"]["code"] for one in matches] == ["VR"]
    assert any(one["search"]["mode"] == "outcome" for one in found["entry"]) is app.epic


def test_search_by_csn_should_find_the_encounter_and_nothing_should_be_4101(epic: Connector) -> None:
    base, headers = epic.hospital.fhir_path, backend(epic)
    found = epic.tls.get(f"{base}/Encounter?identifier=880014417731", headers=headers).json
    assert found["entry"][0]["resource"]["subject"]["reference"] == reference(epic, "zquillfeather")
    none = epic.tls.get(f"{base}/Encounter?identifier=1", headers=headers).json
    assert none["total"] == 0
    assert none["entry"][0]["resource"]["issue"][0]["details"]["coding"][0]["code"] == "4101"


@pytest.mark.parametrize("text", ["", "?name=Vidal", "?_id=x&_include=Encounter:subject"])
def test_search_should_refuse_what_it_does_not_know(app: Connector, text: str) -> None:
    answer = app.tls.get(f"{app.hospital.fhir_path}/Encounter{text}", headers=backend(app))
    assert (answer.status_code, answer.json["resourceType"]) == (400, "OperationOutcome")


def audit_event(app: Connector, name: str = "a-1", subtype: str = "participant-connected") -> dict[str, Any]:
    return {
        "resourceType": "AuditEvent",
        "id": name,
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110100"},
        "subtype": [{"system": "https://antesala.example/codes", "code": subtype}],
        "action": "E",
        "recorded": "2026-05-28T20:30:00Z",
        "outcome": "0",
        "agent": [{"requestor": True, "who": {"reference": reference(app, "zquillfeather")}}],
        "source": {"observer": {"display": "Antesala"}},
        "entity": [{"what": {"reference": "Encounter/enc-zeph-4417731"}}],
    }


def put(app: Connector, event: dict[str, Any], name: str = "a-1", scope: str = "system/AuditEvent.cu") -> Any:
    return app.tls.put(f"/fhir/AuditEvent/{name}", json=event, headers=backend(app, scope))


def transitions(app: Connector) -> dict[str, Any]:
    visits = app.tls.get("/sandbox/state").json["visits"]
    return dict(visits[app.hospital.visits[0].key])


def test_audit_event_put_twice_should_be_one(fhir: Connector) -> None:
    first = put(fhir, audit_event(fhir))
    assert (first.status_code, first.headers["ETag"]) == (201, 'W/"1"')
    assert first.headers["Location"].endswith("/AuditEvent/a-1/_history/1")
    second = put(fhir, audit_event(fhir))
    assert (second.status_code, second.headers["ETag"]) == (200, 'W/"1"')
    assert len(fhir.tls.get("/sandbox/state").json["audit_events"]) == 1
    assert [one["status"] for one in transitions(fhir)["zquillfeather"]] == ["connected"]
    changed = put(fhir, audit_event(fhir) | {"outcome": "4"})
    assert (changed.status_code, changed.headers["ETag"]) == (200, 'W/"2"')
    assert len(transitions(fhir)["zquillfeather"]) == 1
    read = fhir.tls.get("/fhir/AuditEvent/a-1", headers=backend(fhir, "system/AuditEvent.rs"))
    assert (read.json["outcome"], read.json["meta"]["versionId"]) == ("4", "2")


def test_audit_event_post_should_be_given_an_id(fhir: Connector) -> None:
    headers = backend(fhir, "system/AuditEvent.c")
    answers = [fhir.tls.post("/fhir/AuditEvent", json=audit_event(fhir), headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert len({one.json["id"] for one in answers} | {"a-1"}) == 3


BAD_EVENTS: dict[str, dict[str, Any]] = {
    "another resource": {"resourceType": "Patient"},
    "no agent": {"agent": []},
    "agent without requestor": {"agent": [{"who": {"display": "x"}}]},
    "local time": {"recorded": "2026-05-28T20:30:00"},
    "R4 has no identifier": {"identifier": [{"value": "x"}]},
    "unknown outcome": {"outcome": "1"},
    "unknown action": {"action": "X"},
    "empty text": {"outcomeDesc": ""},
    "null": {"outcomeDesc": None},
    "an encounter that is not": {"entity": [{"what": {"reference": "Encounter/enc-of-nobody"}}]},
    "a patient who is not": {"agent": [{"requestor": True, "who": {"reference": "Patient/nobody"}}]},
    "type without a code": {"type": {"system": "http://dicom.nema.org/resources/ontology/DCM"}},
}


@pytest.mark.parametrize("changes", BAD_EVENTS.values(), ids=BAD_EVENTS.keys())
def test_audit_event_should_be_refused(fhir: Connector, changes: dict[str, Any]) -> None:
    answer = put(fhir, audit_event(fhir) | changes)
    assert (answer.status_code, answer.json["resourceType"]) == (422, "OperationOutcome")
    assert fhir.tls.get("/sandbox/state").json["audit_events"] == []


def test_audit_event_should_need_the_right_scope_id_and_type(fhir: Connector) -> None:
    event = audit_event(fhir)
    assert put(fhir, event, scope="system/AuditEvent.c").status_code == 403
    assert put(fhir, event, "a-2").status_code == 400
    assert put(fhir, {**event, "id": "a_1"}, "a_1").status_code == 400
    text = fhir.tls.put("/fhir/AuditEvent/a-1", data="{}", headers=backend(fhir, "system/AuditEvent.u"))
    assert text.status_code == 415


def test_epic_should_not_know_audit_events(epic: Connector) -> None:
    path = f"{epic.hospital.fhir_path}/AuditEvent/a-1"
    answer = epic.tls.put(path, json={}, headers=backend(epic, "system/AuditEvent.cu"))
    assert answer.status_code == 405


def test_presence_should_follow_event_time_and_leave_nobody_identified_when_nobody_is_named(
    fhir: Connector,
) -> None:
    left = audit_event(fhir, "a-2", "participant-disconnected")
    left["period"] = {"start": "2026-05-28T20:30:00Z", "end": "2026-05-28T20:45:00+00:00"}
    unknown = audit_event(fhir, "a-3") | {"agent": [{"requestor": True, "name": "Guest"}]}
    for event in (left, audit_event(fhir, "a-1"), unknown, audit_event(fhir, "a-4", "device-test")):
        assert put(fhir, event, event["id"]).status_code == 201
    assert [one["status"] for one in transitions(fhir)["zquillfeather"]] == ["disconnected", "connected"]
    assert len(transitions(fhir)["unattributed"]) == 1
    marks = fhir.http.get("/schedule/marks?as=evidal").json["visits"]["appt-zeph-4417731"]
    presence = {mark["login"]: mark["presence"] for mark in marks}
    assert presence == {"evidal": "none", "zquillfeather": "out", "unattributed": "in"}


STATUS = {
    "ConferenceID": "880014417731",
    "ExternalID": "WPR-5519902",
    "ExternalIDType": "2",
    "VendorName": "Antesala",
    "ConnectionStatus": "1",
}


def report(
    app: Connector, method: str = "POST", headers: dict[str, str] | None = None, **changes: Any
) -> Any:
    values = {name: value for name, value in (STATUS | changes).items() if value is not None}
    kind = {"data": values} if method == "POST" else {"query_string": values}
    headers = backend(app) if headers is None else headers
    return app.tls.open(app.hospital.status_path, method=method, headers=headers, **kind)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_status_service_should_record_who_is_connected(epic: Connector, method: str) -> None:
    answer = report(epic, method)
    assert (answer.status_code, answer.data) == (200, b"")
    assert report(epic, method, ExternalID="EMP-88101", ExternalIDType="1").status_code == 200
    assert report(epic, method, ConnectionStatus="2").status_code == 200
    found = transitions(epic)
    assert [one["status"] for one in found["zquillfeather"]] == ["connected", "disconnected"]
    assert [one["status"] for one in found["evidal"]] == ["connected"]
    marks = epic.http.get("/schedule/marks?as=evidal").json["visits"]["880014417731"]
    assert {mark["login"]: mark["presence"] for mark in marks} == {"evidal": "in", "zquillfeather": "out"}


def test_status_service_should_know_a_conference_and_a_proxy(epic: Connector) -> None:
    assert report(epic, ConferenceID="CONF-77120", ExternalID="WPR-5519903").status_code == 200
    assert report(epic, ExternalID="WPR-5519904").status_code == 200
    visits = epic.tls.get("/sandbox/state").json["visits"]
    assert list(visits["CONF-77120"]) == ["bockenfels"]
    assert list(visits["880014417731"]) == ["iquillfeather"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ConferenceID": "880014419999"}, 404),
        ({"ConferenceID": "eApptZeph4417731"}, 404),
        ({"ConferenceID": ""}, 400),
        ({"ExternalID": "WPR-1"}, 400),
        ({"ExternalID": "eZephPat77309415"}, 400),
        ({"ExternalIDType": "1"}, 400),
        ({"ExternalIDType": "3"}, 400),
        ({"ExternalID": "WPR-5519903"}, 400),
        ({"ConnectionStatus": "3"}, 400),
        ({"VendorName": None}, 400),
        ({"Extra": "1"}, 400),
    ],
)
def test_status_service_should_refuse(epic: Connector, changes: dict[str, Any], status: int) -> None:
    assert report(epic, **changes).status_code == status
    assert transitions(epic) == {}


def test_status_service_should_take_only_the_backend_client(epic: Connector) -> None:
    good = backend(epic)
    assert report(epic, headers={}).status_code == 401
    assert report(epic, headers={"Authorization": good["Authorization"]}).status_code == 403
    assert report(epic, headers=good | {"Epic-Client-ID": epic.client_id("provider")}).status_code == 403
    assert report(epic, headers=bearer(epic)).status_code == 403
    epic.clock.now += 301
    assert report(epic, headers=good).status_code == 401
    assert transitions(epic) == {}


def test_status_service_should_not_mix_query_and_form(epic: Connector) -> None:
    path = epic.hospital.status_path
    assert epic.tls.post(path, query_string=STATUS, headers=backend(epic)).status_code == 400
    assert epic.tls.put(path, data=STATUS, headers=backend(epic)).status_code == 405


def test_plain_fhir_hospital_should_have_no_status_service(fhir: Connector, epic: Connector) -> None:
    assert fhir.tls.post(epic.hospital.status_path, data=STATUS).status_code == 404
