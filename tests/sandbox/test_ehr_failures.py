"""The failure modes do what they say, the controls refuse nonsense, and the record survives a restart."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from joserfc.errors import BadSignatureError

from sandbox.ehr import Failures
from sandbox.ehr.discovery import CAPABILITIES
from tests.sandbox.ehr_client import Connector, connector, query
from tests.sandbox.test_ehr_api import STATUS, audit_event, backend, put, report, transitions


@pytest.fixture(params=["epic", "fhir"])
def app(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


def smart(app: Connector) -> Any:
    return app.tls.get(f"{app.hospital.fhir_path}/.well-known/smart-configuration")


def test_discovery_should_announce_what_is_there(app: Connector) -> None:
    found = smart(app).json
    assert found["capabilities"] == list(CAPABILITIES)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["issuer"] == app.hospital.issuer
    assert found["authorization_endpoint"].startswith("http://localhost:")
    path = f"{app.hospital.issuer.removeprefix(app.hospital.tls_url)}/.well-known/openid-configuration"
    openid = app.tls.get(path).json
    assert openid["jwks_uri"] == found["jwks_uri"]
    assert (app.hospital.issuer == app.hospital.fhir_base) is not app.epic
    keys = app.tls.get(found["jwks_uri"].removeprefix(app.hospital.tls_url)).json["keys"]
    assert {"d", "p", "q"}.isdisjoint(keys[0])
    assert app.http.get(f"{app.hospital.fhir_path}/.well-known/smart-configuration").status_code == 403


def test_discovery_failures(app: Connector) -> None:
    app.world.failures.discovery_down = True
    assert smart(app).status_code == 503
    app.world.failures.discovery_down = False
    app.world.failures.discovery_redirect = True
    assert (smart(app).status_code, smart(app).headers["Location"][:8]) == (302, "https://")
    app.world.failures.discovery_redirect = False
    app.world.failures.discovery_http_endpoints = True
    assert smart(app).json["token_endpoint"].startswith("http://")
    app.world.failures.discovery_http_endpoints = False
    app.world.failures.discovery_huge = True
    huge = smart(app)
    assert len(huge.data) < 200_000
    assert len(gzip.decompress(huge.data)) > 16_000_000


ID_TOKEN_FAILURES = {
    "id_token_wrong_issuer": ("iss", "https://other.example/oauth2"),
    "id_token_wrong_audience": ("aud", "somebody-else"),
    "id_token_wrong_nonce": ("nonce", "a-nonce-that-nobody-sent"),
}


@pytest.mark.parametrize("mode", ID_TOKEN_FAILURES)
def test_id_token_claim_should_be_wrong(app: Connector, mode: str) -> None:
    setattr(app.world.failures, mode, True)
    claim, value = ID_TOKEN_FAILURES[mode]
    assert app.id_token(app.exchange(app.code_for()).json["id_token"])[claim] == value


def test_other_id_token_failures(app: Connector) -> None:
    good = app.id_token(app.exchange(app.code_for()).json["id_token"])
    app.world.failures.id_token_other_sub = True
    assert app.id_token(app.exchange(app.code_for()).json["id_token"])["sub"] != good["sub"]
    app.world.failures.id_token_expired = True
    assert app.id_token(app.exchange(app.code_for()).json["id_token"])["exp"] < app.clock.now - 3000
    app.world.failures.id_token_wrong_signature = True
    with pytest.raises(BadSignatureError):
        app.id_token(app.exchange(app.code_for()).json["id_token"])
    app.world.failures.id_token_missing = True
    assert "id_token" not in app.exchange(app.code_for()).json


def test_visit_context_failures(app: Connector) -> None:
    visit = {"sessionId", "encounter", "appointment", "fhirContext"}
    app.world.failures.omit_visit_context = True
    token = app.exchange(app.code_for()).json
    assert not token.keys() & visit
    assert "patient" in token
    app.world.failures.omit_visit_context = False
    app.world.failures.unresolved_context = True
    if app.epic:
        assert app.exchange(app.code_for()).json["sessionId"] == "%CSN%"


def test_patient_token_for_provider_should_mix_the_audiences(app: Connector) -> None:
    app.world.failures.patient_token_for_provider = True
    token = app.exchange(app.code_for("evidal")).json
    assert "/Patient/" in "/" + app.id_token(token["id_token"])["fhirUser"]


def test_token_failures(app: Connector) -> None:
    app.world.failures.token_error = "temporarily_unavailable"
    app.world.failures.token_error_status = 503
    app.world.failures.token_slow_seconds = 7.5
    answer = app.exchange(app.code_for())
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert app.slept == [7.5]


def test_wrong_iss_response(app: Connector) -> None:
    app.world.failures.wrong_iss_response = True
    parameters = app.authorize_parameters(launch=app.launch_value(), scope="launch openid")
    assert query(app.authorize(parameters).headers["Location"])["iss"] == "https://other.example/oauth2"


def test_write_back_failures() -> None:
    epic, fhir = connector("epic"), connector("fhir")
    epic.world.failures.status_service_down = True
    epic.world.failures.status_service_retry_after = 7
    answer = report(epic)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    epic.world.failures.status_service_down = False
    epic.world.failures.status_service_status = 429
    assert (report(epic).status_code, report(epic).headers["Retry-After"]) == (429, "7")
    epic.world.failures.status_service_status = None
    assert transitions(epic) == {}
    assert report(epic).status_code == 200
    fhir.world.failures.fhir_down = True
    assert put(fhir, audit_event(fhir)).status_code == 503
    fhir.world.failures.fhir_down = False
    assert put(fhir, audit_event(fhir)).status_code == 201


def test_failures_should_be_set_over_tls_all_or_nothing(app: Connector) -> None:
    put_failures = app.tls.put
    assert put_failures("/sandbox/failures", json={"fhir_down": True}).json["fhir_down"] is True
    assert app.world.failures.fhir_down is True
    patched = app.tls.patch("/sandbox/failures", json={"status_service_status": 429})
    assert (patched.json["fhir_down"], patched.json["status_service_status"]) == (True, 429)
    bad: list[Any] = [{"invented": True}, {"fhir_down": 1}, {"token_slow_seconds": "x"}, [], None]
    for wanted in bad:
        assert put_failures("/sandbox/failures", json=wanted).status_code == 400
    assert app.world.failures.fhir_down is True
    assert put_failures("/sandbox/failures", json={}).status_code == 200
    assert app.world.failures == Failures()
    assert app.http.put("/sandbox/failures", json={}).status_code == 403
    assert app.http.get("/sandbox/state").status_code == 403


def test_recorder_should_keep_requests_but_not_controls(app: Connector) -> None:
    app.tls.delete("/sandbox/requests")
    app.backend_token()
    app.http.get("/?q=%C3%A9")
    recorded = app.tls.get("/sandbox/requests").json
    assert [one["method"] for one in recorded] == ["POST", "GET"]
    assert recorded[1]["url"].endswith("/?q=%C3%A9")
    assert b"client_assertion=" in app.world.recorder.sent_to("/token", "POST")[0].body
    app.tls.delete("/sandbox/requests")
    assert app.world.recorder.requests == []


def test_registration_should_be_refused_in_words_and_change_nothing(app: Connector) -> None:
    before = app.tls.get("/sandbox/state").json["registration"]
    bad: list[dict[str, Any]] = [
        {"stranger": {}},
        {"provider": "text"},
        {"provider": {"unknown": "x"}},
        {"provider": {"launch_url": "javascript:alert(1)"}},
        {"provider": {"redirect_uris": "http://localhost/x"}},
        {"provider": {"redirect_uris": ["http://localhost/*"]}},
        {"backend": {"jwks_url": "http://localhost/jwks"}},
        {"backend": {"jwks_url": 7}},
    ]
    for wanted in bad:
        answer = app.tls.put("/sandbox/registration", json=wanted)
        assert (answer.status_code, bool(answer.json["error"])) == (400, True)
    assert app.tls.get("/sandbox/state").json["registration"] == before


@pytest.mark.parametrize("kind", ["epic", "fhir"])
def test_registration_and_record_should_survive_a_restart(kind: str, tmp_path: Path) -> None:
    first = connector(kind, tmp_path)
    if kind == "epic":
        assert (
            first.tls.post(first.hospital.status_path, data=STATUS, headers=backend(first)).status_code == 200
        )
    else:
        assert put(first, audit_event(first)).status_code == 201
    before = first.tls.get("/sandbox/state").json
    second = connector(kind, tmp_path, registered=False)
    assert second.tls.get("/sandbox/state").json == before
    assert second.exchange(second.code_for()).status_code == 200
