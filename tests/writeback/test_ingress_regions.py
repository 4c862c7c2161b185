"""One region's storage hangs: its notifications are refused in time, another region's do not notice."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clock import SystemClock
from shared.settings import Settings, Storage
from shared.store import Stores
from shared.store.faults import StorageUnavailable
from tests.fakes import FakeClock
from tests.writeback.door import Door
from writeback_function.bulkhead import MOST_SLOW, SLOW, Bulkhead

pytestmark = pytest.mark.azurite

BODY = {"value": [{"subscriptionId": "s", "encryptedContent": {"data": "d"}}], "validationTokens": ["t"]}
THREADS = 64


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:

        def hold() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=hold, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


def at(storage: Storage, port: int) -> Storage:
    """The same account behind another port."""
    parts = [part.partition("=") for part in storage.connection_string.split(";") if part]
    moved = {
        name: f"http://127.0.0.1:{port}/{value.rsplit('/', 1)[1]}" if name.endswith("Endpoint") else value
        for name, _, value in parts
    }
    return replace(storage, connection_string=";".join(f"{name}={value}" for name, value in moved.items()))


@pytest.fixture
def door(azurite_settings: Settings, silent: int) -> Door:
    """emea hangs."""
    storage = {**azurite_settings.storage, "emea": at(azurite_settings.storage["emea"], silent)}
    settings = replace(azurite_settings, storage=storage)
    return Door(Stores(settings, SystemClock()), settings)


def test_a_region_that_hangs_should_be_refused_in_time_and_not_touch_another(
    door: Door, connection_id: str
) -> None:
    """Fifty a second for the one that hangs, twenty-five for another, with as many threads as the app has."""

    def post(connection: str) -> tuple[int, float]:
        begun = time.monotonic()
        return door.post(connection, BODY).status_code, time.monotonic() - begun

    sent: dict[str, list[Future[tuple[int, float]]]] = {"a": [], "e": []}
    with ThreadPoolExecutor(THREADS) as threads:
        for tick in range(200):
            for region in "ea" if tick % 2 else "e":
                sent[region].append(threads.submit(post, region + connection_id[1:]))
            time.sleep(0.02)
        answered = [one.result() for one in sent["a"]]
        refused = [one.result() for one in sent["e"]]
    slowest, longest = (max(spent for _, spent in found) for found in (answered, refused))
    hung = sum(spent > 1 for _, spent in refused)
    print(f"another {slowest * 1_000:.0f} ms; the one that hangs {longest:.1f} s, {hung} of {len(refused)}")
    assert {status for status, _ in answered} == {202}
    assert {status for status, _ in refused} == {503}
    # Behind the one that hangs it would be three times as much.
    assert slowest < 6
    assert longest < 10, "Graph waits for ten seconds"
    assert hung < len(refused) / 2


def test_many_at_once_should_pass_where_storage_is_well(clock: FakeClock) -> None:
    bulkhead = Bulkhead(clock)
    places = [bulkhead.place("emea") for _ in range(200)]
    for place in places:
        place.__enter__()
    clock.advance(60)
    with pytest.raises(StorageUnavailable), bulkhead.place("emea"):
        pass
    with bulkhead.place("americas"):
        pass
    for place in places[: 200 - MOST_SLOW + 1]:
        place.__exit__(None, None, None)
    with bulkhead.place("emea"):
        pass


def test_a_place_should_be_given_back_when_storage_fails(clock: FakeClock) -> None:
    bulkhead = Bulkhead(clock)

    def fail() -> None:
        with bulkhead.place("emea"):
            clock.advance((SLOW + timedelta(seconds=1)).total_seconds())
            raise OSError("down")

    for _ in range(MOST_SLOW + 1):
        with pytest.raises(OSError, match="down"):
            fail()
