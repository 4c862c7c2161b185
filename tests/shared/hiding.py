"""A house whose parked messages can be received, and what the EHR refused in it."""

from datetime import timedelta

from shared.errors import StatusRefused
from shared.parked import Parked
from shared.parked_search import Limits
from shared.store.dead_letters import DeadLetter
from shared.store.queues import PARKED, Message
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import ClockQueue, House, Trap, home

FORBIDDEN = StatusRefused(403)


class HidingQueue(ClockQueue):
    """A queue from which messages are received, and in which they hide, by the test's clock."""

    def receive(self, most: int = 16, hide: int = 30) -> list[Message]:
        now = self.clock.now()
        found = [one for one in self.messages if one.seen <= now][:most]
        for one in found:
            one.seen, one.deliveries = now + timedelta(seconds=hide), one.deliveries + 1
        return [Message(str(id(one)), str(one.deliveries), one.text) for one in found]

    def delete(self, message: Message) -> bool:
        for one in self.messages:
            if (str(id(one)), str(one.deliveries)) == (message.id, message.receipt):
                self.messages.remove(one)
                return True
        return False

    def release(self, message: Message) -> bool:
        for one in self.messages:
            if (str(id(one)), str(one.deliveries)) == (message.id, message.receipt):
                one.seen = self.clock.now()
        return True

    def length(self) -> int:
        return len(self.messages)


def hiding(connection: str, trap: Trap | None = None) -> House:
    """A house in memory whose parked messages can be received."""
    house = memory_house(connection, FakeClock(), trap or Trap())
    for name in (house.lot, PARKED):
        house.clocked[name] = HidingQueue(house.clock)
    return house


def parking(house: House, limits: Limits | None = None) -> Parked:
    return Parked(house.stores, house.contexts, house.sealer, house.clock, limits)


def letters(house: House) -> list[DeadLetter]:
    found: list[DeadLetter] = house.region.dead_letters.of_connection(house.connection)
    return found


def refused(house: House, people: int = 1) -> None:
    """As many connects as there are people, each refused by the EHR for good."""
    house.visit(*(house.doctor(f"EMP-{number}", f"oid-{number}") for number in range(people)))
    house.adapter.down = FORBIDDEN
    house.sees(5, *(home(f"d{number}", f"oid-{number}") for number in range(people)))
    house.run_for(60)
    house.adapter.down = None
    assert len(letters(house)) == people
