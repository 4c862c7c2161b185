"""Sign-in, the session's clocks, and requests that come from another site."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from config_function.access import Caller
from config_function.signin import Session
from tests.config.house import ADMIN, ANALYST, House, forget_rooms
from tests.fakes import FakeClock


def test_a_page_without_a_session_leads_through_microsoft_365_and_back(house: House) -> None:
    nobody = house.browser()
    page = nobody.get("/config/connections/abcdefghijklmnop")
    assert page.location == "/config/signin?return=%2Fconfig%2Fconnections%2Fabcdefghijklmnop"
    away = nobody.get(page.location)
    assert away.location.startswith("https://login.example/authorize")
    state = away.location.rpartition("=")[2]
    back = nobody.get(f"/config/signin/callback?code=good&state={state}")
    assert back.location == "/config/connections/abcdefghijklmnop"
    # The flow's cookie is used up: the same answer works once.
    assert nobody.get(f"/config/signin/callback?code=good&state={state}").status == 400


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/config/../launch",
        "/config/a?b=c",
        "/other",
        "/config/a\\b",
    ],
)
def test_a_sign_in_leads_back_into_the_portal_and_nowhere_else(house: House, target: str) -> None:
    nobody = house.browser()
    state = nobody.get(f"/config/signin?return={quote(target, safe='')}").location.rpartition("=")[2]
    assert nobody.get(f"/config/signin/callback?code=good&state={state}").location == "/config/"


def test_a_refused_sign_in_opens_no_session_and_uses_up_its_flow(house: House) -> None:
    nobody = house.browser()
    state = nobody.get("/config/signin").location.rpartition("=")[2]
    assert nobody.get(f"/config/signin/callback?code=stolen&state={state}").status == 403
    assert nobody.cookies == {}
    other = house.browser()
    other.get("/config/signin")
    assert other.get(f"/config/signin/callback?code=good&state={state}").status == 400


def test_a_session_ends_after_an_idle_hour(house: House) -> None:
    admin = house.browser(ADMIN)
    house.clock.advance(30 * 60)
    assert admin.get("/config/").status == 200
    house.clock.advance(61 * 60)
    # Nothing silent: whoever sits there now may be somebody else.
    assert admin.get("/config/").location == "/config/signin?return=%2Fconfig%2F"


def test_roles_are_asked_for_again_every_hour_without_a_question(house: House) -> None:
    admin = house.browser(ADMIN)
    house.clock.advance(40 * 60)
    assert admin.get("/config/").status == 200
    house.clock.advance(21 * 60)
    away = admin.get("/config/")
    assert "silent=1" in away.location
    admin.get(away.location)
    assert house.microsoft.prompts[-1] == "none"
    assert admin.call("GET", "/config/api/connections").status == 401


def test_a_silent_sign_in_that_microsoft_refuses_becomes_an_ordinary_one(house: House) -> None:
    nobody = house.browser()
    state = nobody.get("/config/signin?silent=1&return=/config/").location.rpartition("=")[2]
    back = nobody.get(f"/config/signin/callback?error=login_required&state={state}")
    assert back.location == "/config/signin?return=%2Fconfig%2F"


@pytest.mark.parametrize(
    ("begun", "seen", "checked", "alive", "current"),
    [
        (0, 0, 0, True, True),
        (480, 60, 60, True, True),
        (480, 10, 61, True, False),
        (481, 0, 0, False, False),
        (100, 61, 0, False, False),
    ],
)
def test_each_clock_of_a_session_counts(
    begun: int, seen: int, checked: int, alive: bool, current: bool
) -> None:
    now = FakeClock().now()
    ago = [now - timedelta(minutes=minutes) for minutes in (begun, seen, checked)]
    session = Session(Caller("t", "o"), *ago)
    assert (session.alive(now), session.current(now)) == (alive, current)


def test_a_session_ends_after_eight_hours_however_busy(house: House) -> None:
    admin = house.browser(ADMIN)
    begun = dict(admin.cookies)
    for _ in range(20):
        house.clock.advance(25 * 60)
        page = admin.get("/config/")
        if page.status == 303:
            admin.get(page.location)
            admin.sign_in(house, ADMIN)
    admin.cookies = begun
    assert admin.get("/config/").status == 303
    assert admin.call("GET", "/config/api/connections").status == 401


def test_an_organization_that_is_no_longer_served_loses_its_sessions(house: House) -> None:
    admin = house.browser(ADMIN)
    house.services.settings = replace(house.settings, tenants=frozenset({"0" * 8}))
    forget_rooms()
    assert admin.get("/config/").status == 303


def test_sign_out_ends_the_session(house: House) -> None:
    admin = house.browser(ADMIN)
    assert admin.post("/config/signout", {}).location == "/config/signed-out"
    assert admin.cookies == {}


CROSS_SITE = [
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"origin": "http://localhost:7071", "sec-fetch-site": "same-site"},
    {"origin": "http://localhost:7072", "sec-fetch-site": "same-origin"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:7071.evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "none"},
    {},
]


@pytest.mark.parametrize("site", CROSS_SITE, ids=str)
def test_a_change_from_another_site_is_refused(house: House, site: dict[str, str]) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    approver = house.browser(ANALYST)
    approver.site = admin.site = site
    assert (
        approver.post(f"/config/connections/{connection}/reject", {"number": "1", "reason": "x"}).status
        == 403
    )
    assert admin.post("/config/signout", {}).status == 403
    sent = admin.call(
        "PUT", f"/config/api/connections/{connection}", {"settings": {"name": "x"}}, if_match="v"
    )
    assert sent.json()["code"] == "cross-site"
    row = house.stores.of(connection).connections.revision(connection, 1)
    assert row is not None
    assert row.state == "submitted"


def test_our_own_pages_may_post_with_a_hidden_origin(house: House) -> None:
    admin = house.browser(ADMIN)
    admin.site = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert admin.post("/config/signout", {}).status == 303


def test_a_form_that_comes_after_the_session_is_shown_again(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    house.clock.advance(2 * 3600)
    form = {"version": "v", "name": 'Main <"hospital">', "provider_secret": "do-not-repeat"}
    page = admin.post(f"/config/connections/{connection}/edit/ehr", form)
    assert page.status == 401
    assert "Main &lt;&#34;hospital&#34;&gt;" in page.text
    assert "do-not-repeat" not in page.text


def test_every_page_carries_the_safety_headers(house: House) -> None:
    page = house.browser(ADMIN).get("/config/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    # With no-referrer browsers would send Origin: null with our own forms.
    assert page.headers["referrer-policy"] == "same-origin"
