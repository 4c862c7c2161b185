"""Dead letters driven again: nothing lost, nothing doubled, whatever the process dies of."""

import time
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from shared.parked import Parked
from shared.parked_search import Limits, Tally
from shared.store import Stores
from shared.store.queues import Queue, parked_queue
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import House
from tests.writeback.memory import Crash, Trap
from tests.writeback.undelivered import FORBIDDEN, letters, parking, refused

QUICK = Limits(hide=1)
OTHERS = "a" + "c" * 15


# -- crashes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("mended", [True, False], ids=["mended", "refused once more"])
@pytest.mark.parametrize("act", ["send_again", "discard"])
def test_a_crash_at_any_call_should_lose_and_double_nothing(
    connection_id: str, when: Literal["before", "after"], mended: bool, act: str
) -> None:
    """After each crash the worker takes whatever was sent before anybody presses the button again."""

    def played(at: int) -> House:
        house = memory_house(connection_id, FakeClock(), Trap())
        refused(house, 2)
        house.clocked[house.lot].send("somebody else's")
        house.adapter.failures = [] if mended else [FORBIDDEN]
        house.trap.at, house.trap.when, house.trap.count = at, when, 0
        try:
            getattr(parking(house), act)(house.connection, letters(house))
        except Crash:
            house.start()
        house.trap.at = 0
        return house

    calls = played(0).trap.count
    assert calls > 8
    for number in range(1, calls + 1):
        house = played(number)
        for _ in range(3):
            house.run_for(120)
            getattr(parking(house), act)(house.connection, letters(house))
        house.run_for(120)
        assert (letters(house), house.waiting()) == ([], []), number
        assert [one.text for one in house.waiting(house.lot)] == ["somebody else's"], number
        told = [one.operation for one in house.adapter.held]
        if act == "send_again":
            assert len(told) == len(set(told)) == 2, number
        else:
            assert told == [], number


# -- on the real storage ---------------------------------------------------------------------------


@pytest.fixture
def real(stores: Stores, connection_id: str, clock: FakeClock) -> House:
    """Rows and parked messages in Azurite."""
    region = stores.of(connection_id)
    house = House(connection_id, region.table, clock, Trap())
    house.clocked[house.lot] = cast("Any", region.queue(house.lot))
    return house


@pytest.fixture
def lot(stores: Stores, real: House) -> Queue:
    """The parked messages of the connection."""
    return stores.of(real.connection).queue(real.lot)


@pytest.mark.azurite
def test_on_the_real_storage_others_should_be_handed_back_at_once(real: House, lot: Queue) -> None:
    house, queue = real, lot
    for number in range(40):
        queue.send(f"somebody else's {number}")
    refused(house, 3)
    queue.send("the last")
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=3)
    assert letters(house) == []
    seen = [message for _ in range(3) for message in queue.receive(32, 30)]
    assert all(queue.delete(message) for message in seen)
    assert sorted(message.text for message in seen) == sorted(
        ["the last", *(f"somebody else's {number}" for number in range(40))]
    )
    house.run_for(60)
    assert len(house.adapter.held) == 3


@pytest.mark.azurite
def test_on_the_real_storage_a_crash_should_hide_messages_for_a_bounded_time_only(
    real: House, lot: Queue
) -> None:
    house, queue = real, lot
    refused(house, 2)
    house.trap.at, house.trap.when, house.trap.count = 6, "before", 0
    with pytest.raises(Crash):
        parking(house, QUICK).send_again(house.connection, letters(house))
    house.start()
    time.sleep(1.1)
    assert queue.length() > 0
    parking(house, QUICK).send_again(house.connection, letters(house))
    house.run_for(60)
    assert (letters(house), queue.length(), len(house.adapter.held)) == ([], 0, 2)


@pytest.mark.azurite
def test_on_the_real_storage_a_letter_of_another_connection_should_stay(real: House, lot: Queue) -> None:
    house, queue = real, lot
    refused(house)
    # Even where it lies in the wrong queue.
    house.clocked[parked_queue(OTHERS)] = house.clocked[house.lot]
    theirs = SimpleNamespace(of=lambda _: house.region)
    other = Parked(cast("Any", theirs), house.contexts, house.sealer, house.clock)
    assert other.send_again(OTHERS, letters(house)).done == 0
    assert (len(letters(house)), queue.length()) == (1, 1)
