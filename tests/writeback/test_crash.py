"""A process that dies between any two steps: before an effect on the outside, or right after it.

Each story is played once to count its calls to the outside, and then once for each of them and each side of
it. Whatever a dead process left, the host brings the message again; in the end nothing may be lost or wrong.
"""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import pytest

from shared.errors import StatusRefused
from shared.messages import WritebackMessage
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import House, guest, home
from tests.writeback.memory import Crash, Trap
from tests.writeback.undelivered import letters, parking
from writeback_function.breaker import FAILURES, Turn

type When = Literal["before", "after"]
type Story = Callable[[House], None]

DOWN = StatusRefused(503)
REFUSED = StatusRefused(403)
BOTH_SIDES = pytest.mark.parametrize("when", ["before", "after"])


def waiting_rows(house: House) -> int:
    return sum(1 for _ in house.region.operations._table.rows(house.connection, "waiting-", "waiting."))


def comes(house: House, seconds: float, *deltas: object) -> None:
    """Graph's notification lies in the queue."""
    item = house.item(house.event(seconds, *deltas))  # type: ignore[arg-type]
    house.clocked["attendance"].send(house.text(item))


def every_crash(
    connection: str, prepare: Story, story: Story, when: When, check: Callable[[House, int], None]
) -> int:
    """How many calls there were to die at."""

    def played(trap: Trap) -> int:
        house = memory_house(connection, FakeClock(), Trap())
        prepare(house)
        house.trap.at, house.trap.when, house.trap.count = trap.at, trap.when, 0
        story(house)
        calls = house.trap.count
        assert house.trap.sprung is (trap.at > 0), trap
        house.start()
        house.trap.at = 0
        check(house, trap.at)
        return calls

    calls = played(Trap())
    for number in range(1, calls + 1):
        played(Trap(number, when))
    return calls


def all_quiet(house: House, number: int) -> None:
    assert house.poisoned == [], number
    assert (house.waiting(), house.waiting("attendance")) == ([], []), number
    left = house.region.operations.undelivered(house.connection)
    # Who counts takes away what a crash may have left.
    assert (left.count, waiting_rows(house)) == (0, 0), number


def nothing_twice(house: House, number: int) -> None:
    """The same operation told again is harmless; two operations for one transition would not be."""
    seen = {(one.role, one.status, one.at): one.operation for one in house.adapter.held}
    assert len(set(seen.values())) == len(seen), number
    if house.adapter.semantics == "event":
        for role in ("patient", "provider"):
            mine = {one.operation: one for one in house.adapter.held if one.role == role}
            states = [one.status for one in sorted(mine.values(), key=lambda one: one.at)]
            assert all(one != other for one, other in itertools.pairwise(states)), number


# -- told ------------------------------------------------------------------------------------------


def _visit(house: House) -> None:
    for seconds, delta in [
        (0, guest("p", lobby=True)),
        (30, guest("p")),
        (40, home("d")),
        (100, guest("p", out=True)),
        (105, guest("p")),
        (300, guest("p", out=True)),
        (301, home("d", out=True)),
    ]:
        comes(house, seconds, delta)
        house.run_for(2)
    house.run_for(4_000)


def _final(house: House, role: str) -> str:
    mine = [one for one in house.adapter.held if one.role == role]
    return max(mine, key=lambda one: one.at).status if house.adapter.semantics == "event" else mine[-1].status


@pytest.mark.parametrize(
    ("semantics", "when", "failing"),
    [
        ("state", "before", False),
        ("state", "after", True),
        ("event", "before", True),
        ("event", "after", False),
    ],
)
def test_a_crash_at_any_call_should_end_with_the_ehr_told(
    connection_id: str, semantics: Literal["state", "event"], when: When, failing: bool
) -> None:
    def prepare(house: House) -> None:
        house.visit()
        house.adapter.semantics = semantics
        if failing:
            house.adapter.failures = [DOWN, StatusRefused(503, retry_after=120)]

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert (house.parked(), house.dead()) == (0, []), number
        assert (_final(house, "patient"), _final(house, "provider")) == ("disconnected",) * 2, number
        nothing_twice(house, number)
        assert set(house.outcomes()) <= {"told", "dropped"}, number

    # Each of 7 notifications reads a row and writes it; each of 4 transitions is queued, claimed, read,
    # marked, told and written down.
    assert every_crash(connection_id, prepare, _visit, when, check) >= 7 * 2 + 4 * 6


# -- refused, given up -----------------------------------------------------------------------------


def _one(house: House) -> None:
    comes(house, 5, guest("p"))
    house.run_for(400)


@BOTH_SIDES
def test_a_crash_while_parking_should_lose_neither_message_nor_row(connection_id: str, when: When) -> None:
    def prepare(house: House) -> None:
        house.visit()
        house.adapter.down = REFUSED

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert house.dead() == [("StatusRefused", 403, "writeback")], number
        # The message may lie there twice, as the operation's id shows; it never lies there not at all.
        texts = [one.text for one in house.waiting(house.lot)]
        names = {WritebackMessage.read(text, house.sealer).operation for text in texts}
        assert (len(names), len(texts) in (1, 2)) == (1, True), number
        assert (house.outcomes(), house.adapter.held) == (["parked"], []), number

    assert every_crash(connection_id, prepare, _one, when, check) > 10


@BOTH_SIDES
def test_what_is_told_after_a_crash_while_parking_should_leave_no_row(connection_id: str, when: When) -> None:
    """The EHR refused it once only: what it was told at last must not be shown as what it was not told."""

    def prepare(house: House) -> None:
        house.visit()
        house.adapter.failures = [REFUSED]

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        told = house.outcomes() == ["told"]
        assert told == (len(house.adapter.held) > 0) == (house.dead() == []), number

    every_crash(connection_id, prepare, _one, when, check)


@BOTH_SIDES
def test_a_crash_when_its_day_is_over_should_park_it_all_the_same(connection_id: str, when: When) -> None:
    def prepare(house: House) -> None:
        house.visit()
        house.adapter.down = DOWN

    def story(house: House) -> None:
        comes(house, 5, guest("p"))
        house.run_for(5)
        for message in house.waiting():
            # Its day passes without one try more.
            message.seen += timedelta(seconds=90_000)
        house.run_for(200_000)

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert house.dead() == [("gave-up", 503, "writeback")], number
        assert (house.parked() in (1, 2), house.outcomes()) == (True, ["parked"]), number

    assert every_crash(connection_id, prepare, story, when, check) > 15


# -- deferred --------------------------------------------------------------------------------------


@BOTH_SIDES
def test_a_crash_while_the_ehr_is_spared_should_lose_nothing(connection_id: str, when: When) -> None:
    def prepare(house: House) -> None:
        house.visit(*(house.doctor(f"EMP-{n}", f"oid-{n}") for n in range(2)))
        for _ in range(FAILURES):
            turn = house.delivering._breaker.enter(house.connection)
            assert isinstance(turn, Turn)
            turn.failed()
            turn.leave()

    def story(house: House) -> None:
        comes(house, 5, *(home(f"d{n}", f"oid-{n}") for n in range(2)))
        house.run()
        house.run_for(300)

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert {one.user for one in house.adapter.held} == {"EMP-0", "EMP-1"}, number
        assert (house.outcomes(), house.dead()) == (["told"] * 2, []), number

    assert every_crash(connection_id, prepare, story, when, check) > 15


# -- driven again, poison --------------------------------------------------------------------------


def _driven_again(house: House) -> None:
    """Somebody presses the button again and again."""
    for _ in range(3):
        _calm(house, lambda: parking(house).send_again(house.connection, letters(house)))
        house.run_for(200)


def _calm[T](house: House, step: Callable[[], T]) -> T | None:
    try:
        return step()
    except Crash:
        house.start()
        return None


@BOTH_SIDES
def test_a_crash_while_driving_again_should_end_with_the_ehr_told(connection_id: str, when: When) -> None:
    def prepare(house: House) -> None:
        house.visit()
        house.adapter.failures = [REFUSED]
        comes(house, 5, guest("p"))
        house.run_for(100)
        assert house.dead()

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert (house.outcomes(), house.dead(), house.parked()) == (["told"], [], 0), number
        assert len({one.operation for one in house.adapter.held}) == 1, number

    assert every_crash(connection_id, prepare, _driven_again, when, check) > 10


@BOTH_SIDES
def test_a_crash_while_poison_is_parked_should_lose_it_never(connection_id: str, when: When) -> None:
    def prepare(house: House) -> None:
        house.visit()
        house.adapter.failures = [DOWN]
        comes(house, 5, guest("p"))
        house.run()

    def story(house: House) -> None:
        (message,) = house.waiting()
        house.clocked["writeback"].messages.remove(message)

        def park() -> bool:
            house.parking.park(house.region, "writeback", message.text.encode())
            return True

        while not _calm(house, park):
            pass

    def check(house: House, number: int) -> None:
        all_quiet(house, number)
        assert house.dead() == [("poison", 0, "writeback")], number
        assert house.parked() in (1, 2), number

    assert every_crash(connection_id, prepare, story, when, check) == 3
