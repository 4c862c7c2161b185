"""Write-back: how fast notifications are taken, how soon the EHR is told, and how many a second.

The EHR is lean and on loopback, so that what bounds the figures is the connector over the storage emulator.
The floor is a loop that receives, POSTs and deletes, with as many threads as the host gives the two hops.
"""

import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection

from bench.figures import Aim, Figure, timed
from bench.house import House, house
from bench.lean import BASE
from bench.notices import Notice, Notices
from sandbox.authority import ensure_authority

IDLE, RATE, SECONDS, BULK = 12, 50, 6, 400
# host.json: 16 messages at a time and 8 more while they run, for each of the two queue functions.
THREADS = 24
CLIENTS = 4


def measure() -> Iterator[Figure]:
    """Ingress, delays and throughput."""
    with house("m365", "oracle") as running:
        notices = Notices(running)
        deliver(running, notices.make(range(900_000, 900_004)), 2)
        delays = [_one(running, notices, number) for number in range(IDLE)]
        yield timed(
            "writeback", "accepted → EHR called, idle", delays, note="two polls of at most 500 ms each"
        )
        paced, ingress = _paced(running, notices.make(range(1_000, 1_000 + RATE * SECONDS)))
        yield timed("writeback", f"accepted → EHR called, {RATE} events/s", paced)
        yield timed("writeback", f"ingress, {RATE} events/s", ingress)
        took, alone = flood(running, notices.make(range(10_000, 10_000 + BULK)))
        yield timed("writeback", f"ingress, {CLIENTS} clients at once", took)
        yield Figure("writeback", "ingress rate", "/s", BULK / alone)
        rate = [
            throughput(running, notices, range(20_000 + place * BULK, 20_000 + (place + 1) * BULK))
            for place in (0, 1)
        ]
        raw = [raw_loop(running, BULK) for _ in range(2)]
        yield Figure("writeback", "raw receive, POST, delete", "/s", max(raw), note=f"{THREADS} threads")
        ratio = max(rate) / max(raw)
        yield Figure(
            "writeback",
            "notification → EHR, ours",
            "/s",
            max(rate),
            ratio=ratio,
            against="raw loop",
            aim=Aim("ratio", 0.333, least=True),
            note="two hops, decryption, ledger and claims against one hop and none",
        )


def _one(running: House, notices: Notices, number: int) -> float:
    """Seconds from the answer to one notification until the EHR is called, with nothing else to do."""
    (notice,) = notices.make([number])
    # Not in step with the host's polling.
    time.sleep(0.35 + (number * 0.137) % 0.5)
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


def throughput(running: House, notices: Notices, numbers: range) -> float:
    """Notifications a second that wait in the queue, from the first one told to the EHR to the last.

    They become visible at one moment, so that putting them there is not measured.
    """
    made = notices.make(numbers)
    queue = running.services.stores.region("americas").queue("attendance")
    visible = time.time() + 2 + len(made) / 100
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: queue.send(one.message(), delay=max(0.0, visible - time.time())), made))
    told = wait_for(running, len(made))
    return len(made) / (max(told.values()) - min(told.values()))


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


def wait_for(running: House, count: int, seconds: float = 240.0) -> dict[str, float]:
    """When the EHR was told of each visit; TimeoutError if not of so many."""
    until, told = time.monotonic() + seconds, dict[str, float]()
    while len(told) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"the EHR was told of {len(told)} of {count}")
        for name, at in running.ask("oracle", "GET", "/sandbox/log"):
            told.setdefault(name, at)
        time.sleep(0.05)
    return told


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


def raw_loop(running: House, count: int) -> float:
    """Messages a second of a loop that receives, POSTs each to the same EHR, and deletes it."""
    queue = running.services.stores.region("americas").queue("bench-raw")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: queue.send(f'{{"appointment":"appt-{number}"}}'), range(count)))
    left, lock = [count], threading.Lock()
    url = f"{running.at.oracle_tls_url}{BASE}/AuditEvent"
    send = running.services.outbound.send

    def work() -> None:
        while left[0] > 0:
            for message in queue.receive(16, hide=60):
                send("POST", url, body=message.text, service="bench")
                queue.delete(message)
                with lock:
                    left[0] -= 1

    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for running_thread in [pool.submit(work) for _ in range(THREADS)]:
            running_thread.result()
    seconds = time.perf_counter() - begun
    running.ask("oracle", "GET", "/sandbox/log")
    return count / seconds
