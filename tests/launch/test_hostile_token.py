"""The token endpoint's answers: what is refused in them, and what an attacker would gain."""

from typing import Any

import pytest

from tests.launch.conftest import BY_APPOINTMENT, World, revision
from tests.launch.ehr import TOKEN, _json
from tests.launch.hostile import reads, refused


@pytest.mark.parametrize(
    ("status", "error", "reason", "gain"),
    [
        (400, "invalid_grant", "code-refused", "a visit with a used code"),
        (401, "invalid_client", "client-refused", "a visit for an app that is not registered"),
        (400, "unauthorized_client", "client-refused", "the same"),
        (400, "invalid_scope", "ehr-refused", "a visit without consent"),
        (400, "<script>", "ehr-answer-invalid", "script in page or log"),
        (400, "x" * 5000, "ehr-answer-invalid", "our log"),
        (500, "", "ehr-unreachable", "nothing, but say it"),
        (429, "", "ehr-unreachable", "nothing, but say it"),
    ],
)
def test_the_token_endpoint_may_refuse(world: World, status: int, error: str, reason: str, gain: str) -> None:
    world.ehr.failures.token_status, world.ehr.failures.token_error = status, error
    refused(world, world.launch("patient"), reason, gain)
    assert len(world.ehr.requests("ehr-token")) == 1, "a code is traded once (RFC 6749 section 4.1.2)"


def test_a_slow_token_endpoint_should_not_hold_the_launch(world: World) -> None:
    """Gain: our threads."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.ehr.failures.slow = 11.0
    refused(world, world.leg2(url, "patient"), "ehr-unreachable", "our threads")
    assert world.ehr.sent[-1].service == "ehr-token", "given up there, and not later"


@pytest.mark.parametrize("status", [201, 202, 206, 302, 307])
def test_a_token_in_an_answer_that_is_no_200_should_not_count(world: World, status: int) -> None:
    """Gain: a token from a page on the way (a proxy, a captive portal) that answers in the server's place."""
    document = {"access_token": "t", "token_type": "Bearer", "patient": "pat-1", "sessionId": "1"}
    world.ehr.failures.elsewhere = {TOKEN: _json(status, {**document, "epicUserId": "W-1"})}
    refused(world, world.launch("patient"), "ehr-answer-invalid", "a token of somebody on the way")


@pytest.mark.parametrize(
    ("members", "gain"),
    [
        ({"access_token": None}, "a visit without a token"),
        ({"access_token": ""}, "the same with an empty one"),
        ({"access_token": ["a"]}, "a crash"),
        ({"access_token": "a\r\nX: b"}, "a header of their own"),
        ({"access_token": "a b"}, "a second credential behind it"),
        ({"access_token": "\u00e9"}, "a crash in the header"),
        ({"access_token": "x" * 16_385}, "our memory"),
        ({"token_type": "mac"}, "a token that is used as something it is not"),
        ({"token_type": "DPoP"}, "the same: a bound token without its proof"),
        ({"token_type": None}, "the same"),
        ({"token_type": 7}, "a crash"),
    ],
)
def test_a_token_that_is_none_should_be_refused(world: World, members: dict[str, Any], gain: str) -> None:
    world.ehr.failures.token_members = members
    refused(world, world.launch("patient"), "ehr-answer-invalid", gain)


def test_a_huge_token_response_should_be_refused(world: World) -> None:
    """Gain: our memory."""
    world.ehr.failures.token_members = {"x": "y" * 1_100_000}
    refused(world, world.launch("patient"), "ehr-answer-invalid", "our memory")


@pytest.mark.smart(147, 193)
@pytest.mark.parametrize(
    "members",
    [
        {"expires_in": "soon"},
        {"expires_in": None},
        {"expires_in": -1},
        {"scope": 7},
        {"scope": None},
        {"need_patient_banner": "false"},
        {"need_patient_banner": False},
        {"intent": "no-such-intent", "smart_style_url": "javascript:alert(1)"},
        {"__epic.dstu2.patient": "x", "loginDepartment": 7, "location": None},
        {"tenant": {"a": [1]}, "refresh_token": "unasked"},
        {"token_type": "bearer"},
        {"token_type": "Bearer"},
    ],
)
def test_what_nothing_depends_on_is_not_held_against_a_launch(world: World, members: dict[str, Any]) -> None:
    world.ehr.failures.token_members = members
    assert world.launch("patient").location == "https://visit.teams.example/patient"


@pytest.mark.smart(147)
@pytest.mark.parametrize(
    "scope",
    [
        "launch openid fhirUser",
        "launch openid fhirUser patient/Encounter.r",
        "launch openid fhirUser patient/Appointment.write",
        "launch openid fhirUser patient/Appointment.s",
        "launch openid fhirUser patient/Appointments.r",
        "launch openid fhirUser patient/Appointment",
        "Appointment.read",
    ],
)
def test_a_scope_narrowed_until_the_visit_cannot_be_named_should_be_said(world: World, scope: str) -> None:
    """Gain: a visit that nobody could check; the analyst would look for a wrong appointment instead."""
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.failures.token_members = {"scope": scope}
    shown = world.launch("patient", members={"appointment": "appt-1"})
    refused(world, shown, "ehr-refused", "a visit that nobody could check")
    assert not reads(world)


@pytest.mark.smart(147)
@pytest.mark.parametrize(
    "scope",
    [
        "launch patient/Appointment.read",
        "user/*.*",
        "patient/*.rs launch",
        "patient/Appointment.cruds?status=booked",
        "http://smarthealthit.org/fhir/scopes/patient/Appointment.r",
        "",
    ],
)
def test_a_scope_that_covers_the_reading_is_enough_in_any_form(world: World, scope: str) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {
        "Appointment/appt-1": {
            "resourceType": "Appointment",
            "id": "appt-1",
            "participant": [{"actor": {"reference": "Patient/pat-1"}}],
        }
    }
    world.ehr.failures.token_members = {"scope": scope}
    assert world.launch("patient", members={"appointment": "appt-1"}).status == 303


@pytest.mark.smart(7, 8, 9, 90)
@pytest.mark.parametrize("side", ["provider", "patient"])
def test_no_token_should_be_kept_anywhere(world: World, side: str) -> None:
    """Gain: a token that outlives the launch, in a cookie, in storage, or in an address."""
    kept: list[str] = []
    seal = world.services.sealer.seal

    def watched(purpose: str, value: Any) -> str:
        kept.append(repr(value))
        return str(seal(purpose, value))

    world.services.sealer.seal = watched
    shown = world.linked() if side == "provider" else world.launch("patient")
    assert world.rooms.opened
    text = f"{kept} {shown} {world.browser.cookies} {world.stores.region} {world.rooms.opened}"
    assert "token-of" not in text
    assert world.ehr.issued
    assert not any(token in text for token in world.ehr.issued)


def test_the_code_and_the_assertion_go_to_the_token_endpoint_alone(world: World) -> None:
    """Gain: a code or an assertion at another address."""
    world.linked()
    carrying = {one.url for one in world.ehr.sent if one.form}
    assert carrying == {TOKEN}
    assert world.rooms.opened
    nothing = [one for one in world.ehr.sent if "code-0" in one.url or "assertion" in one.url]
    assert not nothing
