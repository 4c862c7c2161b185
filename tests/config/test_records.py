"""The strings that the analyst copies, byte by byte."""

from dataclasses import replace

from config_function.records import Addresses, records, registration
from launch_patient.launch import DEVICE_TEST
from launch_provider.entrance import VIEW
from shared.connection import (
    Approved,
    Client,
    Connection,
    Policy,
    Revision,
    UserSource,
    VisitSource,
    Writeback,
)

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


def test_epic_context_strings_are_those_of_the_guide() -> None:
    by_purpose = {
        row.purpose: row for row in records(ADDRESSES, Approved(EPIC, replace(REVISION, group=True)))
    }
    assert by_purpose["provider-visit"].context == "sessionId=%CSN%&epicUserId=%EPICUSERID%"
    assert by_purpose["provider-group"].context == (
        "sessionId=%CONFERENCEID%&epicUserId=%EPICUSERID%&visit=group"
    )
    assert by_purpose["patient-group"].client_id == "pat"
    assert dict(by_purpose["patient-visit"].mnemonics)["CLIENTID"] == "pat"
    assert by_purpose["provider-view"].launch_url.endswith(f"?open={VIEW}")
    assert by_purpose["patient-device-test"].launch_url.endswith(f"?open={DEVICE_TEST}")


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
        "https://antesala.example/launch/provider/callback",
        "https://antesala.example/config/ehr/callback",
    )
    assert patient.redirect_uris == ("https://antesala.example/launch/patient/callback",)
    assert provider.jwks_url == backend.jwks_url == f"https://api.antesala.example/config/jwks/{EPIC.id}"
    assert provider.scopes.split()[:3] == ["launch", "openid", "fhirUser"]
    assert backend.algorithm == "ES384"
    assert backend.launch_url == ""


def test_a_client_with_a_secret_is_given_no_key_address() -> None:
    secret = replace(REVISION, patient=Client("pat", "client_secret_basic", secret_name="x"))
    assert registration(ADDRESSES, EPIC, secret)[1].jwks_url == ""
    assert len(registration(ADDRESSES, EPIC, replace(REVISION, writeback=Writeback("none")))) == 2
