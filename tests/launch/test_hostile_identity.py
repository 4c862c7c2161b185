"""Identities that must not be believed. Each row says what an attacker would gain."""

from dataclasses import replace
from typing import Any

import pytest

from shared.connection import UserSource
from tests.launch.conftest import World, revision
from tests.launch.ehr import BASE, ISSUER
from tests.launch.hostile import refused

FHIR_USER = {"user_source": UserSource()}
LATER = 4_000_000_000


@pytest.mark.smart(201)
@pytest.mark.parametrize(
    ("fail", "reason", "gain"),
    [
        ({"id_token": ""}, "identity-missing", "anybody's visit without an identity"),
        ({"id_token": "none"}, "identity-invalid", "any identity, unsigned"),
        ({"id_token": "hs256"}, "identity-invalid", "any identity, signed with the public key"),
        ({"id_token": "a.b.c"}, "identity-invalid", "a crash"),
        ({"id_token": "a"}, "identity-invalid", "a crash"),
        ({"id_token": "..."}, "identity-invalid", "a crash"),
        ({"id_token": "x" * 17_000}, "identity-missing", "our memory"),
        ({"signed_by": "attacker"}, "identity-invalid", "any identity"),
        ({"kid": "other"}, "identity-invalid", "a key of another issuer"),
        ({"kid": "../../ehr-1"}, "identity-invalid", "a key file of their choosing"),
        ({"claims": {"iss": "https://evil.example"}}, "identity-invalid", "another issuer's user"),
        ({"claims": {"iss": BASE}}, "identity-invalid", "another issuer's user"),
        ({"claims": {"iss": f"{ISSUER}/"}}, "identity-invalid", "another issuer on the same host"),
        ({"claims": {"iss": f"{ISSUER}/token/x"}}, "identity-invalid", "the same, like an old form"),
        ({"claims": {"iss": None}}, "identity-invalid", "nobody's user"),
        ({"claims": {"aud": "somebody-else"}}, "identity-invalid", "a token of another app"),
        ({"claims": {"aud": "provider-client"}}, "identity-invalid", "a token of our other door"),
        ({"claims": {"aud": ["patient-client", "x"]}}, "identity-invalid", "a token for many"),
        ({"claims": {"aud": ["patient-client", "x"], "azp": "x"}}, "identity-invalid", "another app's token"),
        ({"claims": {"azp": "somebody-else"}}, "identity-invalid", "a token that another app asked for"),
        ({"claims": {"aud": []}}, "identity-invalid", "a token for nobody"),
        ({"claims": {"nonce": "n" * 32}}, "identity-invalid", "a replayed sign-in"),
        ({"claims": {"nonce": ""}}, "identity-invalid", "a replayed sign-in"),
        ({"claims": {"nonce": None}}, "identity-invalid", "a replayed sign-in"),
        ({"claims": {"nonce": ["x"]}}, "identity-invalid", "a crash"),
        ({"claims": {"exp": 1_000_000_000}}, "identity-invalid", "an old sign-in"),
        ({"claims": {"exp": None}}, "identity-invalid", "a token for ever"),
        ({"claims": {"exp": "never"}}, "identity-invalid", "a token for ever"),
        ({"claims": {"iat": LATER, "exp": LATER + 300}}, "identity-invalid", "a token for later"),
        ({"claims": {"iat": None}}, "identity-invalid", "a token without an age"),
        ({"claims": {"nbf": LATER}}, "identity-invalid", "a token before its time"),
        ({"claims": {"sub": None}}, "identity-invalid", "nobody"),
        ({"claims": {"sub": ""}}, "identity-invalid", "nobody"),
        ({"claims": {"sub": "x" * 256}}, "identity-invalid", "our memory"),
        ({"claims": {"fhirUser": None}}, "identity-missing", "a visit without an audience"),
        (
            {"claims": {"fhirUser": "https://evil.example/Patient/pat-1"}},
            "identity-invalid",
            "a foreign user",
        ),
        ({"claims": {"fhirUser": "https://evil.example/x/Practitioner/p"}}, "identity-invalid", "the same"),
        ({"claims": {"fhirUser": f"{BASE}/../x/Patient/pat-1"}}, "identity-invalid", "another base's user"),
        ({"claims": {"fhirUser": f"{BASE}/Patient/pat-1/../x"}}, "identity-invalid", "another resource"),
        ({"claims": {"fhirUser": f"{BASE}/Patient/pat-1\n"}}, "identity-invalid", "a log line"),
        ({"claims": {"fhirUser": "Patient/<script>"}}, "identity-invalid", "script in page or log"),
        ({"claims": {"fhirUser": "Patient/" + "1" * 3000}}, "identity-invalid", "our memory"),
        ({"claims": {"fhirUser": f"{BASE}/Group/g"}}, "identity-invalid", "no person"),
        ({"claims": {"fhirUser": 7}}, "identity-invalid", "a crash"),
        ({"claims": {"fhirUser": "Practitioner/prac-vidal"}}, "wrong-front-door", "staff as a patient"),
        ({"claims": {"fhirUser": "Person/per-1"}}, "wrong-front-door", "anybody as a patient"),
    ],
)
def test_an_identity_should_be_refused(world: World, fail: dict[str, Any], reason: str, gain: str) -> None:
    world.use(revision(**FHIR_USER))
    world.ehr.failures = replace(world.ehr.failures, **fail)
    refused(world, world.launch("patient"), reason, gain)


@pytest.mark.parametrize("user", ["Patient/pat-1", "RelatedPerson/rel-1"])
@pytest.mark.parametrize("named_by", [UserSource(), UserSource("epicUserId", "epicUserId")])
def test_a_patient_should_not_come_in_at_the_clinicians_door(
    world: World, user: str, named_by: UserSource
) -> None:
    """Gain: the clinician's side of the visit, its lobby and its live view."""
    world.use(revision(user_source=named_by))
    refused(world, world.launch("provider", user), "wrong-front-door", "the clinician's side")


def test_an_id_token_is_verified_even_where_it_is_not_needed(world: World) -> None:
    """Gain: an identity that is looked at only sometimes."""
    world.ehr.failures.signed_by = "attacker"
    refused(world, world.launch("patient"), "identity-invalid", "any identity")


def test_the_context_key_may_replace_the_id_token_where_that_was_approved(world: World) -> None:
    world.ehr.failures.id_token = ""
    assert world.launch("patient").status == 303


def test_unknown_kids_should_not_become_a_storm_of_requests(world: World) -> None:
    """Gain: our requests as a weapon against the hospital, and a queue in front of every launch."""
    world.launch("patient")
    for number in range(30):
        world.ehr.failures.kid = f"invented-{number}"
        assert world.launch("patient").reason == "identity-invalid"
    assert len([one for one in world.ehr.sent if one.url.endswith("/oauth2/keys")]) <= 2


def test_invented_issuers_should_not_become_requests_elsewhere(world: World) -> None:
    """Gain: requests of ours to hosts of their choosing, where no issuer was approved."""
    pins = replace(revision().endpoints, issuer="", jwks="")
    world.use(revision(endpoints=pins, **FHIR_USER))
    world.ehr.failures.smart = {"issuer": None, "jwks_uri": None}
    world.ehr.failures.claims = {"iss": "https://evil.example"}
    refused(world, world.launch("patient"), "identity-invalid", "requests of ours")
    assert all(one.url.startswith("https://ehr.example/") for one in world.ehr.sent)


@pytest.mark.parametrize(
    ("document", "reason", "gain"),
    [
        ({"jwks_uri": "https://evil.example/keys"}, "endpoint-changed", "identities of their own making"),
        ({"jwks_uri": "http://ehr.example/keys"}, "ehr-answer-invalid", "keys changed on their way"),
        ({"jwks_uri": 7}, "ehr-answer-invalid", "a crash"),
        ({"issuer": "https://ehr.example/other"}, "ehr-answer-invalid", "another issuer's keys"),
    ],
)
def test_the_issuers_own_configuration_should_be_refused(
    world: World, document: dict[str, Any], reason: str, gain: str
) -> None:
    world.ehr.failures.smart = {"jwks_uri": None}
    world.ehr.failures.openid = document
    refused(world, world.launch("patient"), reason, gain)
