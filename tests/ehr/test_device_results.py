"""What an EHR is sent of a device test."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ehr.port import DeviceAdapter, DeviceResult, DeviceTelling
from shared.ehr.registry import Adapters
from shared.errors import AnswerRefused, StatusRefused
from tests.ehr.line import AT, OPERATION, Desk, adapters, answer, approved, telling
from tests.fakes import FakeClock, MemorySecrets

SERVICE = "/api/epic/Telehealth/DeviceTest"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def registry(desk: Desk) -> Adapters:
    return adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))


def device(result: DeviceResult = "works", **changes: Any) -> DeviceTelling:
    one = DeviceTelling(OPERATION, result, AT, "Patient/pat-1", "pat-1", telling().context)
    return replace(one, **changes)


def adapter(registry: Adapters, kind: str, **options: str) -> DeviceAdapter:
    found = registry.device(approved(kind, **options))
    assert found is not None
    return found


def test_a_fhir_server_gets_a_valid_audit_event_under_its_own_id(registry: Adapters, desk: Desk) -> None:
    from fhir.resources.R4B.auditevent import AuditEvent

    adapter(registry, "fhir").tell_device(approved("fhir"), device("camera"))
    (sent,) = desk.told
    assert (sent.method, sent.url) == ("PUT", f"https://ehr.test/fhir/AuditEvent/{OPERATION}")
    event = sent.json
    AuditEvent.model_validate(event)
    assert [one["code"] for one in event["subtype"]] == ["device-test", "device-test-camera"]
    assert event["outcome"] == "4"
    assert event["agent"][0]["who"] == {"reference": "Patient/pat-1"}
    references = [one["what"].get("reference") for one in event["entity"]]
    assert references == [None, "Appointment/appt-1", "Encounter/enc-1", "Patient/pat-1"]


def test_the_same_event_at_every_attempt(registry: Adapters, desk: Desk) -> None:
    desk.answers = [answer(503)]
    teller = adapter(registry, "fhir")
    with pytest.raises(StatusRefused):
        teller.tell_device(approved("fhir"), device())
    teller.tell_device(approved("fhir"), device())
    first, second = desk.told
    assert first.json == second.json
    assert second.json["outcome"] == "0"


def test_a_test_without_a_visit_names_the_person_only(registry: Adapters, desk: Desk) -> None:
    bare = device(context=None, user="WPR-1", patient="")
    adapter(registry, "fhir").tell_device(approved("fhir"), bare)
    event = desk.told[0].json
    assert len(event["entity"]) == 1
    assert event["agent"][0]["who"] == {"identifier": {"value": "WPR-1"}}


def test_a_visit_without_resources_is_named_as_it_was_launched(registry: Adapters, desk: Desk) -> None:
    known = telling().context
    bare = device(context=replace(known, appointment="", encounter=""))
    adapter(registry, "fhir").tell_device(approved("fhir"), bare)
    whats = [one["what"] for one in desk.told[0].json["entity"]]
    assert {"identifier": {"value": "880014417731"}} in whats


def test_nothing_is_created_where_the_server_does_not_say_it_can(registry: Adapters, desk: Desk) -> None:
    desk.audit_event = None
    with pytest.raises(AnswerRefused):
        adapter(registry, "fhir").tell_device(approved("fhir"), device())
    assert not desk.told


def test_epic_is_told_where_the_analyst_named_the_service(registry: Adapters, desk: Desk) -> None:
    assert registry.device(approved("epic")) is None
    teller = adapter(registry, "epic", device_path=SERVICE)
    for result in ("works", "speaker"):
        teller.tell_device(approved("epic", device_path=SERVICE), device(result, user="WPR-5519902"))
    good, bad = desk.told
    assert good.url == f"https://ehr.test/interconnect{SERVICE}"
    assert good.form == {
        "ConferenceID": "880014417731",
        "ExternalID": "WPR-5519902",
        "ExternalIDType": "2",
        "VendorName": "Antesala",
        "DeviceStatus": "1",
    }
    assert (bad.form or {})["DeviceStatus"] == "2"


def test_epic_is_not_told_of_a_test_without_a_visit(registry: Adapters, desk: Desk) -> None:
    one = approved("epic", device_path=SERVICE)
    adapter(registry, "epic", device_path=SERVICE).tell_device(one, device(context=None))
    assert not desk.told


def test_a_telling_shows_nobody() -> None:
    assert "pat-1" not in repr(device())
