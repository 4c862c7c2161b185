"""Leg 1: launches that must not begin. Each row says what an attacker, or a mistake, would gain."""

from dataclasses import replace

import pytest

from tests.launch.conftest import CONNECTION, World, connection, revision
from tests.launch.ehr import BASE, ORIGIN
from tests.launch.hostile import nothing_happened, refused

OTHER = "abababababababab"


@pytest.mark.smart(41, 161)
@pytest.mark.parametrize(
    ("query", "reason", "gain"),
    [
        ("launch=l", "launch-incomplete", "a launch at a server of our choosing"),
        (f"iss={BASE}", "launch-incomplete", "a login without the EHR's context"),
        (f"iss={BASE}&launch=", "launch-incomplete", "the same with an empty value"),
        ("iss=https://evil.example/fhir&launch=l", "wrong-environment", "the code, at the attacker's server"),
        (f"iss={BASE}/&launch=l", "wrong-environment", "an aud the EHR did not register"),
        (f"iss={BASE}/../R4&launch=l", "wrong-environment", "a second name for one base"),
        (f"iss={BASE}%3Fx=1&launch=l", "wrong-environment", "a query of their own in every request"),
        (f"iss={BASE}%23&launch=l", "wrong-environment", "discovery somewhere else on the server"),
        ("iss=https://EHR.example/api/FHIR/R4&launch=l", "wrong-environment", "another host by case folding"),
        ("iss=HTTPS://ehr.example/api/FHIR/R4&launch=l", "wrong-environment", "a comparison by parts"),
        ("iss=https://ehr.example/api/fhir/r4&launch=l", "wrong-environment", "another base by case folding"),
        ("iss=https://ehr.example:443/api/FHIR/R4&launch=l", "wrong-environment", "a second name for it"),
        ("iss=https://ehr.example:8443/api/FHIR/R4&launch=l", "wrong-environment", "another service's port"),
        ("iss=https://ehr.example./api/FHIR/R4&launch=l", "wrong-environment", "another certificate's host"),
        ("iss=https://u:p@ehr.example/api/FHIR/R4&launch=l", "wrong-environment", "credentials in requests"),
        ("iss=https://ehr.example@evil.example/api/FHIR/R4&launch=l", "wrong-environment", "the code"),
        ("iss=https://ehr.example.evil.example/api/FHIR/R4&launch=l", "wrong-environment", "the code"),
        ("iss=http://ehr.example/api/FHIR/R4&launch=l", "wrong-environment", "a downgrade"),
        ("iss=//ehr.example/api/FHIR/R4&launch=l", "wrong-environment", "a downgrade"),
        ("iss=https://ehr.example/api/FHIR/DSTU2&launch=l", "wrong-environment", "test data in production"),
        ("iss=https://xn--ehr-9cd.example/api/FHIR/R4&launch=l", "wrong-environment", "a look-alike host"),
        ("iss=https://169.254.169.254/&launch=l", "wrong-environment", "the cloud's metadata"),
        ("iss=file:///etc/passwd&launch=l", "wrong-environment", "our files"),
        (f"iss={BASE},https://evil.example&launch=l", "wrong-environment", "a second iss behind the first"),
        (f"iss=%20{BASE}&launch=l", "wrong-environment", "a comparison after trimming"),
        (f"iss={BASE}%00&launch=l", "parameter-invalid", "a cut-off comparison"),
        (f"iss={BASE}%0d%0aX:1&launch=l", "parameter-invalid", "a header or log line of their own"),
        (f"iss=https://ehr.exampl%D0%B5/api/FHIR/R4&launch=l", "parameter-invalid", "a look-alike host"),  # noqa: F541
        ("iss=" + "x" * 3000 + "&launch=l", "parameter-invalid", "our memory"),
        (f"iss={BASE}&launch=a%00b", "parameter-invalid", "bytes that break a server behind us"),
        (f"iss={BASE}&launch=a%0ab", "parameter-invalid", "a log line of their own"),
        (f"iss={BASE}&launch=a%7Fb", "parameter-invalid", "a terminal's control character"),
        (f"iss={BASE}&launch=%C3%A9", "parameter-invalid", "two encodings of one value"),
        (f"iss={BASE}&launch=" + "x" * 10_001, "parameter-invalid", "our memory"),
    ],
)
def test_leg_1_should_refuse(world: World, query: str, reason: str, gain: str) -> None:
    # Of what a stranger sends, only what helps whoever sets the connection up is written down.
    told = reason != "parameter-invalid"
    refused(world, world.leg1(query=query), reason, gain, recorded=told)
    assert not world.ehr.sent, "no outgoing call before the parameters are accepted"


def test_the_base_of_another_connection_should_not_launch_this_one(world: World) -> None:
    """Gain: a hospital of their own, approved for its own connection, at somebody else's door."""
    head = replace(connection(), id=OTHER, fhir_base="https://other.example/fhir")
    world.stores.region.connections.rows[OTHER] = (head, replace(revision(), connection=OTHER))
    shown = world.leg1(query="iss=https://other.example/fhir&launch=l")
    refused(world, shown, "wrong-environment", "patients of one hospital in visits of another")
    assert not world.ehr.sent


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("bbbbbbbbbbbbbbbb", "a region that is not this app's"),
        ("abcdefghijklmnoq", "which connections exist"),
        ("../../etc", "a path into storage"),
        ("' or '1' eq '1", "any row of the table"),
        ("", "some default connection"),
        ("a" * 5000, "our memory"),
    ],
)
def test_an_unknown_connection_should_leave_no_trace(world: World, name: str, gain: str) -> None:
    route, url = {"connection": name}, f"/launch/provider/x?iss={BASE}&launch=l"
    shown = world.browser.open(world.provider.launch, url, route=route)
    refused(world, shown, "connection-unknown", gain, recorded=False)
    assert not world.ehr.sent


@pytest.mark.parametrize("state", ["draft", "submitted", "verified", "rejected"])
def test_an_unapproved_connection_should_not_launch(world: World, state: str) -> None:
    """Gain: a hospital whose owner nobody asked."""
    world.use(revision(state=state))
    refused(world, world.leg1(), "connection-not-approved", state)
    assert not world.ehr.sent


def test_a_connection_of_another_region_should_be_unknown(world: World) -> None:
    """Gain: visits of one region written into another's storage."""
    world.use(revision(), replace(connection(), region="emea"))
    route = {"connection": "e" + CONNECTION[1:]}
    url = f"/launch/patient/{route['connection']}?iss={BASE}&launch=l"
    assert world.browser.open(world.patient.launch, url, route=route).reason == "connection-unknown"
    nothing_happened(world)


@pytest.mark.parametrize("side", ["provider", "patient"])
@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object"])
def test_a_framed_launch_should_not_begin(world: World, side: str, destination: str) -> None:
    """Gain: a click that the clinician did not see (UI redress)."""
    shown = world.leg1(side, headers={"sec-fetch-dest": destination})
    assert shown.status == 200
    assert not shown.location
    assert not world.browser.cookies
    assert not world.ehr.sent


@pytest.mark.smart(35)
@pytest.mark.parametrize(
    ("launch", "gain"),
    [
        ("a+b/c==", "a launch that means another one after a second decoding"),
        ("%2B%2F%3D", "the same, already encoded"),
        ("%25CSN%25", "a token of the EHR that is resolved twice"),
        ("a&redirect_uri=https://evil.example", "a second redirect_uri"),
        ("a#fragment", "a cut-off request"),
        ("a b", "two values"),
        ('"><script>alert(1)</script>', "script in the page that posts on"),
        ("x" * 1200, "a value that was cut"),
    ],
)
def test_a_launch_value_should_arrive_as_it_came(world: World, launch: str, gain: str) -> None:
    from tests.launch.ehr import query_of

    first = world.leg1(query=f"iss={BASE}&launch={_escaped(launch)}")
    assert first.location.startswith(f"{ORIGIN}/oauth2/authorize?"), gain
    sent = query_of(first.location)
    assert sent["launch"] == launch, gain
    assert sent["redirect_uri"] == f"https://antesala.example/launch/provider/callback/{CONNECTION}", gain


def _escaped(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
