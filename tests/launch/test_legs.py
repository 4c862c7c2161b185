"""Both doors, from the EHR's button to Teams; mostly by what we sent."""

import json
import re
from dataclasses import replace

import pytest

from shared.connection import Policy, VisitSource
from shared.errors import Refusal, Unreachable
from shared.smart.authorize import challenge_of
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, PUBLIC, World, revision
from tests.launch.ehr import BASE, TOKEN, query_of


def appointment(patient: str = "pat-1", **changes: object) -> dict[str, object]:
    known = {
        "resourceType": "Appointment",
        "id": "appt-1",
        "status": "booked",
        "start": "2030-03-01T09:05:00+00:00",
        "end": "2030-03-01T09:35:00+00:00",
        "participant": [
            {"actor": {"reference": "Practitioner/prac-vidal"}},
            {"actor": {"reference": f"{BASE}/Patient/{patient}"}},
        ],
    }
    return {**known, **changes}


def test_leg_1_sends_what_the_specification_asks_and_stores_nothing(world: World) -> None:
    first = world.leg1(query=f"iss={BASE}&launch=a%2Bb%2Fc%3D%3D%25x")
    sent = query_of(first.location)
    assert first.location.startswith("https://ehr.example/oauth2/authorize?")
    assert sent["launch"] == "a+b/c==%x"
    assert sent["scope"] == "launch openid fhirUser user/Practitioner.r"
    assert len(sent["nonce"]) >= 22
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", sent["code_challenge"])
    assert world.browser.named("flow") == [f"__Host-flow-{sent['state']}"]
    assert not world.outcomes
    assert [one.headers["Epic-Client-ID"] for one in world.ehr.sent] == ["provider-client"]


def test_two_launches_share_one_discovery_and_nothing_else(world: World) -> None:
    one, other = query_of(world.leg1().location), query_of(world.leg1().location)
    assert len(world.ehr.requests("ehr-discovery")) == 1
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != other[name]


def test_a_long_launch_value_goes_by_post_where_the_server_takes_it(world: World) -> None:
    shown = world.leg1(query=f"iss={BASE}&launch={'x' * 8000}")
    assert shown.status == 200
    assert 'action="https://ehr.example/oauth2/authorize"' in shown.text
    assert f'value="{"x" * 8000}"' in shown.text
    assert "form-action 'self' https://ehr.example https:" in shown.headers["Content-Security-Policy"]
    assert len(world.browser.named("flow")) == 1


def test_a_patient_is_in_the_lobby_after_one_click(world: World) -> None:
    shown = world.launch("patient", members={"epicUserId": "WPR-5519902"})
    assert (shown.status, shown.location) == (303, "https://visit.teams.example/patient")
    ((context, launcher),) = world.rooms.opened
    assert (launcher.side, launcher.ehr_user, launcher.oid) == ("patient", "WPR-5519902", "")
    assert (context.kind, context.visit_id, context.patient) == ("session", "880014417731", "pat-1")
    assert world.outcomes == ["ok"]
    assert not world.entra.begun


def test_the_code_is_traded_with_a_signed_assertion_and_the_verifier(world: World) -> None:
    first = world.leg1("patient")
    world.leg2(world.agreed(first.location, "Patient/pat-1"), "patient")
    (sent,) = world.ehr.requests("ehr-token")
    assert (sent.method, sent.url) == ("POST", TOKEN)
    assert set(sent.form) == {
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "client_assertion_type",
        "client_assertion",
    }
    assert challenge_of(sent.form["code_verifier"]) == query_of(first.location)["code_challenge"]


def test_a_parent_may_launch_and_the_patient_stays_the_patient(world: World) -> None:
    world.launch("patient", "RelatedPerson/rel-1", {"epicUserId": "WPR-5519904"})
    ((context, launcher),) = world.rooms.opened
    assert (context.patient, launcher.ehr_user) == ("pat-1", "WPR-5519904")


@pytest.mark.smart(191)
@pytest.mark.parametrize(
    "members",
    [
        {"fhirContext": [{"reference": "Appointment/appt-1"}]},
        {"fhirContext": ["Appointment/appt-1"]},
        {"appointment": "appt-1"},
        {"encounter": "enc-1"},
    ],
)
@pytest.mark.parametrize("side", ["provider", "patient"])
def test_one_appointment_is_one_visit_however_it_is_named(
    world: World, side: str, members: dict[str, object]
) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {
        "Appointment/appt-1": appointment(),
        "Encounter/enc-1": {
            "resourceType": "Encounter",
            "id": "enc-1",
            "subject": {"reference": "Patient/pat-1"},
            "appointment": [{"reference": "Appointment/appt-1"}],
        },
        "Practitioner/prac-vidal": {"resourceType": "Practitioner", "id": "prac-vidal"},
    }
    world.launch(side, members=members)
    if side == "provider":
        world.press(world.sign_in())
    ((context, launcher),) = world.rooms.opened
    assert (context.kind, context.visit_id, context.patient) == ("appointment", "appt-1", "pat-1")
    assert context.visit_key == world.services.pseudonyms.visit_keys(CONNECTION, "appointment", "appt-1")[0]
    assert context.starts is not None
    assert context.starts.isoformat() == "2030-03-01T09:05:00+00:00"
    assert launcher.ehr_user == ("Practitioner/prac-vidal" if side == "provider" else "Patient/pat-1")


def test_an_encounter_names_the_visit_where_that_was_approved(world: World) -> None:
    world.use(revision(**{**BY_APPOINTMENT, "visit_source": VisitSource("encounter", "")}))
    world.ehr.resources = {
        "Encounter/enc-1": {
            "resourceType": "Encounter",
            "id": "enc-1",
            "subject": {"reference": "Patient/pat-1"},
            "appointment": [{"reference": "Appointment/appt-1"}],
        },
        "Appointment/appt-1": appointment(),
    }
    world.launch("patient", members={"encounter": "enc-1"})
    ((context, _),) = world.rooms.opened
    assert (context.kind, context.visit_id, context.appointment) == ("encounter", "enc-1", "appt-1")
    assert context.ends is not None


def test_a_group_visit_is_marked_by_its_record(world: World) -> None:
    world.launch("patient", members={"sessionId": "CONF-77120", "visit": "group"})
    ((context, _),) = world.rooms.opened
    assert context.group
    assert context.kind == "session"


@pytest.mark.smart(93, 97)
def test_the_token_goes_nowhere_but_to_the_launching_base(world: World) -> None:
    world.use(revision(**BY_APPOINTMENT))
    world.ehr.resources = {"Appointment/appt-1": appointment()}
    world.launch("patient", members={"appointment": "appt-1"})
    carrying = [one.url for one in world.ehr.sent if "Authorization" in one.headers]
    assert carrying == [f"{BASE}/Appointment/appt-1"]


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("2030-03-01T10:00:00Z", "too-early"),
        ("2030-03-01T01:00:00Z", "too-late"),
        ("2030-03-01T09:20:00Z", "ok"),
    ],
)
def test_the_join_window_counts_where_the_time_is_known(world: World, start: str, reason: str) -> None:
    world.use(revision(**BY_APPOINTMENT, policy=Policy(window=True)))
    world.ehr.resources = {"Appointment/appt-1": appointment(start=start, end=None)}
    world.launch("patient", members={"appointment": "appt-1"})
    assert world.outcomes == [reason]
    assert bool(world.rooms.opened) == (reason == "ok")


def test_the_join_window_is_off_where_the_time_cannot_be_read(world: World) -> None:
    world.use(revision(policy=Policy(window=True)))
    world.ehr.failures.down = frozenset({"/Appointment/appt-1"})
    assert world.launch("patient", members={"appointment": "appt-1"}).status == 303


def test_back_reload_and_double_click_repeat_the_same_redirect(world: World) -> None:
    first = world.leg1("patient")
    url = world.agreed(first.location, "Patient/pat-1")
    shown = [world.leg2(url, "patient").location for _ in range(3)]
    assert shown == ["https://visit.teams.example/patient"] * 3
    assert len(world.rooms.opened) == 1
    assert len(world.ehr.requests("ehr-token")) == 1


def test_a_reload_before_the_first_answer_came_does_not_trade_the_code_again(world: World) -> None:
    first = world.leg1("patient")
    url = world.agreed(first.location, "Patient/pat-1")
    before = dict(world.browser.cookies)
    world.leg2(url, "patient")
    world.browser.cookies = before
    assert world.leg2(url, "patient").status == 303
    assert len(world.ehr.requests("ehr-token")) == 1


def test_a_resumed_visit_ends_after_four_hours(world: World) -> None:
    first = world.leg1("patient")
    url = world.agreed(first.location, "Patient/pat-1")
    world.leg2(url, "patient")
    world.clock.pass_by(hours=4, seconds=1)
    assert world.leg2(url, "patient").reason == "flow-unknown"


def test_a_browser_carries_six_flows_and_the_oldest_goes_first(world: World) -> None:
    states = []
    for _ in range(7):
        states.append(query_of(world.leg1().location)["state"])
        world.clock.pass_by(seconds=2)
    assert sorted(world.browser.named("flow")) == sorted(f"__Host-flow-{state}" for state in states[1:])


def test_a_cookie_that_does_not_open_is_the_first_to_go(world: World) -> None:
    for _ in range(5):
        world.leg1()
    world.browser.cookies["__Host-flow-tossed"] = "rubbish"
    world.leg1()
    assert "__Host-flow-tossed" not in world.browser.cookies
    assert len(world.browser.named("flow")) == 6


def test_a_launch_in_a_frame_is_handed_unused_to_a_window_of_its_own(world: World) -> None:
    shown = world.leg1(query=f"iss={BASE}&launch=a%2Bb&open=view", headers={"sec-fetch-dest": "iframe"})
    assert shown.status == 200
    assert 'target="_blank"' in shown.text
    assert "launch=a%2Bb" in shown.text
    assert "open=view" in shown.text
    assert "frame-ancestors *" in shown.headers["Content-Security-Policy"]
    assert not world.browser.cookies
    assert not world.ehr.sent


def test_discovery_serves_stale_while_the_ehr_is_down(world: World) -> None:
    world.leg1()
    world.clock.pass_by(hours=2)
    world.ehr.failures.down = frozenset({"smart-configuration"})
    assert world.leg1().status == 303
    assert len(world.ehr.requests("ehr-discovery")) == 2
    world.leg1()
    assert len(world.ehr.requests("ehr-discovery")) == 2, "a failure is remembered for half a minute"


@pytest.mark.smart(379)
def test_a_base_without_smart_configuration_is_read_from_its_capability_statement(world: World) -> None:
    uris = [
        {"url": "authorize", "valueUri": "https://ehr.example/oauth2/authorize"},
        {"url": "token", "valueUri": "oauth2/token"},
    ]
    extension = {
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": uris,
    }
    world.ehr.failures.smart_status = 404
    world.ehr.failures.metadata = {"rest": [{"security": {"extension": [extension]}}]}
    first = world.leg1("patient")
    assert first.status == 303
    assert query_of(first.location)["scope"] == "launch openid fhirUser"


def test_the_issuers_configuration_names_the_keys_where_smart_configuration_does_not(world: World) -> None:
    world.ehr.failures.smart = {"jwks_uri": None, "issuer": None}
    assert world.launch("patient").status == 303
    assert any(one.url.endswith("/.well-known/openid-configuration") for one in world.ehr.sent)


def test_the_visit_goes_on_when_its_outcome_cannot_be_recorded(world: World) -> None:
    world.stores.region.launches.broken = Unreachable("table")
    assert world.launch("patient").status == 303


def test_a_meeting_that_cannot_be_made_is_said_and_recorded(world: World) -> None:
    world.rooms.refusal = Refusal("access-policy-missing")
    assert world.launch("patient").reason == "access-policy-missing"
    assert world.outcomes == ["access-policy-missing"]


def test_no_patient_is_sent_to_an_empty_address(world: World) -> None:
    world.rooms.patient_url = ""
    assert world.launch("patient").reason == "meeting-unavailable"


def test_the_device_test_is_reached_by_its_own_record(world: World) -> None:
    shown = world.launch(
        "patient", query=f"iss={BASE}&launch=l&open=device-test", members={"sessionId": None}
    )
    assert shown.location == f"/launch/patient/{CONNECTION}/device-test"
    page = world.browser.open(world.device_test.page, shown.location, route={"connection": CONNECTION})
    assert page.status == 200
    assert "camera=(self)" in page.headers["Permissions-Policy"]
    assert not world.rooms.opened


@pytest.mark.smart(36)
def test_an_approver_signs_in_without_a_launch_and_without_scopes_to_read(world: World) -> None:
    approved = world.stores.region.connections.approved(CONNECTION)
    assert approved is not None
    uri = f"{PUBLIC}/config/ehr/callback/{CONNECTION}"
    shown = world.browser.open(
        lambda request: world.services.flow.begin_approval(
            request, approved.connection, approved.revision, uri, {"by": "oid"}
        ),
        "/config",
    )
    sent = query_of(shown.location)
    assert "launch" not in sent
    assert sent["scope"] == "openid fhirUser"
    assert sent["aud"] == BASE


@pytest.mark.parametrize(
    ("announced", "sent"), [({"prompt_values_supported": ["none", "login"]}, "login"), ({}, None)]
)
def test_an_approver_signs_in_anew_where_the_ehr_can_ask_for_it(
    world: World, announced: dict[str, object], sent: str | None
) -> None:
    world.ehr.failures.smart = announced
    approved = world.stores.region.connections.approved(CONNECTION)
    assert approved is not None
    shown = world.browser.open(
        lambda request: world.services.flow.begin_approval(
            request, approved.connection, approved.revision, f"{PUBLIC}/config/ehr/callback/{CONNECTION}"
        ),
        "/config",
    )
    assert query_of(shown.location).get("prompt") == sent
    # A launch rests on the session that the EHR has already.
    assert "prompt" not in query_of(world.leg1("provider").location)


def test_nothing_of_a_token_shows_in_a_repr(world: World) -> None:
    first = world.leg1("patient")
    finished = {}

    def keep(request: object) -> object:
        finished["it"] = world.services.flow.finish(request, f"{PUBLIC}/launch/patient/callback/{CONNECTION}")
        raise Refusal("not-found")

    world.browser.open(keep, world.agreed(first.location, "Patient/pat-1"))  # type: ignore[arg-type]
    text = repr(finished["it"])
    for secret in ("token-of", "sub-of", "pat-1", "880014417731"):
        assert secret not in text


def test_a_new_revision_meanwhile_ends_the_flow(world: World) -> None:
    first = world.leg1("patient")
    url = world.agreed(first.location, "Patient/pat-1")
    world.use(replace(revision(), number=2))
    assert world.leg2(url, "patient").reason == "flow-expired"
    assert not world.ehr.requests("ehr-token")


@pytest.mark.smart(7)
def test_the_cookies_hold_nothing_readable(world: World) -> None:
    world.launch("patient")
    assert not re.search("pat-1|880014417731|EMP-88101", json.dumps(world.browser.cookies))
