"""The hospitals' pages, and both ports for real: TLS, sockets, a key set fetched over the wire."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from flask import Flask, jsonify

from sandbox.addresses import Addresses
from sandbox.ehr import EPIC, World, create_app
from sandbox.serving import Server, serve
from tests.sandbox.ehr_client import REDIRECT, ZEPH, Connector, Port, connector, query


@pytest.fixture(params=["epic", "fhir", "oracle"])
def app(request: pytest.FixtureRequest) -> Connector:
    return connector(request.param)


@pytest.mark.parametrize(
    "path", ["/", "/schedule?as=evidal", "/schedule?as=tquiroga", "/portal?as=iquillfeather", "/registration"]
)
def test_page_should_be_strict_and_for_browsers_only(app: Connector, path: str) -> None:
    page = app.http.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert app.tls.get(path).status_code == 421


@pytest.mark.parametrize(
    "path",
    ["/schedule", "/schedule?as=zquillfeather", "/portal?as=evidal", "/schedule/marks?as=x", "/nowhere"],
)
def test_page_of_nobody_should_not_be_found(app: Connector, path: str) -> None:
    assert app.http.get(path).status_code == 404


def test_begin_should_send_the_browser_to_the_launch_url(app: Connector) -> None:
    visit = ZEPH[app.hospital.kind]
    for login, side in (("evidal", "provider"), ("zquillfeather", "patient"), ("iquillfeather", "patient")):
        answer = app.http.post("/begin", data={"as": login, "visit": visit})
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(f"http://localhost:7071/launch/{side}/c1?iss=")
        assert query(answer.headers["Location"])["iss"] == app.hospital.fhir_base


def test_schedule_should_list_own_visits_and_portal_own_ones(app: Connector) -> None:
    schedule = app.http.get("/schedule?as=nlindqvist").text
    assert "Ockenfels" in schedule
    assert "Quillfeather" not in schedule
    portal = app.http.get("/portal?as=bockenfels").text
    assert "Lindqvist" in portal
    assert "Follow-up" not in portal


def test_registration_page_should_save_and_say_what_is_wrong(app: Connector) -> None:
    wanted = {
        "provider.launch_url": "http://localhost:7071/launch/provider/new",
        "provider.redirect_uris": "http://localhost:7071/a\r\n\r\nhttp://localhost:7071/b ",
        "provider.jwks_url": "https://localhost:7443/config/jwks/new",
        "provider.context": "sessionId=%CSN%",
    }
    saved = app.http.post("/registration", data=wanted)
    assert (saved.status_code, saved.headers["Location"]) == (303, "/registration?saved=1")
    kept = app.world.registry.of("provider")
    assert kept.redirect_uris == ("http://localhost:7071/a", "http://localhost:7071/b")
    assert kept.context == "sessionId=%CSN%"
    assert not app.world.registry.of("patient").complete
    bad = app.http.post("/registration", data=wanted | {"provider.jwks_url": "http://localhost/<b>"})
    assert bad.status_code == 400
    assert "must start with https://" in bad.text
    assert "http://localhost/&lt;b&gt;" in bad.text
    assert app.world.registry.of("provider") == kept


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Addresses, World, Path, Connector]]:
    """An Epic-like hospital on two real ports and the connector's key set on a third."""
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    addresses = Addresses.free()

    def session() -> requests.Session:
        one = requests.Session()
        one.trust_env, one.verify = False, str(ca)
        return one

    signer = connector("epic", registered=False)
    world = World(EPIC(addresses), signer.clock, session)
    application, keys = create_app(world), Flask("keys")
    keys.add_url_rule("/jwks", "jwks", lambda: jsonify({"keys": signer.door.keys}))
    servers: list[Server] = [
        serve(application, addresses.epic_http),
        serve(application, addresses.epic_tls, tls),
        serve(keys, addresses.host_tls, tls),
    ]
    http, secure = (Port(application, url) for url in (world.hospital.browser_url, world.hospital.tls_url))
    yield addresses, world, ca, Connector(world, http, secure, signer.door, signer.clock)
    for server in servers:
        server.close()


def test_whole_launch_over_real_ports(live: tuple[Addresses, World, Path, Connector]) -> None:
    addresses, world, ca, app = live
    browser, server = requests.Session(), requests.Session()
    browser.trust_env = server.trust_env = False
    server.verify = str(ca)
    sides = {
        side: {
            "launch_url": f"{addresses.app_url}/launch/{side}/c1",
            "redirect_uris": [REDIRECT.format(side=side)],
            "jwks_url": f"{addresses.app_tls_url}/jwks",
        }
        for side in ("provider", "patient", "backend")
    }
    sides["provider"]["context"] = "sessionId=%CSN%"
    base = world.hospital.tls_url
    assert server.put(f"{base}/sandbox/registration", json=sides, timeout=5).status_code == 200
    begin = browser.post(
        f"{addresses.epic_url}/begin",
        data={"as": "evidal", "visit": ZEPH["epic"]},
        allow_redirects=False,
        timeout=5,
    )
    launch = query(begin.headers["Location"])
    found = server.get(f"{launch['iss']}/.well-known/smart-configuration", timeout=5).json()
    asked = app.authorize_parameters(launch=launch["launch"], scope="launch openid fhirUser")
    back = browser.get(found["authorization_endpoint"], params=asked, allow_redirects=False, timeout=5)
    form = {
        "grant_type": "authorization_code",
        "code": query(back.headers["Location"])["code"],
        "redirect_uri": asked["redirect_uri"],
        "code_verifier": app.verifier,
    }
    token = server.post(found["token_endpoint"], data=form | app.authentication("provider"), timeout=5)
    assert token.json()["sessionId"] == ZEPH["epic"], token.text
    wrong_port = found["token_endpoint"].replace(base, addresses.epic_url)
    assert browser.post(wrong_port, data=form, timeout=5).status_code == 403
