import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SealBroken, SealExpired
from shared.sealing import LIFETIMES, Pseudonyms, Sealer
from tests.fakes import FakeClock

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def sealer(clock: FakeClock) -> Sealer:
    return Sealer([OLD, NEW], clock)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_every_json_value_comes_back(value: Any) -> None:
    sealer = Sealer([NEW], FakeClock())
    token = sealer.seal("flow", value)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert sealer.open("flow", token) == value


def test_no_purpose_opens_for_another(sealer: Sealer) -> None:
    for sealed_for in LIFETIMES:
        token = sealer.seal(sealed_for, [1])
        for opened_for in LIFETIMES:
            if opened_for != sealed_for:
                with pytest.raises(SealBroken):
                    sealer.open(opened_for, token)


def test_an_unknown_purpose_is_a_mistake_of_ours(sealer: Sealer) -> None:
    with pytest.raises(KeyError):
        sealer.seal("flwo", 1)


def test_the_newest_key_seals_and_old_keys_open(clock: FakeClock) -> None:
    before, rotated, after = Sealer([OLD], clock), Sealer([OLD, NEW], clock), Sealer([NEW], clock)
    assert rotated.open("view", before.seal("view", "x")) == "x"
    assert after.open("view", rotated.seal("view", "y")) == "y"
    with pytest.raises(SealBroken):
        after.open("view", before.seal("view", "x"))


@pytest.mark.parametrize("purpose", LIFETIMES)
def test_a_lifetime_ends_when_the_table_says(sealer: Sealer, clock: FakeClock, purpose: str) -> None:
    token = sealer.seal(purpose, 1)
    clock.advance(LIFETIMES[purpose])
    assert sealer.open(purpose, token) == 1
    clock.advance(90)
    with pytest.raises(SealExpired, match="expired 90 s ago"):
        sealer.open(purpose, token)


def test_a_text_from_the_future_does_not_open(clock: FakeClock) -> None:
    ahead = FakeClock(clock.now())
    ahead.advance(120)
    token = Sealer([NEW], ahead).seal("flow", 1)
    with pytest.raises(SealBroken, match="future"):
        Sealer([NEW], clock).open("flow", token)


def test_a_little_clock_skew_between_instances_is_borne(clock: FakeClock) -> None:
    ahead = FakeClock(clock.now())
    ahead.advance(30)
    assert Sealer([NEW], clock).open("flow", Sealer([NEW], ahead).seal("flow", 1)) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "é",
        "\ud800",
        "AAAA",
        "gAAAAA==",
        "a b",
        "a\n",
        "%2e",
        "g" * 100_000,
        "gAAAA" + "A" * 80,
        "😀" * 30,
    ],
)
def test_garbage_is_broken_not_a_crash(sealer: Sealer, garbage: str) -> None:
    with pytest.raises(SealBroken):
        sealer.open("flow", garbage)


def test_any_changed_letter_breaks_the_seal(sealer: Sealer) -> None:
    token = sealer.seal("flow", {"a": "b"})
    for place in range(0, len(token) - 1, 7):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(SealBroken):
            sealer.open("flow", token[:place] + other + token[place + 1 :])


def test_compression_is_used_where_it_pays(sealer: Sealer) -> None:
    assert len(sealer.seal("flow", "a" * 1000)) < 200


def test_what_was_sealed_cannot_be_read(sealer: Sealer) -> None:
    token = sealer.seal("person", "WPR-5519902")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"5519902" not in raw
    assert sealer.seal("person", "WPR-5519902") != token


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b""]])
def test_weak_keys_are_refused(clock: FakeClock, keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(keys, clock)
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(keys)


def test_visit_keys_are_stable_across_rotation() -> None:
    (old,) = Pseudonyms([OLD]).visit_keys("abc", "session", "880014417731")
    newest, second = Pseudonyms([OLD, NEW]).visit_keys("abc", "session", "880014417731")
    assert second == old
    assert newest == Pseudonyms([NEW]).visit_keys("abc", "session", "880014417731")[0]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", newest)


def test_parts_of_a_pseudonym_cannot_be_moved_into_each_other() -> None:
    keys = Pseudonyms([NEW])
    names = [("ab", "c", "d"), ("a", "bc", "d"), ("ab", "cd", ""), ('ab","c', "d", ""), ("ab", "c", "D")]
    assert len({keys.visit_keys(*name) for name in names}) == len(names)
    assert keys.keyed("sub", "x") != keys.keyed("state", "x")


def test_matches_knows_old_keys_and_refuses_others() -> None:
    mac = Pseudonyms([OLD]).keyed("sub", "user-1")
    both = Pseudonyms([OLD, NEW])
    assert both.matches("sub", "user-1", mac)
    assert both.keyed("sub", "user-1") != mac
    assert not both.matches("sub", "user-2", mac)
    assert not both.matches("state", "user-1", mac)
    assert not both.matches("sub", "user-1", "é\ud800")
    assert not Pseudonyms([NEW]).matches("sub", "user-1", mac)


def test_a_pseudonym_is_no_plain_digest() -> None:
    import hashlib

    plain = hashlib.sha256(json.dumps(["antesala", "keyed", "sub", "x"]).encode()).digest()
    assert Pseudonyms([NEW]).keyed("sub", "x") != base64.urlsafe_b64encode(plain).rstrip(b"=").decode()
