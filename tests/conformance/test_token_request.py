"""The token request and the client's authentication in it (SMART 2.2 sections 2.1.6, 5.2 and 5.3).

The simulated hospital is strict: it verifies the assertion against the published key set, refuses a second
use of a ``jti``, holds the verifier against the challenge, and knows how each client was registered.
"""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import jwt
import pytest

from shared.connection import Client
from tests.launch.conftest import CONNECTION, PUBLIC, World, revision
from tests.launch.ehr import SECRET, TOKEN, Sent, query_of
from tests.launch.microsoft import TENANT

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENTS = {
    "RS384": Client("patient-client", "private_key_jwt", "RS384"),
    "ES384": Client("patient-client", "private_key_jwt", "ES384"),
    "basic": Client("patient-client", "client_secret_basic", secret_name="client-secret"),
    "public": Client("patient-client", "none"),
}
SIGNING = ("RS384", "ES384")


def launched(world: World, kind: str) -> Sent:
    """A patient's launch by a client of this kind, to the end; the token request that was sent."""
    world.use(revision(patient=CLIENTS[kind]))
    world.ehr.auth = {"patient-client": kind} if kind in ("basic", "public") else {}
    before = len(world.ehr.requests("ehr-token"))
    assert world.launch("patient").location == "https://visit.teams.example/patient"
    (sent,) = world.ehr.requests("ehr-token")[before:]
    return sent


def assertion_of(world: World, sent: Sent) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of the assertion, its signature verified with the published key of its ``kid``."""
    token = sent.form["client_assertion"]
    header = jwt.get_unverified_header(token)
    published = {row["kid"]: row for row in world.keys.jwks(TENANT)["keys"]}
    key = jwt.PyJWK(published[header["kid"]])
    loose = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=[header["alg"]], audience=TOKEN, options=loose)  # type: ignore[arg-type]
    return header, claims


@pytest.mark.smart(62, 67, 68, 69)
@pytest.mark.parametrize("kind", CLIENTS)
def test_the_code_is_traded_by_one_post_of_a_form(world: World, kind: str) -> None:
    sent = launched(world, kind)
    assert (sent.method, sent.url) == ("POST", TOKEN)
    assert sent.form["grant_type"] == "authorization_code"
    assert sent.form["code"] == "code-0"
    assert sent.form["redirect_uri"] == f"{PUBLIC}/launch/patient/callback/{CONNECTION}"


@pytest.mark.smart(63, 71)
def test_a_public_client_names_itself_and_proves_nothing(world: World) -> None:
    sent = launched(world, "public")
    assert sent.form["client_id"] == "patient-client"
    assert set(sent.form) == {"grant_type", "code", "redirect_uri", "code_verifier", "client_id"}
    assert "Authorization" not in sent.headers


@pytest.mark.smart(64, 72)
@pytest.mark.parametrize("kind", ["RS384", "ES384", "basic"])
def test_a_confidential_client_authenticates_and_does_not_name_itself_beside(world: World, kind: str) -> None:
    sent = launched(world, kind)
    assert "client_id" not in sent.form
    assert ("client_assertion" in sent.form) != ("Authorization" in sent.headers)


@pytest.mark.smart(66, 343, 345)
def test_a_secret_is_sent_by_http_basic_with_both_halves_encoded(world: World) -> None:
    scheme, _, value = launched(world, "basic").headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert b64decode(value).decode() == "patient-client:s+p%2Bc%2F%C3%A9"
    assert SECRET == "s p+c/é"


@pytest.mark.smart(11, 65)
def test_a_client_signs_with_our_keys_unless_it_is_registered_otherwise() -> None:
    assert (Client("x").auth, Client("x").alg) == ("private_key_jwt", "RS384")
    assert revision().client("provider").auth == "private_key_jwt"


@pytest.mark.smart(307, 308, 309, 320, 321, 322, 323, 333, 334)
@pytest.mark.parametrize("alg", SIGNING)
def test_the_assertion_is_signed_by_the_published_key_that_it_names(world: World, alg: str) -> None:
    sent = launched(world, alg)
    header, _ = assertion_of(world, sent)
    assert (header["alg"], header["typ"]) == (alg, "JWT")
    assert [row["kid"] for row in world.keys.jwks(TENANT)["keys"]].count(header["kid"]) == 1
    assert sent.form["client_assertion_type"] == ASSERTION_TYPE


@pytest.mark.smart(325)
@pytest.mark.parametrize("alg", SIGNING)
def test_the_assertions_header_holds_nothing_else(world: World, alg: str) -> None:
    header, _ = assertion_of(world, launched(world, alg))
    assert set(header) == {"alg", "kid", "typ"}


@pytest.mark.smart(317, 327, 328, 329, 330, 331)
@pytest.mark.parametrize("alg", SIGNING)
def test_the_assertion_says_who_asks_whom_and_for_how_long(world: World, alg: str) -> None:
    _, claims = assertion_of(world, launched(world, alg))
    now = int(world.clock.now().timestamp())
    assert claims["iss"] == claims["sub"] == "patient-client"
    assert claims["aud"] == TOKEN
    assert isinstance(claims["exp"], int)
    assert now < claims["exp"] <= now + 300
    assert claims["iat"] <= now


@pytest.mark.smart(319, 332)
@pytest.mark.parametrize("alg", SIGNING)
def test_every_request_has_an_assertion_of_its_own(world: World, alg: str) -> None:
    names = [assertion_of(world, launched(world, alg))[1]["jti"] for _ in range(5)]
    assert len(set(names)) == 5
    assert all(isinstance(name, str) and 22 <= len(name) <= 151 for name in names)


@pytest.mark.smart(1)
@pytest.mark.parametrize("kind", CLIENTS)
def test_what_is_secret_goes_to_the_pinned_servers_over_https_alone(world: World, kind: str) -> None:
    sent = launched(world, kind)
    secrets = [sent.form["code"], sent.form["code_verifier"], "token-of", *sent.headers.values()][:3]
    for one in world.ehr.sent:
        assert one.url.startswith("https://ehr.example/")
        if one is not sent:
            assert not any(secret in json.dumps([one.url, one.form]) for secret in secrets)


@pytest.mark.smart(93)
def test_the_chart_is_read_with_the_token_as_bearer(world: World) -> None:
    world.launch("provider")
    (sent,) = world.ehr.requests("ehr-fhir")
    assert sent.headers["Authorization"] == "Bearer token-of-Practitioner/prac-vidal"
    assert "token-of" not in sent.url


@pytest.mark.smart(202)
def test_fhir_user_is_read_as_the_address_of_who_launched(world: World) -> None:
    world.launch("provider", "Practitioner/prac-lind")
    (sent,) = world.ehr.requests("ehr-fhir")
    assert (sent.method, sent.url) == ("GET", "https://ehr.example/api/FHIR/R4/Practitioner/prac-lind")


@pytest.mark.smart(201, 218)
def test_the_issuers_own_configuration_leads_to_the_keys_where_nothing_else_does(world: World) -> None:
    world.use(revision(endpoints=replace(revision().endpoints, jwks="")))
    world.ehr.failures.smart = {"jwks_uri": None}
    assert world.launch("patient").status == 303
    addresses = [one.url for one in world.ehr.sent if not one.form]
    configuration = "https://ehr.example/oauth2/.well-known/openid-configuration"
    assert addresses.index(configuration) < addresses.index("https://ehr.example/oauth2/keys")
    world.ehr.failures.signed_by = "attacker"
    assert world.launch("patient").reason == "identity-invalid"


@pytest.mark.smart(38, 191)
def test_context_comes_with_the_token(world: World) -> None:
    world.launch("patient", members={"patient": "pat-1", "fhirContext": [{"reference": "Appointment/a-1"}]})
    ((context, _),) = world.rooms.opened
    assert (context.patient, context.appointment) == ("pat-1", "a-1")


def test_the_simulated_hospital_is_strict(world: World) -> None:
    """What these tests rest on: a code serves once, and an assertion too."""
    sent = launched(world, "RS384")
    again = world.ehr.send("POST", TOKEN, form=sent.form, service="ehr-token")
    assert again.status == 400
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    replayed = {**sent.form, "code": query_of(url)["code"]}
    assert world.ehr.send("POST", TOKEN, form=replayed, service="ehr-token").status == 401
