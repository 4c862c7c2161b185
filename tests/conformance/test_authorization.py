"""The authorization request as it is sent (SMART App Launch 2.2 sections 2.1.4 and 2.1.5).

Every kind of request is looked at: both doors by GET and by POST, and the approver's standalone sign-in.
"""

import hashlib
import html
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from shared.connection import Policy
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, PUBLIC, Shown, World, revision
from tests.launch.ehr import AUTHORIZE, BASE, query_of

SIDES = ("provider", "patient")
LONG = "l" * 4000


def fields_of(shown: Shown) -> dict[str, str]:
    """What a request consists of: the query of an address, or the fields of a form that posts itself."""
    if shown.location:
        return query_of(shown.location)
    assert f'action="{AUTHORIZE}"' in shown.text
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', shown.text)
    assert len(dict(pairs)) == len(pairs), "no parameter twice"
    return {html.unescape(name): html.unescape(value) for name, value in pairs}


def approval(world: World) -> Shown:
    """The approver's sign-in."""
    approved = world.stores.region.connections.approved(CONNECTION)
    assert approved is not None
    uri = f"{PUBLIC}/config/ehr/callback/{CONNECTION}"
    return world.browser.open(
        lambda request: world.services.flow.begin_approval(
            request, approved.connection, approved.revision, uri
        ),
        "/config",
    )


REQUESTS: dict[str, Callable[[World], Shown]] = {
    "provider by GET": lambda world: world.leg1("provider"),
    "patient by GET": lambda world: world.leg1("patient"),
    "provider by POST": lambda world: world.leg1("provider", f"iss={BASE}&launch={LONG}"),
    "patient by POST": lambda world: world.leg1("patient", f"iss={BASE}&launch={LONG}"),
    "approver": approval,
}
every_request = pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)


@pytest.mark.smart(29)
@pytest.mark.parametrize("side", SIDES)
def test_discovery_is_one_get_below_the_base_that_accepts_json(world: World, side: str) -> None:
    world.leg1(side)
    (sent,) = world.ehr.requests("ehr-discovery")
    assert (sent.method, sent.url) == ("GET", f"{BASE}/.well-known/smart-configuration")
    assert sent.headers["Accept"] == "application/json"
    assert not sent.form


@pytest.mark.smart(379)
def test_relative_addresses_are_read_against_the_base(world: World) -> None:
    world.ehr.failures.smart = {"authorization_endpoint": "auth", "token_endpoint": "/oauth2/token"}
    first = world.leg1("patient")
    assert first.location.startswith(f"{BASE}/auth?")
    world.leg2(world.agreed(first.location, "Patient/pat-1"), "patient")
    (sent,) = world.ehr.requests("ehr-token")
    assert sent.url == "https://ehr.example/oauth2/token"


@pytest.mark.smart(3, 32, 33, 34, 44, 45, 47, 195, 196, 211)
@every_request
def test_the_request_has_exactly_these_parameters(world: World, ask: Callable[[World], Shown]) -> None:
    sent = fields_of(ask(world))
    assert set(sent) - {"launch"} == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "aud",
        "code_challenge",
        "code_challenge_method",
    }
    assert sent["response_type"] == "code"
    patient = "patient" in sent["redirect_uri"]
    assert sent["client_id"] == ("patient-client" if patient else "provider-client")
    registered = {f"{PUBLIC}/launch/{side}/callback/{CONNECTION}" for side in SIDES} | {
        f"{PUBLIC}/config/ehr/callback/{CONNECTION}"
    }
    assert sent["redirect_uri"] in registered
    assert {"openid", "fhirUser"} <= set(sent["scope"].split())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", sent["code_challenge"])
    assert sent["code_challenge_method"] == "S256"
    assert all(sent.values())


@pytest.mark.smart(2, 40)
@every_request
def test_every_state_is_new_random_and_long_enough(world: World, ask: Callable[[World], Shown]) -> None:
    drawn: list[int] = []
    token = world.entropy.token

    def watched(size: int = 32) -> str:
        drawn.append(size)
        return token(size)

    world.entropy.token = watched  # type: ignore[method-assign]
    sent = [fields_of(ask(world)) for _ in range(20)]
    states = {one["state"] for one in sent}
    assert len(states) == len({one["code_challenge"] for one in sent}) == 20
    assert len({one["nonce"] for one in sent}) == 20
    assert min(len(state) for state in states) * 6 >= 122
    assert drawn.count(32) >= 20, "32 bytes of the system's randomness each"


@pytest.mark.smart(41)
@pytest.mark.parametrize("side", SIDES)
def test_aud_is_the_iss_that_came_letter_by_letter(world: World, side: str) -> None:
    other = "https://ehr.example/api/FHIR/DSTU2"
    world.use(revision(issuers=(other,)))
    world.ehr.failures.elsewhere = {}
    assert fields_of(world.leg1(side))["aud"] == BASE
    world.ehr.failures.smart = {"issuer": None}
    assert fields_of(world.leg1(side, f"iss={other}&launch=l"))["aud"] == other


@pytest.mark.smart(35, 38, 150, 151, 161)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("launch", ["l", "a+b/c==", "x" * 1500, "y" * 9999])
def test_an_ehr_launch_repeats_its_value_and_asks_for_its_context(
    world: World, side: str, launch: str
) -> None:
    sent = fields_of(world.leg1(side, f"iss={BASE}&launch={launch.replace('+', '%2B')}"))
    assert sent["launch"] == launch
    assert sent["scope"].split()[0] == "launch"


@pytest.mark.smart(26, 36)
def test_a_standalone_sign_in_has_neither_launch_value_nor_launch_scope(world: World) -> None:
    shown = approval(world)
    sent = fields_of(shown)
    assert shown.location.startswith(f"{AUTHORIZE}?")
    assert "launch" not in sent
    assert sent["scope"] == "openid fhirUser"


@pytest.mark.smart(50, 51)
def test_by_get_the_parameters_are_the_query_and_a_query_of_the_endpoint_stays(world: World) -> None:
    world.ehr.failures.smart = {"authorization_endpoint": f"{AUTHORIZE}?tenant=a%20b"}
    shown = world.leg1()
    assert shown.status == 303
    sent = query_of(shown.location)
    assert sent.pop("tenant") == "a b"
    assert sent["scope"].split()[0] == "launch"
    assert " " not in shown.location


@pytest.mark.smart(50, 52)
def test_by_post_the_parameters_are_the_fields_of_a_form(world: World) -> None:
    shown = world.leg1(query=f"iss={BASE}&launch={LONG}")
    assert shown.status == 200
    assert f'<form method="post" action="{AUTHORIZE}"' in shown.text
    assert "enctype" not in shown.text, "without one it is application/x-www-form-urlencoded"
    assert fields_of(shown)["launch"] == LONG


@pytest.mark.smart(50)
def test_where_post_is_not_offered_a_long_request_goes_by_get(world: World) -> None:
    world.ehr.failures.smart = {"capabilities": ["launch-ehr"]}
    assert query_of(world.leg1(query=f"iss={BASE}&launch={LONG}").location)["launch"] == LONG


@pytest.mark.smart(13, 44, 70)
@pytest.mark.parametrize("side", SIDES)
def test_the_verifier_of_the_challenge_is_kept_from_the_browser_and_sent_with_the_code(
    world: World, side: str
) -> None:
    first = world.leg1(side)
    world.leg2(world.agreed(first.location, "Patient/pat-1"), side)
    (sent,) = world.ehr.requests("ehr-token")
    verifier = sent.form["code_verifier"]
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    digest = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert query_of(first.location)["code_challenge"] == digest
    assert verifier not in f"{first.location} {world.browser.cookies}"


@pytest.mark.smart(4, 39, 60, 61)
@pytest.mark.parametrize("side", SIDES)
def test_the_state_belongs_to_one_browser_and_serves_once(world: World, side: str) -> None:
    url = world.agreed(world.leg1(side).location, "Patient/pat-1")
    mine, world.browser.cookies = world.browser.cookies, {}
    assert world.leg2(url, side).reason == "flow-unknown", "another browser"
    world.browser.cookies = mine
    assert world.leg2(url.replace("state=", "state=x"), side).reason == "flow-unknown", "another state"
    assert not world.ehr.requests("ehr-token")
    world.leg2(url, side)
    assert len(world.ehr.requests("ehr-token")) == 1
    assert not world.browser.named("flow")


@pytest.mark.smart(37, 46, 148)
@pytest.mark.parametrize(
    ("settings", "provider", "patient"),
    [
        ({}, {"user/Practitioner.r"}, set()),
        (
            BY_APPOINTMENT,
            {"user/Practitioner.r", "user/Appointment.r", "user/Encounter.r"},
            {"patient/Appointment.r", "patient/Encounter.r"},
        ),
        (
            {"policy": Policy(window=True)},
            {"user/Practitioner.r", "user/Appointment.r", "user/Encounter.r"},
            {"patient/Appointment.r", "patient/Encounter.r"},
        ),
    ],
)
def test_nothing_is_asked_for_that_is_not_read(
    world: World, settings: dict[str, object], provider: set[str], patient: set[str]
) -> None:
    world.use(revision(**settings))
    identity = {"launch", "openid", "fhirUser"}
    assert set(fields_of(world.leg1("provider"))["scope"].split()) == identity | provider
    assert set(fields_of(world.leg1("patient"))["scope"].split()) == identity | patient
