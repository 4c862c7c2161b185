"""Discovery that must not be believed: moved, broken, huge, slow. Each row says what it would gain."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.connection import Endpoints
from tests.launch.conftest import ENDPOINTS, World, revision
from tests.launch.ehr import BASE, query_of
from tests.launch.hostile import refused


def _smart(**members: Any) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.ehr.failures.smart = members

    return fail


def _status(status: int) -> Callable[[World], None]:
    """A whole configuration, with a status that says it is none."""

    def fail(world: World) -> None:
        world.ehr.failures.smart_status = status

    return fail


def _body(status: int, body: bytes) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.ehr.failures.smart_status, world.ehr.failures.discovery_body = status, body

    return fail


def _down(world: World) -> None:
    world.ehr.failures.down = frozenset({"smart-configuration"})


def _slow(world: World) -> None:
    world.ehr.failures.slow = 9.0


def _unpinned(world: World) -> None:
    world.use(revision(endpoints=Endpoints()))


def _statement(extension: bytes, *, before: bytes = b"") -> Callable[[World], None]:
    """An old server: no smart-configuration, a capability statement in XML."""

    def fail(world: World) -> None:
        world.ehr.failures.smart_status = 404
        world.ehr.failures.metadata = (
            b'<?xml version="1.0"?>'
            + before
            + b'<Conformance xmlns="http://hl7.org/fhir"><rest><security>'
            + extension
            + b"</security></rest></Conformance>"
        )

    return fail


def _uris(authorize: bytes, token: bytes) -> bytes:
    return (
        b'<extension url="http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris">'
        b'<extension url="authorize"><valueUri value="' + authorize + b'"/></extension>'
        b'<extension url="token"><valueUri value="' + token + b'"/></extension></extension>'
    )


_GOOD = (b"https://ehr.example/oauth2/authorize", b"https://ehr.example/oauth2/token")
_DEEP = b"<a>" * 100 + b"</a>" * 100
_WIDE = b"<a " + b" ".join(b'a%d=""' % number for number in range(51)) + b"/>"
_LONG = b'<a a="' + b"x" * 400_000 + b'"/>'
_MANY = b"<a/>" * 200_001
_LARGE = b"<a>" + b"x" * 4_000_000 + b"</a>"
_LAUGHS = b'<!DOCTYPE x [<!ENTITY a "https://ehr.example/oauth2/token">]>'
_OUTSIDE = b'<!DOCTYPE x SYSTEM "https://evil.example/x.dtd">'


@pytest.mark.smart(1, 318)
@pytest.mark.parametrize(
    ("fail", "reason", "gain"),
    [
        (_smart(token_endpoint="https://evil.example/t"), "endpoint-changed", "codes and assertions"),
        (_smart(authorization_endpoint="https://evil.example/a"), "endpoint-changed", "a phishing page"),
        (_smart(jwks_uri="https://evil.example/k"), "endpoint-changed", "identities of their own making"),
        (_smart(issuer="https://ehr.example/other"), "endpoint-changed", "another issuer on the same host"),
        (_smart(token_endpoint="https://ehr.example:8443/t"), "endpoint-changed", "another service's port"),
        (_smart(token_endpoint="https://ehr.example.evil.example/t"), "endpoint-changed", "codes"),
        (_smart(token_endpoint="//evil.example/t"), "endpoint-changed", "codes, by a relative address"),
        (_smart(token_endpoint="\\\\evil.example\\t"), "ehr-answer-invalid", "codes, by another reading"),
        (_smart(token_endpoint="http://ehr.example/t"), "ehr-answer-invalid", "codes in the clear"),
        (_smart(token_endpoint="https://ehr.example/t#x"), "ehr-answer-invalid", "an aud of their own"),
        (_smart(authorization_endpoint="http://ehr.example/a"), "ehr-answer-invalid", "launches in clear"),
        (_smart(authorization_endpoint="javascript:alert(1)"), "ehr-answer-invalid", "script"),
        (_smart(authorization_endpoint="data:text/html,x"), "ehr-answer-invalid", "a page of their own"),
        (_smart(authorization_endpoint="https://u@ehr.example/a"), "ehr-answer-invalid", "credentials"),
        (_smart(authorization_endpoint="https://ehr.example/a\r\nX: 1"), "ehr-answer-invalid", "a header"),
        (_smart(authorization_endpoint="https://[::1"), "ehr-answer-invalid", "a crash"),
        (_smart(authorization_endpoint="https://ehr.example:99999/"), "ehr-answer-invalid", "a crash"),
        (_smart(authorization_endpoint=7), "ehr-answer-invalid", "a crash"),
        (_smart(authorization_endpoint="https://ehr.example/" + "a" * 3000), "ehr-answer-invalid", "memory"),
        (_smart(token_endpoint=None), "ehr-answer-invalid", "a crash"),
        (_smart(issuer=["x"]), "ehr-answer-invalid", "a crash"),
        (_smart(code_challenge_methods_supported=["plain"]), "ehr-answer-invalid", "a stolen code's use"),
        (_status(302), "ehr-answer-invalid", "another host's configuration"),
        (_body(200, b"<html>"), "ehr-answer-invalid", "a crash"),
        (_body(200, b"[]"), "ehr-answer-invalid", "a crash"),
        (_body(200, b"\xff\xfe{}"), "ehr-answer-invalid", "a crash"),
        (_body(200, b"[" * 100_000), "ehr-answer-invalid", "a crash by depth"),
        (_smart(padding="x" * 600_000), "ehr-answer-invalid", "our memory"),
        (_body(503, b""), "ehr-unreachable", "nothing, but say it"),
        (_down, "ehr-unreachable", "nothing, but say it"),
        (_slow, "ehr-unreachable", "our threads, one launch at a time"),
        (_unpinned, "endpoint-changed", "whatever host, when nothing was approved"),
        (_statement(_uris(*_GOOD), before=_LAUGHS), "ehr-answer-invalid", "our memory, by entities"),
        (_statement(_uris(*_GOOD), before=_OUTSIDE), "ehr-answer-invalid", "a request from inside"),
        (_statement(_uris(_GOOD[0], b"https://evil.example/t")), "endpoint-changed", "codes"),
        (_statement(_uris(_GOOD[0], b"http://ehr.example/t")), "ehr-answer-invalid", "codes in the clear"),
        (_statement(_uris(*_GOOD)[:-3]), "ehr-answer-invalid", "a crash"),
        (_statement(b""), "ehr-answer-invalid", "a crash"),
        (_statement(_DEEP + _uris(*_GOOD)), "ehr-answer-invalid", "our memory, by depth"),
        (_statement(_uris(*_GOOD) + _WIDE), "ehr-answer-invalid", "our memory, by attributes"),
        (_statement(_uris(*_GOOD) + _LONG), "ehr-answer-invalid", "our memory, by one tag"),
        (_statement(_uris(*_GOOD) + _MANY), "ehr-answer-invalid", "a second of every launch, by elements"),
        (_statement(_uris(*_GOOD) + _LARGE), "ehr-answer-invalid", "time, by size"),
    ],
)
def test_discovery_should_be_refused(
    world: World, fail: Callable[[World], None], reason: str, gain: str
) -> None:
    fail(world)
    refused(world, world.leg1(), reason, gain)


@pytest.mark.parametrize(
    "pinned",
    [
        Endpoints(ENDPOINTS.issuer, ENDPOINTS.authorization, "https://evil.example/t", ENDPOINTS.jwks),
        Endpoints(ENDPOINTS.issuer, "https://evil.example/a", ENDPOINTS.token, ENDPOINTS.jwks),
        Endpoints(ENDPOINTS.issuer, ENDPOINTS.authorization, ENDPOINTS.token, "https://evil.example/k"),
        Endpoints("https://evil.example", ENDPOINTS.authorization, ENDPOINTS.token, ENDPOINTS.jwks),
    ],
)
def test_each_address_is_pinned_by_itself(world: World, pinned: Endpoints) -> None:
    """Gain: one address of theirs among three of the hospital's."""
    world.use(revision(endpoints=pinned))
    refused(world, world.leg1(), "endpoint-changed", "one address of theirs")


def test_discovery_that_moves_between_the_legs_should_get_no_code(world: World) -> None:
    """Gain: the codes of everybody who is under way."""
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.clock.pass_by(hours=1)
    world.ehr.failures.smart = {"token_endpoint": "https://evil.example/t"}
    # The flow is over after ten minutes; a browser that begins again meets the moved endpoint.
    assert world.leg2(url, "patient").reason == "flow-expired"
    world.stores.region.launches.rows.clear()
    refused(world, world.leg1("patient"), "endpoint-changed", "codes")
    assert not world.ehr.requests("ehr-token")


def test_a_configuration_that_expires_between_the_legs_is_held_against_the_pins(world: World) -> None:
    """Gain: the code and the assertion of a launch that began before the server was taken over."""
    world.leg1("patient")
    world.browser.cookies.clear()
    world.clock.pass_by(minutes=55)
    url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
    world.clock.pass_by(minutes=6)
    world.ehr.failures.smart = {"token_endpoint": "https://evil.example/t"}
    refused(world, world.leg2(url, "patient"), "endpoint-changed", "codes")
    assert not world.ehr.requests("ehr-token")


def test_discovery_is_asked_of_the_approved_base_alone(world: World) -> None:
    """Gain: requests of ours to hosts of their choosing."""
    world.leg1(query=f"iss={BASE}&launch=https://evil.example/")
    assert [one.url for one in world.ehr.sent] == [f"{BASE}/.well-known/smart-configuration"]


@pytest.mark.smart(13)
def test_a_server_that_names_no_challenge_methods_is_sent_one_all_the_same(world: World) -> None:
    """Gain: codes that anybody may use, by leaving a list out."""
    world.ehr.failures.smart = {"code_challenge_methods_supported": None}
    assert query_of(world.leg1().location)["code_challenge_method"] == "S256"
