import logging
from typing import Any, cast

import pytest

from shared.errors import AnswerRefused, Unreachable
from shared.graph.licences import TEAMS_PLANS, Licences, ServicePlan
from shared.graph.people import People, Somebody
from shared.graph.service import Graph, GraphRefused
from shared.settings import Settings
from tests.graph.fakes import ELENA, GRAPH, TENANT, FakeEntra, FakeEntropy, FakeGraph, answer, graph_error

USERS = ("GET", "/v1.0/users")


@pytest.fixture
def fake() -> FakeGraph:
    return FakeGraph()


@pytest.fixture
def entra() -> FakeEntra:
    return FakeEntra()


@pytest.fixture
def graph(settings: Settings, fake: FakeGraph, entra: FakeEntra) -> Graph:
    return Graph(settings, cast("Any", fake), cast("Any", entra), FakeEntropy())


def test_a_refused_token_is_replaced_and_the_call_sent_once_more(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [graph_error(401, "InvalidAuthenticationToken"), answer(200, {"value": []})]
    assert graph.call(TENANT, "GET", "/users") == {"value": []}
    assert [sent.headers["Authorization"] for sent in fake.sent] == ["Bearer token-1", "Bearer token-2"]
    assert len({sent.headers["client-request-id"] for sent in fake.sent}) == 2


def test_a_second_refusal_is_the_caller_s(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [graph_error(401)] * 2
    with pytest.raises(GraphRefused) as refused:
        graph.call(TENANT, "GET", "/users")
    assert refused.value.status == 401
    assert len(fake.sent) == 2


def test_a_refusal_tells_code_and_wait_but_not_its_message(
    graph: Graph, fake: FakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answers[USERS] = [graph_error(429, "TooManyRequests", "of somebody@sierra.example", retry_after="7")]
    with caplog.at_level(logging.DEBUG), pytest.raises(GraphRefused) as refused:
        graph.call(TENANT, "GET", "/users")
    assert (refused.value.code, refused.value.retry_after, refused.value.transient) == (
        "TooManyRequests",
        7.0,
        True,
    )
    assert "sierra" not in str(refused.value)
    assert "sierra" not in caplog.text


@pytest.mark.parametrize("body", [None, "text", ["list"], {"error": "text"}, {"error": {"code": "a b\nc"}}])
def test_an_error_in_any_shape_is_a_refusal(graph: Graph, fake: FakeGraph, body: Any) -> None:
    fake.answers[USERS] = [answer(502, body)]
    with pytest.raises(GraphRefused) as refused:
        graph.call(TENANT, "GET", "/users")
    assert (refused.value.status, refused.value.code) == (502, "")


def test_an_answer_that_is_no_object_is_refused(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [answer(200, ["list"])]
    with pytest.raises(AnswerRefused):
        graph.call(TENANT, "GET", "/users")


def test_pages_are_followed_but_not_to_elsewhere(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [
        answer(200, {"value": [{"id": "1"}], "@odata.nextLink": f"{GRAPH}/v1.0/users?$skip=1"})
    ]
    onward = {
        "value": [{"id": "2"}],
        "@odata.nextLink": "https://graph.microsoft.com.evil.example/v1.0/users",
    }
    fake.answers["GET", "/v1.0/users?$skip=1"] = [answer(200, onward)]
    assert [item["id"] for item in graph.pages(TENANT, "/users")] == ["1", "2"]
    assert len(fake.sent) == 2


def test_no_answer_stays_no_answer(graph: Graph, fake: FakeGraph) -> None:
    fake.failures.down = True
    with pytest.raises(Unreachable):
        People(graph).get(TENANT, ELENA)


def test_several_people_are_asked_for_fifteen_at_a_time(graph: Graph, fake: FakeGraph) -> None:
    """More expressions in one filter Graph refuses."""
    oids = [f"11111111-aaaa-4aaa-8aaa-{number:012d}" for number in range(25)]
    known = {"id": oids[0], "displayName": "Elena", "userPrincipalName": "e@sierra.example"}
    fake.answers[USERS] = [answer(200, {"value": [known]}), answer(200, {"value": []})]
    found = People(graph).several(TENANT, oids)
    assert found == {oids[0]: Somebody(oids[0], "Elena", "e@sierra.example")}
    assert [call.query["$filter"].count("'") for call in fake.sent] == [30, 20]


def test_an_id_cannot_leave_its_quotes(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [answer(200, {"value": []})]
    People(graph).several(TENANT, ["x') or accountEnabled eq true or id in ('y"])
    assert "x'') or" in fake.sent[0].query["$filter"]


def test_a_search_cannot_leave_its_quotes(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[USERS] = [answer(200, {"value": []})]
    People(graph).search(TENANT, "x') or accountEnabled eq true or startswith(mail,'")
    assert fake.sent[0].query["$filter"].count("'") % 2 == 0
    assert "x'') or" in fake.sent[0].query["$filter"]


LICENCES = ("GET", f"/v1.0/users/{ELENA}/licenseDetails")


def test_every_service_of_every_licence_is_read(graph: Graph, fake: FakeGraph) -> None:
    plan = {"servicePlanId": "57FF2DA0-773E-42DF-B2AF-FFB7A2317929", "provisioningStatus": "Disabled"}
    fake.answers[LICENCES] = [
        answer(200, {"value": [{"servicePlans": [plan, {}]}, {"servicePlans": None}, "x"]})
    ]
    found = Licences(graph).service_plans(TENANT, ELENA)
    assert found == [ServicePlan(next(iter(TEAMS_PLANS)), "Disabled"), ServicePlan("", "")]


def test_licences_that_are_no_list_are_refused(graph: Graph, fake: FakeGraph) -> None:
    fake.answers[LICENCES] = [answer(200, {"value": {}})]
    with pytest.raises(AnswerRefused):
        Licences(graph).service_plans(TENANT, ELENA)
