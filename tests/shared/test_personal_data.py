"""One EHR user ID, found wherever it is stored and erased there; on the real storage emulator."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.clock import timestamp
from shared.context import ContextSeal, VisitContext
from shared.messages import WritebackMessage
from shared.personal_data import ERASED, Bounds, PersonalData
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.store.queues import parked_queue
from shared.store.region import RegionStore
from shared.store.visits import Person, Visit
from shared.visit.attribution import PATIENT, VISIT, Launch, attribute, clinician
from shared.visit.intervals import instant
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, picture
from shared.visit.roster import Roster, Sighting
from tests.fakes import FakeClock, SeededEntropy

pytestmark = pytest.mark.azurite

DOCTOR, PATIENT_USER, OTHER = "EMP-88101", "WPR-5519902", "WPR-0000001"
OID, GUEST = "aaaaaaaa-0000-4000-8000-00000000000a", "guest-1"


@pytest.fixture
def connection_id(request: pytest.FixtureRequest) -> str:
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return "a" + "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:15])


class Place:
    """A connection's region with one visit that is over, seen live, told and written down."""

    def __init__(
        self, stores: Stores, connection: str, clock: FakeClock, bounds: Bounds | None = None
    ) -> None:
        self.connection, self.clock = connection, clock
        self.sealer = Sealer([b"s" * 32], clock)
        self.contexts = ContextSeal(self.sealer)
        self.store: RegionStore = stores.of(connection)
        self.data = PersonalData(stores, self.sealer, self.contexts, clock, SeededEntropy(), bounds)

    def person(self, side: str, user: str, oid: str = "") -> Person:
        sealed = self.sealer.seal("person", user) if side == "patient" else user
        return Person(side, sealed, timestamp(self.clock.now()), oid)  # type: ignore[arg-type]

    def visit(self, key: str = "visit-1", **changes: Any) -> Visit:
        now = self.clock.now()
        persons = (self.person("provider", DOCTOR, OID), self.person("patient", PATIENT_USER))
        made = Visit(
            self.connection, key, 1, timestamp(now), organizer=OID, persons=persons,
            roster=ledger(now).document(), closed_at=timestamp(now + timedelta(days=1)),
        )  # fmt: skip
        made = replace(made, **changes)
        assert self.store.visits.create(made)
        return made

    def read(self, key: str = "visit-1") -> Visit:
        visit = self.store.visits.get(self.connection, key)
        assert visit is not None
        return visit

    def link(self) -> None:
        assert self.store.ehr_users.link(
            Link(self.connection, DOCTOR, OID, "mac", timestamp(self.clock.now()))
        )

    def park(self, operation: Operation, key: str = "visit-1") -> str:
        context = VisitContext(self.connection, key, "session", "S-1")
        message = WritebackMessage(
            self.contexts.seal(context), operation.subject, operation.status, operation.at, False,
            timestamp(self.clock.now()),
        )  # fmt: skip
        name = operation.id(self.connection, key)
        self.store.dead_letters.add(self.connection, name, queue="writeback", reason="gave-up")
        self.store.queue(parked_queue(self.connection)).send(message.text(self.sealer))
        self.store.operations.settle(self.connection, name, "parked")
        return name

    def erase(self, ehr_user: str, start: str = "") -> Any:
        found = self.data.find(self.connection, ehr_user, start)
        self.data.erase(self.connection, ehr_user, found)
        return found

    def stored(self) -> str:
        """Every row of the connection as text, patient-side IDs opened."""
        texts = []
        for table in ("EhrUsers", "Visits", "Operations", "DeadLetters"):
            for row in self.store.table(table).rows(self.connection):
                texts += [json.dumps([row.pk, row.rk, dict(row)], default=str)]
        for visit in self.store.visits.of_connection(self.connection):
            texts += [self.data._user(person) for person in visit.persons]
        return "\n".join(texts)

    def launches(self, visit: Visit) -> tuple[Launch, ...]:
        """As ``writeback_function.case`` reads them."""
        from writeback_function.case import launches_of

        return launches_of(visit, self.sealer)


def ledger(now: datetime) -> Ledger:
    came, left = now + timedelta(minutes=1), now + timedelta(minutes=20)
    roster = Roster().seen(
        [
            Sighting("join-1", "in", came, True, OID),
            Sighting("join-1", "out", left, True, OID),
            Sighting(f"report:{OID}", "in", came, True, OID),
            Sighting(f"report:{OID}", "out", left, True, OID),
            Sighting("join-2", "waiting", came, False, GUEST),
            Sighting("join-2", "out", left, False, GUEST),
        ]
    )
    told = tuple(
        one
        for subject in (clinician(DOCTOR), PATIENT)
        for one in (
            Operation(subject, "connected", instant(came)),
            Operation(subject, "disconnected", instant(left)),
        )
    )
    return Ledger(roster, told, frozenset(told))


@pytest.fixture
def place(stores: Stores, connection_id: str, clock: FakeClock) -> Place:
    return Place(stores, connection_id, clock)


# -- found -----------------------------------------------------------------------------------------


def test_a_clinician_is_found_in_link_visits_and_what_was_told(place: Place) -> None:
    place.link()
    place.visit()
    place.visit("visit-2", persons=(place.person("patient", PATIENT_USER),))
    found = place.data.find(place.connection, DOCTOR)
    assert found.link is not None
    assert (found.link.oid, len(found.appearances), found.looked, found.open) == (OID, 1, 2, 0)
    (one,) = found.appearances
    assert [person.side for person in one.launches] == ["provider"]
    assert [told.status for told in one.told] == ["connected", "disconnected"]
    assert {seen.id for seen in one.seen} == {"join-1", f"report:{OID}"}


def test_a_patient_is_found_by_the_sealed_copy(place: Place) -> None:
    place.visit()
    found = place.data.find(place.connection, PATIENT_USER)
    (one,) = found.appearances
    assert (found.link, [person.side for person in one.launches]) == (None, ["patient"])
    assert {told.subject for told in one.told} == {PATIENT}
    assert [seen.id for seen in one.seen] == ["join-2"]


def test_of_two_patients_neither_is_given_what_was_seen_of_the_guest(place: Place) -> None:
    place.visit(persons=(place.person("patient", PATIENT_USER), place.person("patient", OTHER)))
    (one,) = place.data.find(place.connection, PATIENT_USER).appearances
    assert (one.told, one.seen) == ((), ())


def test_somebody_who_was_never_here_is_not_found(place: Place) -> None:
    place.visit()
    found = place.data.find(place.connection, "EMP-88")
    assert (found.anything, found.looked) == (False, 1)


def test_a_copy_under_a_key_that_is_gone_is_counted_and_nobodys(place: Place, clock: FakeClock) -> None:
    sealed = Sealer([b"g" * 32], clock).seal("person", PATIENT_USER)
    place.visit(persons=(Person("patient", sealed, timestamp(clock.now())),))
    found = place.data.find(place.connection, PATIENT_USER)
    assert (found.appearances, found.unreadable) == ((), 1)


def test_a_search_is_bounded_and_goes_on_where_it_ended(
    stores: Stores, connection_id: str, clock: FakeClock
) -> None:
    place = Place(stores, connection_id, clock, Bounds(visits=3))
    for number in range(7):
        place.visit(f"visit-{number}")
    starts, seen = [""], list[str]()
    while starts[-1] or not seen:
        found = place.data.find(place.connection, DOCTOR, starts[-1])
        seen += [one.visit.key for one in found.appearances]
        starts.append(found.next)
    assert seen == [f"visit-{number}" for number in range(7)]
    assert starts == ["", "visit-3", "visit-6", ""]


# -- erased ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ehr_user", [DOCTOR, PATIENT_USER])
def test_nothing_of_the_person_is_left_and_the_other_is_as_before(place: Place, ehr_user: str) -> None:
    place.link()
    before = place.visit()
    other = PATIENT_USER if ehr_user == DOCTOR else DOCTOR
    place.erase(ehr_user)
    stored = place.stored()
    assert ehr_user not in stored
    assert other in stored
    after = place.read()
    assert [person.side for person in after.persons] == [person.side for person in before.persons]
    assert [person.at for person in after.persons] == [person.at for person in before.persons]
    assert not place.data.find(place.connection, ehr_user).anything
    assert (place.store.ehr_users.of_person(place.connection, OID) == ()) == (ehr_user == DOCTOR)


def test_the_account_goes_with_the_clinician_from_all_that_was_seen(place: Place) -> None:
    place.visit(organizer="somebody-else")
    place.erase(DOCTOR)
    assert OID not in place.stored()


def test_an_account_that_another_ehr_user_has_too_stays_with_them(place: Place) -> None:
    both = (place.person("provider", DOCTOR, OID), place.person("provider", "EMP-2", OID))
    place.visit(persons=both)
    place.erase(DOCTOR)
    erased, other = place.read().persons
    assert (erased.oid, other.user, other.oid) == ("", "EMP-2", OID)
    subjects = attribute(ledger(place.clock.now()).roster, place.launches(place.read()), group=False).subjects
    assert clinician("EMP-2") in subjects


@pytest.mark.parametrize("ehr_user", [DOCTOR, PATIENT_USER, OTHER])
@pytest.mark.parametrize("patients", [(PATIENT_USER,), (PATIENT_USER, OTHER), (OTHER, PATIENT_USER)])
def test_nobody_is_taken_for_another_after_somebody_was_erased(
    place: Place, ehr_user: str, patients: tuple[str, ...]
) -> None:
    persons = (place.person("provider", DOCTOR, OID), *(place.person("patient", one) for one in patients))
    before = place.visit(persons=persons)
    place.erase(ehr_user)
    after = place.read()

    def externals(visit: Visit) -> str:
        roster = Roster.from_document(visit.roster)
        subjects = attribute(roster, place.launches(visit), group=False).subjects
        return PATIENT if PATIENT in subjects else VISIT

    expected = PATIENT if len(patients) == 1 else VISIT
    assert (externals(before), externals(after)) == (expected, expected)


@pytest.mark.parametrize("ehr_user", [DOCTOR, PATIENT_USER])
def test_nothing_is_due_to_the_ehr_after_somebody_was_erased(place: Place, ehr_user: str) -> None:
    place.visit()
    place.erase(ehr_user)
    after = place.read()
    known = Ledger.from_document(after.roster)
    view = picture(known.roster, place.launches(after), group=False, connected="lobby")
    assert known.due(view, 0) == ()
    assert known.standing(view, 0).told == known.told
    assert len(known.begun) == 4


def test_a_visit_under_way_is_not_touched(place: Place) -> None:
    place.link()
    place.visit()
    place.visit("visit-2", closed_at="")
    found = place.data.find(place.connection, DOCTOR)
    assert found.open == 1
    with pytest.raises(ValueError, match="under way"):
        place.data.erase(place.connection, DOCTOR, found)
    assert len(place.data.find(place.connection, DOCTOR).appearances) == 2
    assert place.store.ehr_users.get(place.connection, DOCTOR)


def test_a_visit_that_is_reopened_meanwhile_is_not_touched(place: Place) -> None:
    place.visit()
    found = place.data.find(place.connection, DOCTOR)
    place.store.visits.change(place.connection, "visit-1", lambda row: replace(row, closed_at=""))
    place.data.erase(place.connection, DOCTOR, found)
    assert place.data.find(place.connection, DOCTOR).open == 1


def test_the_link_goes_with_the_last_part(stores: Stores, connection_id: str, clock: FakeClock) -> None:
    place = Place(stores, connection_id, clock, Bounds(visits=1))
    place.link()
    place.visit("visit-1")
    place.visit("visit-2")
    first = place.erase(DOCTOR)
    assert place.store.ehr_users.get(place.connection, DOCTOR)
    assert place.erase(DOCTOR, first.next).next == ""
    assert DOCTOR not in place.stored()


def test_parked_messages_about_the_person_are_given_up_and_others_stay(place: Place) -> None:
    visit, before = place.visit(), place.store.queue(parked_queue(place.connection)).length()
    told = Ledger.from_document(visit.roster).told
    names = [place.park(operation) for operation in told]
    place.store.queue(parked_queue(place.connection)).send("no message of ours")
    assert place.data.find(place.connection, DOCTOR).parked == 2
    place.erase(DOCTOR)
    left = {letter.id for letter in place.store.dead_letters.of_connection(place.connection)}
    assert left == set(names[2:])
    assert place.data.find(place.connection, PATIENT_USER).parked == 2
    # Named by a hash of the ID: not even that is left.
    rows = {row.rk for row in place.store.table("Operations").rows(place.connection)}
    assert rows == set(names[2:])
    place.erase(PATIENT_USER)
    assert place.store.dead_letters.of_connection(place.connection) == []
    texts = [message.text for message in place.store.queue(parked_queue(place.connection)).receive(32)]
    assert "no message of ours" in texts
    # Hidden ones count, too: the four about people are gone, not only out of sight.
    assert place.store.queue(parked_queue(place.connection)).length() == before + 1


def test_erasing_again_or_after_a_crash_in_between_changes_nothing_more(place: Place) -> None:
    place.link()
    place.visit()
    found = place.data.find(place.connection, DOCTOR)
    place.data.erase(place.connection, DOCTOR, found)
    once = place.read()
    place.data.erase(place.connection, DOCTOR, found)
    assert place.read() == once
    assert once.persons[0].user.startswith(ERASED)
