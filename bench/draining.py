"""What waits in a queue is worked off: by the app, by a bare function in the same host, by a loop without.

Whoever works stands still while messages are put into the queue, so that all of them are seen at one moment
and putting them there is not measured.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from azure.storage.queue import QueueClient

from bench.house import ROOT, House
from bench.lean import BASE
from bench.notices import Notice
from shared.store.queues import Queue

# host.json: 16 messages at a time and 8 more while they run.
THREADS = 24
RELAY, RAW = "bench-relay", "bench-raw"
_ACCOUNT = "antesalaamericas"


@dataclass(frozen=True)
class Drained:
    """Visits a second that the EHR was ``told`` of, and notifications a second ``folded`` meanwhile.

    ``all``: to the end.
    """

    told: float
    folded: float
    all: bool

    @property
    def pace(self) -> float:
        """Notifications a second: half of one is done when it is folded, half when the EHR is told.

        The fold has a head start, so that the queue between the two fills at first, and in the end there is
        nothing to fold: at either end one of the two rates alone would say too much.
        """
        return (self.told + self.folded) / 2


def queue(running: House, name: str) -> Queue:
    """One of the region's queues."""
    return running.services.stores.region("americas").queue(name)


def put(running: House, name: str, texts: Sequence[str]) -> None:
    """Messages into a queue."""
    target = queue(running, name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(target.send, texts))


def clear(running: House, *names: str) -> None:
    """Takes whatever is left out of the queues."""
    connection = running.storage.accounts[_ACCOUNT].connection_string
    for name in names:
        with QueueClient.from_connection_string(connection, name) as client:
            client.clear_messages()


def drained(running: House, made: Sequence[Notice], window: float = 600.0) -> Drained:
    """Notifications that wait: from the first that the EHR is told of, to the last or for some seconds."""
    forget(running)
    with running.paused("host"):
        put(running, "attendance", [one.message() for one in made])
    names = {one.visit for one in made}
    told = wait_for(running, 1)
    begun, waiting = min(told.values()), queue(running, "attendance").length()
    while not names <= told.keys() and time.time() < begun + window:
        time.sleep(0.05)
        told = news(running, told)
    left = queue(running, "attendance").length()
    return rates(told, names, begun, window, waiting - left)


def rates(
    told: Mapping[str, float], names: Collection[str], begun: float, window: float, folded: int
) -> Drained:
    """What the EHR's log says of a window, which the first one opens; that one does not count."""
    seen = sorted(at for name, at in told.items() if name in names and at <= begun + window)
    everything = len(seen) == len(names)
    seconds = seen[-1] - begun if everything else window
    return Drained((len(seen) - 1) / seconds, folded / seconds, everything)


def forget(running: House) -> None:
    """Lets the EHR forget whom it was told of."""
    running.ask("oracle", "GET", "/sandbox/log")


def news(running: House, told: dict[str, float]) -> dict[str, float]:
    """When the EHR was told of each visit, with what it was told meanwhile; the first time counts."""
    for name, at in running.ask("oracle", "GET", "/sandbox/log"):
        told.setdefault(name, at)
    return told


def wait_for(running: House, count: int, seconds: float = 240.0) -> dict[str, float]:
    """When the EHR was told of each visit; TimeoutError if not of so many."""
    until, told = time.monotonic() + seconds, dict[str, float]()
    while len(news(running, told)) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"the EHR was told of {len(told)} of {count}")
        time.sleep(0.05)
    return told


@contextmanager
def relay(running: House) -> Iterator[None]:
    """The host with one bare queue function, beside the app's own; it stands still until it is asked for."""
    made_empty(running, RELAY)
    child = running.start_host(ROOT / "bench" / "relay", "relay", running.spare_ports())
    child.wait_ready()
    try:
        yield
    finally:
        running.end("relay")


def made_empty(running: House, *names: str) -> None:
    """Empty queues of these names."""
    running.storage.accounts[_ACCOUNT].prepare(names, ())
    clear(running, *names)


def relayed(running: House, count: int) -> float:
    """Messages a second of the bare queue function, from the first one told to the last."""
    forget(running)
    with running.paused("relay"):
        put(running, RELAY, bodies(count))
    told = wait_for(running, count)
    return (count - 1) / (max(told.values()) - min(told.values()))


def bodies(count: int) -> list[str]:
    """What a floor POSTs: each one names a visit of its own."""
    return [f'{{"appointment":"appt-{number}"}}' for number in range(count)]


def raw_loop(running: House, name: str, window: float = 600.0) -> float:
    """Messages a second of a loop that receives, POSTs each to the same EHR, and deletes it.

    From the first one told to the last, as the others.
    """
    source, url = queue(running, name), f"{running.at.oracle_tls_url}{BASE}/AuditEvent"
    send, until = running.services.outbound.send, time.monotonic() + window
    forget(running)

    def work() -> None:
        # Everything is there from the beginning: who finds nothing is not needed any more.
        while time.monotonic() < until and (messages := source.receive(16, hide=60)):
            for message in messages:
                send("POST", url, body=message.text, service="bench")
                source.delete(message)

    with ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(work) for _ in range(THREADS)]:
            one.result()
    told: list[float] = [at for _, at in running.ask("oracle", "GET", "/sandbox/log")]
    return (len(told) - 1) / (max(told) - min(told))
