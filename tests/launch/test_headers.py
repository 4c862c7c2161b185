"""What every answer of the launches carries, whatever it is: page, redirect, refusal, JSON."""

import re
from collections.abc import Iterator

import pytest

from tests.launch.conftest import CONNECTION, World, revision
from tests.launch.ehr import BASE, query_of
from tests.launch.front import Answered, Route, ask, keep, routes, wired

LEG_1 = next(route for route in routes() if route.template == "launch/provider/{connection}")
PATIENT_LEG_1 = next(route for route in routes() if route.template == "launch/patient/{connection}")
PATIENT_LEG_2 = next(route for route in routes() if route.template == "launch/patient/callback/{connection}")
PROVIDER_LEG_2 = next(
    route for route in routes() if route.template == "launch/provider/callback/{connection}"
)
OURS = {"connection": CONNECTION, "handle": "h" * 22}
GOOD = {"iss": BASE, "launch": "l"}


@pytest.fixture(autouse=True)
def served(world: World) -> Iterator[None]:
    with wired(world):
        yield


def directives(answered: Answered) -> dict[str, str]:
    """The Content-Security-Policy by directive."""
    parts = (part.strip().partition(" ") for part in answered.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


def is_safe(answered: Answered) -> None:
    headers = answered.headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = directives(answered)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answered.text)
    for cookie in answered.cookies:
        assert cookie.startswith("__Host-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= {
            part.strip() for part in cookie.split(";")
        }


@pytest.mark.smart(5)
@pytest.mark.parametrize("query", [{}, GOOD, {"state": "x" * 43, "code": "c"}, {"handle": "h" * 22}])
@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.template}")
def test_every_answer_is_safe_and_framed_by_nobody(route: Route, query: dict[str, str]) -> None:
    answered = ask(route, query, values=OURS, form={} if route.method == "POST" else None)
    is_safe(answered)
    assert directives(answered)["frame-ancestors"] == "'none'"
    assert directives(answered)["form-action"] == "'self'"


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.template}")
def test_only_the_device_test_may_use_devices(route: Route) -> None:
    answered = ask(route, GOOD, values=OURS, form={} if route.method == "POST" else None)
    allowed = "camera=(self)" in answered.headers["Permissions-Policy"]
    assert allowed == (answered.status == 200 and "device-test" in route.template)
    assert allowed or "camera=(), microphone=()" in answered.headers["Permissions-Policy"]


def test_the_page_inside_the_ehrs_frame_is_the_only_one_that_may_be_framed() -> None:
    answered = ask(LEG_1, GOOD, values=OURS, headers={"sec-fetch-dest": "iframe"})
    is_safe(answered)
    assert directives(answered)["frame-ancestors"] == "*"
    assert not answered.cookies
    led_to = re.findall(r'<a [^>]*href="([^"]*)"', answered.text)
    assert any(href.startswith(f"/launch/provider/{CONNECTION}?") for href in led_to)
    assert all(re.match(r"/(?!/)|#", href) for href in led_to)


def test_only_the_pages_of_the_connection_may_frame_it_where_it_names_some(world: World) -> None:
    world.use(revision(frames=("https://ehr.example", "https://portal.example:8443")))
    answered = ask(LEG_1, GOOD, values=OURS, headers={"sec-fetch-dest": "iframe"})
    assert directives(answered)["frame-ancestors"] == "https://ehr.example https://portal.example:8443"


@pytest.mark.smart(5, 52)
def test_the_page_that_posts_on_names_where_it_posts_and_holds_the_values_as_text() -> None:
    value = "\"'><script>alert(1)</script>" + "x" * 4000
    answered = ask(LEG_1, {"iss": BASE, "launch": value}, values=OURS)
    is_safe(answered)
    assert answered.status == 200
    assert directives(answered)["form-action"] == "'self' https://ehr.example https:"
    assert directives(answered)["frame-ancestors"] == "'none'"
    assert "<script>alert" not in answered.text
    assert "&lt;script&gt;" in answered.text
    assert re.search(
        r'<form[^>]*method="post"[^>]*action="https://ehr\.example/oauth2/authorize"', answered.text
    )
    assert "enctype" not in answered.text, "a form without one is application/x-www-form-urlencoded"


def test_a_finished_launch_is_as_safe_as_a_refused_one(world: World) -> None:
    cookies: dict[str, str] = {}
    first = ask(PATIENT_LEG_1, GOOD, values=OURS)
    is_safe(first)
    keep(cookies, first)
    back = world.agreed(first.location, "Patient/pat-1")
    query = query_of(back)
    last = ask(PATIENT_LEG_2, query, values=OURS, cookies=cookies)
    is_safe(last)
    assert last.location == "https://visit.teams.example/patient"
    assert not last.text


def test_a_form_is_answered_with_a_page_of_ours_and_never_with_a_redirect_elsewhere(world: World) -> None:
    """Chromium holds form-action against every hop that follows a form."""
    world.launch()
    page = world.sign_in()
    pressed = world.press(page)
    assert (pressed.status, pressed.location) == (200, "")
    assert not page.location.startswith("http")


@pytest.mark.smart(5)
@pytest.mark.parametrize("name", ["iss", "launch", "code", "state", "error", "open", "x"])
@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.template}")
def test_nothing_of_a_request_becomes_markup_header_or_log(
    route: Route, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Gain: script in our pages, headers and cookies of their own, log lines of their own."""
    evil = "<script>e()</script>\r\nSet-Cookie: evil=1\r\n2030-01-01 forged \x1b[31m line"
    values = {**OURS, "handle": "<script>"}
    caplog.set_level("DEBUG")
    answered = ask(
        route, {**GOOD, name: evil}, values=values, form={name: evil} if route.method == "POST" else None
    )
    is_safe(answered)
    assert "<script>e()" not in answered.text
    sent = "\n".join(f"{header}: {value}" for header, value in answered.headers.items())
    assert "evil" not in sent.replace("evil%3D1", "")
    assert "forged" not in caplog.text
    assert "\x1b" not in caplog.text


def test_a_refusal_at_the_wrong_door_says_nothing_of_the_visit(world: World) -> None:
    cookies: dict[str, str] = {}
    first = ask(LEG_1, GOOD, values=OURS)
    keep(cookies, first)
    back = world.agreed(first.location, "Patient/pat-1")
    query = query_of(back)
    shown = ask(PROVIDER_LEG_2, query, values=OURS, cookies=cookies)
    assert shown.status == 403
    is_safe(shown)
    for known in ("pat-1", "880014417731", "EMP-88101", "code-0", "token-of"):
        assert known not in shown.text
