"""A visit played by a machine that looks for trouble: any event, any delivery, a crash in between."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.visit.attribution import PATIENT, VISIT, clinician
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, superseded
from shared.visit.roster import Presence, Sighting
from tests.visit.stage import DEBOUNCE, Desk, doctor, guest, patient, staff

CAST = (doctor(), patient())
SUBJECTS = (PATIENT, VISIT, clinician("EMP-88101"))
PRESENCES: tuple[Presence, ...] = ("waiting", "in", "out")
PEOPLE = ("p", "p again", "other", "d1", "d2")


def sighting(name: str, presence: Presence, second: int) -> Sighting:
    if name in ("d1", "d2"):
        return staff(name, presence, second)
    return guest(name, presence, second, identity="g-2" if name == "other" else "g-1")


class Visit(RuleBasedStateMachine):
    """Fold saves, queues, marks; deliver begins, tells, settles: each may be cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(CAST, "event")
        self.facts: list[Sighting] = []
        self.settled: set[Operation] = set()

    @rule(name=st.sampled_from(PEOPLE), presence=st.sampled_from(PRESENCES), second=st.integers(0, 90))
    def event(self, name: str, presence: Presence, second: int) -> None:
        self.facts.append(sighting(name, presence, second))
        self.desk.fold(self.facts[-1])

    @precondition(lambda self: self.facts)
    @rule(place=st.integers(0, 99))
    def the_same_event_again(self, place: int) -> None:
        self.desk.fold(self.facts[place % len(self.facts)])

    @rule(name=st.sampled_from(PEOPLE), presence=st.sampled_from(PRESENCES), second=st.integers(0, 90))
    def an_event_whose_fold_dies_before_its_mark(self, name: str, presence: Presence, second: int) -> None:
        """Facts are saved and messages queued, but not marked; the event comes again at the end."""
        self.facts.append(sighting(name, presence, second))
        desk = self.desk
        ledger = replace(desk.ledger, roster=desk.ledger.roster.seen(self.facts[-1:]))
        desk.ledger = ledger
        desk.waiting += ledger.standing(desk.view, DEBOUNCE).due(desk.view, DEBOUNCE)

    @precondition(lambda self: self.desk.waiting)
    @rule(place=st.integers(0, 99), dies=st.booleans())
    def deliver(self, place: int, dies: bool) -> None:
        """What dies after telling, before settling, comes again; telling twice is the EHR's to recognise."""
        desk = self.desk
        one = desk.waiting[place % len(desk.waiting)]
        desk.deliver(place)
        if dies:
            desk.waiting.append(one)

    @rule()
    def everything_goes_through_its_row(self) -> None:
        self.desk.ledger = Ledger.from_document(self.desk.ledger.document())

    @invariant()
    def nothing_that_began_is_withdrawn(self) -> None:
        assert self.desk.ledger.begun <= set(self.desk.ledger.told)
        assert set(self.desk.ehr) <= self.desk.ledger.begun

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert len(set(self.desk.ehr)) == len(self.desk.ehr)

    def teardown(self) -> None:
        """All comes to rest: then the EHR knows what one straight run over the same facts tells."""
        desk = self.desk
        for one in self.facts:
            desk.fold(one)
        while desk.waiting:
            desk.deliver(0)
        straight = Desk(CAST, "event")
        straight.fold(*sorted(self.facts, key=lambda one: one.at))
        while straight.waiting:
            straight.deliver(0)
        assert desk.ledger.roster == straight.ledger.roster
        assert desk.ledger.due(desk.view, DEBOUNCE) == ()
        for subject in SUBJECTS:
            if subject in desk.view.subjects:
                assert (desk.says(subject) == "connected") == (straight.says(subject) == "connected"), subject
            newest = max(
                (one for one in desk.ehr if one.subject == subject), key=lambda one: one.at, default=None
            )
            assert newest is None or not superseded(desk.ehr, newest)
            # As states: told in any order, the newest is what stands.
            if newest is not None:
                assert desk.says(subject) == newest.status


TestVisit = Visit.TestCase
TestVisit.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
