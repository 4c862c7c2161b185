"""In what EHRs differ: each difference is a row of data, and one launch is walked with it to the end."""

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.connection import Client, EhrKind, UserSource, VisitSource
from shared.smart.authorize import URL_LIMIT
from shared.smart.capability import OAUTH_URIS
from tests.launch.conftest import BY_APPOINTMENT, World, connection, revision
from tests.launch.ehr import AUTHORIZE, BASE, ISSUER, TOKEN, query_of

ROOT = Path(__file__).resolve().parents[2]
KINDS: tuple[EhrKind, ...] = ("epic", "oracle", "fhir")
DSTU2 = "https://ehr.example/api/FHIR/DSTU2"
LOBBY = "https://visit.teams.example/patient"
PLAIN: dict[str, Any] = {"user_source": UserSource(), "visit_source": VisitSource("appointment", "")}
APPOINTMENT = {
    "resourceType": "Appointment",
    "id": "appt-1",
    "participant": [{"actor": {"reference": "Patient/pat-1"}}],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "enc-1",
    "subject": {"reference": "Patient/pat-1"},
    "appointment": [{"reference": "Appointment/appt-1"}],
}


def of_kind(world: World, kind: EhrKind, **settings: Any) -> None:
    world.use(revision(**settings), replace(connection(), kind=kind))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT, "Encounter/enc-1": ENCOUNTER}


@pytest.mark.parametrize("place", ["shared/smart", "shared/launch", "launch_provider", "launch_patient"])
def test_no_module_asks_for_a_kind_by_name(place: str) -> None:
    for path in (ROOT / place).glob("*.py"):
        words = {
            node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
        }
        assert path.name == "dialect.py" or not words & {"epic", "oracle", "cerner"}, path


@pytest.mark.parametrize("kind", KINDS)
def test_only_epic_is_told_our_client_by_a_header_and_only_where_it_reads_it(
    world: World, kind: EhrKind
) -> None:
    of_kind(world, kind, **BY_APPOINTMENT)
    world.launch("patient", members={"fhirContext": [{"reference": "Appointment/appt-1"}]})
    assert world.rooms.opened
    for one in world.ehr.sent:
        told = one.headers.get("Epic-Client-ID")
        reads = one.service in ("ehr-discovery", "ehr-fhir")
        assert told == ("patient-client" if kind == "epic" and reads else None), one.service


@pytest.mark.smart(191)
@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("epic", {"appointment": "appt-1"}),
        ("epic", {"fhirContext": [{"reference": "Appointment/appt-1"}]}),
        ("oracle", {"appointment": "appt-1"}),
        ("oracle", {"encounter": "enc-1"}),
        ("oracle", {"encounter": "enc-1", "appointment": "appt-1", "tenant": "t", "resource": "r"}),
        ("fhir", {"fhirContext": [{"reference": "Appointment/appt-1"}]}),
        (
            "fhir",
            {"fhirContext": [{"reference": "Appointment/appt-1", "role": "launch", "type": "Appointment"}]},
        ),
        ("fhir", {"fhirContext": ["Appointment/appt-1"]}),
        ("fhir", {"fhirContext": [{"reference": "ImagingStudy/i"}, {"reference": "Appointment/appt-1"}]}),
        ("fhir", {"fhirContext": [{"canonical": "x"}, {"identifier": {}}], "encounter": "enc-1"}),
    ],
)
def test_the_visit_is_one_wherever_the_ehr_names_it(
    world: World, kind: EhrKind, members: dict[str, Any]
) -> None:
    of_kind(world, kind, **PLAIN)
    assert world.launch("patient", members=members).location == LOBBY
    ((context, _),) = world.rooms.opened
    assert (context.visit_id, context.appointment, context.patient) == ("appt-1", "appt-1", "pat-1")


def test_a_member_of_one_ehr_means_nothing_at_another(world: World) -> None:
    of_kind(world, "fhir", **PLAIN)
    assert world.launch("patient", members={"appointment": "appt-1"}).reason == "visit-missing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("registered", "client"),
    [
        ("", Client("patient-client", "private_key_jwt", "RS384")),
        ("", Client("patient-client", "private_key_jwt", "ES384")),
        ("basic", Client("patient-client", "client_secret_basic", secret_name="client-secret")),
        ("public", Client("patient-client", "none")),
    ],
)
def test_every_way_to_authenticate_works_at_every_kind(
    world: World, kind: EhrKind, registered: str, client: Client
) -> None:
    of_kind(world, kind, patient=client)
    world.ehr.auth = {"patient-client": registered} if registered else {}
    assert world.launch("patient").location == LOBBY


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("capabilities", "scope"),
    [
        (["permission-v1"], "patient/Appointment.read patient/Encounter.read"),
        (["permission-v2"], "patient/Appointment.r patient/Encounter.r"),
        (["permission-v1", "permission-v2"], "patient/Appointment.r patient/Encounter.r"),
        ([], "patient/Appointment.read patient/Encounter.read"),
    ],
)
def test_scopes_have_the_form_that_the_server_announces(
    world: World, kind: EhrKind, capabilities: list[str], scope: str
) -> None:
    of_kind(world, kind, **BY_APPOINTMENT)
    world.ehr.failures.smart = {"capabilities": capabilities}
    assert query_of(world.leg1("patient").location)["scope"] == f"launch openid fhirUser {scope}"


@pytest.mark.parametrize("length", [10, URL_LIMIT, 9000])
def test_a_launch_value_that_is_a_long_jwt_arrives_whole(world: World, length: int) -> None:
    launch = f"eyJhbGciOiJSUzI1NiJ9.{'a' * length}.c2ln-_"
    shown = world.leg1(query=f"iss={BASE}&launch={launch}")
    by_post = len(shown.location) == 0
    assert by_post == (length >= URL_LIMIT)
    assert (f'value="{launch}"' if by_post else f"launch={launch}") in (shown.text or shown.location)


# -- the issuer of identities


@pytest.mark.parametrize(
    ("kind", "issuer", "reason"),
    [
        ("epic", ISSUER, ""),
        ("epic", f"{ISSUER}/token", ""),
        ("epic", f"{ISSUER}/token/", "identity-invalid"),
        ("epic", BASE, "identity-invalid"),
        ("fhir", ISSUER, ""),
        ("fhir", f"{ISSUER}/token", "identity-invalid"),
        ("oracle", f"{ISSUER}/token", "identity-invalid"),
    ],
)
def test_the_issuer_is_not_the_base_and_has_an_old_form_at_epic(
    world: World, kind: EhrKind, issuer: str, reason: str
) -> None:
    of_kind(world, kind)
    world.ehr.failures.claims = {"iss": issuer}
    assert world.launch("patient").reason == reason


# -- a DSTU2 base beside the R4 one


def _json_statement(kind: str = "CapabilityStatement") -> dict[str, Any]:
    uris = [{"url": "authorize", "valueUri": AUTHORIZE}, {"url": "token", "valueUri": "/oauth2/token"}]
    extension = {"url": OAUTH_URIS, "extension": [*uris, {"url": "manage", "valueUri": "https://x.example"}]}
    elsewhere = [{"url": "token", "valueUri": "https://evil.example/token"}]
    other = {"url": "http://example.org/other", "extension": elsewhere}
    return {
        "resourceType": kind,
        "rest": [{"mode": "client"}, {"security": {"extension": [other, extension]}}],
    }


def _xml_statement(root: str = "Conformance", namespace: str = "http://hl7.org/fhir") -> bytes:
    return f"""\ufeff<?xml version="1.0" encoding="UTF-8"?>
<!-- DSTU2 -->
<{root} xmlns="{namespace}">
  <contained><rest><security><extension url="{OAUTH_URIS}"><extension url="token">
    <valueUri value="https://evil.example/token"/></extension></extension></security></rest></contained>
  <text><div xmlns="http://www.w3.org/1999/xhtml"><p>Conformance</p></div></text>
  <rest>
    <mode value="server"/>
    <security>
      <cors value="true"/>
      <extension url="http://example.org/other">
        <extension url="token"><valueUri value="https://evil.example/token"/></extension>
      </extension>
      <extension url="{OAUTH_URIS}">
        <extension url="authorize"><valueUri value="{AUTHORIZE}"/></extension>
        <extension url="token"><valueUri value="{TOKEN}"/></extension>
      </extension>
    </security>
    <resource><type value="Patient"/></resource>
  </rest>
</{root}>""".encode()


STATEMENTS: dict[str, dict[str, Any] | bytes] = {
    "R4 in JSON": _json_statement(),
    "DSTU2 in JSON": _json_statement("Conformance"),
    "DSTU2 in XML": _xml_statement(),
    "R4 in XML": _xml_statement("CapabilityStatement"),
    "large": {**_json_statement(), "text": "x" * 2_000_000},
}


@pytest.mark.smart(41)
@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_launch_from_the_dstu2_base_is_walked_to_the_end(
    world: World, statement: dict[str, Any] | bytes
) -> None:
    of_kind(world, "epic", issuers=(DSTU2,))
    world.ehr.failures.smart_status, world.ehr.failures.metadata = 404, statement
    world.ehr.bases = (BASE, DSTU2)
    first = world.leg1("patient", f"iss={DSTU2}&launch=l")
    assert first.location.startswith(f"{AUTHORIZE}?")
    assert query_of(first.location)["aud"] == DSTU2
    assert world.leg2(world.agreed(first.location, "Patient/pat-1"), "patient").location == LOBBY
    asked = world.ehr.requests("ehr-discovery")[:2]
    assert [one.url for one in asked] == [f"{DSTU2}/.well-known/smart-configuration", f"{DSTU2}/metadata"]
    assert {one.headers["Epic-Client-ID"] for one in asked} == {"patient-client"}
    assert "json" in asked[1].headers["Accept"]


def test_identities_of_a_base_that_names_no_issuer_are_of_the_approved_one(world: World) -> None:
    of_kind(world, "epic", user_source=UserSource())
    world.ehr.failures.smart_status, world.ehr.failures.metadata = 404, _xml_statement()
    assert world.launch("patient").location == LOBBY
    world.ehr.failures.claims = {"iss": "https://ehr.example/somebody-elses"}
    assert world.launch("patient").reason == "identity-invalid"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (_xml_statement("Patient"), "another resource"),
        (_xml_statement(namespace="http://evil.example"), "another vocabulary"),
        (_xml_statement().decode("utf-8-sig").encode("utf-16-le"), "another encoding"),
        (b"<", "no document"),
        (json.dumps([_json_statement()]).encode(), "a list"),
        (b"null", "nothing"),
    ],
)
def test_what_is_no_capability_statement_is_refused(world: World, statement: bytes, why: str) -> None:
    of_kind(world, "epic")
    world.ehr.failures.smart_status, world.ehr.failures.metadata = 404, statement
    assert world.leg1().reason == "ehr-answer-invalid", why


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 501])
def test_the_statement_is_asked_for_where_there_is_no_configuration(world: World, status: int) -> None:
    of_kind(world, "epic")
    world.ehr.failures.smart_status, world.ehr.failures.metadata = status, _xml_statement()
    assert world.leg1().status == 303


@pytest.mark.parametrize("status", [302, 429, 500, 503])
def test_the_statement_is_not_asked_for_where_the_configuration_may_come_back(
    world: World, status: int
) -> None:
    """An old statement may name endpoints that the configuration has long replaced."""
    of_kind(world, "epic")
    world.ehr.failures.smart_status, world.ehr.failures.metadata = status, _xml_statement()
    assert world.leg1().reason in ("ehr-unreachable", "ehr-answer-invalid")
    assert not [one for one in world.ehr.sent if one.url.endswith("/metadata")]
