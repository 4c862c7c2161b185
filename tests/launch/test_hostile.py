"""Launches that must not succeed. Each row says what an attacker, or a mistake, would gain if it passed.

Every one is refused with its reason, opens nothing, links nobody, and is recorded by its code.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.connection import Endpoints, UserSource
from tests.launch.conftest import (
    BY_APPOINTMENT,
    CONNECTION,
    PUBLIC,
    Shown,
    World,
    connection,
    revision,
)
from tests.launch.ehr import BASE, ISSUER, query_of

FHIR_USER = {"user_source": UserSource()}


def nothing_happened(world: World) -> None:
    assert not world.rooms.opened
    assert not world.stores.region.ehr_users.rows
    assert not world.entra.begun


@pytest.mark.parametrize(
    ("query", "reason", "gain"),
    [
        ("launch=l", "launch-incomplete", "a launch at a server of our choosing"),
        (f"iss={BASE}", "launch-incomplete", "a login without the EHR's context"),
        (f"iss={BASE}&launch=", "launch-incomplete", "the same with an empty value"),
        (
            "iss=https://evil.example/fhir&launch=l",
            "wrong-environment",
            "the code, at a server of the attacker",
        ),
        (f"iss={BASE}/&launch=l", "wrong-environment", "an aud the EHR did not register"),
        ("iss=https://EHR.example/api/FHIR/R4&launch=l", "wrong-environment", "another host by case folding"),
        (
            "iss=https://ehr.example:443/api/FHIR/R4&launch=l",
            "wrong-environment",
            "a second name for one base",
        ),
        ("iss=https://ehr.example./api/FHIR/R4&launch=l", "wrong-environment", "another certificate's host"),
        (
            "iss=https://u:p@ehr.example/api/FHIR/R4&launch=l",
            "wrong-environment",
            "credentials in our requests",
        ),
        ("iss=http://ehr.example/api/FHIR/R4&launch=l", "wrong-environment", "a downgrade"),
        ("iss=https://ehr.example/api/FHIR/DSTU2&launch=l", "wrong-environment", "test data in production"),
        ("iss=https://169.254.169.254/&launch=l", "wrong-environment", "the cloud's metadata"),
        (f"iss={BASE},https://evil.example&launch=l", "wrong-environment", "a second iss behind the first"),
        (f"iss={BASE}%00&launch=l", "parameter-invalid", "a cut-off comparison"),
        (f"iss={BASE}%0d%0aX:1&launch=l", "parameter-invalid", "a header or log line of their own"),
        (f"iss=https://ehr.exampl%D0%B5/api/FHIR/R4&launch=l", "parameter-invalid", "a look-alike host"),  # noqa: F541
        ("iss=" + "x" * 3000 + "&launch=l", "parameter-invalid", "our memory"),
        (f"iss={BASE}&launch=a%00b", "parameter-invalid", "bytes that break a server behind us"),
        (f"iss={BASE}&launch=a%0ab", "parameter-invalid", "a log line of their own"),
        (f"iss={BASE}&launch=" + "x" * 10_001, "parameter-invalid", "our memory"),
    ],
)
def test_leg_1_should_refuse(world: World, query: str, reason: str, gain: str) -> None:
    shown = world.leg1(query=query)
    assert shown.reason == reason, gain
    assert not world.ehr.sent, "no outgoing call before the parameters are accepted"
    assert not world.browser.cookies
    assert world.outcomes == [reason]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bbbbbbbbbbbbbbbb", "connection-unknown"),
        ("abcdefghijklmnoq", "connection-unknown"),
        ("../../etc", "connection-unknown"),
        ("", "connection-unknown"),
    ],
)
def test_an_unknown_connection_should_leave_no_trace(world: World, name: str, reason: str) -> None:
    route, url = {"connection": name}, f"/launch/provider/x?iss={BASE}&launch=l"
    assert world.browser.open(world.provider.launch, url, route=route).reason == reason
    assert not world.outcomes
    assert not world.ehr.sent


def test_an_unapproved_connection_should_not_launch(world: World) -> None:
    world.use(revision(state="draft"))
    assert world.leg1().reason == "connection-not-approved"
    assert world.outcomes == ["connection-not-approved"]
    assert not world.ehr.sent


def _smart(**members: Any) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.ehr.failures.smart = members

    return fail


def _body(status: int, body: bytes) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.ehr.failures.smart_status, world.ehr.failures.discovery_body = status, body

    return fail


def _down(world: World) -> None:
    world.ehr.failures.down = frozenset({"smart-configuration"})


def _unpinned(world: World) -> None:
    world.use(revision(endpoints=Endpoints()))


@pytest.mark.parametrize(
    ("fail", "reason", "gain"),
    [
        (_smart(token_endpoint="https://evil.example/t"), "endpoint-changed", "codes and assertions"),
        (_smart(authorization_endpoint="https://evil.example/a"), "endpoint-changed", "a phishing page"),
        (_smart(jwks_uri="https://evil.example/k"), "endpoint-changed", "identities of their own making"),
        (_smart(issuer="https://ehr.example/other"), "endpoint-changed", "another issuer on the same host"),
        (_smart(token_endpoint="https://ehr.example:8443/t"), "endpoint-changed", "another service's port"),
        (_smart(token_endpoint="http://ehr.example/t"), "ehr-answer-invalid", "codes in the clear"),
        (
            _smart(authorization_endpoint="http://ehr.example/a"),
            "ehr-answer-invalid",
            "launches in the clear",
        ),
        (_smart(authorization_endpoint="javascript:alert(1)"), "ehr-answer-invalid", "script"),
        (_smart(authorization_endpoint="https://u@ehr.example/a"), "ehr-answer-invalid", "credentials"),
        (_smart(authorization_endpoint="https://ehr.example/a\r\nX: 1"), "ehr-answer-invalid", "a header"),
        (_smart(authorization_endpoint="https://[::1"), "ehr-answer-invalid", "a crash"),
        (_smart(authorization_endpoint=7), "ehr-answer-invalid", "a crash"),
        (_smart(token_endpoint=None), "ehr-answer-invalid", "a crash"),
        (_smart(code_challenge_methods_supported=["plain"]), "ehr-answer-invalid", "a stolen code's use"),
        (_body(302, b""), "ehr-answer-invalid", "another host's configuration"),
        (_body(200, b"<html>"), "ehr-answer-invalid", "a crash"),
        (_body(200, b"[]"), "ehr-answer-invalid", "a crash"),
        (_body(200, b"[" * 100_000), "ehr-answer-invalid", "a crash by depth"),
        (_body(503, b""), "ehr-unreachable", "nothing, but say it"),
        (_down, "ehr-unreachable", "nothing, but say it"),
        (_unpinned, "endpoint-changed", "whatever host, when nothing was approved"),
    ],
)
def test_discovery_should_be_refused(
    world: World, fail: Callable[[World], None], reason: str, gain: str
) -> None:
    fail(world)
    shown = world.leg1()
    assert shown.reason == reason, gain
    assert not world.browser.cookies
    assert world.outcomes == [reason]


def _answer(world: World, change: Callable[[str], str]) -> Shown:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    return world.leg2(change(url), "patient")


@pytest.mark.parametrize(
    ("change", "reason", "gain"),
    [
        (lambda url: url.replace("state=", "state=A"), "flow-unknown", "a login of the attacker's choosing"),
        (lambda url: url.split("&state")[0], "flow-unknown", "the same without a state"),
        (lambda url: url.split("state=")[0] + "state=" + "x" * 43, "flow-unknown", "somebody else's flow"),
        (lambda url: url.split("state=")[0] + "state=..%2F", "flow-unknown", "another cookie's name"),
        (lambda url: url.replace("code=code-0&", ""), "launch-incomplete", "a flow without a code"),
        (lambda url: url.replace("code-0", "code-9"), "code-refused", "a guessed code"),
        (lambda url: url.replace("code-0", "c" * 8193), "parameter-invalid", "our memory"),
        (lambda url: url.replace("code-0", "a%0d%0ab"), "parameter-invalid", "a request of their own"),
        (lambda url: url.replace("code=code-0", "error=access_denied"), "ehr-refused", "nothing"),
        (
            lambda url: url.replace("code=code-0", "error=%3Cscript%3E"),
            "ehr-refused",
            "script in page or log",
        ),
        (lambda url: url + "&iss=https://evil.example", "ehr-answer-invalid", "a mix-up (RFC 9207)"),
    ],
)
def test_the_way_back_should_be_refused(
    world: World, change: Callable[[str], str], reason: str, gain: str
) -> None:
    assert _answer(world, change).reason == reason, gain
    nothing_happened(world)


def test_the_issuer_that_was_asked_may_say_so(world: World) -> None:
    assert _answer(world, lambda url: f"{url}&iss={ISSUER}").status == 303


def test_a_flow_is_consumed_even_when_it_fails(world: World) -> None:
    _answer(world, lambda url: url.replace("code=code-0", "error=access_denied"))
    assert not world.browser.named("flow")


def test_a_state_of_another_browser_should_open_nothing(world: World) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.browser.cookies.clear()
    assert world.leg2(url, "patient").reason == "flow-unknown"
    assert not world.ehr.requests("ehr-token")


def test_a_flow_should_not_pass_under_another_flows_name(world: World) -> None:
    one, other = world.leg1("patient"), world.leg1("patient")
    state, another = query_of(one.location)["state"], query_of(other.location)["state"]
    world.browser.cookies[f"__Host-flow-{state}"] = world.browser.cookies[f"__Host-flow-{another}"]
    assert world.leg2(world.agreed(one.location, "Patient/pat-1"), "patient").reason == "flow-unknown"
    assert not world.ehr.requests("ehr-token")


def test_a_tossed_cookie_should_be_refused_and_removed(world: World) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    (name,) = world.browser.named("flow")
    world.browser.cookies[name] = "A" * 200
    assert world.leg2(url, "patient").reason == "flow-unknown"
    assert name not in world.browser.cookies


def test_a_flow_older_than_ten_minutes_should_be_refused(world: World) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.clock.pass_by(minutes=10, seconds=1)
    assert world.leg2(url, "patient").reason == "flow-expired"
    assert not world.ehr.requests("ehr-token")


def test_a_flow_should_not_end_at_the_other_door(world: World) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    assert world.leg2(url, "provider").reason == "flow-unknown"
    assert not world.ehr.requests("ehr-token")


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, "invalid_grant", "code-refused"),
        (401, "invalid_client", "client-refused"),
        (400, "unauthorized_client", "client-refused"),
        (400, "invalid_scope", "ehr-refused"),
        (400, "<script>", "ehr-answer-invalid"),
        (302, "", "ehr-answer-invalid"),
        (500, "", "ehr-unreachable"),
        (429, "", "ehr-unreachable"),
    ],
)
def test_the_token_endpoint_may_refuse(world: World, status: int, error: str, reason: str) -> None:
    world.ehr.failures.token_status, world.ehr.failures.token_error = status, error
    assert world.launch("patient").reason == reason
    assert world.outcomes == [reason]
    nothing_happened(world)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"access_token": None}, "ehr-answer-invalid"),
        ({"access_token": ""}, "ehr-answer-invalid"),
        ({"access_token": "a\r\nb"}, "ehr-answer-invalid"),
        ({"access_token": "x" * 16_385}, "ehr-answer-invalid"),
        ({"token_type": "mac"}, "ehr-answer-invalid"),
        ({"token_type": None}, "ehr-answer-invalid"),
        ({"expires_in": "soon", "scope": 7, "need_patient_banner": "false"}, ""),
    ],
)
def test_a_token_response_is_read_strictly_where_it_matters(
    world: World, members: dict[str, Any], reason: str
) -> None:
    world.ehr.failures.token_members = members
    assert world.launch("patient").reason == reason


@pytest.mark.parametrize(
    ("fail", "reason", "gain"),
    [
        ({"id_token": ""}, "identity-missing", "anybody's visit without an identity"),
        ({"id_token": "none"}, "identity-invalid", "any identity, unsigned"),
        ({"id_token": "hs256"}, "identity-invalid", "any identity, signed with the public key"),
        ({"id_token": "a.b.c"}, "identity-invalid", "a crash"),
        ({"signed_by": "attacker"}, "identity-invalid", "any identity"),
        ({"kid": "other"}, "identity-invalid", "a key of another issuer"),
        ({"claims": {"iss": "https://evil.example"}}, "identity-invalid", "another issuer's user"),
        ({"claims": {"iss": BASE}}, "identity-invalid", "another issuer's user"),
        ({"claims": {"aud": "somebody-else"}}, "identity-invalid", "a token of another app"),
        ({"claims": {"aud": ["patient-client", "x"]}}, "identity-invalid", "a token for many"),
        ({"claims": {"nonce": "n" * 32}}, "identity-invalid", "a replayed sign-in"),
        ({"claims": {"nonce": None}}, "identity-invalid", "a replayed sign-in"),
        ({"claims": {"exp": 1_000_000_000}}, "identity-invalid", "an old sign-in"),
        ({"claims": {"iat": 4_000_000_000}}, "identity-invalid", "a token for later"),
        ({"claims": {"exp": None}}, "identity-invalid", "a token for ever"),
        ({"claims": {"sub": None}}, "identity-invalid", "nobody"),
        ({"claims": {"sub": 7}}, "identity-invalid", "a crash"),
        ({"claims": {"fhirUser": None}}, "identity-missing", "a visit without an audience"),
        (
            {"claims": {"fhirUser": "https://evil.example/Patient/pat-1"}},
            "identity-invalid",
            "a foreign user",
        ),
        ({"claims": {"fhirUser": f"{BASE}/Patient/pat-1/../x"}}, "identity-invalid", "another resource"),
        ({"claims": {"fhirUser": f"{BASE}/Group/g"}}, "identity-invalid", "no person"),
        ({"claims": {"fhirUser": 7}}, "identity-invalid", "a crash"),
        ({"claims": {"fhirUser": "Practitioner/prac-vidal"}}, "wrong-front-door", "staff as a patient"),
    ],
)
def test_an_identity_should_be_refused(world: World, fail: dict[str, Any], reason: str, gain: str) -> None:
    world.use(revision(**FHIR_USER))
    world.ehr.failures = replace(world.ehr.failures, **fail)
    assert world.launch("patient").reason == reason, gain
    assert world.outcomes == [reason]
    nothing_happened(world)


@pytest.mark.parametrize("user", ["Patient/pat-1", "RelatedPerson/rel-1"])
def test_a_patient_should_not_come_in_at_the_clinicians_door(world: World, user: str) -> None:
    assert world.launch("provider", user).reason == "wrong-front-door"
    nothing_happened(world)


def test_an_id_token_is_verified_even_where_it_is_not_needed(world: World) -> None:
    world.ehr.failures.signed_by = "attacker"
    assert world.launch("patient").reason == "identity-invalid"


def test_the_context_key_may_replace_the_id_token_where_that_was_approved(world: World) -> None:
    world.ehr.failures.id_token = ""
    assert world.launch("patient").status == 303


def test_unknown_kids_should_not_become_a_storm_of_requests(world: World) -> None:
    world.launch("patient")
    for number in range(10):
        world.ehr.failures.kid = f"invented-{number}"
        world.launch("patient")
    assert len([one for one in world.ehr.sent if one.url.endswith("/oauth2/keys")]) <= 2


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
        ({"sessionId": ["1"]}, "visit-missing", "a crash"),
        ({"sessionId": {"a": 1}}, "visit-missing", "a crash"),
        ({"sessionId": True}, "visit-missing", "the room 'True'"),
        ({"epicUserId": None}, "ehr-user-missing", "everybody as one user"),
        ({"epicUserId": "%EPICUSERID%"}, "ehr-user-missing", "everybody as one user"),
        ({"epicUserId": "x" * 129}, "ehr-user-missing", "our memory"),
        ({"epicUserId": "a\x00b"}, "ehr-user-missing", "a truncated id"),
    ],
)
@pytest.mark.parametrize("side", ["provider", "patient"])
def test_a_launch_should_say_which_visit_and_who(
    world: World, side: str, members: dict[str, Any], reason: str, gain: str
) -> None:
    assert world.launch(side, members=members).reason == reason, gain
    assert world.outcomes == [reason]
    nothing_happened(world)


def test_a_visit_in_the_address_should_count_for_nothing(world: World) -> None:
    query = f"iss={BASE}&launch=l&sessionId=1&patient=x&epicUserId=EMP-1&connection=x"
    assert world.launch("patient", members={"sessionId": None}, query=query).reason == "visit-missing"


def test_a_visit_in_the_answers_address_should_count_for_nothing(world: World) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1", {"sessionId": None})
    assert world.leg2(f"{url}&sessionId=1", "patient").reason == "visit-missing"


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


@pytest.mark.parametrize(
    ("members", "resources", "reason", "gain"),
    [
        ({"appointment": "appt-1", "patient": "pat-2"}, {}, "visit-not-yours", "another patient's visit"),
        ({"appointment": "appt-1", "patient": None}, {}, "visit-not-yours", "any visit without a patient"),
        ({"appointment": "appt-2"}, {}, "visit-not-yours", "whether a visit exists"),
        ({"appointment": "appt-1"}, {"Appointment/appt-1": 403}, "visit-not-yours", "a visit by guessing"),
        ({"appointment": "appt-1"}, {"Appointment/appt-1": 503}, "ehr-unreachable", "a visit unchecked"),
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
            {"Appointment/appt-1": {**APPOINTMENT, "status": "cancelled"}},
            "visit-cancelled",
            "a cancelled visit",
        ),
        (
            {"appointment": "appt-1"},
            {
                "Appointment/appt-1": {
                    **APPOINTMENT,
                    "participant": [{"actor": {"reference": "https://evil.example/Patient/pat-1"}}],
                }
            },
            "visit-not-yours",
            "a patient of another server with the same id",
        ),
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
        ({"fhirContext": ["x" * 400, 7, None, {"reference": 7}]}, {}, "visit-missing", "a crash"),
        ({"encounter": "enc-1"}, {"Encounter/enc-1": {**ENCOUNTER, "appointment": []}}, "visit-missing", "-"),
        ({}, {}, "visit-missing", "some default room"),
    ],
)
def test_an_appointment_should_be_the_patients_own(
    world: World, members: dict[str, Any], resources: dict[str, Any], reason: str, gain: str
) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT, "Encounter/enc-1": ENCOUNTER, **resources}
    assert world.launch("patient", members=members).reason == reason, gain
    nothing_happened(world)


def test_a_clinicians_chart_and_visit_should_be_of_one_patient(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": APPOINTMENT}
    shown = world.launch("provider", members={"appointment": "appt-1", "patient": "pat-2"})
    assert shown.reason == "visit-not-yours"
    nothing_happened(world)


def test_a_connection_of_another_region_should_be_unknown(world: World) -> None:
    world.use(revision(), replace(connection(), region="emea"))
    route = {"connection": "e" + CONNECTION[1:]}
    url = f"/launch/patient/{route['connection']}?iss={BASE}&launch=l"
    assert world.browser.open(world.patient.launch, url, route=route).reason == "connection-unknown"


def test_the_redirect_goes_only_where_the_room_says(world: World) -> None:
    query = (
        f"iss={BASE}&launch=l&redirect_uri=https://evil.example&next=https://evil.example&open=https://evil"
    )
    first = world.leg1("patient", query)
    assert query_of(first.location)["redirect_uri"] == f"{PUBLIC}/launch/patient/callback"
    shown = world.leg2(world.agreed(first.location, "Patient/pat-1"), "patient")
    assert shown.location == "https://visit.teams.example/patient"
