"""What is over goes, what is not stays, to the millisecond; on the real storage emulator."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.clock import timestamp
from shared.retention import PARKED_DAYS, RULES, Limits, Retention, Rule
from shared.store.faults import StorageUnavailable
from shared.store.launches import KEPT_FOR
from shared.store.queues import PARKED, Queue, parked_queue
from shared.store.region import RegionStore, Stores
from shared.store.table import Row, Table
from shared.store.visits import Visit
from tests.fakes import FakeClock

pytestmark = pytest.mark.azurite

MOMENT = timedelta(milliseconds=1)
DAYS = {"Visits": 30, "Operations": 30, "DeadLetters": 30, "Launches": 30, "Audit": 730}


class Rooms:
    """A region's store whose tables and queues have names of this test's own, so that it is alone in them."""

    def __init__(self, store: RegionStore, suffix: str) -> None:
        self.name = store.name
        self._store = store
        self._suffix = suffix
        self.silent: set[str] = set()

    def table(self, name: str) -> Any:
        table = self._store.table(name + self._suffix)
        return Silent(table) if name in self.silent else table

    def queue(self, name: str) -> Queue:
        return self._store.queue(f"{name}-{self._suffix.lower()}")

    def parked(self) -> tuple[Queue, ...]:
        return self.queue(PARKED), self.queue(parked_queue("c"))


class Silent:
    """A table that answers once and then no more: an outage in the middle of a run."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def pages(self, query: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
        yield next(self._table.pages(query, parameters))
        raise StorageUnavailable("table: no answer")

    def batch(self, writes: Any) -> list[str]:
        return self._table.batch(writes[:1])


@pytest.fixture
def rooms(stores: Stores, connection_id: str) -> Rooms:
    return Rooms(stores.of(connection_id), f"R{connection_id}")


@pytest.fixture
def connection_id(request: pytest.FixtureRequest) -> str:
    import hashlib

    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return "a" + "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:15])


def keys(table: Any) -> set[str]:
    return {row.rk for page in table.pages("RowKey ge @all", {"all": ""}) for row in page}


def left_in(rooms: Rooms, name: str) -> set[str]:
    return keys(rooms._store.table(name + rooms._suffix))


def days_ago(clock: FakeClock, days: float, more: timedelta = timedelta()) -> str:
    return timestamp(clock.now() - timedelta(days=days) - more)


def visit(key: str, created_at: str, closed_at: str = "") -> Visit:
    return Visit("aaaaaaaaaaaaaaaa", key, 1, created_at, closed_at=closed_at)


# -- ages ------------------------------------------------------------------------------------------


def test_the_ages_are_those_of_the_design() -> None:
    assert {rule.table: rule.ages[0].days for rule in RULES} == DAYS
    assert DAYS["DeadLetters"] == PARKED_DAYS
    assert timedelta(days=DAYS["Launches"]) == KEPT_FOR


@pytest.mark.parametrize(
    ("rule", "since", "days"),
    [(rule, age.since, age.days) for rule in RULES for age in rule.ages],
    ids=lambda value: value.table if isinstance(value, Rule) else None,
)
def test_a_row_goes_exactly_at_its_age(
    rooms: Rooms, clock: FakeClock, rule: Rule, since: str, days: int
) -> None:
    table = rooms.table(rule.table)
    table.insert("p", "over", {since: days_ago(clock, days)})
    table.insert("p", "not-yet", {since: days_ago(clock, days, -MOMENT)})
    table.insert("p", "never-begun", {since: ""})
    counts = Retention(clock).run(rooms)
    assert left_in(rooms, rule.table) == {"not-yet", "never-begun"}
    assert counts[rule.table] == 1
    clock.advance(0.001)
    assert Retention(clock).run(rooms)[rule.table] == 1
    assert Retention(clock).run(rooms)[rule.table] == 0


def test_a_visit_goes_thirty_days_after_its_closing_and_an_open_one_at_the_bound(
    rooms: Rooms, clock: FakeClock
) -> None:
    from shared.store.visits import Visits
    from tests.fakes import SeededEntropy

    visits = Visits(rooms.table("Visits"), SeededEntropy())
    visits.create(visit("closed-30", days_ago(clock, 31), days_ago(clock, 30)))
    visits.create(visit("closed-29", days_ago(clock, 31), days_ago(clock, 29)))
    visits.create(visit("open-31", days_ago(clock, 31)))
    visits.create(visit("open-44", days_ago(clock, 44.9)))
    visits.create(visit("open-45", days_ago(clock, 45)))
    visits.create(visit("reopened", days_ago(clock, 40), days_ago(clock, 35)))
    visits.change("aaaaaaaaaaaaaaaa", "reopened", lambda row: replace(row, closed_at=""))
    Retention(clock).run(rooms)
    assert left_in(rooms, "Visits") == {"closed-29", "open-31", "open-44", "reopened"}


def test_a_row_of_another_version_goes_by_when_it_was_written(rooms: Rooms) -> None:
    for rule in RULES:
        rooms.table(rule.table).insert("p", "odd", {"something": "else"})
    now = datetime.now(UTC)
    Retention(FakeClock(now + timedelta(days=29))).run(rooms)
    assert all(left_in(rooms, rule.table) for rule in RULES)
    Retention(FakeClock(now + timedelta(days=46))).run(rooms)
    assert {rule.table for rule in RULES if left_in(rooms, rule.table)} == {"Audit"}


# -- parked messages -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [PARKED, parked_queue("c")])
def test_a_parked_message_goes_with_its_dead_letter(rooms: Rooms, name: str) -> None:
    queue = rooms.queue(name)
    queue.send("older")
    parked_at = queue.oldest()
    assert parked_at is not None
    rooms.table("DeadLetters").insert("p", "older", {"at": timestamp(parked_at)})
    clock = FakeClock(parked_at + timedelta(days=30) - MOMENT)
    Retention(clock).run(rooms)
    assert (queue.length(), left_in(rooms, "DeadLetters")) == (1, {"older"})
    # Storage counts in whole seconds: the second is of another age.
    while (datetime.now(UTC) - parked_at).total_seconds() < 1.2:
        time.sleep(0.05)
    queue.send("newer")
    clock.advance(0.001)
    counts = Retention(clock).run(rooms)
    assert (counts[PARKED], counts["DeadLetters"], left_in(rooms, "DeadLetters")) == (1, 1, set())
    # The other one is handed back at once.
    assert [message.text for message in queue.receive()] == ["newer"]


# -- bounds, crashes, outages ----------------------------------------------------------------------


def test_many_rows_of_many_partitions_go_in_runs_of_a_bounded_size(rooms: Rooms, clock: FakeClock) -> None:
    table = rooms.table("Launches")
    for number in range(130):
        table.insert("first", f"{number:03d}", {"at": days_ago(clock, 31)})
        table.insert(f"p{number % 3}", f"{number:03d}", {"at": days_ago(clock, 31)})
    table.insert("first", "kept", {"at": days_ago(clock, 1)})
    few = Retention(clock, Limits(rows=100))
    sizes = [few.run(rooms)["Launches"] for _ in range(4)]
    assert sizes[0] == 100
    assert sum(sizes) == 260
    assert left_in(rooms, "Launches") == {"kept"}


def test_a_run_without_time_begins_nothing(rooms: Rooms, clock: FakeClock) -> None:
    rooms.table("Launches").insert("p", "over", {"at": days_ago(clock, 31)})
    assert sum(Retention(clock, Limits(seconds=-1)).run(rooms).values()) == 0
    assert left_in(rooms, "Launches") == {"over"}


@pytest.mark.parametrize("silent", [rule.table for rule in RULES])
def test_an_outage_in_the_middle_keeps_no_other_table_and_the_next_run_finishes(
    rooms: Rooms, clock: FakeClock, silent: str
) -> None:
    for rule in RULES:
        for name in ("one", "two"):
            rooms.table(rule.table).insert("p", name, {rule.ages[0].since: days_ago(clock, 731)})
    rooms.silent.add(silent)
    with pytest.raises(StorageUnavailable):
        Retention(clock).run(rooms)
    assert {rule.table for rule in RULES if left_in(rooms, rule.table)} == {silent}
    assert left_in(rooms, silent) == {"two"}
    rooms.silent.clear()
    assert Retention(clock).run(rooms)[silent] == 1
    assert left_in(rooms, silent) == set()


@pytest.mark.parametrize("taken", ["gone", "none"])
def test_what_is_written_between_finding_and_deleting_stays(
    rooms: Rooms, clock: FakeClock, taken: str
) -> None:
    table = rooms._store.table("DeadLetters" + rooms._suffix)
    for name in ("again", "over", *(("gone",) if taken == "gone" else ())):
        table.insert("p", name, {"at": days_ago(clock, 31)})

    class Meanwhile:
        def pages(self, query: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
            for page in table.pages(query, parameters):
                table.upsert("p", "again", {"at": timestamp(clock.now())})
                table.delete("p", "gone")
                yield page

        def __getattr__(self, name: str) -> Any:
            return getattr(table, name)

    rooms.table = lambda name: Meanwhile() if name == "DeadLetters" else table  # type: ignore[method-assign]
    assert Retention(clock).run(rooms)["DeadLetters"] == 1
    assert keys(table) == {"again"}


def test_the_log_counts_by_table_and_names_nobody(
    rooms: Rooms, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.table("Launches").insert("secret-partition", "secret-row", {"at": days_ago(clock, 31)})
    with caplog.at_level(logging.INFO, logger="antesala.retention"):
        Retention(clock).run(rooms)
    (record,) = [record for record in caplog.records if record.name == "antesala.retention"]
    assert "Launches 1" in record.getMessage()
    assert "Visits 0" in record.getMessage()
    assert "secret" not in record.getMessage()
