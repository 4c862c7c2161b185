"""How a launch's time grows with the rows in its connection's partitions.

A region a size, so that each has tables of its own in one emulator, and launches into all of them in turn.
The emulator is that of ``indexed.js``: as it is, it looks for a row through the whole partition, which takes
longer at 100,000 rows than a whole launch. What its look-ups take now is measured beside.
"""

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.figures import Aim, Figure, exponent, timed
from bench.hospital import hospital
from bench.house import ROOT, House, house
from bench.seeds import approved, launch_url, launched, link, publish, register
from bench.walking import Walker
from sandbox.storage import REGIONAL_ACCOUNTS
from shared.connection import region_of

ROWS: Mapping[str, int] = {"abench2222222222": 1_000, "ebench2222222222": 10_000, "pbench2222222222": 100_000}
"""Connection and rows; its first letter is its region."""
OTHERS = {
    "EhrUsers": ("user-other", {"ehr_user": "somebody", "oid": "0" * 36, "sub_mac": "", "linked_at": ""}),
    "Visits": ("other", {"document": "{}"}),
}
"""Tables that a launch looks into by the connection's partition, and what fills it: another's row."""
ROUNDS, WARM = 60, 4


@dataclass
class Size:
    """A connection beside so many rows: the seconds of leg 2, and of its look-ups alone."""

    connection: str
    rows: int
    legs: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)


def measure() -> Iterator[Figure]:
    """A clinician who comes again, beside other people's rows."""
    sizes = [Size(*one) for one in ROWS.items()]
    regions = ",".join(map(region_of, ROWS))
    with house("m365", "epic", regions=regions, indexed=True, before=fill) as running:
        for connection in ROWS:
            publish(running, approved(hospital("epic", running.at), connection, secret=False))
            link(running, "epic", connection)
        register(running, "epic", list(ROWS))
        for place in range(WARM + ROUNDS):
            for size in sizes:
                leg, look = _launch(running, size.connection), _look(running, size.connection)
                if place >= WARM:
                    size.legs.append(leg)
                    size.looks.append(look)
    yield from figures(sizes)


def figures(sizes: Sequence[Size]) -> Iterator[Figure]:
    """Leg 2 at each size beside its look-ups alone, and how both grow."""
    for size in sizes:
        yield timed("growth", f"launch leg 2 beside {size.rows:,} rows", size.legs)
        yield timed("growth", f"its two look-ups alone beside {size.rows:,} rows", size.looks)
    looks = exponent([(one.rows, statistics.median(one.looks)) for one in sizes])
    yield Figure(
        "growth",
        "exponent of time by rows in a partition",
        "",
        exponent([(one.rows, statistics.median(one.legs)) for one in sizes]),
        aim=Aim("median", 0.1),
        note=f"1 is linear, 0 is none; the emulator's own look-ups: {looks:.2f}",
    )


def fill(running: House, counts: Mapping[str, int] = ROWS) -> None:
    """Other people's rows in the partitions: one through the service, the others as copies in its file."""
    running.storage.start()
    for connection in counts:
        for table, (key, values) in OTHERS.items():
            running.services.stores.of(connection).table(table).insert(connection, key, values)
    running.storage.close()
    accounts = dict(zip(("americas", "emea", "apac"), REGIONAL_ACCOUNTS.values(), strict=True))
    wanted = [
        f"{accounts[region_of(connection)]}${table}={count}"
        for connection, count in counts.items()
        for table in OTHERS
    ]
    file = running.folder / "azurite" / "__azurite_db_table__.json"
    command = (shutil.which("node") or "node", str(ROOT / "bench" / "rows.js"), str(file), *wanted)
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _launch(running: House, connection: str) -> float:
    url = launch_url(running, "epic", "provider", 1).replace(next(iter(ROWS)), connection)
    walker = Walker()
    try:
        return launched(walker, url)[1]
    finally:
        walker.close()


def _look(running: House, connection: str) -> float:
    """Seconds of the look-ups for the clinician's link and for the visit: of rows in the middle."""
    store, middle = running.services.stores.of(connection), f"{ROWS[connection] // 2:08d}"
    begun = time.perf_counter()
    for table, (key, _) in OTHERS.items():
        if store.table(table).get(connection, key + middle) is None:
            raise LookupError(f"{table} was not filled")
    return time.perf_counter() - begun
