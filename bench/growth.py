"""How time and memory grow: with launches at once, with messages that wait, with rows in a partition."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.figures import Aim, Figure, exponent, timed
from bench.house import House, house
from bench.notices import Notices
from bench.seeds import CONNECTION, connect, launch_url, launched, link
from bench.walking import Walker
from bench.writeback import throughput
from shared.store.table import Write

AT_ONCE = (1, 4, 16, 64)
QUEUED = (100, 300, 1_000)
ROWS = (1_000, 20_000)
# Visits that are launched into; their rooms are open already.
OPEN = 4
WISHED_QUEUED, WISHED_ROWS = 10_000, 100_000
"""What the emulator takes too long for in a run of ten minutes."""
_LINEAR = Aim("median", 1.15)


@dataclass(frozen=True)
class Point:
    """So many units took so many seconds and left so much memory, in MiB."""

    size: int
    seconds: float
    memory: float


def measure() -> Iterator[Figure]:
    """All three."""
    with house("m365", "epic", "oracle") as running:
        connect(running, "epic")
        link(running, "epic")
        yield from _launches(running)
        yield from _rows(running)
        yield from _queued(running)


def _launches(running: House) -> Iterator[Figure]:
    """Clinicians who come again, so that each launch is ours and the hospital's token alone."""
    _at_once(running, OPEN)
    points = []
    for count in AT_ONCE:
        seconds, each = _at_once(running, count)
        points.append(Point(count, seconds, running.memory()))
        yield timed("growth", f"{count} launches at once, each", each)
    yield _trend("launches at once", points)
    yield _memory("launches", points)


def _at_once(running: House, count: int) -> tuple[float, list[float]]:
    urls = [launch_url(running, "epic", "provider", number % OPEN) for number in range(count)]

    def launch(url: str) -> float:
        walker = Walker()
        begun = time.perf_counter()
        launched(walker, url)
        walker.close()
        return time.perf_counter() - begun

    with ThreadPoolExecutor(count) as pool:
        begun = time.perf_counter()
        each = list(pool.map(launch, urls))
        return time.perf_counter() - begun, each


def _queued(running: House) -> Iterator[Figure]:
    """Notifications that are there at once, from the first that the EHR was told of to the last."""
    notices, points, first = Notices(running), [], 0
    for count in QUEUED:
        rate = throughput(running, notices, range(first, first + count))
        first += count
        points.append(Point(count, count / rate, running.memory()))
    for point in points:
        yield Figure("growth", f"{point.size:,} notifications, each", "ms", point.seconds / point.size * 1000)
    yield _trend("notifications that wait", points)
    yield _memory("notifications", points)
    yield Figure(
        "growth",
        "most notifications at once",
        "",
        QUEUED[-1],
        note=f"not {WISHED_QUEUED:,}: on two cores beside the emulator those alone take minutes",
    )


def _rows(running: House) -> Iterator[Figure]:
    """A clinician's launch while the connection's partitions fill with other people's rows."""
    points, floors, there = [], [], 0
    for count in ROWS:
        fill(running, there, count)
        there = count
        each, raw = _launch_and_look(running)
        points.append(Point(count, statistics.median(each), running.memory()))
        floors.append(Point(count, statistics.median(raw), 0))
        yield timed("growth", f"launch leg 2 beside {count:,} rows", each)
        yield timed("growth", f"one look-up by both keys beside {count:,} rows", raw)
    yield _trend("rows in a partition", points, Aim("median", 0.1))
    wished = f"not {WISHED_ROWS:,}: the emulator takes minutes to be filled"
    growth = exponent([(one.size, one.seconds) for one in floors])
    note = f"the emulator's own look-up: {growth:.2f}; {wished}"
    yield Figure("growth", "most rows in a partition", "", ROWS[-1], note=note)


def fill(running: House, there: int, wanted: int) -> None:
    """Links and visits of others, in the connection's own partitions."""
    store = running.services.stores.of(CONNECTION)
    link_row = {
        "ehr_user": "somebody",
        "oid": "0" * 36,
        "sub_mac": "",
        "linked_at": "2026-01-01T00:00:00.000Z",
    }
    for name, prefix, values in (
        ("EhrUsers", "user-other", link_row),
        ("Visits", "other", {"document": "{}"}),
    ):
        table = store.table(name)
        for first in range(there, wanted, 100):
            rows = range(first, min(first + 100, wanted))
            table.batch([Write("insert", CONNECTION, f"{prefix}{number:08d}", values) for number in rows])


def _launch_and_look(running: House, rounds: int = 15) -> tuple[list[float], list[float]]:
    each, raw = [], []
    table = running.services.stores.of(CONNECTION).table("EhrUsers")
    for _ in range(rounds):
        walker = Walker()
        each.append(launched(walker, launch_url(running, "epic", "provider", 1))[1])
        walker.close()
        begun = time.perf_counter()
        table.get(CONNECTION, "user-other00000500")
        raw.append(time.perf_counter() - begun)
    return each, raw


def _trend(name: str, points: list[Point], aim: Aim = _LINEAR) -> Figure:
    fitted = exponent([(one.size, one.seconds) for one in points])
    return Figure("growth", f"exponent of time by {name}", "", fitted, aim=aim, note="1 is linear, 0 is none")


def _memory(name: str, points: list[Point]) -> Figure:
    grown = points[-1].memory - points[0].memory
    note = f"{points[0].memory:.0f} MiB at {points[0].size:,}, {points[-1].memory:.0f} at {points[-1].size:,}"
    return Figure("growth", f"memory gained by {name}", "MiB", grown, aim=Aim("median", 24), note=note)
