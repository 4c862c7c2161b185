"""What a row holds has an end; where it is reached, the final state is right all the same."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shared.visit.ledger as ledger_module
import shared.visit.roster as roster_module
from shared.store import Stores
from shared.store.table import packed, unpacked
from shared.store.visits import Person, Visit
from shared.visit.attribution import PATIENT, VISIT, clinician
from shared.visit.ledger import TOLD, Ledger
from shared.visit.operations import Operation
from shared.visit.roster import ENDINGS, FACTS, PARTICIPANTS, Fact, Presence, Roster, Sighting
from tests.visit.stage import DEBOUNCE, Desk, at, doctor, guest, patient, seen, staff, told, us

CAST = (doctor(), patient())
DOCTOR = clinician("EMP-88101")
PRESENCES: tuple[Presence, ...] = ("waiting", "in", "out")
MIB = 1024 * 1024


def fullest() -> Visit:
    """Every bound reached at once, every id as long as it may be."""
    roster = Roster()
    for number in range(PARTICIPANTS):
        name = f"{number:0100}"
        facts = [guest(name, PRESENCES[tick % 3], 1_000 + tick, identity=name) for tick in range(FACTS)]
        roster = roster.seen(facts)
    for number in range(ENDINGS):
        roster = roster.ended(at(5_000 + number))
    subjects = [clinician(f"{number:0200}") for number in range(150)]
    operations = [Operation(subjects[tick % 150], "disconnected", us(tick)) for tick in range(TOLD)]
    forgotten = {subject: us(0) for subject in subjects}
    ledger = Ledger(
        roster, tuple(operations), frozenset(operations), ("x" * 36,) * 10, "t" * 12, 6, forgotten
    )
    persons = tuple(Person("patient", "s" * 240, "2026-10-01T14:00:00.000Z", "o" * 36) for _ in range(150))
    return Visit(
        "a" * 16,
        "k" * 64,
        9_999,
        "2026-10-01T14:00:00.000Z",
        organizer="o" * 36,
        meeting_id="m" * 400,
        join_url="j" * 2_000,
        patient_url="p" * 2_000,
        subscription_id="s" * 36,
        persons=persons,
        roster=ledger.document(),
    )


@pytest.mark.azurite
def test_the_fullest_visit_should_fit_into_its_row(stores: Stores) -> None:
    """Azure Tables: 1 MiB an entity, 64 KiB a property, 252 properties; two bytes a character."""
    visit = fullest()
    columns = packed({"persons": [vars(one) for one in visit.persons], "roster": dict(visit.roster)})
    size = sum(12 + 2 * len(name) + 2 * len(str(value)) for name, value in columns.items())
    print(f"{size / MIB:.2f} MiB in {len(columns)} properties")
    assert all(len(str(value)) * 2 < 64 * 1024 for value in columns.values())
    assert len(columns) < 252
    assert size + 16 * 1024 < MIB
    assert unpacked(columns)["roster"] == json.loads(json.dumps(visit.roster))
    visits = stores.of(visit.connection).visits
    kept = visits.get(visit.connection, visit.key)
    if kept is None:
        assert visits.create(visit)
        kept = visits.get(visit.connection, visit.key)
    assert kept is not None
    assert Ledger.from_document(kept.roster) == Ledger.from_document(visit.roster)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PRESENCES), st.integers(0, 400)),
        min_size=FACTS + 5,
        max_size=FACTS + 40,
        unique_by=lambda one: one[1],
    ),
    st.randoms(use_true_random=False),
)
def test_more_facts_than_are_kept_should_leave_the_newest_stage(
    facts: list[tuple[Presence, int]], dice: Random
) -> None:
    newest = max(facts, key=lambda one: one[1])
    shuffled = [*facts, *facts[:20]]
    dice.shuffle(shuffled)
    roster = Roster()
    for presence, second in shuffled:
        roster = roster.seen([guest("p", presence, second)])
    person = roster.participants["p"]
    assert len(person.facts) == FACTS
    assert roster.now(person).presence == newest[0]
    assert person.facts[-1].at == us(newest[1])
    assert person.first == us(min(second for _, second in facts))
    for presence, second in facts:
        again = roster.seen([guest("p", presence, second)])
        assert again.now(again.participants["p"]).presence == newest[0]


def test_a_fact_that_goes_should_be_the_one_that_says_nothing() -> None:
    told_twice = [guest("p", "in", tick) for tick in range(3)]
    flips = [guest("p", PRESENCES[2 - tick % 2], 10 + tick) for tick in range(FACTS - 2)]
    seconds = [(fact.at - us(0)) // 1_000_000 for fact in _facts(told_twice + flips)]
    assert seconds == [0, 2, *range(10, 8 + FACTS)]


def _facts(sightings: list[Sighting]) -> tuple[Fact, ...]:
    return Roster().seen(sightings).participants["p"].facts


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of few joins and operations: with the real bounds these tests would take minutes."""
    monkeypatch.setattr(roster_module, "PARTICIPANTS", 12)
    monkeypatch.setattr(ledger_module, "TOLD", 30)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("joins", [11, 12, 40])
def test_a_clinician_who_rejoins_for_ever_should_be_told_as_they_are(joins: int) -> None:
    """A new join has a new id: after as many as a row holds, the last one counts none the less."""
    desk = Desk(CAST, "state")
    events = []
    for number in range(joins):
        events += [staff(f"d{number}", "in", 60 * number), staff(f"d{number}", "out", 60 * number + 30)]
    for event in events:
        desk.fold(event)
        desk.fold(event)
        while desk.waiting:
            desk.deliver(0)
    assert desk.says(DOCTOR) == "disconnected"
    desk.fold(staff("last", "in", 60 * joins))
    while desk.waiting:
        desk.deliver(0)
    assert desk.says(DOCTOR) == "connected"
    said = len(desk.ehr)
    for event in events:  # everything once more, much too late
        desk.fold(event)
    while desk.waiting:
        desk.deliver(0)
    assert (desk.says(DOCTOR), len(desk.ehr)) == ("connected", said)
    assert len(desk.ehr) == 2 * joins + 1
    assert len(desk.ledger.roster.participants) <= 12
    assert len(desk.ledger.told) <= 30
    assert Ledger.from_document(json.loads(json.dumps(desk.ledger.document()))) == desk.ledger


def test_a_crowd_should_be_told_as_long_as_anybody_is_there() -> None:
    roster = Roster()
    for number in range(2 * PARTICIPANTS):
        roster = roster.seen([guest(f"g{number}", "in", number), guest(f"g{number}", "out", number + 0.5)])
    roster = roster.seen([guest("last", "in", 9_000)])
    view = seen(roster, CAST)
    assert roster.crowded
    assert PATIENT not in view.subjects
    assert view.subjects[VISIT][-1].end is None


def test_a_full_house_should_take_nobody_else_and_forget_nobody_who_is_there() -> None:
    roster = Roster().seen([guest(f"g{number}", "in", number) for number in range(PARTICIPANTS)])
    more = roster.seen([guest("one too many", "in", 9_000)])
    assert more.participants == roster.participants
    assert more.crowded
    assert not roster.crowded
    room = more.seen([guest("g7", "out", 9_001), guest("one too many", "in", 9_002)])
    assert "g7" not in room.participants
    assert "one too many" in room.participants


def test_more_ends_of_calls_than_are_kept_should_leave_everybody_where_they_are() -> None:
    roster = Roster().seen([guest("early", "in", 0)])
    for number in range(ENDINGS + 10):
        roster = roster.ended(at(10 + number))
    roster = roster.seen([guest("late", "in", 500)])
    assert len(roster.endings) == ENDINGS
    early, late = (roster.participants[name] for name in ("early", "late"))
    assert roster.now(early).at == us(10)
    assert roster.now(late).presence == "in"


@pytest.mark.usefixtures("small")
def test_operations_that_are_forgotten_should_never_be_due_again() -> None:
    desk = Desk(CAST, "event")
    for number in range(30):
        desk.fold(staff(f"d{number % 5}", "in", 60 * number))
        desk.fold(staff(f"d{number % 5}", "out", 60 * number + 30))
        while desk.waiting:
            desk.deliver(0)
    ledger = desk.ledger
    assert len(ledger.told) == 30
    assert ledger.due(desk.view, DEBOUNCE) == ()
    assert [status for status, _ in told(desk.ehr, DOCTOR)] == ["connected", "disconnected"] * 30


def test_what_has_not_begun_should_be_forgotten_last() -> None:
    begun = [Operation("a", "connected", us(1_000 + tick)) for tick in range(TOLD)]
    pending = [Operation("b", "connected", us(tick)) for tick in range(9)]
    ledger = Ledger(told=tuple(pending), begun=frozenset(begun)).handed_on(begun)
    assert set(pending) <= set(ledger.told)
    assert len(ledger.told) == TOLD
    assert ledger.begun < frozenset(begun)
    assert ledger.begun <= frozenset(ledger.told)
