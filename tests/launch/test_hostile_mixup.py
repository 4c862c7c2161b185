"""Mix-ups between two connections (RFC 9700, section 4.4): one of the hospitals is the attacker's own.

The attacker's hospital is rightly approved for its own connection. It sends a victim who launches there on to
the honest hospital, where they are signed in; each test says which address the honest hospital's answer comes
back to, and what the attacker would gain.
"""

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from shared.connection import Client, Endpoints
from shared.errors import Refusal
from shared.launch import Finished
from shared.outbound import Answer
from shared.web import Request, Response, redirect
from tests.launch import microsoft
from tests.launch.conftest import (
    CONNECTION,
    PUBLIC,
    Browser,
    Shown,
    World,
    callback_route,
    connection,
    own_keys,
    revision,
)
from tests.launch.ehr import AUTHORIZE, BASE, ISSUER, query_of

OTHER, OTHER_BASE = "azzzzzzzzzzzzzzz", "https://evil.example/fhir"
THEIRS = Endpoints(
    OTHER_BASE, "https://evil.example/authorize", "https://evil.example/token", "https://evil.example/keys"
)
WHO = {"patient": "Patient/pat-1", "provider": "Practitioner/prac-vidal"}
every_side = pytest.mark.parametrize("side", ["patient", "provider"])


@pytest.fixture
def world() -> World:
    """Two organizations, a hospital each; the second one's belongs to the attacker."""
    world = World(microsoft.FOREIGN, keys=own_keys())
    document = {
        "issuer": THEIRS.issuer,
        "jwks_uri": THEIRS.jwks,
        "authorization_endpoint": THEIRS.authorization,
        "token_endpoint": THEIRS.token,
    }
    world.ehr.failures.elsewhere = {
        f"{OTHER_BASE}/.well-known/smart-configuration": Answer(200, {}, json.dumps(document).encode()),
        THEIRS.token: Answer(400, {}, b'{"error":"invalid_grant"}'),
    }
    # What a hospital's answer says of itself is the second defence, and old servers say nothing.
    world.ehr.failures.smart = {"authorization_response_iss_parameter_supported": None}
    head = replace(connection(), id=OTHER, tenant=microsoft.FOREIGN, kind="fhir", fhir_base=OTHER_BASE)
    clients = {"provider": Client("m-1", "none"), "patient": Client("m-2", "none")}
    row = revision(connection=OTHER, endpoints=THEIRS, **clients)
    world.stores.region.connections.rows[OTHER] = (head, row)
    return world


def launched_elsewhere(world: World, victim: Browser, side: str) -> dict[str, str]:
    """The victim follows a link to the attacker's connection; what the attacker's hospital is asked."""
    door = world.provider if side == "provider" else world.patient
    url = f"/launch/{side}/{OTHER}?iss={OTHER_BASE}&launch=x"
    shown = victim.open(door.launch, url, route={"connection": OTHER})
    assert shown.location.startswith(THEIRS.authorization)
    return query_of(shown.location)


def sent_on(world: World, side: str, asked: dict[str, str], **changes: str) -> str:
    """The attacker's hospital passes its question on to the honest one, where the victim is signed in."""
    honest = {"client_id": f"{side}-client", "aud": BASE}
    return world.agreed(f"{AUTHORIZE}?{urlencode({**asked, **honest, **changes})}", WHO[side])


def back(world: World, browser: Browser, side: str, url: str) -> Shown:
    door = world.provider if side == "provider" else world.patient
    return browser.open(door.callback, url, route=callback_route(url))


def no_code_went_anywhere(world: World) -> None:
    assert not world.ehr.requests("ehr-token")
    assert THEIRS.token not in [one.url for one in world.ehr.sent]
    assert not world.rooms.opened


@every_side
def test_each_connection_should_have_a_redirect_uri_of_its_own(world: World, side: str) -> None:
    """Gain: one address for every hospital's answers, which is what a mix-up lives on."""
    ours = query_of(world.leg1(side).location)["redirect_uri"]
    theirs = launched_elsewhere(world, Browser(), side)["redirect_uri"]
    assert ours == f"{PUBLIC}/launch/{side}/callback/{CONNECTION}"
    assert theirs == f"{PUBLIC}/launch/{side}/callback/{OTHER}"


@every_side
def test_a_neighbours_code_should_not_be_taken_out(world: World, side: str) -> None:
    """Gain: the victim's code at the attacker's token endpoint, then in the attacker's own flow."""
    attacker, victim = world.browser, Browser()
    own = query_of(world.leg1(side).location)
    asked = launched_elsewhere(world, victim, side)
    # The attacker's challenge, nonce and address at the honest hospital, with the victim's state.
    url = sent_on(world, side, own, state=asked["state"])
    shown = back(world, victim, side, url)
    assert (shown.status, shown.reason) == (400, "flow-unknown")
    assert not victim.named("flow"), "the flow is consumed"
    no_code_went_anywhere(world)
    assert attacker.named("flow"), "the attacker's own flow waits for a code that never comes"


@every_side
def test_a_public_clients_code_and_verifier_should_not_be_taken_out(world: World, side: str) -> None:
    """Gain: code and verifier together, which is all that a public client's token needs."""
    public = Client(f"{side}-client", "none")
    world.use(revision(**{side: public}))
    world.ehr.auth = {f"{side}-client": "public"}
    victim = Browser()
    asked = launched_elsewhere(world, victim, side)
    url = sent_on(world, side, asked, redirect_uri=f"{PUBLIC}/launch/{side}/callback/{CONNECTION}")
    assert back(world, victim, side, url).reason == "flow-unknown"
    assert not victim.named("flow")
    no_code_went_anywhere(world)


@every_side
def test_an_address_with_the_connection_exchanged_should_not_count(world: World, side: str) -> None:
    """Gain: an answer moved to the address where the victim's flow would take it, by hand."""
    own = query_of(world.leg1(side).location)
    url = sent_on(world, side, own)
    moved = url.replace(f"/callback/{CONNECTION}?", f"/callback/{OTHER}?")
    assert back(world, world.browser, side, moved).reason == "flow-unknown"
    assert back(world, world.browser, side, url).reason == "flow-unknown", "it was consumed"
    no_code_went_anywhere(world)


@every_side
@pytest.mark.parametrize("name", [OTHER, "", "é", "../callback", f"{CONNECTION}/", CONNECTION.upper()])
def test_an_answer_should_be_repeated_at_its_own_connection_only(world: World, side: str, name: str) -> None:
    """Gain: the visit of one hospital under the address of another."""
    url = world.agreed(world.leg1(side).location, WHO[side])
    first = world.leg2(url, side)
    assert first.location
    assert world.leg2(url, side).location == first.location
    door = world.provider if side == "provider" else world.patient
    shown = world.browser.open(door.callback, url, route={"connection": name})
    assert (shown.reason, shown.location) == ("flow-unknown", "")


def test_an_administrator_should_not_prove_with_a_colleagues_sign_in(world: World) -> None:
    """Gain: the approval of a hospital by somebody who has no account there."""
    flow, rows = world.services.flow, world.stores.region.connections.rows
    admin, analyst = Browser(), Browser()
    uris = {one: f"{PUBLIC}/config/ehr/callback/{one}" for one in (CONNECTION, OTHER)}

    def begun(browser: Browser, at: str, oid: str) -> dict[str, str]:
        head, row = rows[at]
        shown = browser.open(
            lambda request: flow.begin_approval(request, head, row, uris[at], {"oid": oid}), "/config"
        )
        return query_of(shown.location)

    def finished(browser: Browser, url: str) -> tuple[Shown, list[Finished]]:
        proofs: list[Finished] = []

        def finish(request: Request) -> Response:
            proofs.append(flow.finish(request, uris[request.route["connection"]]))
            return redirect("/config/")

        return browser.open(finish, url, route=callback_route(url)), proofs

    own, asked = begun(admin, CONNECTION, "admin"), begun(analyst, OTHER, "analyst")
    assert own["redirect_uri"] == uris[CONNECTION]
    assert asked["redirect_uri"] == uris[OTHER]
    # The honest hospital answers where the administrator's request said, in the analyst's browser.
    query = urlencode({"code": "hers", "state": asked["state"]})
    shown, proofs = finished(analyst, f"/config/ehr/callback/{CONNECTION}?{query}")
    assert (shown.reason, proofs) == ("flow-unknown", [])
    assert not analyst.named("flow")
    no_code_went_anywhere(world)


@every_side
@pytest.mark.parametrize("issuer", [None, "", ISSUER + "/", THEIRS.issuer])
def test_a_hospital_that_says_who_it_is_should_always_say_so(
    world: World, side: str, issuer: str | None
) -> None:
    """Gain: an answer without its sender, where the sender would give the mix-up away (RFC 9207, 2.4)."""
    world.ehr.failures.smart = {}
    url = world.agreed(world.leg1(side).location, WHO[side])
    address, query = url.partition("?")[0], query_of(url)
    assert query.pop("iss") == ISSUER
    sent = query if issuer is None else {**query, "iss": issuer}
    shown = world.leg2(f"{address}?{urlencode(sent)}", side)
    assert shown.reason == "ehr-answer-invalid"
    no_code_went_anywhere(world)


@pytest.mark.parametrize("announced", [None, False, "true", 1])
def test_a_hospital_that_does_not_announce_its_name_need_not_say_it(world: World, announced: object) -> None:
    world.ehr.failures.smart = {"authorization_response_iss_parameter_supported": announced}
    url = world.agreed(world.leg1("patient").location, WHO["patient"])
    address, query = url.partition("?")[0], query_of(url)
    query.pop("iss", "")
    assert world.leg2(f"{address}?{urlencode(query)}", "patient").location


def test_an_organization_that_is_removed_between_the_legs_gets_no_code(world: World) -> None:
    """Gain: launches of an organization that may not use this app any more."""
    url = world.agreed(world.leg1("patient").location, WHO["patient"])
    world.tenants.remove(microsoft.TENANT)
    assert world.leg2(url, "patient").reason == "connection-unknown"
    no_code_went_anywhere(world)


def test_an_organization_that_is_removed_meanwhile_approves_nothing(world: World) -> None:
    flow, (head, row) = world.services.flow, world.stores.region.connections.rows[CONNECTION]
    uri = f"{PUBLIC}/config/ehr/callback/{CONNECTION}"
    begun = world.browser.open(lambda request: flow.begin_approval(request, head, row, uri), "/config")
    world.tenants.remove(microsoft.TENANT)

    def finish(request: Request) -> Response:
        flow.finish(request, uri)
        raise Refusal("not-found")

    query = urlencode({"code": "c", "state": query_of(begun.location)["state"]})
    assert world.browser.open(finish, f"{uri}?{query}").reason == "connection-unknown"
    no_code_went_anywhere(world)
