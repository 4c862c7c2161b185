"""A house on the real storage emulator, and one in memory for tests that play a visit very often."""

from collections import defaultdict

import pytest

from shared.store import Stores
from tests.fakes import FakeClock
from tests.writeback.house import House
from tests.writeback.memory import MemoryTable, Trap
from tests.writeback.office import Office


@pytest.fixture
def house(stores: Stores, connection_id: str, clock: FakeClock) -> House:
    """Its rows lie in Azurite."""
    return House(connection_id, stores.of(connection_id).table, clock, Trap())


@pytest.fixture
def light(connection_id: str, clock: FakeClock) -> House:
    """Its rows lie in memory."""
    return memory_house(connection_id, clock, Trap())


@pytest.fixture
def office(light: House) -> Office:
    """It is tended."""
    return Office(light)


def memory_house(connection_id: str, clock: FakeClock, trap: Trap) -> House:
    tables: defaultdict[str, MemoryTable] = defaultdict(MemoryTable)
    return House(connection_id, lambda name: tables[name], clock, trap)
