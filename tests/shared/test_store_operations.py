"""Claims and what waits, on the storage emulator."""

import pytest

from shared.clock import timestamp
from shared.store import Stores
from shared.store.operations import LEASE, Claim, Held, Operations, Undelivered, Waiting
from tests.fakes import FakeClock

pytestmark = pytest.mark.azurite
ONE, TWO, LANE = (f"{number}0000000-0000-5000-8000-000000000000" for number in (1, 2, 3))


@pytest.fixture
def connection(connection_id: str) -> str:
    return connection_id


@pytest.fixture
def operations(stores: Stores, connection: str) -> Operations:
    return stores.of(connection).operations


def taken(operations: Operations, connection: str, owner: str = "me", operation: str = ONE) -> Held:
    held = operations.take(connection, operation, LANE, owner)
    assert isinstance(held, Held)
    return held


def waiting(clock: FakeClock, operation: str = ONE, reason: str = "outage") -> Waiting:
    return Waiting(operation, timestamp(clock.now()), reason, 1)


def test_an_operation_and_its_lane_should_be_taken_together(operations: Operations, connection: str) -> None:
    held = taken(operations, connection)
    assert not held.resumed
    assert operations.take(connection, ONE, "4", "you") == Claim("busy")
    assert operations.take(connection, TWO, LANE, "you") == Claim("busy")
    # What was not taken is not left claimed.
    operations.give_back(held)
    assert not taken(operations, connection, "you", TWO).resumed


def test_what_is_finished_should_be_settled_and_leave_its_lane(
    operations: Operations, connection: str
) -> None:
    operations.finish(taken(operations, connection), "told")
    assert operations.take(connection, ONE, LANE, "you") == Claim("settled", "told")
    assert operations.outcome(connection, ONE) == "told"
    taken(operations, connection, "you", TWO)


def test_what_a_dead_worker_holds_should_be_taken_over_after_its_lease(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    dead = taken(operations, connection)
    clock.advance(LEASE.total_seconds() - 1)
    assert operations.take(connection, ONE, LANE, "you") == Claim("busy")
    clock.advance(1)
    held = taken(operations, connection, "you")
    assert held.resumed
    # It was not dead, only slow: it gives back nothing that is not its own.
    operations.give_back(dead)
    assert operations.take(connection, ONE, LANE, "they") == Claim("busy")
    operations.finish(held, "told", waiting(clock))
    assert operations.outcome(connection, ONE) == "told"
    taken(operations, connection, "they", TWO)


def test_a_slow_worker_should_write_its_outcome_and_leave_the_lane_to_the_other(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    slow = taken(operations, connection)
    clock.advance(LEASE.total_seconds() + 1)
    taken(operations, connection, "you")
    operations.finish(slow, "told")
    assert operations.outcome(connection, ONE) == "told"
    assert operations.take(connection, TWO, LANE, "they") == Claim("busy")


def test_what_waits_should_be_counted_with_the_age_of_the_oldest(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    assert operations.undelivered(connection) == Undelivered(0)
    first = waiting(clock)
    clock.advance(60)
    second = waiting(clock, TWO, "people")
    operations.give_back(taken(operations, connection), first)
    operations.give_back(taken(operations, connection, operation=TWO), second)
    # A second attempt changes its row and makes no other.
    operations.give_back(taken(operations, connection), first)
    clock.advance(30)
    assert operations.undelivered(connection) == Undelivered(2, 90, "outage")
    operations.finish(taken(operations, connection), "told", first)
    assert operations.undelivered(connection) == Undelivered(1, 30, "people")
    operations.finish(taken(operations, connection, operation=TWO), "parked", second)
    assert operations.undelivered(connection) == Undelivered(0)
    assert operations.outcome(connection, TWO) == "parked"
    assert operations.undelivered(f"{connection[:-1]}0") == Undelivered(0)


def test_the_row_of_one_that_does_not_wait_should_be_no_obstacle(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    operations.finish(taken(operations, connection), "dropped", waiting(clock))
    assert operations.outcome(connection, ONE) == "dropped"
    taken(operations, connection, "you", TWO)


def test_a_row_that_a_crash_left_behind_should_go_when_it_is_counted(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    operations.waits(connection, waiting(clock))
    operations.settle(connection, ONE, "parked")
    operations.waits(connection, waiting(clock, TWO))
    assert operations.undelivered(connection).count == 1
    assert operations.reopen(connection, ONE) is None
    assert operations.undelivered(connection).count == 1


def test_a_slow_worker_should_park_nothing_that_another_told(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    slow = taken(operations, connection)
    clock.advance(LEASE.total_seconds())
    operations.finish(taken(operations, connection, "you"), "told")
    operations.finish(slow, "parked")
    assert operations.outcome(connection, ONE) == "told"


def test_what_a_worker_is_at_should_not_be_reopened_before_its_lease_is_over(
    operations: Operations, connection: str, clock: FakeClock
) -> None:
    slow = taken(operations, connection)
    assert operations.reopen(connection, ONE) == "busy"
    clock.advance(LEASE.total_seconds())
    assert operations.reopen(connection, ONE) is None
    operations.finish(slow, "parked")
    assert operations.outcome(connection, ONE) is None
