"""Notifications with real cryptography, from the webhook on: Graph's count, forged ones change nothing."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from shared.context import ContextSeal
from shared.graph.notifications import Notifications
from shared.graph.subscriptions import client_state
from shared.oidc import KeySets
from shared.sealing import Sealer
from shared.settings import Settings
from shared.web import Request, Response
from tests.graph.fakes import CLIENT_ID, OTHER_TENANT, PUBLISHER, TENANT
from tests.graph.issuing import KeyServer
from tests.graph.test_notifications import Certificates, encrypted
from tests.writeback.house import House, guest
from writeback_function.ingress import Ingress

pytestmark = pytest.mark.azurite


@dataclass
class Graph:
    """Graph's side: its keys, and genuine items for the house's visit."""

    house: House
    server: KeyServer
    certificates: Certificates

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.house.clock.now().timestamp())
        values = {
            "iss": f"https://sts.windows.net/{TENANT}/",
            "aud": CLIENT_ID,
            "tid": TENANT,
            "appid": PUBLISHER,
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
        }
        return {**values, **changes}

    def item(self, seconds: float = 5) -> dict[str, Any]:
        event = self.house.event(seconds, guest("p"))
        shown = self.house.item(event)
        del shown["event"]
        return {**shown, "encryptedContent": encrypted(event, self.certificates.key)}

    def text(self, item: dict[str, Any] | None = None, *tokens: str) -> str:
        return self.house.text(item or self.item(), tokens or (self.server.token(self.claims()),))

    def post(self, forged: "Post | None" = None) -> Response:
        """What the webhook answers; what it queued is left to the host."""
        house, post = self.house, forged or Post(self.item())
        tokens = (self.server.token(self.claims()),) if post.tokens is None else post.tokens
        ingress = Ingress(house.stores, house.contexts, house.sealer, house.pseudonyms, house.clock)
        body = json.dumps({"value": [post.item], "validationTokens": list(tokens)}).encode()
        query = {"c": post.context or house.sealed}
        headers = {"content-type": "application/json"}
        return ingress.notifications(Request("POST", "/", query=query, headers=headers, body=body))


@dataclass
class Post:
    """One item to post; by itself with Graph's own token, and to the visit's own address."""

    item: dict[str, Any]
    tokens: tuple[str, ...] | None = None
    context: str = ""


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="module")
def server() -> KeyServer:
    return KeyServer("https://unset.invalid/common/discovery/keys")


@pytest.fixture
def graph(house: House, server: KeyServer, certificates: Certificates, azurite_settings: Settings) -> Graph:
    keysets = KeySets(cast("Any", server), house.clock)
    house.notifications = Notifications(azurite_settings, keysets, cast("Any", certificates), house.clock)
    house.start()
    house.visit()
    return Graph(house, server, certificates)


def test_graph_s_own_should_be_taken(graph: Graph) -> None:
    graph.house.folding.fold(graph.text())
    graph.house.run()
    assert graph.house.adapter.said() == [("patient", "connected", 5)]


def test_what_waited_longer_than_its_token_lives_should_be_taken(graph: Graph) -> None:
    text = graph.text()
    graph.house.clock.advance(6 * 3_600)
    graph.house.folding.fold(text)
    assert len(graph.house.waiting()) == 1


type Forgery = Callable[[Graph], Post]


def _tokens(*make: Callable[[Graph], str]) -> Forgery:
    return lambda graph: Post(graph.item(), tuple(one(graph) for one in make))


def _token(**changes: Any) -> Forgery:
    return _tokens(lambda graph: graph.server.token(graph.claims(**changes)))


def _good(graph: Graph) -> str:
    return graph.server.token(graph.claims())


def _unsigned(graph: Graph) -> str:
    return graph.server.token(graph.claims(), alg="none")


def _with(**changes: Any) -> Forgery:
    return lambda graph: Post({**graph.item(), **changes})


def _content(name: str, value: str) -> Forgery:
    def forge(graph: Graph) -> Post:
        item = copy.deepcopy(graph.item())
        item["encryptedContent"][name] = value
        return Post(item)

    return forge


def _data_of_another(graph: Graph) -> Post:
    item, other = graph.item(), graph.item(60)
    item["encryptedContent"]["data"] = other["encryptedContent"]["data"]
    return Post(item)


def _other_visit(graph: Graph) -> Post:
    """A genuine item of another visit of the same hospital, posted to this visit's address."""
    state = client_state(graph.house.pseudonyms, graph.house.connection, "another visit")
    return Post({**graph.item(), "subscriptionId": "sub-of-another", "clientState": state})


def _stale(graph: Graph) -> Post:
    token = graph.server.token(graph.claims())
    graph.house.clock.advance(2 * 3_600)
    return Post(graph.item(), (token,))


def _other_address(graph: Graph) -> Post:
    """A genuine item of this visit, posted to the address of another visit that has a row, too."""
    house = graph.house
    house.region.visits.create(replace(house.row(), key="visit-key-2"))
    context = replace(house.context, visit_key="visit-key-2", visit_id="S-2")
    return Post(graph.item(), context=house.contexts.seal(context))


def _own_seal(graph: Graph) -> Post:
    sealer = Sealer([b"x" * 32], graph.house.clock)
    return Post(graph.item(), context=ContextSeal(sealer).seal(graph.house.context))


FORGED: dict[str, Forgery] = {
    "no token": _tokens(),
    "garbage for a token": _tokens(lambda _: "x.y.z"),
    "unsigned": _tokens(_unsigned),
    "signed with the public key": _tokens(lambda graph: graph.server.token(graph.claims(), alg="HS256")),
    "signed by a stranger": _tokens(
        lambda graph: graph.server.token(graph.claims(), key=graph.server.stranger)
    ),
    "one good token, one bad": _tokens(_good, _unsigned),
    "another publisher": _token(appid="11111111-1111-4111-8111-111111111111"),
    "another audience": _token(aud="11111111-1111-4111-8111-111111111111"),
    "another issuer": _token(iss=f"https://sts.windows.net/{OTHER_TENANT}/"),
    "another tenant's token": _token(iss=f"https://sts.windows.net/{OTHER_TENANT}/", tid=OTHER_TENANT),
    "a token whose time was over": _stale,
    "another tenant": _with(tenantId=OTHER_TENANT),
    "no tenant": _with(tenantId=None),
    "another subscription": _with(subscriptionId="sub-2", clientState="x" * 43),
    "a subscription that is no text": _with(subscriptionId="\ud800", clientState="x" * 43),
    "another client state": _with(clientState="x" * 43),
    "no client state": _with(clientState=None),
    "a client state that is no text": _with(clientState="\ud800"),
    "another visit's": _other_visit,
    "another visit's address": _other_address,
    "an address of their own sealing": _own_seal,
    "a broken address": lambda graph: Post(graph.item(), context=graph.house.sealed[:-2]),
    "another signature": _content("dataSignature", "AAAA"),
    "another key": _content("dataKey", "AAAA"),
    "the data of another item": _data_of_another,
    "no content": _with(encryptedContent=None),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_one_should_be_answered_like_graph_s_own_and_change_nothing(graph: Graph, name: str) -> None:
    house = graph.house
    post = FORGED[name](graph)
    rows = _rows(house)
    assert graph.post(post) == Response(202, content_type="text/plain; charset=utf-8")
    house.run_for(600)
    assert _rows(house) == rows
    assert not any(house.waiting(queue) for queue in house.clocked)
    assert (house.adapter.calls, house.poisoned, house.dead()) == ([], [], [])
    # The defence is not that nothing is ever taken: Graph's own is, after it, and answered the same.
    assert graph.post().status == 202
    house.run_for(5)
    assert house.adapter.said() == [("patient", "connected", 5)]


def _rows(house: House) -> list[str]:
    keys = ("visit-key-1", "visit-key-2")
    found = (house.region.visits.get(house.connection, key) for key in keys)
    return [row.etag if row is not None else "" for row in found]


def test_replaying_a_former_one_should_change_nothing(graph: Graph) -> None:
    old = graph.text()
    graph.house.folding.fold(old)
    gone = graph.house.event(60, guest("p", out=True))
    item = {**graph.item(), "encryptedContent": encrypted(gone, graph.certificates.key)}
    graph.house.folding.fold(graph.text(item))
    graph.house.run_for(60)
    before, said = graph.house.row(), graph.house.adapter.said()
    assert [status for _, status, _ in said] == ["connected", "disconnected"]
    for _ in range(3):
        graph.house.folding.fold(old)
    graph.house.run_for(60)
    assert graph.house.row().etag == before.etag
    assert graph.house.adapter.said() == said


def test_keys_that_cannot_be_fetched_should_make_the_message_come_again(
    graph: Graph, azurite_settings: Settings
) -> None:
    nobody = KeyServer()
    house = graph.house
    house.notifications = Notifications(
        azurite_settings,
        KeySets(cast("Any", nobody), house.clock),
        cast("Any", graph.certificates),
        house.clock,
    )
    house.start()
    text = graph.text()
    house.folding.fold(text)
    assert house.row().roster == {}
    assert [(one.text, one.delay) for one in house.waiting("attendance")] == [(text, 2)]


def test_a_token_of_before_the_message_came_should_not_be_stretched_by_the_future(graph: Graph) -> None:
    """The time of arrival is ours, not the sender's: one in the future gives no more leeway."""
    item = graph.item()
    graph.house.clock.advance(3 * 3_600)
    token = graph.server.token(graph.claims(exp=int(graph.house.clock.now().timestamp()) - 3_600))
    text = graph.house.text(item, (token,))
    graph.house.folding.fold(text.replace("2026-", "2027-", 1))
    assert graph.house.row().roster == {}
