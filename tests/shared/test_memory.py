"""What is remembered for a while, and in a bounded number."""

from datetime import timedelta

from shared.memory import Memory
from tests.fakes import FakeClock


def test_a_value_is_fresh_for_its_time_and_the_last_one_known_after_it() -> None:
    clock = FakeClock()
    memory: Memory[str, int] = Memory(clock, 2, timedelta(seconds=10))
    assert (memory.fresh("a"), memory.last("a")) == (None, None)
    memory.put("a", 0)
    clock.advance(9)
    assert memory.fresh("a") == 0
    clock.advance(1)
    assert (memory.fresh("a"), memory.last("a")) == (None, 0)
    memory.put("a", 1)
    assert memory.fresh("a") == 1


def test_without_a_time_a_value_stays_until_others_push_it_out() -> None:
    clock = FakeClock()
    memory: Memory[str, str] = Memory(clock, 2)
    for key in ("a", "b"):
        memory.put(key, key)
    clock.advance(10**9)
    assert memory.fresh("a") == "a"
    # "b" was used longest ago.
    memory.put("c", "c")
    assert [memory.fresh(key) for key in ("a", "b", "c")] == ["a", None, "c"]
