"""Secrets and canaries go through every flow, at level DEBUG; none may be found in what was logged.

Twice over: in everything, as the app's handlers write it down; and in our own lines as they were before the
handlers' filter, which is the last line of defence and must have had nothing to do.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import requests

from shared.connection import Approved
from shared.errors import Refusal, StatusRefused
from shared.graph.service import GraphRefused
from shared.outbound import Answer
from shared.store.faults import StorageUnavailable
from tests.config.house import ADMIN
from tests.config.house import House as Portal
from tests.e2e.canary import search
from tests.ehr.line import Desk, adapters, approved
from tests.fakes import MemorySecrets
from tests.graph.fakes import TENANT
from tests.launch.conftest import CONNECTION, World
from tests.launch.front import ask, routes, wired
from tests.telemetry.capture import Captured
from tests.telemetry.visit import GIVEN, AfterLaunch, launched, route
from tests.writeback.house import guest
from tests.writeback.office import Office
from writeback_function.deliver import Deliver
from writeback_function.outbox import Outbox
from writeback_function.poison import Poison
from writeback_function.taking import MessageFailed, taken

# Unmistakable, and of the shapes that the real ones have.
CODE, LAUNCH, STATE = "c0de-7730941552", "l4unch-7730941552", "st4te7730941552abcdefghijklmnopqrstuvwxyz123"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJjYW5hcnkiOiI3NzMwOTQxNTUyIn0.c2lnbmF0dXJlLWNhbmFyeQ"
SECRET, EMAIL, NUMBER = "s3cret-7730941552", "zephyrina.quill@clinic.example", "+34 600 730 941"
PATIENT, VISIT = "eZephPat77309415", "880014417731"
CANARIES = (CODE, LAUNCH, STATE, JWT, SECRET, EMAIL, NUMBER, PATIENT, VISIT, "Zephyrina", "Quillfeather")
SAYS = f"Zephyrina Quillfeather {EMAIL} {NUMBER} {PATIENT} {VISIT} {JWT} code={CODE} Bearer {SECRET}"
QUERY = {"code": CODE, "launch": LAUNCH, "state": STATE, "iss": "https://elsewhere.example", "error": SECRET}
BODY = f'{{"error":{{"code":"x","message":"{SAYS}"}},"issue":[{{"diagnostics":"{SAYS}"}}]}}'.encode()


class Bare(logging.Handler):
    """Our own lines as they were said, with what stands beside them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {vars(record)} {record.exc_info}")


@pytest.fixture
def bare() -> Iterator[Bare]:
    """Sits at our logger, which comes before the root's handlers."""
    handler, logger = Bare(), logging.getLogger("antesala")
    logger.addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.events.redacted", lambda text: text)
        yield handler
    logger.removeHandler(handler)


@pytest.fixture
def quiet(captured: Captured, bare: Bare) -> Iterator[Captured]:
    """Nothing of the canaries may be found in the end."""
    yield captured
    assert bare.lines
    piles = {"all lines": captured.text.encode(), "our own": "\n".join(bare.lines).encode()}
    assert search(piles, CANARIES) == []


# -- both doors ----------------------------------------------------------------------------------------


@pytest.fixture
def served(world: World) -> Iterator[World]:
    with wired(world):
        yield world


def test_every_route_of_the_doors_should_log_nothing_of_a_request(served: World, quiet: Captured) -> None:
    sent = {"cookie": f"__Host-flow-{STATE}={SECRET}", "authorization": f"Bearer {JWT}", "referer": SAYS}
    for one in routes():
        form = {"result": SECRET, "ticket": SECRET, "handle": STATE} if one.method == "POST" else None
        ask(one, QUERY, values={**GIVEN, "handle": STATE}, form=form, headers=sent)
        ask(one, QUERY, values={"connection": SECRET, "handle": SECRET}, form=form, headers=sent)
    assert len(quiet.events("request")) == 2 * len(routes())


@pytest.mark.parametrize("side", ["provider", "patient"])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"token_status": 400, "token_error": SAYS},
        {"token_status": 503},
        {"token_members": {"patient": SAYS, "sessionId": SAYS}},
        {"id_token": JWT},
        {"claims": {"fhirUser": SAYS, "sub": SAYS, "name": SAYS}},
        {"discovery_body": BODY},
        {"down": frozenset({"/token"})},
    ],
    ids=lambda one: next(iter(one), "well"),
)
def test_a_launch_should_log_nothing_of_what_the_ehr_says(
    served: World, quiet: Captured, side: str, said: dict[str, Any]
) -> None:
    failures = dict(said)
    later = failures.pop("discovery_body", None)
    vars(served.ehr.failures).update(failures)
    who = "Patient/pat-1" if side == "patient" else "Practitioner/prac-vidal"
    launched(served, side, who, LAUNCH)
    if later:
        served.ehr.failures.discovery_body = later
        ask(route(f"launch/{side}/{{connection}}"), QUERY, values=GIVEN)
    assert [one["leg"] for one in quiet.events("launch")][:2] == ["begin", "return"]


@pytest.mark.parametrize(
    "failure",
    [
        GraphRefused(403, "Forbidden", SAYS),
        StorageUnavailable("table Visits"),
        ValueError(SAYS),
        KeyError(SAYS),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_launch_should_log_nothing_of_why_there_is_no_room(
    served: World, quiet: Captured, failure: Exception
) -> None:
    def fail(*_: Any) -> Any:
        raise failure

    served.rooms.open = fail  # type: ignore[method-assign, assignment]
    assert launched(served, "patient", "Patient/pat-1", LAUNCH).status >= 500
    assert quiet.events("refused", "surprise")


def test_a_sign_in_should_log_nothing_of_the_account(served: World, quiet: Captured) -> None:
    served.entra.refusal = Refusal("wrong-organization")
    first = launched(served, "provider", "Practitioner/prac-vidal", LAUNCH)
    answer = {"code": CODE, "state": f"entra-state-{len(served.entra.begun)}", "client_info": SECRET}
    cookies = {one.partition("=")[0]: one.partition(";")[0].partition("=")[2] for one in first.cookies}
    ask(route("launch/provider/signin/callback"), answer, cookies=cookies)
    assert quiet.events("sign-in-refused")


# -- attendance and write-back -------------------------------------------------------------------------


@pytest.fixture
def visit(served: World) -> AfterLaunch:
    members = {"patient": PATIENT, "sessionId": VISIT}
    answered = served.launch("patient", "Patient/pat-1", members)
    assert answered.status == 303
    return AfterLaunch(served, served.rooms.opened[-1][0])


def test_ingress_and_fold_should_log_nothing_of_a_notification(visit: AfterLaunch, quiet: Captured) -> None:
    visit.notified(5, JWT)
    visit.notified(6, JWT, sealed=SECRET)
    queue = visit.house.clocked["attendance"]
    queue.send(SAYS)
    queue.send(queue.messages[0].text.replace("guest", SAYS[:20]))
    visit.played()
    assert {one["event"] for one in quiet.events()} >= {"notified", "not-ours", "folded", "not-genuine"}


@pytest.mark.parametrize("kind", ["epic", "oracle", "fhir"])
@pytest.mark.parametrize("status", [400, 401, 409, 422, 429, 503])
def test_deliver_should_log_nothing_of_what_the_ehr_answers(
    visit: AfterLaunch, quiet: Captured, kind: str, status: int
) -> None:
    house, desk = visit.house, Desk()
    headers = {"content-type": "application/json", "location": SAYS, "retry-after": SECRET}
    desk.answers = [Answer(status, headers, BODY)] * 5
    desk.read_answers = [Answer(status, headers, BODY)] * 5
    one = approved(kind)
    house.approved = Approved(replace(one.connection, id=CONNECTION, tenant=TENANT), one.revision)
    registry = adapters(desk, house.clock, MemorySecrets(backend_secret=SECRET))
    outbox = Outbox(house.sealer, house.clock, 15)
    tools = (house.stores, house.contexts, house.sealer, registry, outbox, house.clock, house.entropy)
    house.delivering = Deliver(*cast("Any", tools), hours=24)
    visit.notified(5, JWT)
    visit.played()
    assert quiet.events("retry", "parked", "told")


def test_a_surprise_in_a_queue_function_should_reach_the_host_without_its_text(quiet: Captured) -> None:
    def take() -> None:
        raise KeyError(SAYS)

    with pytest.raises(MessageFailed) as failed:
        taken("writeback emea", take)
    shown = f"{failed.value} {failed.value.__cause__} {failed.value.__context__}"
    assert shown == "KeyError None None"
    (line,) = quiet.events("surprise")
    assert (line["where"], line["kind"]) == ("writeback emea", "KeyError")


def test_poison_should_log_nothing_of_what_it_parks(visit: AfterLaunch, quiet: Captured) -> None:
    house = visit.house
    for queue in ("attendance", "writeback", "tend"):
        Poison(house.sealer, house.contexts).park(house.region, queue, SAYS.encode())
    visit.notified(5, JWT)
    text = house.clocked["attendance"].messages[0].text
    Poison(house.sealer, house.contexts).park(house.region, "attendance", text.encode())
    assert [one.get("visit", "") for one in quiet.events("poisoned")] == ["", "", "", visit.context.visit_key]


@pytest.mark.parametrize("failure", [GraphRefused(403, "Forbidden", SAYS), StatusRefused(503)])
def test_tend_should_log_nothing_of_what_graph_says(
    office: Office, quiet: Captured, failure: StatusRefused
) -> None:
    office.visit()
    office.subscriptions.down = office.reports.down = failure
    office.begin()
    for text in (office.first("subscriptionRemoved"), office.first("missed"), SAYS):
        office.house.clocked["tend"].send(text)
    office.run_for(3 * 86_400)
    office.house.sees(5, guest("p", identity=SECRET))
    assert {one["event"] for one in quiet.events()} >= {"tend-refused", "not-subscribed"}


# -- the portal ----------------------------------------------------------------------------------------


@pytest.mark.azurite
def test_the_portal_should_log_nothing_of_what_is_typed_or_shown(house: Portal, quiet: Captured) -> None:
    browser = house.browser(ADMIN)
    connection = house.begun(browser)
    browser.get(f"/config/signin/callback?code={CODE}&state={STATE}&client_info={SECRET}")
    browser.get(f"/config/ehr/callback/{connection}?code={CODE}&state={STATE}")
    path = f"/config/connections/{connection}/edit/ehr"
    version = browser.get(path).value("version")
    typed = {"version": version, "action": "save", "provider_client_id": SAYS, "provider_secret": SECRET}
    assert browser.post(path, typed).status == 422
    browser.post(f"/config/connections/{connection}/clinicians", {"ehr_user": PATIENT})
    browser.call("PUT", f"/config/api/connections/{connection}", {"settings": {SAYS: SAYS}}, if_match=SECRET)
    browser.call("GET", f"/config/api/people?q={EMAIL}")
    browser.send("GET", "/config/api/connections", headers={"authorization": f"Bearer {JWT}"})
    browser.send("GET", "/config/api/health", headers={"authorization": f"Bearer {JWT}"})
    house.microsoft.down = True
    browser.call("GET", "/config/api/health")
    assert len(quiet.events("request")) > 10


# -- others' lines -------------------------------------------------------------------------------------


def test_libraries_should_be_redacted_even_at_level_debug(captured: Captured) -> None:
    """A request that urllib3 logs with its query, and one that fails with its address in the exception."""
    from sandbox.serving import serve

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    server = serve(cast("Any", app), 0)
    logger = logging.getLogger("msal.somewhere")
    try:
        requests.get(f"http://127.0.0.1:{server.port}/token?code={CODE}&state={STATE}", timeout=5)
        requests.get(f"http://127.0.0.1:1/token?code={CODE}", timeout=5)
    except requests.ConnectionError:
        logger.exception("failed for %s with %s", EMAIL, {"Authorization": f"Bearer {SECRET}"})
    finally:
        server.close()
    assert any(one.name.startswith("urllib3") for one in captured.records)
    assert "ConnectionError" in captured.text
    assert search({"lines": captured.text.encode()}, CANARIES) == []


def test_the_search_should_go_red_where_a_line_is_not_redacted(captured: Captured) -> None:
    captured.filters.clear()
    logging.getLogger("azure.core").warning("GET https://x.example/?code=%s", CODE)
    found = search({"lines": captured.text.encode()}, CANARIES)
    assert [one.value for one in found] == [CODE]
