"""How time and memory grow: with launches at once, with rows in a partition, with messages that wait."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import queued, rows
from bench.figures import Aim, Figure, exponent, memory, timed
from bench.house import House, house
from bench.seeds import connect, launch_url, launched, link
from bench.walking import Walker

AT_ONCE = (1, 4, 16, 64)
SAMPLES = 96
"""Launches at each size at least, so that one alone is no accident."""
# Visits that are launched into; their rooms are open already.
OPEN = 4


def measure() -> Iterator[Figure]:
    """All three."""
    with house("m365", "epic") as running:
        connect(running, "epic")
        link(running, "epic")
        yield from _launches(running)
    yield from rows.measure()
    yield from queued.measure()


def _launches(running: House) -> Iterator[Figure]:
    """Clinicians who come again, so that each launch is ours and the hospital's token alone."""
    # Whatever is made once, threads included, is there before anything is measured.
    for count in (OPEN, AT_ONCE[-1]):
        _at_once(running, count)
    points, held = [], []
    for count in AT_ONCE:
        times, each = [], []
        for _ in range(-(-SAMPLES // count)):
            seconds, found = _at_once(running, count)
            times.append(seconds)
            each += found
        points.append((count, statistics.median(times)))
        held.append((count, running.memory()))
        yield timed("growth", f"{count} launches at once, each", each)
    fitted = exponent(points)
    yield Figure(
        "growth",
        "exponent of time by launches at once",
        "",
        fitted,
        aim=Aim("median", 1.15),
        note="of the time until all of them are through; 1 is linear, 0 is none",
    )
    yield memory("growth", "launches", held)


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
