from tests.fakes import FakeClock
from writeback_function.breaker import FAILURES, PAUSE, Breaker

SECONDS = PAUSE.total_seconds()


def opened(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed("a")
    return breaker


def test_fewer_failures_should_leave_it_closed(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed("a")
        assert breaker.closed_for("a") == 0


def test_five_in_a_row_should_spare_that_connection_only(clock: FakeClock) -> None:
    breaker = opened(clock)
    assert breaker.closed_for("a") == SECONDS
    assert breaker.closed_for("b") == 0
    clock.advance(10)
    assert breaker.closed_for("a") == SECONDS - 10


def test_an_answer_in_between_should_begin_the_count_again(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(3 * FAILURES):
        breaker.failed("a")
        breaker.answered("a")
        assert breaker.closed_for("a") == 0


def test_after_the_pause_one_call_should_try(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(SECONDS)
    assert breaker.closed_for("a") == 0
    assert breaker.closed_for("a") == SECONDS
    breaker.failed("a")
    assert breaker.closed_for("a") == SECONDS
    clock.advance(SECONDS)
    assert breaker.closed_for("a") == 0
    breaker.answered("a")
    assert [breaker.closed_for("a") for _ in range(3)] == [0, 0, 0]


def test_a_try_that_never_reports_should_block_for_one_pause_only(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(SECONDS)
    assert breaker.closed_for("a") == 0
    clock.advance(SECONDS)
    assert breaker.closed_for("a") == 0


def test_a_breaker_in_a_hurry_should_pause_for_a_shorter_time(clock: FakeClock) -> None:
    breaker = Breaker(clock, PAUSE / 5)
    for _ in range(FAILURES):
        breaker.failed("a")
    assert breaker.closed_for("a") == SECONDS / 5
    clock.advance(SECONDS / 5)
    assert breaker.closed_for("a") == 0
    assert breaker.closed_for("a") == SECONDS / 5
