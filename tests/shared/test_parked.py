"""Dead letters driven again or given up."""

from contextlib import suppress
from typing import Literal

import pytest

from shared.context import ContextSeal
from shared.messages import AttendanceMessage, WritebackMessage, sealed
from shared.parked import NOBODYS, poison_id
from shared.parked_search import Tally
from shared.sealing import Sealer
from shared.store.dead_letters import DeadLetter
from shared.store.queues import PARKED, Message, parked_queue
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import House, guest, home
from tests.writeback.memory import ClockQueue, Crash, Trap
from tests.writeback.undelivered import FORBIDDEN, letters, parking, refused
from writeback_function.poison import Poison


@pytest.fixture
def hidden(connection_id: str) -> House:
    return memory_house(connection_id, FakeClock(), Trap())


# -- driving again ---------------------------------------------------------------------------------


def test_a_letter_should_reach_a_mended_ehr_exactly_once(hidden: House) -> None:
    house = hidden
    refused(house)
    house.clock.advance(3_600)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    (fresh,) = house.waiting()
    message = WritebackMessage.read(fresh.text, house.sealer)
    assert (message.attempt, message.since) == (0, "2026-03-02T15:01:00.000Z")
    assert (letters(house), house.parked()) == ([], 0)
    house.run_for(60)
    assert house.adapter.said() == [("provider", "connected", 5)]


def test_a_letter_that_is_refused_again_should_be_a_new_one(hidden: House) -> None:
    house = hidden
    refused(house)
    old = letters(house)
    parking(house).send_again(house.connection, old)
    house.adapter.down = FORBIDDEN
    house.run_for(60)
    (new,) = letters(house)
    assert (new.id, new.at > old[0].at, house.parked()) == (old[0].id, True, 1)
    # Asked for as it was before, it is somebody else's decision.
    assert parking(house).send_again(house.connection, old) == Tally(left=1)
    assert parking(house).discard(house.connection, old) == Tally(left=1)
    assert (len(letters(house)), house.parked(), house.waiting()) == (1, 1, [])
    house.adapter.down = None
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert len(house.adapter.held) == 1


def test_a_copy_that_is_refused_before_its_row_is_gone_should_keep_the_new_row(hidden: House) -> None:
    house = hidden
    refused(house)
    house.adapter.down = FORBIDDEN
    queue = house.clocked["writeback"]
    send = queue.send

    def at_once(text: str, *, delay: float = 0, ttl: int = -1) -> None:
        house.clock.advance(1)
        send(text, delay=delay, ttl=ttl)
        house.run()

    queue.send = at_once  # type: ignore[method-assign]
    assert parking(house).send_again(house.connection, letters(house)) == Tally(left=1)
    assert (len(letters(house)), house.parked()) == (1, 1)
    queue.send = send  # type: ignore[method-assign]
    house.adapter.down = None
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert (len(house.adapter.held), letters(house), house.parked()) == (1, [], 0)


def test_a_message_that_was_parked_twice_should_be_sent_once(hidden: House) -> None:
    house = hidden
    refused(house)
    twin = house.waiting(house.lot)[0].text
    house.clocked[house.lot].send(twin)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert len(house.adapter.calls) == 2  # once refused, once told
    # The second of the two goes with the next search, which knows that its operation was told.
    house.sees(90, guest("p"))
    house.adapter.down = FORBIDDEN
    house.run_for(60)
    parking(house).send_again(house.connection, letters(house))
    assert house.parked() == 0


def test_only_the_wanted_ones_should_be_sent(hidden: House) -> None:
    house = hidden
    refused(house, 5)
    first, *others = letters(house)
    assert parking(house).send_again(house.connection, [first]) == Tally(done=1)
    assert ([one.id for one in letters(house)], house.parked(), len(house.waiting())) == (
        [one.id for one in others],
        4,
        1,
    )


@pytest.mark.parametrize("queue", ["attendance", "tend"])
def test_poison_should_go_back_to_its_own_queue_unchanged(hidden: House, queue: str) -> None:
    house = hidden
    texts = {
        "attendance": AttendanceMessage(house.sealed, {"a": 1}, ["t"], house.clock.now()).text(),
        "tend": sealed("tend", {"c": house.sealed, "turn": "x"}, house.sealer),
    }
    house.clocked[house.lot].send(texts[queue])
    house.region.dead_letters.add(house.connection, poison_id(texts[queue]), queue=queue, reason="poison")
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    assert [one.text for one in house.waiting(queue)] == [texts[queue]]
    assert (letters(house), house.parked()) == ([], 0)


def test_a_poisoned_write_back_should_be_told_once(hidden: House) -> None:
    house = hidden
    house.visit()
    house.sees(5, home("d"))
    text = house.waiting().pop().text
    house.clocked[house.lot].send(text)
    house.region.dead_letters.add(house.connection, poison_id(text), queue="writeback", reason="poison")
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert (len(house.adapter.held), letters(house), house.parked()) == (1, [], 0)


# -- what stays ------------------------------------------------------------------------------------


def test_what_cannot_be_opened_any_more_should_stay_and_say_so(hidden: House) -> None:
    house = hidden
    refused(house, 2)
    house.sealer = Sealer([b"n" * 32], house.clock)
    house.contexts = ContextSeal(house.sealer)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(unopened=2)
    assert ([one.unopened for one in letters(house)], house.parked()) == ([True, True], 2)
    assert house.waiting() == []
    # Nobody can read them, but somebody can decide that this is the end of it.
    assert parking(house).discard(house.connection, letters(house)) == Tally(done=2)
    assert letters(house) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"v":1}', '{"v":1,"kind":[]}', '{"v":1,"kind":"tend","sealed":7}', '{"v":1,"c":5}',
     '{"v":1,"kind":"writeback","sealed":"abc"}',
     '{"v":1,"c":{},"item":{},"tokens":[],"at":"2026-03-02T14:00:00Z"}'],
)  # fmt: skip
def test_poison_of_any_shape_should_keep_nobody_from_the_rest(hidden: House, text: str) -> None:
    house = hidden
    house.clocked[house.lot].send(text)
    refused(house)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    assert [one.text for one in house.waiting(house.lot)] == [text]


def test_what_another_search_holds_should_be_left_and_not_called_unreadable(hidden: House) -> None:
    house = hidden
    refused(house)
    house.clocked[house.lot].receive(32, 60)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(left=1)
    assert parking(house).discard(house.connection, letters(house)) == Tally(left=1)
    assert len(letters(house)) == 1


def test_a_search_should_reach_what_lies_behind_very_many(hidden: House) -> None:
    house = hidden
    for number in range(3_000):
        house.clocked[house.lot].send(f"nobody can open {number}")
    refused(house, 2)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=2)
    assert (house.parked(), letters(house)) == (3_000, [])
    assert all(one.seen <= house.clock.now() for one in house.waiting(house.lot))


def test_a_search_of_another_connection_should_hide_nothing_of_this_one(connection_id: str) -> None:
    """Two hospitals in one region: the other's search is under way, and ours finds all of its own."""
    house, other = memory_house(connection_id, FakeClock(), Trap()), "a" + "d" * 15
    refused(house, 2)
    theirs = house.clocked[parked_queue(other)] = ClockQueue(house.clock)
    for number in range(40):
        theirs.send(f"theirs {number}")
    asked, receive, tallies = (
        DeadLetter(other, "x", "writeback", "gave-up", 0, 1, ""),
        theirs.receive,
        list[Tally](),
    )

    def slowly(most: int = 16, hide: int = 30) -> list[Message]:
        found = receive(most, hide)
        tallies.append(parking(house).send_again(house.connection, letters(house)))
        return found

    theirs.receive = slowly  # type: ignore[method-assign]
    parking(house).send_again(other, [asked])
    assert tallies[0] == Tally(done=2)


def test_a_search_should_begin_nothing_after_its_time(hidden: House) -> None:
    house = hidden
    refused(house, 3)
    queue = house.clocked["writeback"]
    send = queue.send

    def slowly(text: str, *, delay: float = 0, ttl: int = -1) -> None:
        house.clock.advance(15)
        send(text, delay=delay, ttl=ttl)

    queue.send = slowly  # type: ignore[method-assign]
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=2, left=1)
    assert all(one.seen <= house.clock.now() for one in house.waiting(house.lot))


def test_a_row_whose_message_is_gone_should_go_once_its_operation_was_told(hidden: House) -> None:
    house = hidden
    refused(house)
    (row,) = letters(house)
    parking(house).send_again(house.connection, [row])
    house.run_for(60)
    # As after a crash between the last two steps.
    house.region.dead_letters.add(house.connection, row.id, queue="writeback", reason=row.reason)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    assert (letters(house), house.waiting(), len(house.adapter.held)) == ([], [], 1)


# -- giving up -------------------------------------------------------------------------------------


def test_a_letter_that_was_given_up_should_never_be_told(hidden: House) -> None:
    house = hidden
    refused(house, 2)
    first, second = letters(house)
    assert parking(house).discard(house.connection, [first]) == Tally(done=1)
    assert ([one.id for one in letters(house)], house.parked(), house.waiting()) == ([second.id], 1, [])
    assert house.region.operations.outcome(house.connection, first.id) == "parked"
    house.run_for(4_000)
    assert house.adapter.held == []


def test_what_a_worker_is_just_parking_should_be_left_to_the_next_time(hidden: House) -> None:
    house = hidden
    house.visit()
    house.adapter.down = FORBIDDEN
    queue, tallies = house.clocked[house.lot], []
    send = queue.send

    def asked_at_once(text: str, *, delay: float = 0, ttl: int = -1) -> None:
        send(text, delay=delay, ttl=ttl)
        # Message and row are there, and the worker has not said yet how it ended.
        tallies.append(parking(house).send_again(house.connection, letters(house)))

    queue.send = asked_at_once  # type: ignore[method-assign]
    house.sees(5, home("d"))
    house.run()
    queue.send = send  # type: ignore[method-assign]
    assert (tallies, len(letters(house)), house.parked()) == ([Tally(left=1)], 1, 1)
    assert not letters(house)[0].unopened
    house.adapter.down = None
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert house.adapter.said() == [("provider", "connected", 5)]


# -- what is nobody's ------------------------------------------------------------------------------


def unreadable(house: House) -> Sealer:
    """Parks a connect under a key that this app has not got; gives the key."""
    house.visit()
    key = house.sealer
    house.sees(5, home("d"))
    text = house.waiting().pop().text
    stranger = Sealer([b"n" * 32], house.clock)
    Poison(stranger, ContextSeal(stranger)).park(house.region, "writeback", text.encode())
    house.sealer = stranger
    house.contexts = ContextSeal(stranger)
    assert [one.reason for one in house.region.dead_letters.of_connection(NOBODYS)] == ["poison"]
    assert (letters(house), len(house.waiting(PARKED)), house.parked()) == ([], 1, 0)
    return key


def test_what_is_nobodys_should_be_its_connections_once_its_key_is_back(hidden: House) -> None:
    house = hidden
    key = unreadable(house)
    house.clocked[PARKED].send("no message of ours")
    assert parking(house).adopt(house.region) == 0
    assert len(house.waiting(PARKED)) == 2
    house.sealer, house.contexts = key, ContextSeal(key)
    assert parking(house).adopt(house.region) == 1
    assert [one.text for one in house.waiting(PARKED)] == ["no message of ours"]
    assert house.waiting(PARKED)[0].seen <= house.clock.now()
    assert house.region.dead_letters.of_connection(NOBODYS) == []
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert house.adapter.said() == [("provider", "connected", 5)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_it_finds_its_connection_should_lose_and_double_nothing(
    connection_id: str, when: Literal["before", "after"]
) -> None:
    def played(at: int) -> int:
        trap = Trap()
        house = memory_house(connection_id, FakeClock(), trap)
        key = unreadable(house)
        house.sealer, house.contexts = key, ContextSeal(key)
        trap.at, trap.when, trap.count = at, when, 0
        with suppress(Crash):
            parking(house).adopt(house.region)
        calls, trap.at = trap.count, 0
        house.start()
        house.clock.advance(61)
        parking(house).adopt(house.region)
        for _ in range(2):
            parking(house).send_again(house.connection, letters(house))
            house.run_for(60)
        assert len({one.operation for one in house.adapter.held}) == len(house.adapter.held) == 1, at
        assert (letters(house), house.waiting(PARKED)) == ([], []), at
        assert house.region.dead_letters.of_connection(NOBODYS) == [], at
        return calls

    calls = played(0)
    assert calls > 5
    for number in range(1, calls + 1):
        played(number)
