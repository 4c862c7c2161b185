"""How a connection is doing, by its last launches and what the EHR was not told."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from config_function.access import View
from config_function.health import LAST, LETTERS, LOOKED_AT, MEANT, PERSONAL, Healths, judge
from shared.clock import timestamp
from shared.connection import Connection, Revision, State
from shared.errors import Unreachable
from shared.reasons import REASONS
from shared.store.launches import Launch
from tests.config.house import ADMIN, CLINICIAN, READER, House
from tests.fakes import FakeClock

AT = "2026-03-02T14:00:00.000Z"
ID = "a" + "b" * 15


def view(state: State = "approved", *, serving: bool = True, connection: str = ID) -> View:
    latest = Revision(connection, 2, state, "Sierra")
    approved = replace(latest, number=1, state="approved") if serving else None
    return View(
        Connection(connection, "t", "americas", "test", "epic", "https://x.example", AT), latest, approved
    )


def launches(*codes: str) -> list[Launch]:
    return [Launch(code, "provider", AT) for code in codes]


BAD, OK = "visit-missing", "ok"
CASES = [
    ([], 0, "no-launches", "nothing happened"),
    ([OK], 0, "healthy", "the first got in"),
    ([BAD], 0, "failing", "the only one did not"),
    ([OK] * 49 + [BAD], 0, "look", "one of the set-up among fifty"),
    ([OK] * 50 + [BAD], 0, "healthy", "the one that failed is older than the last fifty"),
    ([OK] * 5 + [BAD] * 5, 0, "look", "half of the last ten is not most"),
    ([OK] * 4 + [BAD] * 6, 0, "failing", "most of the last ten"),
    ([OK] * 10 + [BAD] * 40, 0, "look", "it was repaired, and the last ten got in"),
    ([BAD] * 6 + [OK] * 44, 0, "failing", "it broke just now"),
    ([OK] * 9 + ["sign-in-failed"], 0, "healthy", "a person's own mistake"),
    (["sign-in-failed"] * 6 + [OK] * 4, 0, "failing", "everybody's mistake is none of theirs"),
    (["too-early"] * 20 + [OK], 0, "healthy", "the visit's rules are at work"),
    (["too-late"] * 3, 0, "healthy", "nobody came in time"),
    ([OK] * 10, 1, "look", "the EHR was not told something"),
    ([], 2, "look", "the EHR was not told something, and nobody launched lately"),
    ([BAD] * 10, 1, "failing", "both"),
    (["launch-incomplete"] * 20 + [OK], 0, "look", "a stranger knocked, and the last one got in"),
    (["wrong-environment"] * 3, 0, "look", "nobody got as far as the EHR"),
    (["flow-unknown"] * 10, 0, "look", "answers that nobody asked for"),
    (["flow-unknown"] * 10 + [OK], 0, "healthy", "a reload too many"),
    (["launch-incomplete"] * 20 + [BAD] * 6 + [OK] * 4, 0, "failing", "knocks hide no failure"),
]


@pytest.mark.parametrize(
    ("codes", "letters", "condition"), [row[:3] for row in CASES], ids=[row[3] for row in CASES]
)
def test_a_connection_is_judged_by_its_last_launches(codes: list[str], letters: int, condition: str) -> None:
    health = judge(view(), launches(*codes), letters)
    assert health.condition == condition
    assert str(health.sentence)
    assert health.last_launch == (AT if codes else "")
    assert health.dead_letters == letters


@pytest.mark.parametrize(
    ("state", "serving", "sentence"),
    [
        ("draft", False, "Not in service yet."),
        ("rejected", False, "Not in service yet."),
        ("submitted", False, "It waits for the approver."),
        ("verified", False, "It waits for the approver."),
        ("approved", True, "Nobody has launched a visit yet."),
        ("draft", True, "Nobody has launched a visit yet."),
    ],
)
def test_without_launches_the_sentence_says_where_the_connection_stands(
    state: State, serving: bool, sentence: str
) -> None:
    assert str(judge(view(state, serving=serving), [], 0).sentence) == sentence


def test_the_sentence_names_the_most_frequent_reason_in_the_readers_language() -> None:
    health = judge(view(), launches(*[BAD] * 3, "too-late", "client-refused", OK), 3)
    assert str(health.sentence) == (
        "4 of the last 5 launches did not get in. Most often: There is no visit to open. "
        "Messages to the EHR that could not be delivered: 3."
    )
    asked: list[str] = []

    def translate(message: str) -> str:
        asked.append(message)
        return message

    health.document(translate)
    assert REASONS[BAD].title in asked


def test_every_reason_that_is_excused_exists() -> None:
    assert set(REASONS) >= PERSONAL
    assert MEANT < PERSONAL
    assert LAST < LOOKED_AT


class Region:
    """A region that counts what is read of it; or does not answer."""

    def __init__(self, broken: bool = False) -> None:
        self.reads: list[str] = []
        self.launches = SimpleNamespace(recent=self._recent)
        self.dead_letters = SimpleNamespace(count=self._count)
        self._broken = broken

    def _recent(self, connection: str, limit: int) -> list[Launch]:
        self.reads.append("launches")
        if self._broken:
            raise Unreachable("table")
        return launches(OK)[:limit]

    def _count(self, connection: str, most: int) -> int:
        self.reads.append("letters")
        return 0


def test_a_connection_costs_two_reads_and_a_silent_region_only_its_own() -> None:
    well, broken = Region(), Region(broken=True)
    stores: Any = SimpleNamespace(of=lambda connection: broken if connection.startswith("e") else well)
    views = [view(connection=letter + "c" * 15) for letter in ("a", "e")]
    clock = FakeClock()
    healths = Healths(stores, clock)
    found = healths.of(views)
    assert {name[:1]: health.condition for name, health in found.items()} == {"a": "healthy"}
    assert well.reads == ["launches", "letters"]
    assert healths.of([]) == {}


def test_a_glance_is_remembered_for_half_a_minute_and_judged_anew() -> None:
    region, clock = Region(), FakeClock()
    stores: Any = SimpleNamespace(of=lambda _: region)
    healths, connection = Healths(stores, clock), view()
    for _ in range(3):
        assert healths.of([connection])[ID].condition == "healthy"
        clock.advance(10)
    assert len(region.reads) == 2
    clock.advance(1)
    healths.of([connection])
    assert len(region.reads) == 4
    # Whoever asks for this one connection gets what is there now.
    healths.one(connection)
    assert len(region.reads) == 6


def test_the_list_and_the_api_show_it(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    path = f"/config/api/connections/{connection}/health"
    assert admin.call("GET", path).json()["condition"] == "no-launches"
    assert "No launches" in admin.get("/config/").text
    store, now = house.stores.of(connection), timestamp(house.clock.now())
    store.launches.record(connection, BAD, "provider", now)
    store.dead_letters.add(connection, "letter-1", queue="writeback", reason="status", status=400)
    assert admin.call("GET", path).json() == {
        "connection": connection,
        "condition": "failing",
        "sentence": "The only launch so far did not get in: There is no visit to open. "
        "Messages to the EHR that could not be delivered: 1.",
        "last_launch": now,
        "launches": 1,
        "failed": 1,
        "dead_letters": 1,
    }
    house.clock.advance(31)
    text = admin.get("/config/").text
    assert '<span class="badge failed">Failing</span>' in text
    assert "There is no visit to open" in text
    assert f'<time datetime="{now}">' in text
    assert f'href="/config/connections/{connection}/launches"' in text
    assert house.browser(READER).call("GET", path).status == 200
    assert house.browser(CLINICIAN).call("GET", path).status == 404


@pytest.mark.parametrize(("number", "said"), [(LETTERS - 1, "99."), (LETTERS, "100 or more.")])
def test_a_count_that_may_not_be_the_whole_says_so(number: int, said: str) -> None:
    assert str(judge(view(), [], number).sentence).endswith(f"could not be delivered: {said}")


def test_dead_letters_are_counted_as_far_as_asked(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    letters = house.stores.of(connection).dead_letters
    assert letters.count(connection) == 0
    for number in range(3):
        letters.add(connection, f"letter-{number}", queue="writeback", reason="status")
    assert (letters.count(connection), letters.count(connection, 2)) == (3, 2)
