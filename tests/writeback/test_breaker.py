import threading
from datetime import timedelta
from typing import Literal

import pytest

from shared.clock import SystemClock
from tests.fakes import FakeClock
from writeback_function.breaker import AT_ONCE, FAILURES, FULL_SECONDS, IN_DOUBT, PAUSE, Breaker, Turn, Wait

SECONDS = PAUSE.total_seconds()


def called(breaker: Breaker, connection: str, came: Literal["failed", "answered", "nothing"]) -> float:
    """One call, if it may be: 0; else for how long not."""
    turn = breaker.enter(connection)
    if isinstance(turn, Wait):
        return turn.seconds
    if came == "failed":
        turn.failed()
    elif came == "answered":
        turn.answered()
    turn.leave()
    return 0


def turn_of(breaker: Breaker, connection: str) -> Turn:
    turn = breaker.enter(connection)
    assert isinstance(turn, Turn)
    return turn


def opened(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        called(breaker, "a", "failed")
    return breaker


def test_fewer_failures_should_leave_it_closed(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        assert called(breaker, "a", "failed") == 0
    assert called(breaker, "a", "nothing") == 0


def test_five_in_a_row_should_spare_that_connection_only(clock: FakeClock) -> None:
    breaker = opened(clock)
    assert breaker.enter("a") == Wait(SECONDS, "down")
    assert called(breaker, "b", "answered") == 0
    clock.advance(10)
    assert called(breaker, "a", "failed") == SECONDS - 10


def test_an_answer_in_between_should_begin_the_count_again(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(3 * FAILURES):
        assert called(breaker, "a", "failed") == 0
        assert called(breaker, "a", "answered") == 0


def test_after_the_pause_one_call_should_try(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(SECONDS)
    turn = turn_of(breaker, "a")
    assert called(breaker, "a", "failed") == SECONDS
    turn.failed()
    turn.leave()
    assert called(breaker, "a", "failed") == SECONDS
    clock.advance(SECONDS)
    assert called(breaker, "a", "answered") == 0
    assert [called(breaker, "a", "answered") for _ in range(3)] == [0, 0, 0]


def test_a_try_that_never_reports_should_block_for_one_pause_only(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(SECONDS)
    turn_of(breaker, "a")
    clock.advance(SECONDS)
    assert called(breaker, "a", "answered") == 0


def test_a_try_that_came_to_no_call_should_leave_the_trying_to_the_next(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(SECONDS)
    assert called(breaker, "a", "nothing") == 0
    assert called(breaker, "a", "nothing") == 0
    turn_of(breaker, "a")
    assert called(breaker, "a", "failed") == SECONDS


def test_an_ehr_that_asks_for_longer_should_be_left_alone_for_longer(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for asked in (0, 0, 0, 0, 120):
        turn = turn_of(breaker, "a")
        turn.failed(asked)
        turn.leave()
    assert breaker.enter("a") == Wait(120, "down")
    clock.advance(120)
    turn = turn_of(breaker, "a")
    turn.failed(86_400)
    assert breaker.enter("a") == Wait(300, "down")


def test_calls_that_hang_should_leave_room_for_other_connections(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    hanging = [turn_of(breaker, "a") for _ in range(AT_ONCE)]
    clock.advance(4)
    assert breaker.enter("a") == Wait(FULL_SECONDS, "full")
    assert called(breaker, "b", "answered") == 0
    hanging.pop().leave()
    hanging.append(turn_of(breaker, "a"))
    # After the first that timed out they are fewer.
    hanging.pop().failed()
    for turn in hanging[: AT_ONCE - IN_DOUBT]:
        turn.leave()
    assert breaker.enter("a") == Wait(FULL_SECONDS, "full")
    clock.advance(-4)
    hanging[-1].answered()
    turn_of(breaker, "a")


def test_calls_that_are_answered_late_should_leave_room_for_other_connections(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    turns = [turn_of(breaker, "a") for _ in range(AT_ONCE)]
    clock.advance(14)
    for turn in turns:
        turn.answered()
        turn.leave()
    turns = [turn_of(breaker, "a") for _ in range(IN_DOUBT)]
    clock.advance(4)
    assert breaker.enter("a") == Wait(FULL_SECONDS, "full")
    for turn in turns:
        turn.leave()
    # A quick answer is believed.
    assert called(breaker, "a", "answered") == 0
    assert len(breaker) == 0
    assert all(isinstance(breaker.enter("a"), Turn) for _ in range(AT_ONCE))


def test_a_call_that_is_just_under_way_should_be_waited_for() -> None:
    breaker = Breaker(SystemClock())
    busy = [turn_of(breaker, "a") for _ in range(AT_ONCE)]
    leaving = threading.Timer(0.05, busy[0].leave)
    leaving.start()
    turn = breaker.enter("a")
    leaving.join()
    assert isinstance(turn, Turn)
    assert breaker.enter("a") == Wait(FULL_SECONDS, "full")


@pytest.mark.parametrize("came", ["failed", "answered"])
def test_it_should_not_grow_with_the_connections_it_has_seen(
    clock: FakeClock, came: Literal["failed", "answered"]
) -> None:
    breaker = Breaker(clock)
    for number in range(3_000):
        called(breaker, f"c{number}", came)
    assert len(breaker) == (1_000 if came == "failed" else 0)


def test_pauses_should_be_in_proportion() -> None:
    assert timedelta(seconds=10) < PAUSE < timedelta(minutes=1)
    assert 0 < IN_DOUBT < AT_ONCE < 16


def test_a_breaker_in_a_hurry_should_pause_for_a_shorter_time(clock: FakeClock) -> None:
    breaker = Breaker(clock, PAUSE / 5)
    for _ in range(FAILURES):
        called(breaker, "a", "failed")
    assert breaker.enter("a") == Wait(SECONDS / 5, "down")
    clock.advance(SECONDS / 5)
    assert called(breaker, "a", "failed") == 0
    assert breaker.enter("a") == Wait(SECONDS / 5, "down")
