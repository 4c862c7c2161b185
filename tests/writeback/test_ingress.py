import json
import time
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest

from sandbox.storage import AzuriteServer
from shared import edge
from shared.clock import SystemEntropy
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal
from shared.graph.notifications import lower_keys
from shared.graph.subscriptions import client_state
from shared.messages import AttendanceMessage, opened
from shared.pages import Pages
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store import Stores
from shared.store.queues import Message
from shared.web import Request, Response
from tests.fakes import FakeClock
from writeback_function.ingress import MOST_ITEMS, Ingress

pytestmark = pytest.mark.azurite
JSON = "application/json; charset=utf-8"
PSEUDONYMS = Pseudonyms([b"v" * 32])


class Door:
    """The webhooks before real queues."""

    def __init__(self, stores: Stores, connection: str, clock: FakeClock) -> None:
        self.stores, self.connection, self.clock = stores, connection, clock
        self.sealer = Sealer([b"s" * 32], clock)
        self.contexts = ContextSeal(self.sealer)
        self.sealed = self.contexts.seal(VisitContext(connection, "visit-1", "session", "S-1"))
        self.ingress = Ingress(stores, self.contexts, self.sealer, PSEUDONYMS, clock)
        self.state = client_state(PSEUDONYMS, connection, "visit-1")
        for queue in ("attendance", "tend"):
            while stores.of(connection).queue(queue).receive(32, 600):
                pass

    def post(
        self, body: Any, *, c: str | None = None, content_type: str = JSON, where: str = "notifications"
    ) -> Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        query = {"c": self.sealed if c is None else c}
        headers = {"content-type": content_type} if content_type else {}
        request = Request("POST", f"/attendance/{where}", query=query, headers=headers, body=content)
        handler = self.ingress.notifications if where == "notifications" else self.ingress.lifecycle
        return handler(request)

    def queued(self, name: str = "attendance") -> list[Message]:
        found: list[Message] = []
        while more := self.stores.of(self.connection).queue(name).receive(32, 600):
            found += more
        return found


@pytest.fixture
def door(stores: Stores, connection_id: str, clock: FakeClock) -> Door:
    return Door(stores, connection_id, clock)


@pytest.mark.parametrize("where", ["notifications", "lifecycle"])
def test_the_handshake_should_give_the_text_back_as_text(door: Door, where: str) -> None:
    token = "Validation: <script>alert(1)</script> %2B+ü"
    request = Request("POST", "/", query={"validationToken": token, "c": door.sealed})
    answer = getattr(door.ingress, where)(request)
    assert (answer.status, answer.body.decode()) == (200, token)
    assert answer.content_type.split(";")[0] == "text/plain"


@pytest.mark.parametrize("where", ["notifications", "lifecycle"])
@pytest.mark.parametrize("token", ["", "x" * 4_097])
def test_an_empty_or_oversized_handshake_should_be_refused(door: Door, where: str, token: str) -> None:
    with pytest.raises(Refusal, match="parameter-invalid"):
        getattr(door.ingress, where)(Request("POST", "/", query={"validationToken": token}))


def test_each_item_should_become_a_message(door: Door) -> None:
    items = [{"subscriptionId": f"s-{number}", "encryptedContent": {"Data": "ü"}} for number in range(9)]
    assert door.post({"value": items, "validationTokens": ["t1", "t2"]}).status == 202
    read = [AttendanceMessage.read(one.text) for one in door.queued()]
    assert sorted((dict(one.item) for one in read), key=str) == items
    assert {(one.context, tuple(one.tokens), one.at) for one in read} == {
        (door.sealed, ("t1", "t2"), door.clock.now())
    }


def test_capitals_should_not_matter(door: Door) -> None:
    item = {"ClientState": "x", "EncryptedContent": {"DATAKEY": "k"}}
    assert door.post({"Value": [item], "ValidationTokens": ["t"]}).status == 202
    (message,) = [AttendanceMessage.read(one.text) for one in door.queued()]
    assert message.tokens == ["t"]
    assert lower_keys(message.item) == lower_keys(item)


def test_only_what_the_fold_reads_should_travel(door: Door) -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    item = {
        "subscriptionId": "s",
        "clientState": ["no text"],
        "tenantId": None,
        "resource": "communications/onlineMeetings('secret')",
        "resourceData": {"id": "x"},
        "encryptedContent": {"data": "d", "dataKey": deep, "encryptionCertificateThumbprint": "t"},
    }
    assert door.post({"value": [item], "validationTokens": ["t", 7, deep]}).status == 202
    (message,) = [AttendanceMessage.read(one.text) for one in door.queued()]
    assert message.item == {"subscriptionId": "s", "encryptedContent": {"data": "d"}}
    assert message.tokens == ["t"]


@pytest.mark.parametrize("where", ["notifications", "lifecycle"])
def test_a_flood_of_items_should_be_refused_whether_or_not_the_seal_opens(door: Door, where: str) -> None:
    flood = {"value": [ITEM] * (MOST_ITEMS + 1)}
    for c in (door.sealed, "x"):
        with pytest.raises(Refusal, match="too-large"):
            door.post(flood, c=c, where=where)
    assert (door.queued(), door.queued("tend")) == ([], [])


ITEM = {"subscriptionId": "s", "encryptedContent": {"data": "d"}}
ITEMS = {"value": [ITEM], "validationTokens": ["t"]}
BAD_BODIES: dict[str, Any] = {
    "nothing": b"",
    "garbage": b"{]",
    "not UTF-8": b'{"value":[{"a":"\xff"}]}',
    "too deep": b"[" * 100_000,
    "a list": [ITEMS],
    "a text": "value",
    "no value": {},
    "value is no list": {"value": {"a": 1}},
    "items are no objects": {"value": ["a", 1, None, []]},
    "items without content": {"value": [{"subscriptionId": "s"}, {"encryptedContent": "x"}]},
    "an item too large": {"value": [{"encryptedContent": {"data": "x" * 60_000}}]},
}


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("where", ["notifications", "lifecycle"])
def test_what_is_no_notification_should_be_taken_and_forgotten(door: Door, name: str, where: str) -> None:
    assert door.post(BAD_BODIES[name], where=where).status == 202
    assert (door.queued(), door.queued("tend")) == ([], [])


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_should_be_taken_and_forgotten(door: Door, content_type: str) -> None:
    assert door.post(ITEMS, content_type=content_type).status == 202
    assert door.queued() == []


@pytest.mark.parametrize("where", ["notifications", "lifecycle"])
def test_a_seal_that_does_not_open_should_be_answered_like_every_other(door: Door, where: str) -> None:
    good = door.post({"value": []}, where=where)
    other = Sealer([b"o" * 32], door.clock)
    broken = [
        "",
        "x",
        "ü",
        door.sealed[:-2],
        door.sealed[:40] + ("A" if door.sealed[40] != "A" else "B") + door.sealed[41:],
        door.sealer.seal("message", ["a"]),
        door.sealer.seal("context", ["no connection", "v", 0, "S"]),
        door.sealer.seal("context", {"a": 1}),
        ContextSeal(other).seal(VisitContext(door.connection, "visit-1", "session", "S-1")),
    ]
    lifecycle = {"value": [{"subscriptionId": "s", "lifecycleEvent": "missed"}]}
    for c in broken:
        assert door.post(lifecycle, c=c, where=where) == good
    assert (door.queued(), door.queued("tend")) == ([], [])


@pytest.mark.parametrize("event", ["reauthorizationRequired", "subscriptionRemoved", "missed"])
def test_a_lifecycle_event_should_have_the_visit_tended_at_once(door: Door, event: str) -> None:
    body = {"value": [{"subscriptionId": "s", "lifecycleEvent": event, "clientState": door.state}]}
    assert door.post(body, where="lifecycle").status == 202
    (message,) = door.queued("tend")
    values = opened("tend", message.text, door.sealer)
    assert (values["event"], values["connection"], values["visit"]) == (event, door.connection, "visit-1")
    assert "visit-1" not in message.text


def test_every_lifecycle_event_of_a_post_should_be_tended_once(door: Door) -> None:
    events = ["missed", "subscriptionRemoved", "missed", "x y", "reauthorizationRequired"]
    items: list[Any] = [
        {"SubscriptionId": f"s-{place}", "LifecycleEvent": event, "ClientState": door.state}
        for place, event in enumerate(events)
    ]
    items.insert(0, {"lifecycleEvent": "forged", "clientState": "guess"})
    items.insert(0, "no item")
    assert door.post({"value": items}, where="lifecycle").status == 202
    tended = [opened("tend", one.text, door.sealer)["event"] for one in door.queued("tend")]
    assert sorted(tended) == ["missed", "reauthorizationRequired", "subscriptionRemoved"]


@pytest.mark.parametrize("event", ["", "a b", "x" * 41, "../x"])
def test_an_unreadable_lifecycle_event_should_be_forgotten(door: Door, event: str) -> None:
    body = {"value": [{"lifecycleEvent": event, "clientState": door.state}]}
    assert door.post(body, where="lifecycle").status == 202
    assert door.queued("tend") == []


def test_storage_that_is_down_should_be_a_503_at_the_edge(
    azurite_settings: Settings, azurite: AzuriteServer, connection_id: str, clock: FakeClock
) -> None:
    from dataclasses import replace

    dead = {
        region: replace(storage, connection_string=_nobody(storage.connection_string))
        for region, storage in azurite_settings.storage.items()
    }
    stores = Stores(replace(azurite_settings, storage=dead), clock)
    sealer = Sealer([b"s" * 32], clock)
    contexts = ContextSeal(sealer)
    c = contexts.seal(VisitContext(connection_id, "visit-1", "session", "S-1"))
    ingress = Ingress(stores, contexts, sealer, PSEUDONYMS, clock)
    services = SimpleNamespace(settings=azurite_settings, clock=clock, entropy=SystemEntropy(), pages=Pages())
    request = func.HttpRequest(
        method="POST",
        url=f"http://localhost:7071/attendance/notifications?c={c}",
        headers={"Content-Type": JSON, "Host": "localhost:7071"},
        params={"c": c},
        route_params={},
        body=json.dumps(ITEMS).encode(),
    )
    begun = time.monotonic()
    answer = edge.api(request, ingress.notifications, services=cast("Any", services))
    assert answer.status_code == 503
    assert time.monotonic() - begun < 8, "Graph waits for ten seconds"


def _nobody(connection_string: str) -> str:
    """The same accounts on a port where nobody listens."""
    parts = [part for part in connection_string.split(";") if part]
    return ";".join(
        part.split("://")[0] + "://127.0.0.1:1/" + part.rsplit("/", 1)[1] if "Endpoint=" in part else part
        for part in parts
    )


@pytest.mark.parametrize("state", ["", "guess", None, 7, ["x"]])
def test_a_lifecycle_event_without_our_client_state_should_have_no_effect(door: Door, state: object) -> None:
    body = {"value": [{"lifecycleEvent": "subscriptionRemoved", "clientState": state}]}
    assert door.post(body, where="lifecycle").status == 202
    assert door.queued("tend") == []
