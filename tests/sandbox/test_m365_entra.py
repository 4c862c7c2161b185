"""The simulated Entra: metadata, sign-in by browser, tokens for codes and for the app itself."""

import html
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from sandbox.microsoft365.cast import (
    CLIENT_ID,
    FOREIGN,
    MARISOL,
    OUTSIDE_ADMIN,
    OUTSIDER,
    SIERRA,
    TOMAS,
    FederatedCredential,
)
from tests.sandbox.m365 import Cloud, credential, decoded, params_of, running


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
    shared.session.delete(f"{shared.tls}/sandbox/requests")
    shared.session.put(f"{shared.tls}/sandbox/failures", json={})
    shared.session.cookies.clear()
    shared.tokens.clear()


def begin(cloud: Cloud, tenant: str = SIERRA, **more: Any) -> tuple[Any, dict[str, Any]]:
    app = cloud.msal(tenant)
    flow = app.initiate_auth_code_flow(["User.Read"], redirect_uri=cloud.redirect_uri, **more)
    return app, flow


def choose(cloud: Cloud, url: str, oid: str, session: requests.Session | None = None) -> requests.Response:
    return (session or cloud.session).post(url, data={"account": oid}, allow_redirects=False, timeout=10)


def sign_in(cloud: Cloud, oid: str, tenant: str = SIERRA) -> dict[str, Any]:
    app, flow = begin(cloud, tenant)
    answer = choose(cloud, flow["auth_uri"], oid)
    assert answer.status_code == 302, answer.text
    result: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, params_of(answer.headers["Location"]))
    return result


def claims_of(cloud: Cloud, token: str, tenant: str = SIERRA) -> dict[str, Any]:
    """The id token's claims, verified as a careful app verifies them."""
    keys = cloud.session.get(f"{cloud.tls}/{tenant}/discovery/v2.0/keys").json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(jwt.PyJWK(key) for key in keys if key["kid"] == kid)
    issuer = f"{cloud.tls}/{decoded(token)['tid']}/v2.0"
    claims: dict[str, Any] = jwt.decode(
        token, key.key, algorithms=["RS256"], audience=CLIENT_ID, issuer=issuer
    )
    return claims


def test_metadata_should_name_the_tenants_issuer_and_split_browser_from_server(cloud: Cloud) -> None:
    found = cloud.session.get(f"{cloud.tls}/{SIERRA}/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{cloud.tls}/{SIERRA}/v2.0"
    assert found["authorization_endpoint"] == f"{cloud.pages}/{SIERRA}/oauth2/v2.0/authorize"
    assert found["token_endpoint"] == f"{cloud.tls}/{SIERRA}/oauth2/v2.0/token"


@pytest.mark.parametrize("authority", ["common", "organizations"])
def test_common_metadata_should_carry_the_issuer_template(cloud: Cloud, authority: str) -> None:
    found = cloud.session.get(f"{cloud.tls}/{authority}/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{cloud.tls}/{{tenantid}}/v2.0"


def test_the_v1_metadata_should_lead_to_the_keys_of_validation_tokens(cloud: Cloud) -> None:
    found = cloud.session.get(f"{cloud.tls}/common/.well-known/openid-configuration").json()
    assert found["jwks_uri"] == f"{cloud.tls}/common/discovery/keys"
    assert cloud.session.get(found["jwks_uri"]).json()["keys"][0]["kty"] == "RSA"


def test_an_unknown_tenant_should_be_refused(cloud: Cloud) -> None:
    answer = cloud.session.get(f"{cloud.tls}/{CLIENT_ID}/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_signing_in_should_give_an_id_token_that_names_the_person(cloud: Cloud) -> None:
    app, flow = begin(cloud)
    page = cloud.session.get(flow["auth_uri"])
    assert page.status_code == 200
    assert "Marisol Ibarra" in page.text
    assert "Use another account" in page.text
    answer = choose(cloud, flow["auth_uri"], MARISOL.oid)
    result = app.acquire_token_by_auth_code_flow(flow, params_of(answer.headers["Location"]))
    assert "id_token" in result, result
    claims = claims_of(cloud, result["id_token"])
    assert (claims["tid"], claims["oid"], claims["name"]) == (SIERRA, MARISOL.oid, MARISOL.name)
    assert claims["preferred_username"] == MARISOL.upn
    assert claims["roles"] == ["Connector.Admin"]
    assert claims["ver"] == "2.0"
    assert "wids" not in claims
    assert claims["sub"] != claims["oid"]


def test_who_holds_no_role_should_carry_no_roles_claim(cloud: Cloud) -> None:
    assert "roles" not in sign_in(cloud, TOMAS.oid)["id_token_claims"]


def test_wids_should_be_there_when_the_manifest_asks_for_them(cloud: Cloud) -> None:
    cloud.failures.emit_wids = True
    assert len(sign_in(cloud, MARISOL.oid)["id_token_claims"]["wids"]) == 3


def test_a_person_of_another_tenant_should_not_get_into_this_one(cloud: Cloud) -> None:
    _, flow = begin(cloud)
    answer = choose(cloud, flow["auth_uri"], OUTSIDER.oid)
    assert answer.status_code == 400
    assert "AADSTS50020" in answer.text


def test_organizations_should_sign_the_foreigner_in_under_their_own_tenant(cloud: Cloud) -> None:
    result = sign_in(cloud, OUTSIDER.oid, "organizations")
    claims = claims_of(cloud, result["id_token"], "common")
    assert (claims["tid"], claims["iss"]) == (FOREIGN, f"{cloud.tls}/{FOREIGN}/v2.0")


def test_a_guest_should_be_recognizable_as_one(cloud: Cloud) -> None:
    cloud.failures.outsider_is_guest = True
    claims = sign_in(cloud, OUTSIDER.oid)["id_token_claims"]
    assert (claims["tid"], claims["acct"]) == (SIERRA, 1)
    assert claims["idp"] == f"https://sts.windows.net/{FOREIGN}/"
    assert claims["oid"] != OUTSIDER.oid


def test_single_sign_on_should_skip_the_picker_unless_it_is_asked_for(cloud: Cloud) -> None:
    _, flow = begin(cloud)
    browser = requests.Session()
    browser.trust_env = False
    choose(cloud, flow["auth_uri"], TOMAS.oid, browser)
    _, again = begin(cloud)
    assert browser.get(again["auth_uri"], allow_redirects=False).status_code == 302
    _, asked = begin(cloud, prompt="select_account")
    assert browser.get(asked["auth_uri"], allow_redirects=False).status_code == 200
    _, hinted = begin(cloud, login_hint=MARISOL.upn)
    assert browser.get(hinted["auth_uri"], allow_redirects=False).status_code == 200


def test_prompt_none_without_a_session_should_answer_login_required(cloud: Cloud) -> None:
    _, flow = begin(cloud, prompt="none")
    answer = requests.get(flow["auth_uri"], allow_redirects=False, timeout=5)
    assert params_of(answer.headers["Location"])["error"] == "login_required"


def test_signing_out_should_end_single_sign_on(cloud: Cloud) -> None:
    sign_in(cloud, TOMAS.oid)
    back = f"{cloud.addresses.app_url}/config/"
    where = f"{cloud.pages}/{SIERRA}/oauth2/v2.0/logout"
    answer = cloud.session.get(where, params={"post_logout_redirect_uri": back}, allow_redirects=False)
    assert answer.headers["Location"] == back
    _, flow = begin(cloud)
    assert cloud.session.get(flow["auth_uri"], allow_redirects=False).status_code == 200
    stranger = cloud.session.get(
        where, params={"post_logout_redirect_uri": "https://evil.example/"}, allow_redirects=False
    )
    assert stranger.status_code == 200


def test_form_post_should_answer_with_a_form_that_posts_itself(cloud: Cloud) -> None:
    app, flow = begin(cloud, response_mode="form_post")
    answer = choose(cloud, flow["auth_uri"], MARISOL.oid)
    assert answer.status_code == 200
    assert f'action="{cloud.redirect_uri}"' in answer.text
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', answer.text)
    posted = {name: html.unescape(value) for name, value in fields}
    assert "access_token" in app.acquire_token_by_auth_code_flow(flow, posted)


def test_refusing_should_send_the_error_and_state_back(cloud: Cloud) -> None:
    _, flow = begin(cloud)
    answer = cloud.session.post(flow["auth_uri"], data={"cancel": "1"}, allow_redirects=False)
    said = params_of(answer.headers["Location"])
    assert (said["error"], said["state"]) == ("access_denied", flow["state"])
    assert said["error_description"].startswith("AADSTS65004")


def changed(url: str, name: str, value: str | None) -> str:
    """The URL with one parameter replaced, or removed."""
    cut = re.sub(rf"&?\b{name}=[^&]*", "", url)
    return cut if value is None else f"{cut}&{name}={value}"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("redirect_uri", "http%3A%2F%2Flocalhost%3A1%2Fevil", "AADSTS50011"),
        ("redirect_uri", None, "AADSTS50011"),
        ("redirect_uri", "%22%5C%3Cscript%3E", "AADSTS50011"),
        ("client_id", "7fffffff-0000-4000-8000-000000000000", "AADSTS"),
        ("client_id", None, "AADSTS"),
    ],
)
def test_a_request_that_may_be_anybodys_should_never_be_redirected(
    cloud: Cloud, name: str, value: str | None, code: str
) -> None:
    _, flow = begin(cloud)
    answer = cloud.session.get(changed(flow["auth_uri"], name, value), allow_redirects=False)
    assert answer.status_code == 400
    assert code in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("scope", "openid+Mail.Read", "invalid_scope"),
        ("scope", f"openid+User.Read+api%3A%2F%2F{CLIENT_ID}%2FConnector.ReadWrite", "invalid_scope"),
        ("nonce", None, "invalid_request"),
        ("state", None, "invalid_request"),
    ],
)
def test_a_faulty_request_of_the_app_should_be_told_to_the_app(
    cloud: Cloud, name: str, value: str | None, error: str
) -> None:
    _, flow = begin(cloud)
    answer = cloud.session.get(changed(flow["auth_uri"], name, value), allow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert params_of(answer.headers["Location"])["error"] == error


def code_request(cloud: Cloud, **changes: str) -> tuple[requests.Response, dict[str, str]]:
    """Redeem a fresh code by hand, with changes to the request."""
    _, flow = begin(cloud)
    answer = choose(cloud, flow["auth_uri"], MARISOL.oid)
    form = {
        "grant_type": "authorization_code",
        "code": params_of(answer.headers["Location"])["code"],
        "redirect_uri": cloud.redirect_uri,
        "code_verifier": flow["code_verifier"],
        "client_id": CLIENT_ID,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(cloud),
        **changes,
    }
    return cloud.session.post(f"{cloud.tls}/{SIERRA}/oauth2/v2.0/token", data=form), form


def assertion(cloud: Cloud, key: str | None = None, algorithm: str = "PS256", **claims: Any) -> str:
    """A client assertion by hand."""
    certificate = x509.load_pem_x509_certificate(cloud.app.certificate.encode())
    name, digest = ("x5t#S256", hashes.SHA256()) if algorithm == "PS256" else ("x5t", hashes.SHA1())  # noqa: S303
    thumbprint = urlsafe_b64encode(certificate.fingerprint(digest)).decode()
    now = int(time.time())
    body = {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": f"{cloud.tls}/{SIERRA}/oauth2/v2.0/token",
        "exp": now + 300,
        "nbf": now,
        "jti": "one-and-the-same",
        **claims,
    }
    return jwt.encode(body, key or cloud.app.key, algorithm=algorithm, headers={name: thumbprint})


def test_a_code_should_be_redeemed_once(cloud: Cloud) -> None:
    answer, form = code_request(cloud)
    assert answer.status_code == 200, answer.text
    again = cloud.session.post(f"{cloud.tls}/{SIERRA}/oauth2/v2.0/token", data=form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert again.json()["error_codes"] == [54005]


def test_a_wrong_verifier_should_be_refused_and_spend_the_code(cloud: Cloud) -> None:
    answer, form = code_request(cloud, code_verifier="x" * 43)
    assert (answer.json()["error"], answer.json()["error_codes"]) == ("invalid_grant", [501481])
    assert (
        "access_token" not in cloud.session.post(f"{cloud.tls}/{SIERRA}/oauth2/v2.0/token", data=form).json()
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "http://localhost:1/config/signin/callback"}, "invalid_grant"),
        ({"code": "guess"}, "invalid_grant"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_secret": "hunter2"}, "invalid_client"),
        ({"client_id": "somebody"}, "unauthorized_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code_verifier": ""}, "invalid_request"),
    ],
)
def test_a_faulty_redemption_should_be_refused(cloud: Cloud, changes: dict[str, str], error: str) -> None:
    answer, _ = code_request(cloud, **changes)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error, answer.text
    assert answer.json()["error_description"].startswith("AADSTS")


def test_an_expired_code_should_be_refused(cloud: Cloud) -> None:
    _, flow = begin(cloud)
    code = params_of(choose(cloud, flow["auth_uri"], MARISOL.oid).headers["Location"])["code"]
    cloud.clock.ahead = timedelta(minutes=11)
    try:
        answer, _ = code_request(
            cloud, code=code, client_assertion=assertion(cloud, exp=int(time.time()) + 3600)
        )
    finally:
        cloud.clock.ahead = timedelta()
    assert answer.json()["error_codes"] == [70008]


def client_credentials(cloud: Cloud, proof: str, scope: str = "", tenant: str = SIERRA) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "scope": scope or f"{cloud.tls}/graph/.default",
        "client_id": CLIENT_ID,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": proof,
    }
    return cloud.session.post(f"{cloud.tls}/{tenant}/oauth2/v2.0/token", data=form)


def test_the_app_should_get_a_graph_token_with_its_granted_permissions(cloud: Cloud) -> None:
    claims = decoded(cloud.token())
    assert claims["aud"] == f"{cloud.tls}/graph"
    assert (claims["tid"], claims["idtyp"]) == (SIERRA, "app")
    assert "OnlineMeetings.ReadWrite.All" in claims["roles"]
    assert "scp" not in claims


@pytest.mark.parametrize(
    "form",
    [
        lambda cloud: {"private_key": cloud.app.key, "public_certificate": cloud.app.certificate},
        lambda cloud: {"private_key": cloud.app.key, "thumbprint": sha1_of(cloud.app.certificate)},
    ],
    ids=["PS256 with x5c", "RS256 with x5t"],
)
def test_both_of_msals_certificate_forms_should_be_accepted(cloud: Cloud, form: Any) -> None:
    answer = cloud.msal(**form(cloud)).acquire_token_for_client([f"{cloud.tls}/graph/.default"])
    assert "access_token" in answer, answer


def sha1_of(certificate: str) -> str:
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA1()).hex()  # noqa: S303


def test_one_assertion_should_serve_twice(cloud: Cloud) -> None:
    proof = assertion(cloud)
    assert [client_credentials(cloud, proof).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda cloud: assertion(cloud, key=credential().key), 700027),
        (lambda cloud: assertion(cloud, aud="https://login.example/token"), 700023),
        (lambda cloud: assertion(cloud, aud=f"{cloud.tls}/{FOREIGN}/oauth2/v2.0/token"), 700023),
        (lambda cloud: assertion(cloud, exp=int(time.time()) - 900), 700024),
        (lambda cloud: assertion(cloud, exp=None), 700024),
        (lambda cloud: assertion(cloud, exp=int(time.time()) + 10**7), 700024),
        (lambda cloud: assertion(cloud, nbf=int(time.time()) + 900), 700024),
        (lambda cloud: assertion(cloud, sub="somebody"), 700021),
        (lambda cloud: jwt.encode({"iss": CLIENT_ID, "sub": CLIENT_ID}, "k" * 32), 700027),
        (lambda cloud: jwt.encode({"iss": CLIENT_ID}, "", algorithm="none"), 700027),
    ],
    ids=[
        "other key",
        "other server",
        "other tenant",
        "expired",
        "no expiry",
        "eternal",
        "not yet",
        "other sub",
        "HS256",
        "none",
    ],
)
def test_an_assertion_that_proves_nothing_should_be_refused(cloud: Cloud, forge: Any, code: int) -> None:
    answer = client_credentials(cloud, forge(cloud))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.json()["error_codes"] == [code]


@pytest.mark.parametrize("scope", ["User.Read", "https://graph.microsoft.com/.default", "{graph}/User.Read"])
def test_an_app_only_scope_should_be_a_resource_and_default(cloud: Cloud, scope: str) -> None:
    answer = client_credentials(cloud, assertion(cloud), scope.replace("{graph}", f"{cloud.tls}/graph"))
    assert answer.json()["error"] == "invalid_scope"


def test_app_only_tokens_should_not_come_from_common(cloud: Cloud) -> None:
    proof = assertion(cloud, aud=f"{cloud.tls}/common/oauth2/v2.0/token")
    assert client_credentials(cloud, proof, tenant="common").json()["error"] == "invalid_request"


def test_a_federated_token_should_prove_the_app_only_with_the_trusted_subject(folder: Path) -> None:
    issuer, subject, signer = "https://login.example/tenant/v2.0", "principal-of-the-identity", credential()
    public = signer.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    trust = FederatedCredential(issuer, subject, public.decode())

    def token(**claims: Any) -> str:
        now = int(time.time())
        body = {
            "iss": issuer,
            "sub": subject,
            "aud": "api://AzureADTokenExchange",
            "iat": now,
            "exp": now + 600,
        }
        return jwt.encode({**body, **claims}, signer.key, algorithm="RS256")

    with running(folder, change=lambda one: replace(one, federated=(trust,))) as cloud:
        app = cloud.msal(client_assertion=token)
        assert "access_token" in app.acquire_token_for_client([f"{cloud.tls}/graph/.default"])
        assert client_credentials(cloud, token(sub="another")).json()["error_codes"] == [700213]
        assert client_credentials(cloud, token(aud="api://other")).json()["error_codes"] == [700212]


def test_the_apps_own_api_should_have_delegated_tokens(cloud: Cloud) -> None:
    app = cloud.msal()
    scope = f"api://{CLIENT_ID}/Connector.ReadWrite"
    flow = app.initiate_auth_code_flow([scope], redirect_uri=cloud.redirect_uri)
    answer = choose(cloud, flow["auth_uri"], MARISOL.oid)
    result = app.acquire_token_by_auth_code_flow(flow, params_of(answer.headers["Location"]))
    claims = decoded(result["access_token"])
    assert (claims["aud"], claims["scp"], claims["ver"]) == (CLIENT_ID, "Connector.ReadWrite", "2.0")
    assert claims["roles"] == ["Connector.Admin"]


def test_the_token_control_should_mint_any_claims_with_the_real_key(cloud: Cloud) -> None:
    made = cloud.control("token", **{"as": MARISOL.oid, "claims": {"aud": "other", "name": None}})
    claims = decoded(made["access_token"])
    assert (claims["aud"], claims["oid"]) == ("other", MARISOL.oid)
    assert "name" not in claims
    assert decoded(cloud.control("token")["access_token"])["idtyp"] == "app"


def test_rotated_keys_should_both_be_published(cloud: Cloud) -> None:
    before = jwt.get_unverified_header(cloud.token())["kid"]
    after = cloud.control("rotate-keys")["kid"]
    kids = {key["kid"] for key in cloud.session.get(f"{cloud.tls}/common/discovery/keys").json()["keys"]}
    assert {before, after} <= kids
    cloud.tokens.clear()
    assert jwt.get_unverified_header(cloud.token())["kid"] == after


def test_the_token_endpoint_should_fail_as_often_as_it_is_told(cloud: Cloud) -> None:
    cloud.failures.token_error, cloud.failures.token_error_times = "temporarily_unavailable", 1
    scope = [f"{cloud.tls}/graph/.default"]
    app = cloud.msal()
    assert app.acquire_token_for_client(scope)["error"] == "temporarily_unavailable"
    assert "access_token" in cloud.msal().acquire_token_for_client(scope)
    cloud.failures.token_down = True
    assert client_credentials(cloud, assertion(cloud)).status_code == 503


@pytest.mark.parametrize("path", ["/{t}/oauth2/v2.0/token", "/{t}/discovery/v2.0/keys", "/graph/v1.0/users"])
def test_server_endpoints_should_refuse_plain_http(cloud: Cloud, path: str) -> None:
    method = "POST" if path.endswith("token") else "GET"
    answer = cloud.session.request(method, cloud.pages + path.format(t=SIERRA))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "WrongDoor")


def test_the_sign_in_page_should_refuse_the_tls_port(cloud: Cloud) -> None:
    assert cloud.session.get(f"{cloud.tls}/{SIERRA}/oauth2/v2.0/authorize").status_code == 403


def consent_params(cloud: Cloud, **changes: str) -> dict[str, str]:
    return {
        "client_id": CLIENT_ID,
        "redirect_uri": cloud.redirect_uri,
        "state": "s1",
        "scope": f"{cloud.tls}/graph/.default",
        **changes,
    }


def consent(cloud: Cloud, data: dict[str, str], tenant: str = "organizations", **changes: str) -> Any:
    url = f"{cloud.pages}/{tenant}/v2.0/adminconsent"
    return cloud.session.post(
        url, params=consent_params(cloud, **changes), data=data, allow_redirects=False, timeout=10
    )


def test_admin_consent_should_return_the_tenant_of_the_administrator(cloud: Cloud) -> None:
    url = f"{cloud.tls}/organizations/v2.0/adminconsent"
    page = cloud.session.get(url, params=consent_params(cloud))
    assert page.url.startswith(cloud.pages)
    assert "Pick an account" in page.text
    shown = cloud.session.post(page.url, data={"account": MARISOL.oid})
    assert "OnlineMeetings.ReadWrite.All" in shown.text
    granted = cloud.session.post(page.url, data={"accept": "1"}, allow_redirects=False)
    answer = params_of(granted.headers["Location"])
    assert f"{cloud.tls}/graph/OnlineMeetings.ReadWrite.All" in answer.pop("scope").split()
    assert answer == {"admin_consent": "True", "tenant": SIERRA, "state": "s1"}


def test_declined_consent_should_say_so_with_the_state(cloud: Cloud) -> None:
    answer = params_of(consent(cloud, {"cancel": "1"}).headers["Location"])
    assert answer.pop("error_description").startswith("AADSTS65004")
    assert answer == {"admin_consent": "True", "error": "consent_required", "state": "s1"}


@pytest.mark.parametrize(("who", "tenant"), [(TOMAS, "organizations"), (OUTSIDER, "organizations")])
def test_only_an_administrator_should_consent(cloud: Cloud, who: Any, tenant: str) -> None:
    shown = consent(cloud, {"account": who.oid, "accept": "1"}, tenant)
    assert shown.status_code == 200
    assert "Need admin approval" in shown.text
    answer = params_of(consent(cloud, {"return": "1"}).headers["Location"])
    assert (answer["error"], "tenant" in answer) == ("access_denied", False)
    assert "Pick an account" in consent(cloud, {"another": "1"}).text


def test_an_administrator_should_consent_for_the_own_tenant_only(cloud: Cloud) -> None:
    shown = consent(cloud, {"account": MARISOL.oid, "accept": "1"}, FOREIGN)
    assert (shown.status_code, "AADSTS50020" in shown.text) == (400, True)
    cloud.failures.outsider_is_guest = True
    guest = consent(cloud, {"account": OUTSIDE_ADMIN.oid, "accept": "1"}, SIERRA)
    assert "Need admin approval" in guest.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uri": "https://evil.example/"}, "AADSTS50011"),
        ({"client_id": "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"}, "AADSTS700016"),
        ({"scope": ""}, "AADSTS70011"),
        ({"scope": "https://elsewhere.example/.default"}, "AADSTS70011"),
        ({"tenant": "common"}, "AADSTS900561"),
    ],
    ids=str,
)
def test_a_faulty_consent_request_should_never_be_answered_at_its_address(
    cloud: Cloud, changes: dict[str, str], code: str
) -> None:
    tenant = changes.pop("tenant", "organizations")
    for data in ({"account": MARISOL.oid, "accept": "1"}, {"cancel": "1"}):
        answer = consent(cloud, data, tenant, **changes)
        assert (answer.status_code, code in answer.text) == (400, True)


def test_the_app_should_get_tokens_of_its_own_only_where_it_was_let_in(folder: Path) -> None:
    with running(folder) as cloud:
        scope = [f"{cloud.tls}/graph/.default"]
        refused = cloud.msal(FOREIGN).acquire_token_for_client(scope)
        assert (refused["error"], refused["error_codes"]) == ("unauthorized_client", [700016])
        assert consent(cloud, {"account": OUTSIDE_ADMIN.oid, "accept": "1"}).status_code == 302
        granted = cloud.msal(FOREIGN).acquire_token_for_client(scope)
        assert decoded(granted["access_token"])["tid"] == FOREIGN
