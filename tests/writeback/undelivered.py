"""What the EHR refused in a house, and whoever drives it again."""

from shared.errors import StatusRefused
from shared.parked import Parked
from shared.parked_search import Limits
from shared.store.dead_letters import DeadLetter
from tests.writeback.house import House, home

FORBIDDEN = StatusRefused(403)


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
