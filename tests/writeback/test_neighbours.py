"""A hospital whose EHR hangs, and another that is served by the same process."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from shared.clock import SystemClock
from shared.errors import Unreachable
from shared.messages import WritebackMessage
from tests.writeback.house import HOURS, KEY, House, guest
from tests.writeback.memory import MemoryTable, Trap
from writeback_function.breaker import AT_ONCE
from writeback_function.deliver import Deliver


class Hanging:
    """An EHR that answers no call before the test is ``over``; after that, none either."""

    semantics = "event"

    def __init__(self) -> None:
        self.over = threading.Event()
        self.most = self._now = 0
        self._lock = threading.Lock()

    def tell(self, approved: object, telling: object) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.over.wait(60)
        with self._lock:
            self._now -= 1
        raise Unreachable("ehr")


class QuickClock(SystemClock):
    """Time that runs ten times as fast."""

    def __init__(self) -> None:
        self._begin = super().now()

    def now(self) -> datetime:
        return self._begin + 10 * (super().now() - self._begin)


class Locked:
    """A table of the memory that many threads use."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            with self._lock:
                found = getattr(self._inner, name)(*values, **named)
                return list(found) if isinstance(found, Iterator) else found

        return call


def locked_house(connection: str) -> House:
    tables: defaultdict[str, Locked] = defaultdict(lambda: Locked(MemoryTable()))
    return House(connection, lambda name: tables[name], cast("Any", SystemClock()), Trap())


def messages(house: House, number: int) -> list[str]:
    """One message each of so many visits, all due now."""
    house.visit()
    house.sees(0, guest("p"))
    row = house.row()
    message = WritebackMessage.read(house.waiting()[0].text, house.sealer)
    for place in range(number):
        house.region.visits.create(replace(row, key=f"{KEY}-{place}", etag=""))
    contexts = [replace(house.context, visit_key=f"{KEY}-{place}") for place in range(number)]
    return [replace(message, context=house.contexts.seal(context)).text(house.sealer) for context in contexts]


def test_a_hospital_that_hangs_should_not_hold_up_another() -> None:
    dead, well = locked_house("a" + "d" * 15), locked_house("a" + "w" * 15)
    hanging = Hanging()
    houses = {dead.connection: (dead, hanging), well.connection: (well, well.adapter)}
    stores: Any = SimpleNamespace(of=lambda connection: houses[connection][0].region)
    adapters: Any = SimpleNamespace(of=lambda approved: houses[approved.connection.id][1])
    tools = (stores, dead.contexts, dead.sealer, adapters, dead.outbox)
    deliver = Deliver(*tools, QuickClock(), dead.entropy, hours=HOURS).deliver
    first, others = messages(dead, 1_000), messages(well, 40)
    with ThreadPoolExecutor(16) as pool:
        # The host takes them in the order of the queue: all of the one hospital are before the other's.
        pending: list[Future[None]] = [pool.submit(deliver, text) for text in first]
        served = [pool.submit(deliver, text) for text in others]
        wait(served, 30)
        told, most = len(well.adapter.held), hanging.most
        hanging.over.set()
        wait(pending, 30)
    # While not one of the calls that hang had come to its end.
    assert (told, 0 < most <= AT_ONCE) == (40, True)
    # None is lost, and none but those that did call counts as an attempt.
    waiting = [WritebackMessage.read(one.text, dead.sealer) for one in dead.waiting()][1:]
    assert len(waiting) == 1_000
    assert sum(one.attempt for one in waiting) <= 2 * AT_ONCE
    assert dead.dead() == []
