"""Folding under trouble: killed at every step, many at once in one visit, failing for hours, for long."""

import gc
import json
import logging
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from shared.clock import SystemEntropy
from shared.errors import Unreachable
from shared.store import ChangedMeanwhile, Stores
from shared.store.visits import Visits
from shared.visit.ledger import Ledger
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import House, Open, guest, home
from tests.writeback.memory import Trap
from writeback_function.fold import PATIENCE

pytestmark = pytest.mark.azurite


def script(house: House) -> list[dict[str, Any]]:
    """A whole visit; the patient goes and comes back."""
    return [
        house.event(0, guest("p", lobby=True, identity="g")),
        house.event(20, home("d")),
        house.event(21, guest("p", identity="g")),
        house.event(300, guest("p", identity="g", out=True)),
        house.event(400, guest("p2", identity="g")),
        house.event(600, kind="callEnded"),
    ]


TRUTH = [
    ("patient", "connected", 0),
    ("patient", "connected", 400),
    ("patient", "disconnected", 300),
    ("patient", "disconnected", 600),
    ("provider", "connected", 20),
    ("provider", "disconnected", 600),
]


def played(connection: str, at: int = 0, when: Literal["before", "after"] = "before") -> House:
    """All events are queued and folded, those of a process that died when they come again."""
    house = memory_house(connection, FakeClock(), Trap())
    house.visit()
    house.trap.at, house.trap.when, house.trap.count = at, when, 0
    for event in script(house):
        house.clocked["attendance"].send(house.text(house.item(event)))
    house.run_for(3_600)
    return house


def course(house: House) -> list[tuple[str, str]]:
    """Who was told to be what, by the time at which it was; a repetition is the EHR's to recognise.

    Without the times: a lobby that is learned only after the admission was told does not tell it again.
    """
    said = sorted(set(house.adapter.said()), key=lambda one: (one[0], one[2]))
    return [(role, status) for role, status, _ in said]


@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_at_any_step_should_end_right(connection_id: str, when: Literal["before", "after"]) -> None:
    quiet = played(connection_id)
    assert sorted(quiet.adapter.said()) == TRUTH
    for step in range(1, quiet.trap.count + 1):
        house = played(connection_id, step, when)
        assert house.trap.sprung
        assert course(house) == course(quiet), step
        assert (house.poisoned, house.dead()) == ([], []), step


def test_an_event_should_cost_few_trips_to_the_storage(light: House) -> None:
    """Row read, facts written, message queued, mark written; nothing new: the row is read twice."""
    light.visit()
    spent = []
    for event in (*script(light)[:3], script(light)[2]):
        before = light.trap.count
        light.folding.fold(light.text(light.item(event)))
        spent.append(light.trap.count - before)
    print(f"trips: connect {spent[0]}, admitted {spent[2]}, again {spent[3]}")
    assert spent == [4, 4, 2, 2]


def test_twenty_at_once_in_one_visit_should_keep_every_fact(
    stores: Stores, house: House, connection_id: str
) -> None:
    """Real rows, real time between two tries; what runs out of tries comes again by itself."""
    house.visit()
    region: Any = house.region
    table = stores.of(connection_id).table("Visits")
    region.visits = Visits(table, SystemEntropy())
    names = [f"p{number}" for number in range(40)]
    texts = [house.text(house.item(house.event(5, guest(name)))) for name in names]
    queue, lock, again = house.clocked["attendance"], threading.Lock(), 0
    while texts:
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(house.folding.fold, texts))
        with lock:
            texts = [one.text for one in queue.messages]
            queue.messages.clear()
        again += len(texts)
    print(f"40 events, 20 at once: {again} came again")
    roster = Ledger.from_document(house.row().roster).roster
    assert set(roster.participants) == set(names)
    assert again < 60


class Failing(Open):
    """Graph's keys are out of reach until a moment."""

    def __init__(self, clock: FakeClock, until: datetime) -> None:
        super().__init__()
        self.clock, self.until, self.asked = clock, until, 0

    def authentic(self, item: Any, validation_tokens: Any, received: datetime | None = None) -> None:
        self.asked += 1
        if self.clock.now() < self.until:
            raise Unreachable("key set")


def test_hours_of_failure_in_passing_should_lose_nothing_and_ask_seldom(light: House) -> None:
    """The host gives up after twelve tries of thirty seconds; a copy starts to count anew."""
    failing = Failing(light.clock, light.begin + timedelta(hours=3))
    light.notifications = failing
    light.start()
    light.visit()
    light.clocked["attendance"].send(light.text(light.item(light.event(5, guest("p")))))
    light.run_for(3.2 * 3_600)
    assert light.adapter.said() == [("patient", "connected", 5)]
    assert (light.poisoned, light.waiting("attendance")) == ([], [])
    assert failing.asked < 60
    settings = json.loads(Path("host.json").read_text())["extensions"]["queues"]
    assert settings["maxDequeueCount"] == 12


def test_what_fails_for_longer_than_graph_would_repeat_it_should_end_among_the_dead_letters(
    light: House,
) -> None:
    light.notifications = Failing(light.clock, light.begin + timedelta(days=3))
    light.start()
    light.visit()
    text = light.text(light.item(light.event(5, guest("p"))))
    light.clocked["attendance"].send(text)
    light.run_for((PATIENCE + timedelta(hours=1)).total_seconds())
    assert light.poisoned == ["Unreachable"]
    assert light.waiting("attendance") == []


def test_a_row_that_too_many_write_should_make_the_message_come_again(light: House) -> None:
    light.visit()
    save = light.region.visits.save

    def contended(_: Any) -> Any:
        raise ChangedMeanwhile("row")

    light.region.visits.save = contended
    text = light.text(light.item(light.event(5, guest("p"))))
    light.folding.fold(text)
    assert [one.text for one in light.waiting("attendance")] == [text]
    light.region.visits.save = save
    light.run_for(5)
    assert light.adapter.said() == [("patient", "connected", 5)]


def test_a_fold_s_memory_should_stay_flat(light: House, caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of events of one visit that come again and again, genuine and not."""
    caplog.set_level(logging.ERROR, "antesala.attendance")
    light.visit()
    texts = [light.text(light.item(event)) for event in script(light)]
    texts.append(light.text(light.item(script(light)[0], clientState="x" * 43)))
    texts.append('{"v":2}')

    def fold(times: int) -> int:
        for number in range(times):
            light.folding.fold(texts[number % len(texts)])
            light.clocked["writeback"].messages.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        fold(50)
        first = fold(50)
        last = fold(200)
    finally:
        tracemalloc.stop()
    print(f"after 100 events {first / 1024:.0f} KiB, after 300 {last / 1024:.0f} KiB")
    assert last - first < 20 * 1024
