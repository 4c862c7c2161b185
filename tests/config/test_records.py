"""The strings that the analyst copies, byte by byte."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from config_function.kinds import KINDS
from config_function.records import Addresses, Record, changed_records, records, registration
from config_function.wording import WORDING
from launch_patient.launch import DEVICE_TEST
from launch_provider.entrance import VIEW
from shared.connection import (
    Approved,
    Client,
    Connection,
    EhrKind,
    Policy,
    Revision,
    Side,
    UserSource,
    VisitSource,
    Writeback,
)
from shared.launch.visit import GROUP_MEMBER, GROUP_VALUE

ADDRESSES = Addresses("https://antesala.example", "https://api.antesala.example")
EPIC = Connection("aabcdefghij234567"[:16], "t", "americas", "test", "epic", "https://ehr.example/R4", "")
REVISION = Revision(
    EPIC.id,
    1,
    "approved",
    "Sierra",
    provider=Client("prov"),
    patient=Client("pat"),
    backend=Client("back", alg="ES384"),
    user_source=UserSource("epicUserId", "epicUserId"),
    visit_source=VisitSource("session", "sessionId"),
    writeback=Writeback("epic"),
)


# Words of each EHR that a page for another must not hold.
FOREIGN: dict[EhrKind, tuple[str, ...]] = {
    "epic": ("PowerChart", "code Console", "HealtheLife", "Millennium", "Oracle"),
    "oracle": ("FDI", "MyChart", "Hyperspace", "Epic", "%CSN%", "LAUNCHTYPE"),
    "fhir": ("FDI", "MyChart", "Hyperspace", "Epic", "%CSN%", "PowerChart", "Millennium", "Oracle"),
}


def of_kind(kind: EhrKind, **changes: Any) -> tuple[Record, ...]:
    """The records of a connection with group visits, as its kind of EHR begins."""
    named = {"visit_source": VisitSource("appointment", ""), "user_source": UserSource()}
    begun: dict[str, Any] = {"group": True, **({} if kind == "epic" else named), **changes}
    return records(ADDRESSES, Approved(replace(EPIC, kind=kind), replace(REVISION, **begun)))


def test_epic_context_strings_are_those_of_the_guide() -> None:
    contexts = {row.purpose: row.context for row in of_kind("epic")}
    assert contexts == {
        "provider-visit": "sessionId=%CSN%&epicUserId=%EPICUSERID%",
        "patient-visit": "sessionId=%CSN%&epicUserId=%EPICUSERID%",
        "provider-group": "sessionId=%CONFERENCEID%&visit=group&epicUserId=%EPICUSERID%",
        "patient-group": "sessionId=%CONFERENCEID%&visit=group&epicUserId=%EPICUSERID%",
        "provider-view": "sessionId=%CSN%&epicUserId=%EPICUSERID%",
        "patient-device-test": "sessionId=%CSN%&epicUserId=%EPICUSERID%",
    }


def test_a_group_visit_is_marked_as_a_launch_looks_for_it() -> None:
    (context,) = {row.context for row in of_kind("epic") if row.purpose == "patient-group"}
    assert dict(parse_qsl(context))[GROUP_MEMBER] == GROUP_VALUE


def test_the_mnemonics_are_those_of_an_fdi_record() -> None:
    by_purpose = {row.purpose: row for row in of_kind("epic")}
    patient = by_purpose["patient-visit"]
    assert patient.mnemonics == (
        ("URL", patient.launch_url),
        ("PROTECTED", "1"),
        ("CLIENTID", "pat"),
        ("CONTEXT", patient.context),
    )
    assert not any(row.mnemonics for kind in ("oracle", "fhir") for row in of_kind(kind))


def test_records_that_open_something_else_say_so_in_their_launch_url() -> None:
    by_purpose = {row.purpose: row for row in of_kind("epic")}
    assert by_purpose["provider-view"].launch_url.endswith(f"/launch/provider/{EPIC.id}?open={VIEW}")
    assert by_purpose["patient-device-test"].launch_url.endswith(
        f"/launch/patient/{EPIC.id}?open={DEVICE_TEST}"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_has_every_part(kind: EhrKind) -> None:
    rows = of_kind(kind)
    assert len(rows) == (6 if kind == "epic" else 4)
    for row in rows:
        side: Side = "patient" if row.purpose.startswith("patient") else "provider"
        assert row.client_id == REVISION.client(side).client_id
        connection = row.launch_url.partition("?")[0].rpartition("/")[2]
        assert row.redirect_uri == f"https://antesala.example/launch/{side}/callback/{connection}"
        assert row.launch_url.startswith(f"https://antesala.example/launch/{side}/")
        assert row.jwks_url == f"https://api.antesala.example/config/jwks/{EPIC.id}"
        assert row.scopes.startswith("launch openid fhirUser")
        assert bool(row.context) == (kind == "epic")
        assert "window" in row.window
        assert WORDING[kind].attach[row.purpose]


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_speaks_of_no_other_ehr(kind: EhrKind) -> None:
    sheet = registration(ADDRESSES, replace(EPIC, kind=kind), REVISION)
    text = "\n".join((*WORDING[kind].sentences(), str(of_kind(kind)), str(sheet), KINDS[kind].registry))
    for word in FOREIGN[kind]:
        assert word not in text.replace("epicUserId", "").replace("writeback", "")


def test_the_apis_are_what_the_scopes_read_and_the_adapter_writes() -> None:
    provider, patient, backend = registration(ADDRESSES, EPIC, REVISION)
    assert provider.apis == ("Practitioner.Read (R4)",)
    assert patient.apis == ()
    assert backend.apis == ("SetExternalConnectionStatus",)
    windowed = replace(REVISION, policy=Policy(window=True), writeback=Writeback("fhir"))
    provider, patient, backend = registration(ADDRESSES, EPIC, windowed)
    assert set(provider.apis) > set(patient.apis)
    assert patient.apis == ("Appointment.Read (Appointments) (R4)", "Encounter.Read (Patient Chart) (R4)")
    assert backend.apis == ()


def test_a_newer_revision_names_the_records_that_it_changes() -> None:
    serving = Approved(EPIC, REVISION)
    assert changed_records(ADDRESSES, serving, replace(REVISION, number=2, name="Other")) == ()
    other = replace(REVISION, patient=Client("another"))
    assert changed_records(ADDRESSES, serving, other) == (
        "Patient: begin the visit",
        "Patient: test this device",
    )
    grouped = changed_records(ADDRESSES, serving, replace(REVISION, group=True))
    assert grouped == ("Clinician: begin a group visit", "Patient: begin a group visit")
    assert changed_records(ADDRESSES, Approved(EPIC, replace(REVISION, group=True)), REVISION) == grouped


def test_departments_are_asked_for_only_when_reported_and_only_of_clinicians() -> None:
    reported = replace(REVISION, policy=Policy(departments=True))
    rows = records(ADDRESSES, Approved(EPIC, reported))
    asked = [row.purpose for row in rows if "departmentId=%PERFDEPID;;; ; ;;NONE;%" in row.context]
    assert asked == ["provider-visit", "provider-view"]
    assert not [row for row in records(ADDRESSES, Approved(EPIC, REVISION)) if "department" in row.context]


def test_a_plain_fhir_server_has_no_context_string() -> None:
    plain = replace(EPIC, kind="fhir")
    rows = records(ADDRESSES, Approved(plain, replace(REVISION, group=True)))
    assert {row.context for row in rows} == {""}
    assert not [row for row in rows if "group" in row.purpose]


def test_the_sheet_names_what_each_client_needs() -> None:
    provider, patient, backend = registration(ADDRESSES, EPIC, REVISION)
    assert provider.redirect_uris == (
        f"https://antesala.example/launch/provider/callback/{EPIC.id}",
        f"https://antesala.example/config/ehr/callback/{EPIC.id}",
    )
    assert patient.redirect_uris == (f"https://antesala.example/launch/patient/callback/{EPIC.id}",)
    assert provider.jwks_url == backend.jwks_url == f"https://api.antesala.example/config/jwks/{EPIC.id}"
    assert provider.scopes.split()[:3] == ["launch", "openid", "fhirUser"]
    assert backend.algorithm == "ES384"
    assert backend.launch_url == ""


@pytest.mark.parametrize(
    ("kind", "scopes"),
    [
        ("epic", "system/Encounter.read"),
        ("oracle", "system/Appointment.read system/Appointment.write"),
        ("fhir", "system/AuditEvent.write"),
    ],
)
def test_each_ehr_begins_with_its_own_write_back_and_the_scopes_for_it(kind: EhrKind, scopes: str) -> None:
    begun = replace(REVISION, writeback=Writeback(KINDS[kind].defaults["adapter"]))
    backend = registration(ADDRESSES, replace(EPIC, kind=kind), begun)[2]
    assert (begun.writeback.adapter, backend.client, backend.scopes) == (kind, "backend", scopes)


def test_a_client_with_a_secret_is_given_no_key_address() -> None:
    secret = replace(REVISION, patient=Client("pat", "client_secret_basic", secret_name="x"))
    assert registration(ADDRESSES, EPIC, secret)[1].jwks_url == ""
    assert len(registration(ADDRESSES, EPIC, replace(REVISION, writeback=Writeback("none")))) == 2
