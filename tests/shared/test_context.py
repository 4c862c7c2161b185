from datetime import UTC, datetime
from typing import Any

import pytest

from shared.context import MOST_CHARACTERS, ContextSeal, VisitContext
from shared.errors import Refusal, SealBroken, SealExpired
from shared.sealing import Sealer
from tests.fakes import FakeClock, SeededEntropy

FULL = VisitContext(
    connection="aabcdefghijklmno",
    visit_key="k" * 43,
    kind="session",
    visit_id="880014417731",
    appointment="eApptZeph4417731",
    encounter="enc-zeph-4417731",
    patient="eZephPat77309415",
    starts=datetime(2026, 3, 2, 14, 30, tzinfo=UTC),
    ends=datetime(2026, 3, 2, 15, 0, tzinfo=UTC),
    group=True,
)
SMALL = VisitContext("eabcdefghijklmno", "k" * 43, "encounter", "1")
TWICE = VisitContext("eabcdefghijklmno", "k" * 43, "appointment", "appt-1", appointment="appt-1")


@pytest.fixture
def contexts(clock: FakeClock) -> ContextSeal:
    return ContextSeal(Sealer([b"k" * 32], clock))


@pytest.mark.parametrize("context", [FULL, SMALL, TWICE])
def test_a_context_comes_back_whole(contexts: ContextSeal, context: VisitContext) -> None:
    token = contexts.seal(context)
    assert contexts.open(token) == context
    assert len(token) <= MOST_CHARACTERS


def test_a_usual_context_leaves_room_in_a_url(contexts: ContextSeal) -> None:
    assert len(contexts.seal(FULL)) < 450


def test_ids_too_long_for_a_url_are_refused(contexts: ContextSeal, entropy: SeededEntropy) -> None:
    long = VisitContext("eabcdefghijklmno", "k" * 43, "encounter", entropy.token(900))
    with pytest.raises(Refusal, match="visit-invalid"):
        contexts.seal(long)


def test_a_context_outlives_three_months_and_no_more(contexts: ContextSeal, clock: FakeClock) -> None:
    token = contexts.seal(FULL)
    clock.advance(90 * 86_400)
    assert contexts.open(token) == FULL
    clock.advance(60)
    with pytest.raises(SealExpired):
        contexts.open(token)


@pytest.mark.parametrize("value", [[], "x", {"a": 1}, ["a", "k", 99, "1"], ["a"] * 20, None])
def test_a_context_of_another_shape_is_broken(contexts: ContextSeal, clock: FakeClock, value: Any) -> None:
    token = Sealer([b"k" * 32], clock).seal("context", value)
    with pytest.raises(SealBroken):
        contexts.open(token)


def test_ids_stay_out_of_logs() -> None:
    assert "880014417731" not in repr(FULL)
    assert "eZephPat77309415" not in repr(FULL)
