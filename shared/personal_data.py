"""Everything that is stored about one EHR user ID of a connection: found, told, and erased.

Where it can be: the link (``EhrUsers``, two rows), who launched into a visit and what was told of them
(``Visits``; a patient-side ID is sealed there and opened to compare), and write-back messages that were
parked. Rows of ``Operations`` are named by hashes of what was told, and go with it.

Erasing a person from a visit must not change what is known of the others in it. So an entry is not taken
away: it becomes a nameless one that still counts as a person of its own, under a mark that is made at random
for this visit and stands wherever the ID or the account stood. Without it somebody else might become "the one
patient". Only visits that are over are changed: while one is under way, the EHR is still to be told of it.

A search is bounded. What it had no time for begins at ``Found.next``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.clock import Clock, Entropy, parse_timestamp
from shared.context import ContextSeal
from shared.errors import AntesalaError, SealError
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.store.queues import Message, parked_queue
from shared.store.region import RegionStore
from shared.store.visits import Person, Visit
from shared.visit.attribution import PATIENT, Launch, attribute, clinician, clinician_user, patient_user
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation
from shared.visit.roster import Participant

ERASED = "erased-"
"""How the mark of an erased person begins."""
_RECEIVED = 32
# Small ones alone: accounts are compared in small letters.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Bounds:
    """Of one search: visits looked at, seconds, and rounds of 32 parked messages."""

    visits: int = 5_000
    seconds: float = 15.0
    rounds: int = 16


@dataclass(frozen=True)
class Appearance:
    """One visit that the person is in: their launches, what was told of them, and when they were seen."""

    visit: Visit = field(repr=False)
    launches: tuple[Person, ...]
    told: tuple[Operation, ...]
    seen: tuple[Participant, ...]

    @property
    def name(self) -> tuple[str, str]:
        """Connection and visit key."""
        return self.visit.connection, self.visit.key

    @property
    def hashes(self) -> frozenset[str]:
        """The rows of ``Operations`` whose names are made of the EHR user ID."""
        mine = [one for one in self.told if clinician_user(one.subject)]
        return frozenset(name for one in mine for name in (one.id(*self.name), one.lane(*self.name)))


@dataclass(frozen=True)
class Found:
    """What a search found. ``looked``: how many visits it looked at.

    ``unreadable``: entries whose key is gone, which nobody can tie to anybody any more; ``next``: where the
    rest begins, empty at the end.
    """

    link: Link | None
    appearances: tuple[Appearance, ...]
    parked: int
    looked: int
    unreadable: int
    next: str = ""

    @property
    def open(self) -> int:
        """How many of the visits are not over yet."""
        return sum(not one.visit.closed_at for one in self.appearances)

    @property
    def anything(self) -> bool:
        """Whether there is anything at all."""
        return bool(self.link or self.appearances or self.parked)


class PersonalData:
    """Looks and erases. The caller decides who may, and for which connection."""

    def __init__(
        self,
        stores: Stores,
        sealer: Sealer,
        contexts: ContextSeal,
        clock: Clock,
        entropy: Entropy,
        bounds: Bounds | None = None,
    ) -> None:
        self._stores = stores
        self._sealer = sealer
        self._contexts = contexts
        self._clock = clock
        self._entropy = entropy
        self._bounds = bounds or Bounds()

    def find(self, connection: str, ehr_user: str, start: str = "") -> Found:
        """Everything about the person in the visits from the key ``start`` on, and besides them."""
        store, begun = self._stores.of(connection), self._clock.now()
        found, looked, unreadable, following = list[Appearance](), 0, 0, ""
        for visit in store.visits.of_connection(connection, start, self._bounds.visits + 1):
            spent = (self._clock.now() - begun).total_seconds()
            if looked == self._bounds.visits or spent > self._bounds.seconds:
                following = visit.key
                break
            looked += 1
            users = [self._user(person) for person in visit.persons]
            unreadable += users.count("")
            if (one := _appearance(visit, users, ehr_user)) is not None:
                found.append(one)
        parked = self._parked(store, connection, ehr_user, found)
        link = store.ehr_users.get(connection, ehr_user)
        return Found(link, tuple(found), parked, looked, unreadable, following)

    def erase(self, connection: str, ehr_user: str, found: Found) -> None:
        """Erases what was found; the link with the last part. ValueError while a visit is under way.

        Every step may be repeated: after a crash the next search finds what is left.
        """
        if found.open:
            raise ValueError("a visit is under way")
        store = self._stores.of(connection)
        self._parked(store, connection, ehr_user, found.appearances, erase=True)
        for one in found.appearances:
            for told in one.told:
                store.dead_letters.remove(connection, told.id(*one.name))
            for name in one.hashes:
                store.operations.forget(connection, name)
            store.visits.change(connection, one.visit.key, lambda row: self._without(row, ehr_user))
        if not found.next:
            store.ehr_users.unlink(connection, ehr_user)

    def _user(self, person: Person) -> str:
        """The EHR user ID of an entry; the mark of an erased one; empty where nobody can read it."""
        if person.side == "provider" or person.user.startswith(ERASED):
            return person.user
        try:
            return str(self._sealer.open("person", person.user))
        except SealError:
            return ""

    def _without(self, visit: Visit, ehr_user: str) -> Visit | None:
        mine = [person for person in visit.persons if self._user(person) == ehr_user]
        if not mine or not visit.closed_at:
            # Reopened since it was looked at: the next search says so.
            return None
        mark = ERASED + self._entropy.choose(_LETTERS, 16)
        others = {person.oid for person in visit.persons if person not in mine}
        accounts = {person.oid for person in mine if person.oid} - others
        names = {clinician(ehr_user): clinician(mark)}
        for oid in accounts:
            names |= {oid: mark, oid.lower(): mark, f"report:{oid.lower()}": f"report:{mark}"}
        persons = tuple(
            replace(person, user=mark, oid=mark if person.oid in accounts else "")
            if person in mine
            else person
            for person in visit.persons
        )
        return replace(visit, persons=persons, roster=_renamed(visit.roster, names))

    def _parked(
        self,
        store: RegionStore,
        connection: str,
        ehr_user: str,
        appearances: Iterable[Appearance],
        *,
        erase: bool = False,
    ) -> int:
        """How many parked messages are about the person. Those are taken away, or all are handed back."""
        if not store.dead_letters.count(connection, 1):
            return 0
        operations = {told.id(*one.name) for one in appearances for told in one.told}
        queue, held, count = store.queue(parked_queue(connection)), list[Message](), 0
        try:
            for _ in range(self._bounds.rounds):
                if not (messages := queue.receive(_RECEIVED)):
                    break
                for message in messages:
                    subject, operation = self._about(message.text, connection)
                    mine = subject == clinician(ehr_user) or operation in operations
                    count += mine
                    if mine and erase:
                        queue.delete(message)
                        store.dead_letters.remove(connection, operation)
                    else:
                        held.append(replace(message, text=""))
        finally:
            for message in held:
                queue.release(message)
        return count

    def _about(self, text: str, connection: str) -> tuple[str, str]:
        """Subject and operation of a write-back message of this connection; empty for every other text."""
        try:
            message = WritebackMessage.read(text, self._sealer)
            context = self._contexts.open(message.context)
            name = message.named.id(context.connection, context.visit_key)
        except (AntesalaError, KeyError, TypeError, AttributeError):
            # What is parked as poison may be of any shape.
            return "", ""
        return (message.subject, name) if context.connection == connection else ("", "")


def _appearance(visit: Visit, users: list[str], ehr_user: str) -> Appearance | None:
    mine = tuple(person for person, user in zip(visit.persons, users, strict=True) if user == ehr_user)
    if not mine:
        return None
    # An unreadable one still counts as a person of its own.
    launches = [
        Launch(person.side, user or f"unreadable {number}", parse_timestamp(person.at), person.oid.lower())
        for number, (person, user) in enumerate(zip(visit.persons, users, strict=True))
    ]
    ledger = Ledger.from_document(visit.roster)
    subjects = {clinician(ehr_user)} if any(person.side == "provider" for person in mine) else set()
    if patient_user(launches) == ehr_user:
        subjects.add(PATIENT)
    told = tuple(one for one in ledger.told if one.subject in subjects)
    everybody = attribute(ledger.roster, launches, group=visit.group).subjects
    seen = tuple(one for subject in sorted(subjects) for one in everybody.get(subject, ()))
    return Appearance(visit, mine, told, seen)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The JSON value with every text, and every name of a member, that is in ``names`` replaced."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {names.get(name, name): _renamed(inner, names) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(inner, names) for inner in value]
    return value
