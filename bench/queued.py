"""How write-back bears what waits: time and memory a notification, with a few in the queue and with many.

What counts is the pace at a depth, not the way to the end: of many notifications only what is worked off in
some seconds. Each size has a fresh host, warmed by a few notifications; all visits are there from the
beginning. The loop without host works on the same messages at the same depth, so that what grows in the
emulator is seen apart. The emulator's queues are those of ``indexed.js``: as it is, it takes tens of
milliseconds for each operation on any queue where ten thousand messages wait.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.draining import Drained, clear, drained, put, queue, raw_loop
from bench.figures import Aim, Figure, exponent, memory
from bench.house import House, house
from bench.notices import Notice, Notices

QUEUED = (100, 1_000, 10_000)
WARM, WINDOW, RAW_WINDOW = 24, 25.0, 5.0


@dataclass(frozen=True)
class Depth:
    """With so many in the queue: ours, the MiB that the host holds then, and the loop's messages a second."""

    size: int
    ours: Drained
    memory: float
    raw: float


def measure() -> Iterator[Figure]:
    """Every size, few first."""
    with house("m365", "oracle", indexed=True) as running:
        made = Notices(running).make(range(sum(QUEUED) + WARM * len(QUEUED)))
        depths, first = [], 0
        for size in QUEUED:
            if first:
                running.start_host().wait_ready()
            warm, many = made[first : first + WARM], made[first + WARM : first + WARM + size]
            first += WARM + size
            depths.append(_depth(running, warm, many))
    yield from figures(depths)


def _depth(running: House, warm: Sequence[Notice], many: Sequence[Notice]) -> Depth:
    drained(running, warm)
    ours = drained(running, many, WINDOW)
    held = running.memory()
    running.end("host")
    clear(running, "writeback")
    missing = len(many) - queue(running, "attendance").length()
    put(running, "attendance", [one.message() for one in many[:missing]])
    raw = raw_loop(running, "attendance", RAW_WINDOW)
    clear(running, "attendance")
    return Depth(len(many), ours, held, raw)


def figures(depths: Sequence[Depth]) -> Iterator[Figure]:
    """Time at each depth beside the loop's, how both grow with what waits, and memory."""
    for one in depths:
        within = "all of them" if one.ours.all else f"in the first {WINDOW:.0f} s of it"
        note = f"{within}; told {one.ours.told:.1f}/s, folded {one.ours.folded:.1f}/s meanwhile"
        yield Figure("growth", f"{one.size:,} notifications, each", "ms", 1000 / one.ours.pace, note=note)
        yield Figure("growth", f"raw receive, POST, delete beside {one.size:,}, each", "ms", 1000 / one.raw)
    yield Figure(
        "growth",
        "exponent of time by notifications that wait",
        "",
        exponent([(one.size, one.size / one.ours.pace) for one in depths]),
        aim=Aim("median", 1.15),
        note="1 is linear; time is what all of them would take at the pace of their depth",
    )
    raw = exponent([(one.size, one.size / one.raw) for one in depths])
    yield Figure("growth", "exponent of the raw loop's time by messages that wait", "", raw)
    yield memory("growth", "notifications", [(one.size, one.memory) for one in depths])
