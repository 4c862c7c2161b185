"""The simulated Graph: meetings, users, throttling. Numbers refer to graph.md section 10."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.microsoft365.cast import LINDQVIST, MARISOL, OUTSIDER, SIERRA, VIDAL, VISITS_1
from tests.sandbox.m365 import Cloud, decoded, in_minutes, running

MEETINGS = f"/v1.0/users/{VIDAL.oid}/onlineMeetings"
CREATE_OR_GET = f"{MEETINGS}/createOrGet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Cloud]:
    with running(folder) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    yield shared
    shared.session.put(f"{shared.tls}/sandbox/failures", json={})
    shared.tokens.clear()
    shared.clock.ahead = timedelta()


def test_create_or_get_should_make_a_meeting_once(cloud: Cloud) -> None:  # 1
    body = {"externalId": str(uuid.uuid4()), "subject": "Video visit"}
    first, second = (cloud.graph("POST", CREATE_OR_GET, body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["externalId"] == body["externalId"]


def test_the_key_of_a_meeting_should_include_its_organizer(cloud: Cloud) -> None:  # 1
    external = str(uuid.uuid4())
    assert cloud.meeting(external)["id"] != cloud.meeting(external, organizer=LINDQVIST.oid)["id"]


def test_create_or_get_should_ignore_everything_but_its_own_inputs(cloud: Cloud) -> None:  # 1
    made = cloud.meeting(
        lobbyBypassSettings={"scope": "organizer"}, allowedPresenters="organizer", allowMeetingChat="disabled"
    )
    assert made["lobbyBypassSettings"]["scope"] == "everyone"
    assert made["allowedPresenters"] == "everyone"
    assert made["allowMeetingChat"] == "enabled"


def test_create_or_get_should_never_change_an_existing_meeting(cloud: Cloud) -> None:
    external = str(uuid.uuid4())
    made = cloud.meeting(external, subject="First")
    again = cloud.meeting(
        external, subject="Second", startDateTime=in_minutes(600), endDateTime=in_minutes(660)
    )
    assert again == made


def test_concurrent_calls_should_agree_on_one_meeting(cloud: Cloud) -> None:
    cloud.token()
    external = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        ids = {made["id"] for made in pool.map(lambda _: cloud.meeting(external), range(16))}
    assert len(ids) == 1


def test_left_out_times_should_become_an_hour(cloud: Cloud) -> None:
    made = cloud.meeting(startDateTime="2027-05-04T10:00:00+02:00")
    assert made["startDateTime"] == "2027-05-04T08:00:00.0000000Z"
    assert made["endDateTime"] == "2027-05-04T09:00:00.0000000Z"


@pytest.mark.parametrize(
    "body",
    [
        {"endDateTime": "2027-05-04T08:00:00Z"},
        {"startDateTime": "2027-05-04T08:00:00Z", "endDateTime": "2027-05-04T07:00:00Z"},
        {"startDateTime": "2027-05-04T08:00:00"},
        {"startDateTime": "tomorrow"},
        {"startDateTime": "2027-13-04T08:00:00Z"},
        {"externalId": ""},
        {"externalId": None},
        {"externalId": 7},
        {"subject": ["x"]},
        {"patientName": "x"},
        {"lobbyBypassSettings": {"scope": "nobody"}},
        {"lobbyBypassSettings": {"scope": "unknownFutureValue"}},
        {"lobbyBypassSettings": {"open": True}},
        {"allowedPresenters": "staff"},
        {"recordAutomatically": "no"},
        {"participants": {"attendees": [{"role": "boss"}]}},
        {"participants": {"attendees": {"upn": "x"}}},
        {"participants": {"attendees": [None]}},
    ],
)
def test_a_body_that_the_metadata_or_the_rules_do_not_know_should_be_refused(
    cloud: Cloud, body: dict[str, Any]
) -> None:
    answer = cloud.graph("POST", CREATE_OR_GET, {"externalId": "x", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest"), answer.text


def test_a_body_should_be_json(cloud: Cloud) -> None:
    for more in ({"data": "externalId=1"}, {"data": "{", "headers": {"Content-Type": "application/json"}}):
        assert cloud.graph("POST", CREATE_OR_GET, **more).status_code == 400
    assert cloud.graph("POST", CREATE_OR_GET, [1]).status_code == 400


def test_without_an_access_policy_there_should_be_no_meeting(cloud: Cloud) -> None:  # 1
    for oid in (MARISOL.oid, str(uuid.uuid4()), OUTSIDER.oid):
        answer = cloud.graph("POST", f"/v1.0/users/{oid}/onlineMeetings/createOrGet", {"externalId": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Forbidden")
        assert "No application access policy found for this app" in answer.json()["error"]["message"]
    cloud.failures.no_policy_for = [VIDAL.oid]
    assert cloud.graph("POST", CREATE_OR_GET, {"externalId": "x"}).status_code == 403


def test_a_upn_in_the_path_should_answer_unknown_error(cloud: Cloud) -> None:  # 1
    answer = cloud.graph("POST", f"/v1.0/users/{VIDAL.upn}/onlineMeetings/createOrGet", {"externalId": "x"})
    assert answer.status_code == 404
    assert (answer.json()["error"]["code"], answer.json()["error"]["message"]) == ("UnknownError", "")


def test_errors_should_carry_the_envelope_and_the_request_id(cloud: Cloud) -> None:
    mine = str(uuid.uuid4())
    answer = cloud.graph("GET", f"{MEETINGS}/nothing", headers={"client-request-id": mine})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "NotFound")
    assert error["message"].startswith("3004")
    assert error["innerError"]["client-request-id"] == mine
    assert error["innerError"]["request-id"] == answer.headers["request-id"]


def test_both_forms_of_join_links_should_come(cloud: Cloud) -> None:  # 2
    links = [cloud.meeting()["joinWebUrl"] for _ in range(24)]
    assert {link.split("/")[3] for link in links} == {"l", "meet"}
    for link in links:
        assert cloud.world.meetings.by_any_url(link) is not None


def test_a_changed_join_link_should_lead_nowhere(cloud: Cloud) -> None:
    made = [cloud.meeting() for _ in range(12)]
    for link in [each["joinWebUrl"] for each in made]:
        assert cloud.session.get(link).status_code == 200
        assert cloud.session.get(link[:-1] + ("a" if link[-1] != "a" else "b")).status_code == 404
        assert cloud.session.get(link.split("?")[0]).status_code == 404
    assert cloud.session.get(f"{cloud.pages}/meet/1?p=2").status_code == 404


def test_a_meeting_should_be_found_by_its_link_escaped_once_more(cloud: Cloud) -> None:
    made = cloud.meeting()
    found = cloud.graph("GET", MEETINGS, params={"$filter": f"JoinWebUrl eq '{made['joinWebUrl']}'"})
    assert [each["id"] for each in found.json()["value"]] == [made["id"]]
    long = next(each for each in (cloud.meeting() for _ in range(40)) if "%3a" in each["joinWebUrl"])
    bare = f"{cloud.tls}/graph{MEETINGS}?$filter=JoinWebUrl%20eq%20'{long['joinWebUrl']}'"
    answer = cloud.session.get(bare, headers={"Authorization": f"Bearer {cloud.token()}"})
    assert answer.status_code == 404


def test_a_meeting_should_be_found_by_its_number(cloud: Cloud) -> None:
    made = cloud.meeting()
    digits = made["joinMeetingIdSettings"]["joinMeetingId"]
    wanted = {"$filter": f"joinMeetingIdSettings/joinMeetingId eq '{digits}'"}
    assert cloud.graph("GET", MEETINGS, params=wanted).json()["value"][0]["id"] == made["id"]


def test_meetings_should_not_be_listed(cloud: Cloud) -> None:
    assert cloud.graph("GET", MEETINGS).status_code == 400


def test_another_users_meeting_should_answer_organizer_mismatch(cloud: Cloud) -> None:
    made = cloud.meeting()
    answer = cloud.graph("GET", f"/v1.0/users/{LINDQVIST.oid}/onlineMeetings/{quote(made['id'])}")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"Organizer Id mismatch User Id: {LINDQVIST.oid}"


def test_an_invited_attendee_should_read_but_not_change(cloud: Cloud) -> None:
    attendee = {"identity": {"user": {"id": LINDQVIST.oid}}, "upn": LINDQVIST.upn, "role": "presenter"}
    made = cloud.meeting(participants={"attendees": [attendee]})
    theirs = f"/v1.0/users/{LINDQVIST.oid}/onlineMeetings/{quote(made['id'])}"
    assert cloud.graph("GET", theirs).status_code == 200
    assert cloud.graph("PATCH", theirs, {"subject": "x"}).status_code == 404


def test_a_patch_should_close_the_lobby(cloud: Cloud) -> None:
    made = cloud.meeting()
    wanted = {
        "lobbyBypassSettings": {"scope": "organization", "isDialInBypassEnabled": False},
        "allowedPresenters": "organization",
        "allowMeetingChat": "limited",
        "recordAutomatically": False,
    }
    answer = cloud.graph("PATCH", f"{MEETINGS}/{quote(made['id'])}", wanted)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in wanted} == wanted
    assert cloud.graph("GET", f"{MEETINGS}/{quote(made['id'])}").json()["allowedPresenters"] == "organization"


@pytest.mark.parametrize(
    "body",
    [
        {"startDateTime": "2027-05-04T08:00:00Z"},
        {"endDateTime": "2027-05-04T08:00:00Z"},
        {"allowedPresenters": "roleIsPresenter"},
        {"joinMeetingIdSettings": {"isPasscodeRequired": False}},
        {"joinWebUrl": "https://elsewhere.example"},
        {"externalId": "other"},
        {"participants": {"organizer": {"identity": {"user": {"id": LINDQVIST.oid}}}}},
        {"anonymizeIdentityForRoles": ["attendee"]},
        {"allowedLobbyAdmitters": "everyone"},
    ],
)
def test_a_patch_against_the_rules_should_be_refused(cloud: Cloud, body: dict[str, Any]) -> None:
    made = cloud.meeting()
    answer = cloud.graph("PATCH", f"{MEETINGS}/{quote(made['id'])}", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_new_lobby_scopes_should_need_the_prefer_header_to_be_seen(cloud: Cloud) -> None:
    path = f"{MEETINGS}/{quote(cloud.meeting()['id'])}"
    cloud.graph("PATCH", path, {"lobbyBypassSettings": {"scope": "invited"}})
    shown = cloud.graph("GET", path).json()["lobbyBypassSettings"]["scope"]
    asked = cloud.graph("GET", path, headers={"Prefer": "include-unknown-enum-members"})
    assert (shown, asked.json()["lobbyBypassSettings"]["scope"]) == ("unknownFutureValue", "invited")


def test_a_deleted_meeting_should_be_gone_and_its_key_make_another(cloud: Cloud) -> None:
    external = str(uuid.uuid4())
    made = cloud.meeting(external)
    path = f"{MEETINGS}/{quote(made['id'])}"
    assert cloud.graph("DELETE", path).status_code == 204
    assert cloud.graph("GET", path).status_code == 404
    assert cloud.session.get(made["joinWebUrl"]).status_code == 404
    assert cloud.meeting(external)["id"] != made["id"]


def test_a_meeting_should_expire_sixty_days_after_its_end_unless_changed(cloud: Cloud) -> None:
    path = f"{MEETINGS}/{quote(cloud.meeting()['id'])}"
    cloud.clock.ahead = timedelta(days=59)
    cloud.tokens.clear()
    token = cloud.world.issuance.for_app("graph", SIERRA)
    cloud.tokens["graph"] = token
    assert cloud.graph("PATCH", path, {"subject": "still here"}).status_code == 200
    for days, status in ((100, 200), (121, 404)):
        cloud.clock.ahead = timedelta(days=days)
        cloud.tokens["graph"] = cloud.world.issuance.for_app("graph", SIERRA)
        assert cloud.graph("GET", path).status_code == status


def test_plain_create_should_make_another_each_time_and_refuse_an_external_id(cloud: Cloud) -> None:
    body = {"subject": "Video visit", "startDateTime": in_minutes(5), "endDateTime": in_minutes(35)}
    first, second = (cloud.graph("POST", MEETINGS, body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert cloud.graph("POST", MEETINGS, {**body, "externalId": "x"}).status_code == 400


def test_the_virtual_appointment_link_should_open_the_browser_join(cloud: Cloud) -> None:
    made = cloud.meeting()
    for name in ("getVirtualAppointmentJoinWebUrl", "getVirtualAppointmentJoinWebUrl()"):
        answer = cloud.graph("GET", f"{MEETINGS}/{quote(made['id'])}/{name}")
        assert answer.status_code == 200
        assert answer.json()["value"].startswith(
            f"{cloud.pages}/webrtc-svc/api/route?tid={SIERRA}&convId=19:"
        )
    assert "Enter your name" in cloud.session.get(answer.json()["value"]).text


@pytest.mark.parametrize("how", ["permission", "cloud"])
def test_the_virtual_appointment_link_should_be_refused(cloud: Cloud, how: str) -> None:
    made = cloud.meeting()
    cloud.tokens.clear()
    if how == "permission":
        cloud.failures.missing_permissions = ["VirtualAppointment.Read.All"]
    else:
        cloud.failures.virtual_appointment_unavailable = True
    answer = cloud.graph("GET", f"{MEETINGS}/{quote(made['id'])}/getVirtualAppointmentJoinWebUrl")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Forbidden")


def test_a_missing_permission_should_be_refused(cloud: Cloud) -> None:
    cloud.failures.missing_permissions = ["OnlineMeetings.ReadWrite.All"]
    answer = cloud.graph("POST", CREATE_OR_GET, {"externalId": "x"})
    assert answer.status_code == 403
    assert "Missing role permissions" in answer.json()["error"]["message"]


def forged(cloud: Cloud, **claims: Any) -> str:
    return cloud.world.keyring.sign({**decoded(cloud.token()), **claims})


@pytest.mark.parametrize(
    "token",
    [
        lambda cloud: "",
        lambda cloud: "nonsense",
        lambda cloud: forged(cloud, aud="https://graph.microsoft.com"),
        lambda cloud: forged(cloud, exp=1),
        lambda cloud: cloud.world.keyring.sign(decoded(cloud.token()), "stranger"),
        lambda cloud: cloud.world.keyring.sign(decoded(cloud.token()), "none"),
        lambda cloud: cloud.world.keyring.sign(decoded(cloud.token()), "HS256"),
        lambda cloud: cloud.control("token", **{"as": MARISOL.oid})["access_token"],
    ],
    ids=["none at all", "garbage", "audience", "expired", "stranger", "alg none", "HS256", "own api"],
)
def test_graph_should_check_its_tokens(cloud: Cloud, token: Any) -> None:
    headers = {"Authorization": f"Bearer {token(cloud)}"}
    answer = cloud.session.get(f"{cloud.tls}/graph/v1.0/users", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_wrong_path_should_name_its_segment(cloud: Cloud) -> None:
    answer = cloud.graph("POST", "/v1.0/onlineMeetings", {})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Resource not found for the segment 'onlineMeetings'."


@pytest.mark.parametrize("after", ["2", "0.5", None])
def test_throttling_should_strike_as_often_as_told_with_any_retry_after(
    cloud: Cloud, after: str | None
) -> None:  # 6
    cloud.token()
    cloud.failures.throttle, cloud.failures.retry_after = 1, after
    first, second = (cloud.graph("POST", CREATE_OR_GET, {"externalId": "x"}) for _ in range(2))
    assert (first.status_code, first.headers.get("Retry-After")) == (429, after)
    assert first.json()["error"]["code"] == "TooManyRequests"
    assert second.status_code in (200, 201)


def test_the_service_should_be_unavailable_for_one_operation_only(cloud: Cloud) -> None:  # 6
    made = cloud.meeting()
    cloud.failures.unavailable, cloud.failures.throttle_operation = 1, "patch"
    path = f"{MEETINGS}/{quote(made['id'])}"
    assert cloud.graph("GET", path).status_code == 200
    assert cloud.graph("PATCH", path, {"subject": "x"}).status_code == 503
    assert cloud.graph("PATCH", path, {"subject": "x"}).status_code == 200


def test_delays_should_strike_the_named_operation(cloud: Cloud) -> None:
    cloud.token()
    cloud.failures.delays = {"create_or_get": 0.3}
    assert cloud.graph("POST", CREATE_OR_GET, {"externalId": "x"}).elapsed.total_seconds() >= 0.3
    assert cloud.graph("GET", "/v1.0/users").elapsed.total_seconds() < 0.3


def test_a_forked_meeting_should_not_be_found_again(cloud: Cloud) -> None:
    cloud.failures.create_or_get_forks = 1
    external = str(uuid.uuid4())
    lost, kept = cloud.meeting(external), cloud.meeting(external)
    assert lost["id"] != kept["id"] == cloud.meeting(external)["id"]
    assert cloud.graph("GET", f"{MEETINGS}/{quote(lost['id'])}").status_code == 200


def test_a_call_that_fails_after_it_created_should_find_the_meeting_next_time(cloud: Cloud) -> None:
    cloud.token()
    cloud.failures.fails_after_create = 1
    body = {"externalId": str(uuid.uuid4())}
    assert [cloud.graph("POST", CREATE_OR_GET, body).status_code for _ in range(2)] == [503, 200]


def test_a_user_should_be_read_by_id_and_by_upn(cloud: Cloud) -> None:
    for key in (VIDAL.oid, VIDAL.upn, VIDAL.upn.upper()):
        found = cloud.graph("GET", f"/v1.0/users/{key}", params={"$select": "id,displayName"})
        assert found.json() == {"id": VIDAL.oid, "displayName": VIDAL.name}
    missing = cloud.graph("GET", f"/v1.0/users/{OUTSIDER.oid}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "Request_ResourceNotFound")


def test_a_guests_upn_should_need_percent_encoding(cloud: Cloud) -> None:
    cloud.failures.outsider_is_guest = True
    upn = "dr.outsider_foreign.example#EXT#@sierra.example"
    found = cloud.graph("GET", f"/v1.0/users/{quote(upn)}").json()
    assert (found["userPrincipalName"], found["mail"]) == (upn, OUTSIDER.upn)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"$select": "id,accountEnabled"}, 403),
        ({"$select": "shoeSize"}, 400),
        ({"$expand": "manager"}, 400),
        ({"$top": "0"}, 400),
        ({"$filter": "contains(displayName,'x')"}, 400),
        ({"$filter": "shoeSize eq '9'"}, 400),
        ({"$search": '"displayName:x"'}, 400),
        ({"$search": "x"}, 400),
    ],
)
def test_a_query_beyond_the_basic_permission_or_the_rules_should_be_refused(
    cloud: Cloud, params: dict[str, str], status: int
) -> None:
    assert cloud.graph("GET", "/v1.0/users", params=params).status_code == status


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ('"displayName:eLe"', ["Dr. Elena Vidal"]),
        ('"displayName:vid" OR "mail:noah"', ["Dr. Elena Vidal", "Dr. Noah Lindqvist"]),
        ('"displayName:dr" AND "displayName:noah"', ["Dr. Noah Lindqvist"]),
        ('"displayName:ena"', []),
        ('"displayName:visits organizer"', ["Visits Organizer 1", "Visits Organizer 2"]),
        ('"displayName:a or b"', []),
    ],
)
def test_people_should_be_searched_by_the_beginnings_of_words(
    cloud: Cloud, search: str, names: list[str]
) -> None:
    params = {"$search": search, "$count": "true", "$select": "displayName"}
    found = cloud.graph("GET", "/v1.0/users", params=params, headers={"ConsistencyLevel": "eventual"}).json()
    assert [each["displayName"] for each in found["value"]] == names
    assert found["@odata.count"] == len(names)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("startswith(displayName,'Dr. ')", 2),
        ("startswith(displayName,'elena') or startswith(mail,'ELENA')", 1),
        (f"mail eq '{VIDAL.upn}'", 1),
        ("displayName eq 'O''Hara or somebody'", 0),
        (f"id in ('{VIDAL.oid}', '{MARISOL.oid}')", 2),
        (f"startswith(displayName,'Dr.') and mail eq '{VIDAL.upn}'", 1),
    ],
)
def test_people_should_be_filtered(cloud: Cloud, query: str, count: int) -> None:
    assert len(cloud.graph("GET", "/v1.0/users", params={"$filter": query}).json()["value"]) == count


def test_pages_of_people_should_lead_to_the_next(cloud: Cloud) -> None:
    first = cloud.graph("GET", "/v1.0/users", params={"$top": "4"}).json()
    headers = {"Authorization": f"Bearer {cloud.token()}"}
    second = cloud.session.get(first["@odata.nextLink"], headers=headers).json()
    assert (len(first["value"]), len(second["value"])) == (4, 3)
    assert "@odata.nextLink" not in second
    everybody = {each["id"] for each in first["value"] + second["value"]}
    assert OUTSIDER.oid not in everybody


def test_a_directory_call_without_consent_should_say_so(cloud: Cloud) -> None:
    cloud.failures.missing_permissions = ["User.ReadBasic.All"]
    answer = cloud.graph("GET", f"/v1.0/users/{VIDAL.oid}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_everything_sent_should_be_recorded_and_failures_set_over_tls(cloud: Cloud) -> None:
    cloud.meeting(subject="Video visit")
    recorded = cloud.session.get(f"{cloud.tls}/sandbox/requests").json()
    assert recorded[-1]["url"].endswith("/createOrGet")
    unknown = cloud.session.put(f"{cloud.tls}/sandbox/failures", json={"gremlins": True})
    assert unknown.status_code == 400
    assert cloud.session.get(f"{cloud.pages}/sandbox/state").status_code == 403


def test_a_second_start_should_keep_meetings_reports_and_keys(folder: Path, tmp_path: Path) -> None:
    external = str(uuid.uuid4())
    with running(folder, tmp_path / "state") as first:
        made = first.meeting(external, organizer=VISITS_1.oid)
        first.failures.create_or_get_forks = 1
        forked = first.meeting("forked")
        kids = {key["kid"] for key in first.world.keyring.published()}
        one = first.control("join", url=made["joinWebUrl"], **{"as": VISITS_1.oid})
        first.control("leave", participant=one["participant"])
    with running(folder, tmp_path / "state") as second:
        assert second.meeting(external, organizer=VISITS_1.oid)["id"] == made["id"]
        assert second.meeting("forked")["id"] != forked["id"]
        assert {key["kid"] for key in second.world.keyring.published()} == kids
        path = f"/v1.0/users/{VISITS_1.oid}/onlineMeetings/{quote(made['id'])}/attendanceReports"
        assert len(second.graph("GET", path).json()["value"]) == 1
