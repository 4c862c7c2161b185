"""The way back: answers that belong to nobody, somebody else, another server, another time."""

from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest

from shared.connection import Endpoints
from tests.launch.conftest import CONNECTION, PUBLIC, Shown, World, connection, revision
from tests.launch.ehr import BASE, ISSUER, _json, query_of
from tests.launch.hostile import nothing_happened, refused

OTHER = "abababababababab"
OTHER_BASE = "https://other.example/fhir"
OTHER_TOKEN = "https://other.example/oauth2/token"


def _answer(world: World, change: Callable[[str], str]) -> Shown:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    return world.leg2(change(url), "patient")


def _state(value: str) -> Callable[[str], str]:
    return lambda url: url.split("state=")[0] + "state=" + value


@pytest.mark.smart(4, 39, 60)
@pytest.mark.parametrize(
    ("change", "gain"),
    [
        (lambda url: url.replace("state=", "state=A"), "a login of the attacker's choosing"),
        (lambda url: url.split("&state")[0], "the same without a state"),
        (_state(""), "the same with an empty one"),
        (_state("x" * 43), "somebody else's flow"),
        (_state("x" * 43 + "%00"), "a cut-off comparison"),
        (_state("..%2F"), "another cookie's name"),
        (_state("x%0d%0aSet-Cookie:a=b"), "a cookie of their own"),
        (_state("x" * 9000), "our memory"),
        (lambda url: f"{url},{'x' * 43}", "a second state behind the first"),
        (lambda url: url.replace("code=", "error=access_denied&code=").split("&state")[0], "a flow's end"),
    ],
)
def test_a_state_that_is_not_this_browsers_should_be_refused(
    world: World, change: Callable[[str], str], gain: str
) -> None:
    assert _answer(world, change).reason == "flow-unknown", gain
    nothing_happened(world)
    assert not world.ehr.requests("ehr-token")
    assert len(world.browser.named("flow")) == 1, "the real answer may still come"


@pytest.mark.smart(68)
@pytest.mark.parametrize(
    ("change", "reason", "gain"),
    [
        (lambda url: url.replace("code=code-0&", ""), "launch-incomplete", "a flow without a code"),
        (lambda url: url.replace("code-0", "code-9"), "code-refused", "a guessed code"),
        (lambda url: url.replace("code-0", "c" * 8193), "parameter-invalid", "our memory"),
        (lambda url: url.replace("code-0", "a%0d%0ab"), "parameter-invalid", "a request of their own"),
        (lambda url: url.replace("code-0", "a%00"), "parameter-invalid", "a cut-off code"),
        (lambda url: url.replace("code-0", "%F0%9F%92%8A"), "parameter-invalid", "two encodings of one code"),
        (lambda url: url.replace("code-0", "code-0,code-1"), "code-refused", "a second code behind it"),
        (lambda url: url.replace("code=code-0", "error=access_denied"), "ehr-refused", "nothing"),
        (lambda url: url.replace("code=", "error=server_error&code="), "ehr-refused", "a code after a no"),
        (
            lambda url: url.replace("code=code-0", "error=%3Cscript%3E"),
            "ehr-refused",
            "script in page or log",
        ),
        (lambda url: url + "&iss=https://evil.example", "ehr-answer-invalid", "a mix-up (RFC 9207)"),
        (
            lambda url: url.replace("iss=", "was="),
            "ehr-answer-invalid",
            "a mix-up without a trace",
        ),
        (lambda url: url + "&iss=", "ehr-answer-invalid", "a mix-up without a name"),
        (lambda url: url + f"&iss={ISSUER}/", "ehr-answer-invalid", "a mix-up on one host"),
        (lambda url: url + f"&iss={ISSUER},https://evil.example", "ehr-answer-invalid", "a mix-up"),
    ],
)
def test_the_way_back_should_be_refused(
    world: World, change: Callable[[str], str], reason: str, gain: str
) -> None:
    refused(world, _answer(world, change), reason, gain)


def test_the_issuer_that_was_asked_may_say_so(world: World) -> None:
    assert _answer(world, lambda url: f"{url}&iss={ISSUER}").status == 303


@pytest.mark.smart(61)
def test_a_state_of_another_browser_should_open_nothing(world: World) -> None:
    """Gain: a victim in the attacker's visit, or the reverse (login CSRF)."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.browser.cookies.clear()
    refused(world, world.leg2(url, "patient"), "flow-unknown", "login CSRF", recorded=False)
    assert not world.ehr.requests("ehr-token")


@pytest.mark.smart(61)
def test_a_flow_should_not_pass_under_another_flows_name(world: World) -> None:
    """Gain: one flow's answer with another's verifier and nonce (cookie tossing)."""
    one, other = world.leg1("patient"), world.leg1("patient")
    state, another = query_of(one.location)["state"], query_of(other.location)["state"]
    world.browser.cookies[f"__Host-flow-{state}"] = world.browser.cookies[f"__Host-flow-{another}"]
    assert world.leg2(world.agreed(one.location, "Patient/pat-1"), "patient").reason == "flow-unknown"
    nothing_happened(world)
    assert not world.ehr.requests("ehr-token")


@pytest.mark.parametrize(
    ("value", "gain"),
    [
        ("A" * 200, "a flow of their making"),
        ("", "a flow without a seal"),
        ("eyJwIjoicGF0aWVudCJ9", "a flow in the clear"),
    ],
)
def test_a_tossed_cookie_should_be_refused_and_removed(world: World, value: str, gain: str) -> None:
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    (name,) = world.browser.named("flow")
    world.browser.cookies[name] = value
    assert world.leg2(url, "patient").reason == "flow-unknown", gain
    nothing_happened(world)
    assert not value or name not in world.browser.cookies
    assert not world.ehr.requests("ehr-token")


@pytest.mark.parametrize("family", ["resume", "pending", "session", "view", "context"])
def test_a_seal_of_another_purpose_should_not_pass_as_a_flow(world: World, family: str) -> None:
    """Gain: what we sealed for something else, as a flow."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    (name,) = world.browser.named("flow")
    content = {"n": name, "t": 0, "v": {}}
    world.browser.cookies[name] = world.services.sealer.seal(family, content)
    assert world.leg2(url, "patient").reason == "flow-unknown"
    nothing_happened(world)


def test_a_flow_older_than_ten_minutes_should_be_refused(world: World) -> None:
    """Gain: a launch that was left open on a shared workstation."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.clock.pass_by(minutes=10, seconds=1)
    refused(world, world.leg2(url, "patient"), "flow-expired", "an old launch", recorded=False)
    assert not world.ehr.requests("ehr-token")


def test_a_flow_should_not_end_at_the_other_door(world: World) -> None:
    """Gain: a patient's launch as a clinician's."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    refused(world, world.leg2(url, "provider"), "flow-unknown", "the other door", recorded=False)
    assert not world.ehr.requests("ehr-token")


def test_an_answer_should_not_count_twice(world: World) -> None:
    """Gain: a second visit, or a second person, from one address in a history."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.leg2(url, "patient")
    kept, world.browser.cookies = dict(world.browser.cookies), {}
    assert world.leg2(url, "patient").reason == "flow-unknown"
    world.browser.cookies = kept
    assert world.leg2(url, "patient").status == 303, "in the same browser it is a reload"
    assert len(world.ehr.requests("ehr-token")) == 1
    assert len(world.rooms.opened) == 1


@pytest.mark.smart(13, 70)
@pytest.mark.parametrize("change", ["strip", "replace"])
def test_a_stripped_or_foreign_challenge_should_make_the_code_worthless(world: World, change: str) -> None:
    """Gain: a code that anybody may trade, by changing the request on its way."""
    asked = query_of(world.leg1("patient").location)
    if change == "strip":
        del asked["code_challenge"], asked["code_challenge_method"]
    else:
        asked["code_challenge"] = "A" * 43
    members = {"patient": "pat-1", "sessionId": "1", "epicUserId": "W-1"}
    url = world.ehr.authorize(asked, user="Patient/pat-1", members=members)
    refused(world, world.leg2(url, "patient"), "code-refused", "a code for anybody")


@pytest.mark.smart(70)
def test_a_code_of_another_flow_should_not_be_injected(world: World) -> None:
    """Gain: the attacker's own session in the victim's browser, or the victim's code in the attacker's."""
    stolen = query_of(world.agreed(world.leg1("patient").location, "Patient/pat-9"))["code"]
    world.browser.cookies.clear()
    mine = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    url = mine.replace(query_of(mine)["code"], stolen)
    refused(world, world.leg2(url, "patient"), "code-refused", "somebody else's code")


def _with_other_hospital(world: World) -> None:
    """A second connection, whose hospital is the attacker's own and rightly approved for itself."""
    oauth = "https://other.example/oauth2"
    pins = Endpoints(oauth, f"{oauth}/authorize", OTHER_TOKEN, f"{oauth}/keys")
    document = {
        "issuer": pins.issuer,
        "authorization_endpoint": pins.authorization,
        "token_endpoint": pins.token,
        "jwks_uri": pins.jwks,
        "capabilities": ["launch-ehr"],
    }
    world.ehr.failures.elsewhere = {
        f"{OTHER_BASE}/.well-known/smart-configuration": _json(200, document),
        OTHER_TOKEN: _json(400, {"error": "invalid_grant"}),
    }
    head = replace(connection(), id=OTHER, fhir_base=OTHER_BASE)
    settings = revision(connection=OTHER, endpoints=pins)
    world.stores.region.connections.rows[OTHER] = (head, settings)


def _mixed_up(world: World) -> str:
    """The address that comes back when the other hospital sends the user on to the honest one."""
    _with_other_hospital(world)
    url = f"/launch/patient/{OTHER}?iss={OTHER_BASE}&launch=l"
    shown = world.browser.open(world.patient.launch, url, route={"connection": OTHER})
    members = {"patient": "pat-1", "sessionId": "1", "epicUserId": "W-1"}
    # The honest hospital is loose: it takes a redirect URI that nobody registered there.
    world.ehr.connections.append(OTHER)
    return world.ehr.authorize(
        {**query_of(shown.location), "aud": BASE}, user="Patient/pat-1", members=members
    )


def test_a_mix_up_that_says_who_it_is_should_get_no_code_out(world: World) -> None:
    """Gain: the honest hospital's code, at the attacker's token endpoint (RFC 9207)."""
    url = _mixed_up(world)
    assert query_of(url)["iss"] == ISSUER
    refused(world, world.leg2(url, "patient"), "ehr-answer-invalid", "a mix-up")
    assert not world.ehr.requests("ehr-token")


@pytest.mark.smart(329)
def test_a_mix_up_that_says_nothing_should_be_worth_nothing(world: World) -> None:
    """Gain: a code together with an assertion that the honest hospital takes."""
    world.ehr.failures.smart = {"authorization_response_iss_parameter_supported": None}
    url = _mixed_up(world)
    refused(world, world.leg2(url, "patient"), "code-refused", "a mix-up")
    (sent,) = world.ehr.requests("ehr-token")
    claims = jwt.decode(sent.form["client_assertion"], options={"verify_signature": False})
    assert (sent.url, claims["aud"]) == (OTHER_TOKEN, OTHER_TOKEN)


@pytest.mark.smart(6)
@pytest.mark.parametrize("name", ["redirect_uri", "next", "url", "returnUrl", "open", "target_link_uri"])
@pytest.mark.parametrize("value", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_the_redirect_goes_only_where_the_room_says(world: World, name: str, value: str) -> None:
    """Gain: a trusted address that leads to theirs (open redirect), in either leg."""
    first = world.leg1("patient", f"iss={BASE}&launch=l&{name}={value}")
    assert query_of(first.location)["redirect_uri"] == f"{PUBLIC}/launch/patient/callback/{CONNECTION}"
    assert "evil" not in first.location
    back = world.agreed(first.location, "Patient/pat-1")
    shown = world.leg2(f"{back}&{name}={value}", "patient")
    assert shown.location == "https://visit.teams.example/patient"
