"""A good launch at each simulated hospital, and every authorization request that has to be refused."""

import re
from urllib.parse import urlsplit

import pytest

from tests.sandbox.ehr_client import (
    REDIRECT,
    ZEPH,
    Connector,
    connector,
    query,
    s256,
)


@pytest.fixture(params=["epic", "fhir", "oracle"])
def app(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_provider_launch_should_name_the_clinician_and_the_visit(app: Connector, alg: str) -> None:
    code = app.code_for("evidal")
    answer = app.exchange(code, header_alg=alg, header_kid="rsa-1" if alg == "RS384" else "ec-1")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    token = answer.json
    claims = app.id_token(token["id_token"])
    assert claims["iss"] == app.hospital.issuer
    assert claims["aud"] == app.client_id("provider")
    assert claims["nonce"] == app.asked["nonce"]
    assert claims["exp"] - claims["iat"] == 300
    vidal = app.hospital.person("evidal")
    assert vidal is not None
    assert claims["fhirUser"].endswith(vidal.reference)
    if app.epic:
        assert claims["fhirUser"].startswith(app.hospital.fhir_base)
        assert (token["sessionId"], token["epicUserId"]) == ("880014417731", "EMP-88101")
        assert (token["token_type"], token["need_patient_banner"]) == ("bearer", "false")
        assert token["appointment"] == "eApptZeph4417731"
    elif app.hospital.kind == "oracle":
        assert (token["encounter"], token["tenant"]) == ("974417731055", app.hospital.fhir_base[-36:])
        assert not token.keys() & {"fhirContext", "appointment", "sessionId"}
        assert (token["expires_in"], token["need_patient_banner"]) == (570, True)
    else:
        assert token["fhirContext"] == [{"reference": "Appointment/appt-zeph-4417731"}]
        assert (token["token_type"], token["encounter"]) == ("Bearer", "enc-zeph-4417731")
        assert "sessionId" not in token


def test_patient_launch_should_name_the_patient(app: Connector) -> None:
    token = app.exchange(app.code_for("zquillfeather", "patient"), "patient").json
    patient = app.hospital.person("zquillfeather")
    assert patient is not None
    assert token["patient"] == patient.fhir_id
    assert app.id_token(token["id_token"])["fhirUser"].endswith(patient.reference)


def test_proxy_launch_should_be_the_relative_with_the_child_in_context(app: Connector) -> None:
    token = app.exchange(app.code_for("iquillfeather", "patient"), "patient").json
    child = app.hospital.person("zquillfeather")
    assert child is not None
    assert token["patient"] == child.fhir_id
    assert "RelatedPerson/" in app.id_token(token["id_token"])["fhirUser"]


def test_subject_should_be_stable_per_user_and_differ_between_users(app: Connector) -> None:
    logins = ("evidal", "evidal", "nlindqvist")
    tokens = [app.exchange(app.code_for(login)).json["id_token"] for login in logins]
    first, again, other = (app.id_token(token)["sub"] for token in tokens)
    assert first == again != other


def test_authorization_by_post_should_work(app: Connector) -> None:
    scope = "launch openid fhirUser"
    parameters = app.authorize_parameters(launch=app.launch_value(), scope=scope)
    answer = app.authorize(parameters, "POST")
    assert query(answer.headers["Location"])["iss"] == app.hospital.issuer
    assert app.exchange(query(answer.headers["Location"])["code"]).status_code == 200


REFUSED_ON_THE_PAGE = {
    "unknown client: codes for anybody": {"client_id": "somebody"},
    "no client": {"client_id": None},
    "redirect elsewhere: code theft": {"redirect_uri": "https://evil.example/launch/provider/callback"},
    "redirect with a longer path": {"redirect_uri": REDIRECT.format(side="provider") + "/x"},
    "redirect with a query": {"redirect_uri": REDIRECT.format(side="provider") + "?x=1"},
    "redirect of the other client": {"redirect_uri": REDIRECT.format(side="patient")},
    "no redirect": {"redirect_uri": None},
}


@pytest.mark.parametrize("changes", REFUSED_ON_THE_PAGE.values(), ids=REFUSED_ON_THE_PAGE.keys())
def test_authorize_should_not_redirect_to_where_it_does_not_know(
    app: Connector, changes: dict[str, str | None]
) -> None:
    scope = "launch openid fhirUser"
    parameters = app.authorize_parameters(launch=app.launch_value(), scope=scope) | {}
    parameters = {name: value for name, value in (parameters | changes).items() if value is not None}
    answer = app.authorize(parameters)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


REFUSED_BY_REDIRECT = {
    "token answers in the URL": ({"response_type": "token"}, "unsupported_response_type"),
    "no state: login CSRF": ({"state": None}, "invalid_request"),
    "no aud": ({"aud": None}, "invalid_request"),
    "aud with a slash": ({"aud": "SLASH"}, "invalid_request"),
    "aud of a phishing server": ({"aud": "https://evil.example/fhir"}, "invalid_request"),
    "no PKCE: code injection": ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "no method means plain": ({"code_challenge_method": None}, "invalid_request"),
    "plain PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "challenge too short": ({"code_challenge": "abc"}, "invalid_request"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "EHR launch without the launch scope": ({"scope": "openid fhirUser"}, "invalid_scope"),
    "backend scope": ({"scope": "launch openid system/Patient.rs"}, "invalid_scope"),
    "scope that does not exist": ({"scope": "launch openid user/Medication.rs"}, "invalid_scope"),
    "refresh": ({"scope": "launch openid offline_access"}, "invalid_scope"),
    "invented launch": ({"launch": "invented"}, "invalid_request"),
    "empty launch": ({"launch": ""}, "invalid_request"),
    "launch scope without a launch": ({"launch": None}, "invalid_scope"),
}


@pytest.mark.parametrize(("changes", "error"), REFUSED_BY_REDIRECT.values(), ids=REFUSED_BY_REDIRECT.keys())
def test_authorize_should_refuse(app: Connector, changes: dict[str, str | None], error: str) -> None:
    if changes.get("aud") == "SLASH":
        changes = {"aud": app.hospital.fhir_base + "/"}
    good = app.authorize_parameters(launch=app.launch_value(), scope="launch openid fhirUser")
    wanted = {name: value for name, value in (good | changes).items() if value is not None}
    answer = app.authorize(wanted)
    assert answer.status_code == 302, answer.text
    came_back = query(answer.headers["Location"])
    assert answer.headers["Location"].startswith(REDIRECT.format(side="provider"))
    assert came_back["error"] == error
    assert came_back.get("state") == wanted.get("state")
    assert came_back["iss"] == app.hospital.issuer
    assert "code" not in came_back


@pytest.mark.parametrize("twice", ["state", "aud", "launch", "code_challenge", "redirect_uri", "nonce"])
def test_authorize_should_refuse_a_parameter_given_twice(app: Connector, twice: str) -> None:
    good = app.authorize_parameters(launch=app.launch_value(), scope="launch openid fhirUser")
    answer = app.authorize({**good, twice: [good[twice], good[twice]]})  # type: ignore[dict-item]
    assert answer.status_code == 400 or query(answer.headers["Location"])["error"] == "invalid_request"


def test_launch_value_should_work_once(app: Connector) -> None:
    launch = app.launch_value()
    scope = "launch openid fhirUser"
    first = app.authorize(app.authorize_parameters(launch=launch, scope=scope))
    second = app.authorize(app.authorize_parameters(launch=launch, scope=scope))
    assert "code" in query(first.headers["Location"])
    assert query(second.headers["Location"])["error"] == "invalid_request"


def test_launch_value_should_expire(app: Connector) -> None:
    launch = app.launch_value()
    app.clock.now += 301
    answer = app.authorize(app.authorize_parameters(launch=launch, scope="launch openid fhirUser"))
    assert query(answer.headers["Location"])["error"] == "invalid_request"


def test_launch_value_of_a_patient_should_be_refused_at_the_providers_client(app: Connector) -> None:
    launch = app.launch_value("zquillfeather")
    answer = app.authorize(app.authorize_parameters(launch=launch, scope="launch openid fhirUser"))
    assert query(answer.headers["Location"])["error"] == "invalid_request"


def test_nonce_should_be_refused_a_second_time(app: Connector) -> None:
    app.code_for()
    again = app.authorize_parameters(
        launch=app.launch_value(), scope="launch openid fhirUser", nonce=app.asked["nonce"]
    )
    assert query(app.authorize(again).headers["Location"])["error"] == "invalid_request"


def test_nothing_should_launch_before_the_app_is_registered() -> None:
    for kind in ("epic", "fhir"):
        app = connector(kind, registered=False)
        answer = app.tls.post("/sandbox/launch", json={"as": "evidal", "visit": ZEPH[kind]})
        assert (answer.status_code, answer.json["error"]) == (409, "app not registered")
        page = app.http.post("/begin", data={"as": "evidal", "visit": ZEPH[kind]})
        assert page.status_code == 409
        assert "app not registered" in page.text
        assert app.authorize(app.authorize_parameters()).status_code == 400


def sign_in_form(page: str) -> tuple[dict[str, str], list[str]]:
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
    return hidden, re.findall(r'name="login" value="([^"]+)"', page)


def test_standalone_sign_in_should_take_one_click_and_carry_no_context(app: Connector) -> None:
    app.asked = app.authorize_parameters()
    page = app.authorize(app.asked)
    assert page.status_code == 200
    hidden, logins = sign_in_form(page.text)
    assert logins == ["evidal", "nlindqvist", "tquiroga"]
    # Posting to the page's own address would repeat every parameter: once in the query, once in the form.
    assert f'action="{urlsplit(app.hospital.authorize_url).path}"' in page.text
    answer = app.authorize({**hidden, "login": "tquiroga"}, "POST")
    came_back = query(answer.headers["Location"])
    assert came_back["state"] == app.asked["state"]
    token = app.exchange(came_back["code"]).json
    quiroga = app.hospital.person("tquiroga")
    assert quiroga is not None
    assert app.id_token(token["id_token"])["fhirUser"].endswith(quiroga.reference)
    assert not token.keys() & {
        "patient",
        "encounter",
        "appointment",
        "fhirContext",
        "sessionId",
        "epicUserId",
    }


def test_sign_in_should_not_be_skipped_or_answered_twice_or_for_another_request(app: Connector) -> None:
    asked = app.authorize_parameters(nonce=None)
    assert app.authorize({**asked, "login": "evidal"}, "POST").status_code == 200
    hidden, _ = sign_in_form(app.authorize(asked).text)
    changed = {**hidden, "login": "evidal", "state": "of-somebody-else"}
    assert app.authorize(changed, "POST").status_code == 200
    assert app.authorize({**hidden, "login": "evidal"}, "POST").status_code == 200
    hidden, _ = sign_in_form(app.authorize(asked).text)
    assert app.authorize({**hidden, "login": "evidal"}, "POST").status_code == 302
    assert app.authorize({**hidden, "login": "evidal"}, "POST").status_code == 200


@pytest.mark.parametrize("login", ["", "zquillfeather", "nobody"])
def test_sign_in_cancelled_or_by_a_stranger_should_be_access_denied(app: Connector, login: str) -> None:
    hidden, _ = sign_in_form(app.authorize(app.authorize_parameters()).text)
    answer = app.authorize({**hidden, "login": login}, "POST")
    assert query(answer.headers["Location"])["error"] == "access_denied"


def test_prompt_none_without_a_session_should_be_login_required(app: Connector) -> None:
    answer = app.authorize(app.authorize_parameters(prompt="none"))
    assert query(answer.headers["Location"])["error"] == "login_required"


def test_code_should_be_bound_to_its_verifier(app: Connector) -> None:
    wrong = "w" * 60
    assert s256(wrong) != app.authorize_parameters()["code_challenge"]
    answer = app.exchange(app.code_for(), code_verifier=wrong)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("visit", "group", "login", "expected"),
    [
        ("880014417731", True, "evidal", {"sessionId": "CONF-77120", "epicUserId": "EMP-88101"}),
        ("CONF-77120", None, "evidal", {"sessionId": "CONF-77120"}),
        ("CONF-77120", False, "evidal", {"sessionId": ""}),
        ("880014417741", None, "zquillfeather", {"sessionId": "CONF-77120", "epicUserId": "WPR-5519902"}),
        ("880014417732", None, "nlindqvist", {"sessionId": "880014417732", "epicUserId": "EMP-88102"}),
    ],
)
def test_context_string_should_be_resolved(
    visit: str, group: bool | None, login: str, expected: dict[str, str]
) -> None:
    app = connector("epic")
    side = "patient" if login == "zquillfeather" else "provider"
    token = app.exchange(app.code_for(login, side, visit, group=group), side).json
    assert token.items() >= expected.items()


def test_context_should_be_empty_by_default_and_keep_unknown_tokens_as_they_are() -> None:
    app = connector("epic")
    app.register(provider={"context": ""})
    assert "sessionId" not in app.exchange(app.code_for()).json
    app.register(
        provider={"context": "sessionId=%CSM%&fixed=x&departmentId=%PERFDEPID;;; ; ;;NONE;%&at=%SYSLOGIN%-1"}
    )
    token = app.exchange(app.code_for()).json
    assert token["sessionId"] == "%CSM%"
    assert (token["fixed"], token["departmentId"], token["at"]) == ("x", "10501101", "evidal-1")


def test_group_visit_should_put_no_patient_into_the_clinicians_context() -> None:
    token = connector("epic")
    answer = token.exchange(token.code_for("evidal", visit="CONF-77120")).json
    assert not answer.keys() & {"patient", "encounter", "appointment", "__epic.dstu2.patient"}


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"as": "nobody"}, 404),
        ({"visit": "other"}, 404),
        ({"as": "bockenfels"}, 403),
        ({"side": "patient"}, 400),
        ({"unknown": 1}, 400),
    ],
)
def test_begin_should_refuse_who_has_no_part_in_the_visit(
    app: Connector, wanted: dict[str, str], status: int
) -> None:
    good = {"as": "evidal", "visit": ZEPH[app.hospital.kind]}
    assert app.tls.post("/sandbox/launch", json=good | wanted).status_code == status


def test_plain_fhir_hospital_should_have_no_group_visits() -> None:
    app = connector("fhir")
    wanted = {"as": "evidal", "visit": ZEPH["fhir"], "group": True}
    assert app.tls.post("/sandbox/launch", json=wanted).status_code == 400
