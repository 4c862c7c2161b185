"""The token endpoint: who may exchange what, and every assertion that has to be refused."""

import base64
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sandbox.ehr_client import REDIRECT, Connector, connector, other_key, public


@pytest.fixture(params=["epic", "fhir"])
def app(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


BAD_ASSERTIONS: dict[str, dict[str, Any]] = {
    "RS256": {"header_alg": "RS256"},
    "HS256 with a public value: key confusion": {"header_alg": "HS256", "key": None},
    "ES384 under an RSA kid": {"header_alg": "ES384"},
    "typ missing": {"header_typ": ""},
    "typ in lower case": {"header_typ": "jwt"},
    "kid missing": {"header_kid": None},
    "kid unknown": {"header_kid": "rsa-9"},
    "signed by a stranger": {"key": other_key()},
    "jku of a stranger": {"header_jku": "https://evil.example/jwks"},
    "iss of another": {"iss": "somebody"},
    "sub of another client": {"sub": "epic-backend-6f1c"},
    "aud missing": {"aud": None},
    "aud is the FHIR base": {"aud": "BASE"},
    "aud is a list": {"aud": "LIST"},
    "aud with a slash": {"aud": "SLASH"},
    "exp missing": {"exp": None},
    "exp as text": {"exp": "soon"},
    "exp six minutes ahead": {"exp": 1_780_000_360},
    "expired": {"exp": 1_779_999_999},
    "iat in the future": {"iat": 1_780_000_030},
    "nbf in the future": {"nbf": 1_780_000_030},
    "jti missing": {"jti": None},
    "jti empty": {"jti": ""},
    "jti too long": {"jti": "x" * 152},
    "jti a number": {"jti": 7},
}


@pytest.mark.parametrize("changes", BAD_ASSERTIONS.values(), ids=BAD_ASSERTIONS.keys())
def test_assertion_should_be_refused(app: Connector, changes: dict[str, Any]) -> None:
    url = app.hospital.token_url
    audiences = {"LIST": [url], "SLASH": f"{url}/", "BASE": app.hospital.fhir_base}
    changes = changes | ({"aud": audiences.get(changes["aud"])} if "aud" in changes else {})
    if changes.get("header_alg") == "HS256":
        from joserfc.jwk import OctKey

        changes["key"] = OctKey.import_key("a-public-value-used-as-a-secret-key")
    answer = app.exchange(app.code_for(), **changes)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client"), answer.text


def test_assertion_should_not_be_accepted_twice(app: Connector) -> None:
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"} | app.authentication("backend")
    assert app.token(form).status_code == 200
    again = app.token(form)
    assert (again.status_code, again.json["error"]) == (400, "invalid_client")
    assert "jti" in again.json["error_description"]


def test_same_jti_in_a_new_assertion_should_be_refused_but_not_of_another_client(app: Connector) -> None:
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    assert app.token(form | app.authentication("backend", jti="same")).status_code == 200
    assert app.token(form | app.authentication("backend", jti="same", exp=1_780_000_200)).status_code == 400
    assert app.exchange(app.code_for(), jti="same").status_code == 200


def test_code_should_be_redeemed_once_and_a_second_try_should_revoke_its_token(app: Connector) -> None:
    code = app.code_for()
    token = app.exchange(code).json["access_token"]
    path = f"{app.hospital.fhir_path}/Patient/{app.hospital.people[3].fhir_id}"
    headers = app.headers(token, "provider")
    assert app.tls.get(path, headers=headers).status_code == 200
    again = app.exchange(code)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    assert app.tls.get(path, headers=headers).status_code == 401


def test_code_should_live_for_a_minute(app: Connector) -> None:
    code = app.code_for()
    app.clock.now += 61
    assert app.exchange(code).json["error"] == "invalid_grant"


def test_code_should_be_bound_to_its_client_and_burn_in_the_wrong_hands(app: Connector) -> None:
    code = app.code_for()
    stolen = app.exchange(code, "patient", redirect_uri=REDIRECT.format(side="provider"))
    assert stolen.json["error"] == "invalid_grant"
    assert app.exchange(code).json["error"] == "invalid_grant"


def test_code_should_be_bound_to_its_redirect_uri(app: Connector) -> None:
    app.register(provider={"redirect_uris": [REDIRECT.format(side="provider"), "http://localhost:7071/b"]})
    answer = app.exchange(app.code_for(), redirect_uri="http://localhost:7071/b")
    assert answer.json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "system/Patient.rs"}, "unauthorized_client"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"client_assertion_type": "urn:other"}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion": "garbage"}, "invalid_client"),
        ({"client_id": "epic-patient-6f1c"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
    ],
)
def test_token_request_should_be_refused(app: Connector, changes: dict[str, str], error: str) -> None:
    form = {"grant_type": "authorization_code", "code": app.code_for(), "code_verifier": app.verifier}
    form |= {"redirect_uri": REDIRECT.format(side="provider")} | app.authentication("provider")
    answer = app.token(form | changes)
    # Nothing to authenticate with is a 401, because one of the methods is HTTP Basic.
    assert (answer.status_code in (400, 401), answer.json["error"]) == (True, error), answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_token_request_should_be_a_form_without_a_query_over_tls(app: Connector) -> None:
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"} | app.authentication("backend")
    path = urlsplit(app.hospital.token_url).path
    assert app.tls.post(path, query_string=form).status_code == 400
    assert app.tls.post(path, json=form).status_code == 400
    assert app.http.post(path, data=form).status_code == 403
    assert app.tls.get(path).status_code == 405
    assert app.token(form).status_code == 200


def test_client_id_in_the_body_should_not_disturb(app: Connector) -> None:
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"} | app.authentication("backend")
    assert app.token(form | {"client_id": app.client_id("backend")}).status_code == 200


@pytest.mark.parametrize(
    "scope",
    ["", "openid", "user/Patient.rs", "system/Patient.rs user/Patient.rs", "system/Nothing.rs", "launch"],
)
def test_backend_should_get_system_scopes_only(app: Connector, scope: str) -> None:
    answer = app.backend_token(scope)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert "system/" in answer.json["error_description"]


def test_backend_token_should_carry_no_identity_and_live_five_minutes(app: Connector) -> None:
    token = app.backend_token().json
    assert token["expires_in"] == 300
    assert not token.keys() & {"id_token", "refresh_token", "patient"}


def test_symmetric_client_should_use_basic_with_both_halves_encoded(app: Connector) -> None:
    app.register(backend={"secret": "s:e/c ret", "jwks_url": ""})
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    half = "s%3Ae%2Fc%20ret"
    good = base64.b64encode(f"{app.client_id('backend')}:{half}".encode()).decode()
    assert app.token(form, headers={"Authorization": f"Basic {good}"}).status_code == 200
    bad = base64.b64encode(f"{app.client_id('backend')}:wrong".encode()).decode()
    answer = app.token(form, headers={"Authorization": f"Basic {bad}"})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    both = app.token(form | app.authentication("backend"), headers={"Authorization": f"Basic {good}"})
    assert both.json["error"] == "invalid_request"
    assert app.token(form | app.authentication("backend")).json["error"] == "invalid_client"


def test_signing_client_should_not_get_in_by_basic(app: Connector) -> None:
    empty = base64.b64encode(f"{app.client_id('backend')}:x".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    assert app.token(form, headers={"Authorization": f"Basic {empty}"}).json["error"] == "invalid_client"


def test_key_set_should_be_kept_a_minute_and_fetched_again_for_a_new_kid(app: Connector) -> None:
    assert app.backend_token().status_code == 200
    assert app.backend_token().status_code == 200
    assert app.door.fetched == 1
    app.door.keys.append(public(other_key(), "rsa-2"))
    rotated = app.authentication("backend", header_kid="rsa-2", key=other_key())
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    assert app.token(form | rotated).status_code == 200
    assert app.door.fetched == 2
    app.clock.now += 61
    assert app.backend_token().status_code == 200
    assert app.door.fetched == 3


def test_key_withdrawn_should_be_refused_after_a_minute(app: Connector) -> None:
    assert app.backend_token().status_code == 200
    app.door.keys = app.door.keys[1:]
    app.clock.now += 61
    assert app.backend_token().json["error"] == "invalid_client"


def test_key_set_down_or_showing_private_members_should_be_refused(app: Connector) -> None:
    app.door.status = 500
    assert "500" in app.backend_token().json["error_description"]
    app.door.status = 200
    app.door.keys[0]["d"] = "oops"
    assert "private" in app.backend_token().json["error_description"]
