"""Notifications with real cryptography: Graph's are taken, forged ones change nothing."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from shared.errors import Unreachable
from shared.graph.notifications import Notifications
from shared.graph.subscriptions import client_state
from shared.oidc import KeySets
from shared.settings import Settings
from tests.graph.fakes import CLIENT_ID, OTHER_TENANT, PUBLISHER, TENANT
from tests.graph.issuing import KeyServer
from tests.graph.test_notifications import Certificates, encrypted
from tests.writeback.house import House, guest

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


type Forgery = Callable[[Graph], str]


def _token(**changes: Any) -> Forgery:
    return lambda graph: graph.text(None, graph.server.token(graph.claims(**changes)))


def _with(**changes: Any) -> Forgery:
    return lambda graph: graph.text({**graph.item(), **changes})


def _content(name: str, value: str) -> Forgery:
    def forge(graph: Graph) -> str:
        item = copy.deepcopy(graph.item())
        item["encryptedContent"][name] = value
        return graph.text(item)

    return forge


def _data_of_another(graph: Graph) -> str:
    item, other = graph.item(), graph.item(60)
    item["encryptedContent"]["data"] = other["encryptedContent"]["data"]
    return graph.text(item)


def _other_visit(graph: Graph) -> str:
    """A genuine item of another visit of the same hospital, posted to this visit's address."""
    state = client_state(graph.house.pseudonyms, graph.house.connection, "another visit")
    return graph.text({**graph.item(), "subscriptionId": "sub-of-another", "clientState": state})


def _stale(graph: Graph) -> str:
    token = graph.server.token(graph.claims())
    graph.house.clock.advance(2 * 3_600)
    return graph.text(None, token)


FORGED: dict[str, Forgery] = {
    "no token": lambda graph: graph.house.text(graph.item(), ()),
    "garbage for a token": lambda graph: graph.text(None, "x.y.z"),
    "unsigned": lambda graph: graph.text(None, graph.server.token(graph.claims(), alg="none")),
    "signed with the public key": lambda graph: graph.text(
        None, graph.server.token(graph.claims(), alg="HS256")
    ),
    "signed by a stranger": lambda graph: graph.text(
        None, graph.server.token(graph.claims(), key=graph.server.stranger)
    ),
    "one good token, one bad": lambda graph: graph.text(
        None, graph.server.token(graph.claims()), graph.server.token(graph.claims(), alg="none")
    ),
    "another publisher": _token(appid="11111111-1111-4111-8111-111111111111"),
    "another audience": _token(aud="11111111-1111-4111-8111-111111111111"),
    "another issuer": _token(iss=f"https://sts.windows.net/{OTHER_TENANT}/"),
    "another tenant's token": _token(iss=f"https://sts.windows.net/{OTHER_TENANT}/", tid=OTHER_TENANT),
    "a token whose time was over": _stale,
    "another tenant": _with(tenantId=OTHER_TENANT),
    "another subscription": _with(subscriptionId="sub-2", clientState="x" * 43),
    "another client state": _with(clientState="x" * 43),
    "another visit's": _other_visit,
    "another signature": _content("dataSignature", "AAAA"),
    "another certificate": _content("encryptionCertificateId", "cert-9"),
    "the data of another item": _data_of_another,
    "no content": _with(encryptedContent=None),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_one_should_change_nothing(graph: Graph, name: str) -> None:
    before = graph.house.row()
    graph.house.folding.fold(FORGED[name](graph))
    assert graph.house.row().etag == before.etag
    assert graph.house.waiting() == []


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
    with pytest.raises(Unreachable):
        house.folding.fold(graph.text())
    assert house.row().roster == {}


def test_a_token_of_before_the_message_came_should_not_be_stretched_by_the_future(graph: Graph) -> None:
    """The time of arrival is ours, not the sender's: one in the future gives no more leeway."""
    item = graph.item()
    graph.house.clock.advance(3 * 3_600)
    token = graph.server.token(graph.claims(exp=int(graph.house.clock.now().timestamp()) - 3_600))
    text = graph.house.text(item, (token,))
    graph.house.folding.fold(text.replace("2026-", "2027-", 1))
    assert graph.house.row().roster == {}
