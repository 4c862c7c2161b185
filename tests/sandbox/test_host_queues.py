"""The queue trigger against the real emulator."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from sandbox.host import Host, HostOptions, HostStartError
from sandbox.host.queues import Backoff
from sandbox.storage import AzuriteServer

SAMPLE = Path(__file__).parent / "sample_app"
pytestmark = pytest.mark.azurite


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteServer]:
    with AzuriteServer.on_free_ports(tmp_path_factory.mktemp("storage")) as server:
        yield server


class Bench:
    """A queue of its own, the host that serves it, and what its function saw."""

    def __init__(self, storage: AzuriteServer, name: str) -> None:
        self.connection = storage.environ()["AntesalaEmea"]
        self.name = name
        self.environ = {"SAMPLE_QUEUE": name, "SampleStorage": self.connection}
        self.queue = QueueClient.from_connection_string(self.connection, name)
        self.poison = QueueClient.from_connection_string(self.connection, f"{name}-poison")
        self.queue.create_queue()

    def host(self, invisibility: timedelta = timedelta(minutes=10)) -> Host:
        return Host(SAMPLE, HostOptions(environ=self.environ, invisibility=invisibility))

    def send(self, **order: Any) -> None:
        self.queue.send_message(base64.b64encode(json.dumps(order).encode()).decode())

    def left(self) -> int:
        return self.queue.get_queue_properties().approximate_message_count or 0


@pytest.fixture
def bench(storage: AzuriteServer) -> Bench:
    return Bench(storage, f"q{secrets.token_hex(4)}")


def seen(host: Host) -> list[dict[str, Any]]:
    _, _, body = host.invoke_http("GET", "/received")
    messages: list[dict[str, Any]] = json.loads(body)["messages"]
    return messages


def wait_for(condition: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_a_message_should_be_delivered_decoded_and_then_deleted(bench: Bench) -> None:
    with bench.host() as host:
        bench.send(id="one")
        wait_for(lambda: seen(host))
        wait_for(lambda: bench.left() == 0)
        assert [(one["id"], one["count"]) for one in seen(host)] == [("one", 1)]


def test_a_failed_message_should_come_back_after_the_visibility_timeout(bench: Bench) -> None:
    with bench.host() as host:
        bench.send(id="twice", fail=1)
        wait_for(lambda: len(seen(host)) == 2)
        first, second = seen(host)
        assert second["count"] == 2
        assert second["at"] - first["at"] >= 0.9
        wait_for(lambda: bench.left() == 0)


def test_a_message_that_always_fails_should_end_in_a_poison_queue_made_on_demand(bench: Bench) -> None:
    with pytest.raises(ResourceNotFoundError):
        bench.poison.get_queue_properties()
    with bench.host() as host:
        bench.send(id="never", fail=99)
        wait_for(lambda: bench.left() == 0)
        assert [one["count"] for one in seen(host)] == [1, 2, 3]
        # The third failure is the last: no fourth delivery is waited for.
        assert time.time() - seen(host)[2]["at"] < 0.8
    (dead,) = bench.poison.receive_messages()
    assert json.loads(base64.b64decode(dead.content)) == {"id": "never", "fail": 99}
    assert dead.dequeue_count == 1


def test_a_message_that_is_not_base64_should_go_to_poison_unread(bench: Bench) -> None:
    with bench.host() as host:
        bench.queue.send_message("not base64!")
        wait_for(lambda: bench.left() == 0)
        assert seen(host) == []
    (dead,) = bench.poison.receive_messages()
    assert dead.content == "not base64!"


def test_a_message_delivered_too_often_already_should_not_run_again(bench: Bench) -> None:
    bench.send(id="old")
    for _ in range(3):
        (message,) = bench.queue.receive_messages(visibility_timeout=60)
        bench.queue.update_message(message, visibility_timeout=0)
    with bench.host() as host:
        wait_for(lambda: bench.left() == 0)
        assert seen(host) == []


def test_a_long_run_should_keep_its_message_hidden(bench: Bench) -> None:
    with bench.host(invisibility=timedelta(seconds=2)) as host:
        bench.send(id="long", sleep=5)
        time.sleep(4)
        assert [one["count"] for one in seen(host)] == [1]
        wait_for(lambda: bench.left() == 0)
        assert [one["count"] for one in seen(host)] == [1]


def test_no_more_messages_should_run_at_once_than_the_settings_allow(bench: Bench) -> None:
    for number in range(12):
        bench.send(id=str(number), sleep=1)
    with bench.host() as host:
        wait_for(lambda: seen(host))
        time.sleep(0.4)
        assert len(bench.queue.peek_messages(32)) == 8  # one batch of 4 is out
        wait_for(lambda: bench.left() == 0)
        starts = sorted(one["at"] for one in seen(host))
    together = [sum(1 for other in starts if start - 0.9 < other <= start) for start in starts]
    assert len(starts) == 12
    assert 1 < max(together) <= 6  # batchSize 4 + newBatchThreshold 2


def test_closing_the_host_should_let_a_running_message_finish(bench: Bench) -> None:
    host = bench.host()
    bench.send(id="late", sleep=1)
    wait_for(lambda: seen(host))
    host.close()
    assert bench.left() == 0


def test_a_trigger_without_its_connection_should_stop_the_start_with_a_reason() -> None:
    with pytest.raises(HostStartError, match="function work: connection SampleStorage"):
        Host(SAMPLE, HostOptions(environ={"SAMPLE_QUEUE": "any"}))


def test_an_empty_queue_should_be_asked_less_and_less_often_up_to_the_limit() -> None:
    backoff = Backoff(1.0, jitter=lambda low, high: 1.0)
    waits = [backoff.after_nothing() for _ in range(5)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.0, 1.0])
    backoff.after_messages()
    assert backoff.after_nothing() == pytest.approx(0.2)
