"""Whose visit it is: groups, consults, second clinicians, proxies, and one visit under two names."""

from dataclasses import replace
from typing import Any

import pytest

from shared.connection import VisitSource
from tests.launch import microsoft
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, World, connection, revision

DSTU2 = "https://ehr.example/api/FHIR/DSTU2"


def appointment(*patients: str) -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": "appt-1",
        "status": "booked",
        "participant": [{"actor": {"reference": f"Patient/{patient}"}} for patient in patients],
    }


def opened(world: World) -> Any:
    (context, _) = world.rooms.opened[-1]
    return context


def test_a_groups_record_marks_its_visit_and_names_nobody(world: World) -> None:
    members = {"sessionId": "CONF-77120", "visit": "group", "encounter": "enc-1", "appointment": "appt-1"}
    keys = set()
    for patient in ("pat-1", "pat-2"):
        world.launch("patient", f"Patient/{patient}", {**members, "patient": patient})
        context = opened(world)
        assert context.group
        assert (context.patient, context.appointment, context.encounter) == ("", "", "")
        keys.add(context.visit_key)
    assert len(keys) == 1, "many patients, one meeting"


def test_a_connection_of_conferences_has_groups_only(world: World) -> None:
    world.use(revision(visit_source=VisitSource("conference", "sessionId")))
    world.launch("patient", members={"sessionId": "CONF-77120"})
    assert (opened(world).group, opened(world).patient) == (True, "")


@pytest.mark.parametrize("value", ["", "Group", "solo"])
def test_another_word_makes_no_group(world: World, value: str) -> None:
    world.launch("patient", members={"visit": value})
    assert (opened(world).group, opened(world).patient) == (False, "pat-1")


def test_an_appointment_of_several_patients_is_a_group(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment("pat-1", "pat-2")}
    world.launch("patient", members={"appointment": "appt-1"})
    context = opened(world)
    assert (context.group, context.patient, context.appointment) == (True, "", "appt-1")


def test_a_stranger_should_not_join_a_group(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment("pat-2", "pat-3")}
    assert world.launch("patient", members={"appointment": "appt-1"}).reason == "visit-not-yours"


def test_a_consult_needs_no_patient(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment()}
    world.launch("provider", members={"appointment": "appt-1", "patient": None})
    world.press(world.sign_in())
    assert (opened(world).patient, opened(world).group) == ("", False)


def test_a_second_clinician_and_an_interpreter_come_into_the_same_visit(world: World) -> None:
    world.linked()
    world.entra.account = microsoft.account(microsoft.LINDQVIST)
    world.launch(user="Practitioner/prac-lindqvist", members={"epicUserId": "EMP-88102"})
    world.press(world.sign_in("entra-code-2"))
    (first, vidal), (second, lindqvist) = world.rooms.opened
    assert first.visit_key == second.visit_key
    assert (vidal.oid, lindqvist.oid) == (microsoft.VIDAL, microsoft.LINDQVIST)


def test_two_bases_of_one_organization_open_one_visit(world: World) -> None:
    world.use(revision(issuers=(DSTU2,)))
    world.launch("patient")
    first = world.leg1("patient", f"iss={DSTU2}&launch=l-2")
    assert f"aud={DSTU2.replace(':', '%3A').replace('/', '%2F')}" in first.location
    # The strict EHR of these tests knows one base; the older one answers for the same organization.
    url = world.agreed(first.location.replace("DSTU2", "R4"), "Patient/pat-1")
    world.leg2(url, "patient")
    keys = {context.visit_key for context, _ in world.rooms.opened}
    assert (len(world.rooms.opened), len(keys)) == (2, 1)


@pytest.mark.parametrize(
    ("side", "user"),
    [
        ("patient", "Practitioner/prac-vidal"),
        ("patient", "PractitionerRole/role-1"),
        ("provider", "Patient/pat-1"),
        ("provider", "RelatedPerson/rel-1"),
    ],
)
def test_an_employee_who_is_a_patient_comes_in_by_the_door_of_today(
    world: World, side: str, user: str
) -> None:
    assert world.launch(side, user).reason == "wrong-front-door"
    assert not world.rooms.opened
    assert not world.stores.region.ehr_users.rows


def test_a_visit_belongs_to_its_connection(world: World) -> None:
    world.launch("patient")
    other = replace(connection(), id="abcdefghijklmnor")
    keys = world.services.pseudonyms.visit_keys(other.id, "session", "880014417731")
    assert opened(world).connection == CONNECTION
    assert opened(world).visit_key not in keys
