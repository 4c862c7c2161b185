"""Write-back: how fast notifications are taken, how soon the EHR is told, and how many a second.

The EHR is lean and on loopback, so that what bounds the figures is the connector over the storage emulator.
There are two floors: a loop that receives, POSTs and deletes, with as many threads as the host gives a queue
function; and one bare queue function in the same host, which says what of the distance is the host's.
"""

import ssl
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection

from bench import draining
from bench.draining import THREADS, drained, relay, wait_for
from bench.figures import Aim, Figure, timed
from bench.house import House, house
from bench.notices import Notice, Notices
from sandbox.authority import ensure_authority

IDLE, RATE, SECONDS = 16, 15, 12
"""The pace is about half of what two cores bear: beyond that a delay only says how long it was kept up."""
CLIENTS, BULK, FLOOR, ROUNDS = 4, 400, 800, 3


def measure() -> Iterator[Figure]:
    """Ingress, delays and throughput."""
    with house("m365", "oracle") as running:
        notices = Notices(running)
        deliver(running, notices.make(range(900_000, 900_040)), CLIENTS)
        yield from _delays(running, notices)
        yield from _ingress(running, notices)
        yield from _throughput(running, notices)


def _delays(running: House, notices: Notices) -> Iterator[Figure]:
    delays = [_one(running, notice, place) for place, notice in enumerate(notices.make(range(IDLE)))]
    yield timed("writeback", "accepted → EHR called, idle", delays, note="two polls of at most 500 ms each")
    paced, ingress = _paced(running, notices.make(range(1_000, 1_000 + RATE * SECONDS)))
    yield timed("writeback", f"accepted → EHR called, {RATE} events/s", paced)
    yield timed("writeback", f"ingress, {RATE} events/s", ingress)


def _ingress(running: House, notices: Notices) -> Iterator[Figure]:
    took, rates = list[float](), list[float]()
    for place in range(ROUNDS):
        first = 10_000 + place * BULK // ROUNDS
        seconds, alone = flood(running, notices.make(range(first, first + BULK // ROUNDS)))
        # None of it is left for the next.
        wait_for(running, len(seconds))
        took += seconds
        rates.append(len(seconds) / alone)
    yield timed("writeback", f"ingress, {CLIENTS} clients at once", took)
    yield Figure("writeback", "ingress rate", "/s", statistics.median(rates))


def _throughput(running: House, notices: Notices) -> Iterator[Figure]:
    """All three in turn, so many times; who is not at work stands still."""
    ours, bare, raw = list[float](), list[float](), list[float]()
    made = notices.make(range(20_000, 20_000 + ROUNDS * BULK))
    draining.made_empty(running, draining.RAW)
    with relay(running):
        with running.paused("host"):
            draining.relayed(running, THREADS)
        for place in range(ROUNDS):
            draining.put(running, draining.RAW, draining.bodies(FLOOR))
            with running.paused("host", "relay"):
                raw.append(draining.raw_loop(running, draining.RAW))
            with running.paused("host"):
                bare.append(draining.relayed(running, FLOOR))
            with running.paused("relay"):
                ours.append(drained(running, made[place * BULK : (place + 1) * BULK]).pace)
    yield from _ratios(statistics.median(ours), statistics.median(bare), statistics.median(raw))


def _ratios(ours: float, bare: float, raw: float) -> Iterator[Figure]:
    yield Figure("writeback", "raw receive, POST, delete", "/s", raw, note=f"{THREADS} threads")
    yield Figure(
        "writeback",
        "one bare queue function in the same host",
        "/s",
        bare,
        ratio=bare / raw,
        against="raw loop",
        note="receives, POSTs and deletes as the raw loop does, through host and worker",
    )
    yield Figure(
        "writeback",
        "notification → EHR, ours",
        "/s",
        ours,
        ratio=ours / raw,
        against="raw loop",
        aim=Aim("ratio", 0.333, least=True),
        note="two hops, decryption, ledger and claims against one hop and none",
    )
    name = "notification → EHR, ours beside the bare function"
    yield Figure("writeback", name, "/s", ours, ratio=ours / bare, against="bare function")


def _one(running: House, notice: Notice, place: int) -> float:
    """Seconds from the answer to one notification until the EHR is called, with nothing else to do."""
    # Not in step with the host's polling: evenly over one of its intervals.
    time.sleep(0.35 + (place * 0.137) % 0.5)
    return deliver(running, [notice], 1)[notice.visit]


def _paced(running: House, notices: Sequence[Notice]) -> tuple[list[float], list[float]]:
    """Delays and the ingress's own seconds while notifications come at an even pace."""
    accepted: dict[str, float] = {}
    took: list[float] = []
    poster = Poster(running)
    begun = time.time()

    def post(numbered: tuple[int, Notice]) -> None:
        place, notice = numbered
        time.sleep(max(0.0, begun + place / RATE - time.time()))
        took.append(poster.post(notice))
        accepted[notice.visit] = time.time()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(post, enumerate(notices)))
    told = wait_for(running, len(notices))
    return [told[name] - at for name, at in accepted.items()], took


def deliver(running: House, made: Sequence[Notice], clients: int) -> Mapping[str, float]:
    """Seconds from acceptance to the EHR's being called, by visit."""
    accepted: dict[str, float] = {}
    poster = Poster(running)

    def post(notice: Notice) -> None:
        poster.post(notice)
        accepted[notice.visit] = time.time()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(post, made))
    told = wait_for(running, len(made))
    return {name: told[name] - at for name, at in accepted.items()}


def flood(running: House, made: Sequence[Notice]) -> tuple[list[float], float]:
    """Posts all of them as fast as some clients can: the seconds of each, and of all."""
    poster, begun = Poster(running), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        took = list(pool.map(poster.post, made))
    return took, time.perf_counter() - begun


class Poster:
    """Posts notifications over one kept connection a thread, as Graph's own senders do."""

    def __init__(self, running: House) -> None:
        """Nothing is connected yet."""
        self._port = running.at.host_tls
        self._tls = ssl.create_default_context(cafile=str(ensure_authority(running.folder).bundle))
        self._mine = threading.local()

    def post(self, notice: Notice) -> float:
        """Seconds until it was accepted; RuntimeError if it was not."""
        connection: HTTPSConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = HTTPSConnection("localhost", self._port, timeout=30, context=self._tls)
            connection.connect()
            self._mine.connection = connection
        begun = time.perf_counter()
        connection.request("POST", notice.path, notice.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise RuntimeError(f"the webhook answered {answer.status}")
        return time.perf_counter() - begun
