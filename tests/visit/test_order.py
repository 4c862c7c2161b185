"""Graph promises neither order nor exactly-once delivery: neither may make a difference in the end."""

from dataclasses import replace
from random import Random
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.visit.attribution import PATIENT, VISIT, clinician
from shared.visit.ledger import Ledger
from shared.visit.roster import Presence, Sighting
from tests.visit.stage import NURSE, Desk, doctor, guest, patient, staff

CAST = (doctor(), patient())
SUBJECTS = (PATIENT, VISIT, clinician("EMP-88101"))
PRESENCES: tuple[Presence, ...] = ("waiting", "in", "out")
SCRIPTS = st.lists(
    st.tuples(
        st.sampled_from(["p", "p again", "other", "d1", "d2", "nurse"]),
        st.sampled_from(PRESENCES),
        st.integers(0, 90),
    ),
    min_size=1,
    max_size=16,
)


def sighting(name: str, presence: Presence, second: int) -> Sighting:
    if name in ("d1", "d2"):
        return staff(name, presence, second)
    if name == "nurse":
        return staff(name, presence, second, oid=NURSE)
    return guest(name, presence, second, identity="g-2" if name == "other" else "g-1")


def played(
    sightings: list[Sighting], semantics: Literal["state", "event"], dice: Random | None = None
) -> Desk:
    """Everything folded and told; with dice, tellings come in between and in any order."""
    desk = Desk(CAST, semantics)
    for one in sightings:
        desk.fold(one)
        while dice is not None and desk.waiting and dice.random() < 0.4:
            desk.deliver(dice.randrange(100))
    while desk.waiting:
        desk.deliver(dice.randrange(100) if dice is not None else 0)
    return desk


@settings(max_examples=200, deadline=None)
@given(SCRIPTS, st.randoms(use_true_random=False), st.sampled_from(["state", "event"]))
def test_any_order_and_duplication_should_end_in_the_same(
    script: list[tuple[str, Presence, int]], dice: Random, semantics: Literal["state", "event"]
) -> None:
    sightings = [sighting(*one) for one in sorted(script, key=lambda one: one[2])]
    shuffled = sightings + dice.choices(sightings, k=len(sightings))
    dice.shuffle(shuffled)
    straight, crooked = played(sightings, semantics), played(shuffled, semantics, dice)
    assert crooked.ledger.roster == straight.ledger.roster
    assert crooked.view == straight.view
    for subject in SUBJECTS:
        # Never told and told as gone are the same: nobody is there.
        one, other = straight.says(subject) == "connected", crooked.says(subject) == "connected"
        if subject in straight.view.subjects:
            assert one == other, subject
        elif all(span.end is not None for span in straight.view.outside):
            # Told as the patient before a second external came: gone at the latest when all of them are.
            assert not one, subject
            assert not other, subject


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, st.randoms(use_true_random=False))
def test_a_ledger_should_survive_its_row_and_take_nothing_twice(
    script: list[tuple[str, Presence, int]], dice: Random
) -> None:
    sightings = [sighting(*one) for one in script]
    desk = played(sightings, "event", dice)
    read = Ledger.from_document(desk.ledger.document())
    assert read == desk.ledger
    told = list(desk.ehr)
    desk.ledger = read
    for one in sightings:
        desk.fold(one)
    assert (desk.waiting, desk.ehr) == ([], told)
    assert replace(desk.ledger) == read
