"""The parts of the SMART client one by one: authentication, remembered documents, one answer, the edge."""

import threading
from base64 import b64decode
from typing import Any, cast

import azure.functions as func
import pytest

from shared import edge
from shared.connection import Client, Policy, VisitSource
from shared.errors import AnswerRefused, Refusal, StatusRefused, Unreachable
from shared.launch.jar import Jar
from shared.launch.once import Once
from shared.sealing import Sealer
from shared.smart.authorize import launch_scopes
from shared.smart.discovery import SmartConfiguration, origin
from shared.smart.shelf import Shelf
from shared.smart.token import TokenAnswer, Tokens, token_answer
from shared.web import Request, Response, html
from tests.launch.conftest import CONNECTION, PAGES, Clock, World, revision
from tests.launch.ehr import AUTHORIZE, BASE, TOKEN

CONFIG = SmartConfiguration(AUTHORIZE, TOKEN)


class _Secret:
    def read(self, name: str) -> str:
        assert name == "client-secret"
        return "s p+c/é"

    def write(self, name: str, value: str) -> None:
        raise AssertionError


def _ask(world: World, client: Client, step: str) -> dict[str, Any]:
    tokens = Tokens(cast("Any", world.ehr), cast("Any", None), _Secret(), world.clock, world.entropy)
    world.ehr.failures.token_status = 400

    def ask() -> TokenAnswer:
        if step == "backend":
            return tokens.backend(CONFIG, client, "system/Appointment.r", tenant="t")
        return tokens.exchange_code(CONFIG, client, "c", "v" * 43, "https://antesala.example/cb", tenant="t")

    with pytest.raises(StatusRefused) as refused:
        ask()
    assert refused.value.code == "invalid_grant"
    (sent,) = world.ehr.requests("ehr-token")
    return {"form": sent.form, "headers": sent.headers}


def test_a_secret_travels_in_the_basic_header_encoded_and_nowhere_else(world: World) -> None:
    client = Client("id:1", "client_secret_basic", secret_name="client-secret")
    sent = _ask(world, client, "code")
    scheme, _, value = sent["headers"]["Authorization"].partition(" ")
    assert (scheme, b64decode(value).decode()) == ("Basic", "id%3A1:s+p%2Bc%2F%C3%A9")
    assert "client_id" not in sent["form"]
    assert "client_secret" not in sent["form"]


def test_a_public_client_names_itself_and_authenticates_not(world: World) -> None:
    sent = _ask(world, Client("public", "none"), "code")
    assert sent["form"]["client_id"] == "public"
    assert "Authorization" not in sent["headers"]


def test_a_backend_token_names_its_scope(world: World) -> None:
    client = Client("b", "client_secret_basic", secret_name="client-secret")
    sent = _ask(world, client, "backend")
    assert sent["form"] == {"grant_type": "client_credentials", "scope": "system/Appointment.r"}


def test_a_public_client_has_no_backend(world: World) -> None:
    tokens = Tokens(cast("Any", world.ehr), cast("Any", None), _Secret(), world.clock, world.entropy)
    with pytest.raises(AnswerRefused):
        tokens.backend(CONFIG, Client("p", "none"), "system/Appointment.r", tenant="t")


def test_context_members_are_text_or_numbers() -> None:
    answer = token_answer({"access_token": "a", "token_type": "Bearer", "csn": 880, "x": None, "y": True})
    assert (answer.member("csn"), answer.member("x"), answer.member("y")) == ("880", "", "")


@pytest.mark.parametrize(
    ("settings", "capabilities", "scopes"),
    [
        ({}, {"permission-v2"}, "user/Practitioner.r"),
        ({}, set(), "user/Practitioner.read"),
        (
            {"visit_source": VisitSource("appointment", "")},
            {"permission-v1"},
            "user/Appointment.read user/Encounter.read user/Practitioner.read",
        ),
        (
            {"policy": Policy(window=True)},
            {"permission-v2"},
            "user/Appointment.r user/Encounter.r user/Practitioner.r",
        ),
    ],
)
def test_scopes_ask_for_what_is_read_in_the_servers_own_form(
    settings: dict[str, Any], capabilities: set[str], scopes: str
) -> None:
    config = SmartConfiguration(AUTHORIZE, TOKEN, capabilities=frozenset(capabilities))
    assert launch_scopes(revision(**settings), "provider", config) == f"launch openid fhirUser {scopes}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example.", False),
        ("https://a.example", "https://A.example", True),
        ("https://a.example:1", "https://a.example:2", False),
        ("https://[::1", "https://a.example", False),
    ],
)
def test_origins(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


def test_one_fetch_at_a_time_and_the_old_document_meanwhile() -> None:
    clock = Clock()
    shelf: Shelf[str, int] = Shelf(clock)
    assert shelf.get("k", lambda: 1) == 1
    clock.pass_by(hours=2)
    began, go = threading.Event(), threading.Event()

    def slow() -> int:
        began.set()
        go.wait(5)
        return 2

    other = threading.Thread(target=shelf.get, args=("k", slow))
    other.start()
    began.wait(5)
    assert shelf.get("k", lambda: 3) == 1
    go.set()
    other.join()
    assert shelf.get("k", lambda: 4) == 2


def test_a_document_goes_stale_for_a_day_and_then_fails() -> None:
    clock = Clock()
    shelf: Shelf[str, int] = Shelf(clock)
    shelf.get("k", lambda: 1)

    def fail() -> int:
        raise Unreachable("ehr")

    clock.pass_by(hours=24)
    assert shelf.get("k", fail) == 1
    clock.pass_by(hours=2)
    with pytest.raises(Unreachable):
        shelf.get("k", fail)


def test_a_first_failure_is_remembered_for_half_a_minute() -> None:
    clock = Clock()
    shelf: Shelf[str, int] = Shelf(clock)
    asked = []

    def fail() -> int:
        asked.append(1)
        raise Unreachable("ehr")

    for _ in range(3):
        with pytest.raises(Unreachable):
            shelf.get("k", fail)
    assert len(asked) == 1
    clock.pass_by(seconds=31)
    assert shelf.get("k", lambda: 5) == 5


def test_a_document_is_renewed_for_everybody_and_a_failure_is_its_askers_alone() -> None:
    clock = Clock()
    shelf: Shelf[str, int] = Shelf(clock)

    def fail() -> int:
        raise Unreachable("ehr")

    for key in ("k", "never seen"):
        shelf.get("k", lambda: 1)
        with pytest.raises(Unreachable):
            shelf.renew(key, fail)
    assert shelf.get("k", lambda: 2) == 1
    assert shelf.get("never seen", lambda: 3) == 3
    assert shelf.renew("k", lambda: 4) == 4
    assert shelf.get("k", lambda: 5) == 4
    clock.pass_by(hours=2)
    with pytest.raises(Unreachable):
        shelf.renew("k", fail)
    assert shelf.get("k", fail) == 4, "what is stale still serves"
    assert shelf.renew("k", lambda: 6) == 6
    assert shelf.get("k", fail) == 6


def test_a_shelf_is_bounded() -> None:
    shelf: Shelf[int, int] = Shelf(Clock(), size=2)
    for number in range(3):
        shelf.get(number, lambda: 1)
    assert shelf.get(0, lambda: 2) == 2


def test_a_double_click_waits_for_the_first_answer() -> None:
    once, go = Once(), threading.Event()
    answers: list[Response] = []

    def slow() -> Response:
        go.wait(5)
        return html("first")

    clicks = [threading.Thread(target=lambda: answers.append(once.answer("s", slow))) for _ in range(2)]
    for click in clicks:
        click.start()
    go.set()
    for click in clicks:
        click.join()
    assert [answer.body for answer in answers] == [b"first", b"first"]


def test_a_second_request_gets_the_firsts_refusal() -> None:
    once = Once()

    def refuse() -> Response:
        raise Refusal("code-refused")

    for _ in range(2):
        with pytest.raises(Refusal, match="code-refused"):
            once.answer("s", refuse)


def test_a_jar_holds_its_bound_under_several_labels() -> None:
    clock = Clock()
    jar = Jar(Sealer([b"k" * 32], clock), clock, "resume", 3)
    cookies: dict[str, str] = {}
    for number in range(3):
        for cookie in jar.put(Request("GET", "/", cookies=cookies), f"{number}", "v", f"{number}-too"):
            cookies = {name: value for name, value in cookies.items() if name != cookie.name}
            cookies |= {cookie.name: cookie.value} if cookie.max_age else {}
        clock.pass_by(seconds=2)
    assert len(cookies) <= 3
    assert jar.find(Request("GET", "/", cookies=cookies), "2-too") == "v"


def test_a_tokens_repr_says_nothing() -> None:
    answer = TokenAnswer("secret", id_token="secret", patient="secret", extra={"sessionId": "secret"})
    assert "secret" not in repr(answer)


def test_a_failed_way_back_still_removes_the_flow_at_the_edge(world: World) -> None:
    world.leg1("patient")
    (name,) = world.browser.named("flow")
    state = name.removeprefix("__Host-flow-")
    req = func.HttpRequest(
        method="GET",
        url=f"https://antesala.example/launch/patient/callback/{CONNECTION}?error=access_denied&state={state}",
        params={"error": "access_denied", "state": state},
        route_params={"connection": CONNECTION},
        headers={"Cookie": f"{name}={world.browser.cookies[name]}"},
        body=b"",
    )
    answer = edge.page(req, world.patient.callback, audience="patient", services=cast("Any", world.services))
    assert answer.status_code == 403
    assert f"{name}=; Max-Age=0" in str(answer.headers)
    assert b"ehr-refused" in answer.get_body()
    assert b"Check scopes" not in answer.get_body(), "staff hints are not for patients"


def test_every_page_of_the_doors_renders_in_the_app(world: World) -> None:
    request = Request("GET", f"/launch/provider/{CONNECTION}")
    for template, values in (
        ("launch_provider/onward.html", {"url": f"{BASE}?a=1&b=2"}),
        ("launch_provider/account.html", {"users": [], "account_name": "<b>"}),
        ("launch_provider/visit.html", {"state_url": "/x"}),
        (
            "launch_patient/device_test.html",
            {"service_url": "/healthz", "report_url": "", "ticket": "", "web_view": False},
        ),
    ):
        text = PAGES.render(template, request, **values)
        assert "<b>" not in text
        assert "style=" not in text
        assert "<script>" not in text
