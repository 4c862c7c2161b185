"""Visits that a launch must not name. Each row says what an attacker, or a misbuilt record, would gain."""

from typing import Any

import pytest

from tests.launch.conftest import BY_APPOINTMENT, World, revision
from tests.launch.ehr import BASE
from tests.launch.hostile import reads, refused

APPOINTMENT = {
    "resourceType": "Appointment",
    "id": "appt-1",
    "status": "booked",
    "participant": [{"actor": {"reference": "Patient/pat-1"}}],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "enc-1",
    "subject": {"reference": "Patient/pat-1"},
    "appointment": [{"reference": "Appointment/appt-1"}],
}


def _with(actor: str) -> dict[str, Any]:
    return {"Appointment/appt-1": {**APPOINTMENT, "participant": [{"actor": {"reference": actor}}]}}


@pytest.mark.parametrize(
    ("members", "reason", "gain"),
    [
        ({"sessionId": None}, "visit-missing", "some default room"),
        ({"sessionId": ""}, "visit-missing", "some default room"),
        ({"sessionId": "  "}, "visit-missing", "some default room"),
        ({"sessionId": "%CSN%"}, "visit-invalid", "one room for everybody of a misbuilt record"),
        ({"sessionId": "88%20"}, "visit-invalid", "the same"),
        ({"sessionId": "<b>1</b>"}, "visit-invalid", "script"),
        ({"sessionId": "a b"}, "visit-invalid", "a second value"),
        ({"sessionId": "../1"}, "visit-invalid", "a path"),
        ({"sessionId": "1" * 129}, "visit-invalid", "our memory"),
        ({"sessionId": "1\n2"}, "visit-invalid", "a log line"),
        ({"sessionId": "1\x00"}, "visit-invalid", "a truncated id"),
        ({"sessionId": "\u0661"}, "visit-invalid", "another spelling of a known room"),
        ({"sessionId": ["1"]}, "visit-missing", "a crash"),
        ({"sessionId": {"a": 1}}, "visit-missing", "a crash"),
        ({"sessionId": True}, "visit-missing", "the room 'True'"),
        ({"sessionId": 1.5}, "visit-missing", "the room '1.5'"),
        ({"epicUserId": None}, "ehr-user-missing", "everybody as one user"),
        ({"epicUserId": "%EPICUSERID%"}, "ehr-user-missing", "everybody as one user"),
        ({"epicUserId": "x" * 129}, "ehr-user-missing", "our memory"),
        ({"epicUserId": "a\x00b"}, "ehr-user-missing", "a truncated id"),
        ({"epicUserId": "' or 1 eq 1"}, "ehr-user-missing", "a query of storage"),
    ],
)
@pytest.mark.parametrize("side", ["provider", "patient"])
def test_a_launch_should_say_which_visit_and_who(
    world: World, side: str, members: dict[str, Any], reason: str, gain: str
) -> None:
    refused(world, world.launch(side, members=members), reason, gain)


@pytest.mark.parametrize(
    ("query", "gain"),
    [
        ("sessionId=880014417731", "any visit by its number"),
        ("patient=pat-1&epicUserId=EMP-1", "any person"),
        ("encounter=enc-1&appointment=appt-1", "any appointment"),
        ("connection=abcdefghijklmnop&visit=group", "another connection"),
        ("fhirContext=Appointment/appt-1", "any appointment"),
    ],
)
@pytest.mark.parametrize("leg", [1, 2])
def test_a_visit_in_an_address_should_count_for_nothing(
    world: World, query: str, gain: str, leg: int
) -> None:
    first = world.leg1("patient", f"iss={BASE}&launch=l" + (f"&{query}" if leg == 1 else ""))
    url = world.agreed(first.location, "Patient/pat-1", {"sessionId": None})
    shown = world.leg2(url + (f"&{query}" if leg == 2 else ""), "patient")
    refused(world, shown, "visit-missing", gain)


@pytest.mark.smart(97, 98, 191)
@pytest.mark.parametrize(
    ("members", "resources", "reason", "gain"),
    [
        ({"appointment": "appt-1", "patient": "pat-2"}, {}, "visit-not-yours", "another patient's visit"),
        ({"appointment": "appt-1", "patient": None}, {}, "visit-not-yours", "any visit without a patient"),
        ({"appointment": "appt-2"}, {}, "visit-not-yours", "whether a visit exists"),
        ({"appointment": "appt-1"}, {"Appointment/appt-1": 403}, "visit-not-yours", "a visit by guessing"),
        ({"appointment": "appt-1"}, {"Appointment/appt-1": 503}, "ehr-unreachable", "a visit unchecked"),
        ({"appointment": "appt-1"}, {"Appointment/appt-1": 302}, "ehr-answer-invalid", "a token elsewhere"),
        ({"appointment": "../Patient/1"}, {}, "visit-invalid", "another resource"),
        ({"appointment": "%APPT%"}, {}, "visit-invalid", "one room for all"),
        (
            {"appointment": "appt-1"},
            {"Appointment/appt-1": {**APPOINTMENT, "id": "appt-9"}},
            "ehr-answer-invalid",
            "another appointment's patient",
        ),
        (
            {"appointment": "appt-1"},
            {"Appointment/appt-1": {**APPOINTMENT, "resourceType": "Patient"}},
            "ehr-answer-invalid",
            "another resource as an appointment",
        ),
        (
            {"appointment": "appt-1"},
            {"Appointment/appt-1": {**APPOINTMENT, "status": "cancelled"}},
            "visit-cancelled",
            "a cancelled visit",
        ),
        (
            {"appointment": "appt-1"},
            _with("https://evil.example/Patient/pat-1"),
            "visit-not-yours",
            "same id",
        ),
        ({"appointment": "appt-1"}, _with("Practitioner/pat-1"), "visit-not-yours", "a namesake of a kind"),
        ({"appointment": "appt-1"}, _with("Patient/pat-1/x"), "visit-not-yours", "a longer id"),
        ({"appointment": "appt-1"}, _with("Patient/PAT-1"), "visit-not-yours", "a patient by case folding"),
        (
            {"appointment": "appt-1", "fhirContext": [{"reference": "Appointment/appt-2"}]},
            {},
            "visit-invalid",
            "the choice between two visits",
        ),
        (
            {"fhirContext": [{"reference": "Appointment/appt-1", "role": "other"}]},
            {},
            "visit-missing",
            "a visit that is only mentioned",
        ),
        (
            {"fhirContext": [{"reference": "https://evil.example/Appointment/appt-1"}]},
            {},
            "visit-missing",
            "an appointment of another server",
        ),
        ({"fhirContext": ["x" * 400, 7, None, {"reference": 7}]}, {}, "visit-missing", "a crash"),
        ({"fhirContext": {"reference": "Appointment/appt-1"}}, {}, "visit-missing", "a crash"),
        ({"encounter": "enc-1"}, {"Encounter/enc-1": {**ENCOUNTER, "appointment": []}}, "visit-missing", "-"),
        (
            {"encounter": "enc-1"},
            {
                "Encounter/enc-1": {
                    **ENCOUNTER,
                    "appointment": [{"reference": "https://evil.example/Appointment/appt-1"}],
                }
            },
            "visit-missing",
            "the token, at another server",
        ),
        ({}, {}, "visit-missing", "some default room"),
    ],
)
def test_an_appointment_should_be_the_patients_own(
    world: World, members: dict[str, Any], resources: dict[str, Any], reason: str, gain: str
) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT, "Encounter/enc-1": ENCOUNTER}
    world.ehr.failures.resources = resources
    refused(world, world.launch("patient", members=members), reason, gain)
    assert all(one.url.startswith(f"{BASE}/") for one in reads(world)), "the token stays on its base"


def test_a_clinicians_chart_and_visit_should_be_of_one_patient(world: World) -> None:
    """Gain: the clinician in the visit of a patient whose chart is not the one before them."""
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT}
    shown = world.launch("provider", members={"appointment": "appt-1", "patient": "pat-2"})
    refused(world, shown, "visit-not-yours", "two patients in one launch")


def test_a_patient_that_changes_between_two_launches_should_not_follow(world: World) -> None:
    """Gain: the first patient's visit for whoever sits in the portal next."""
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT}
    assert world.launch("patient", members={"appointment": "appt-1"}).status == 303
    shown = world.launch("patient", "Patient/pat-2", {"appointment": "appt-1", "patient": "pat-2"})
    assert shown.reason == "visit-not-yours"
    assert len(world.rooms.opened) == 1
