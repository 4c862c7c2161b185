"""One visit as fold, deliver and tend see it: its row, its connection, and what is known of its call."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from shared.clock import parse_timestamp
from shared.connection import Approved
from shared.context import VisitContext
from shared.errors import SealError
from shared.sealing import Sealer
from shared.store import ChangedMeanwhile, Stores
from shared.store.region import RegionStore
from shared.store.visits import Visit
from shared.visit.attribution import Launch
from shared.visit.ledger import Ledger
from shared.visit.operations import Picture, picture


@dataclass(frozen=True)
class Case:
    """A visit's row with everything needed to judge it."""

    context: VisitContext
    store: RegionStore
    approved: Approved
    visit: Visit

    @property
    def name(self) -> tuple[str, str]:
        """Connection and visit key."""
        return self.visit.connection, self.visit.key

    @cached_property
    def ledger(self) -> Ledger:
        """What notifications and tending built up."""
        return Ledger.from_document(self.visit.roster)

    def picture(self, sealer: Sealer, ledger: Ledger | None = None) -> Picture:
        """Who was connected when, by all that is known now, or by a newer ``ledger`` of the visit."""
        roster = (ledger or self.ledger).roster
        # Another policy, approved since, must not rewrite what was told by this one.
        connected = self.visit.counts or self.approved.revision.policy.connected
        launches = launches_of(self.visit, sealer)
        return picture(roster, launches, group=self.visit.group, connected=connected)

    def changed(self, fn: Callable[[Ledger], Ledger]) -> "Case":
        """The case after a change of the ledger under the row's ETag; written only if it differs.

        The row as it was read is tried first, which spares a read. Where ``fn`` finds nothing to change in
        it, or somebody else wrote it meanwhile, the newest row decides.
        """

        def write(row: Visit) -> Visit | None:
            ledger = Ledger.from_document(row.roster)
            new = fn(ledger)
            return None if new == ledger else replace(row, roster=new.document())

        written = write(self.visit)
        if written is not None:
            with suppress(ChangedMeanwhile):
                return replace(self, visit=self.store.visits.save(written))
        return self.rewritten(write)

    def rewritten(self, fn: Callable[[Visit], Visit | None]) -> "Case":
        """The case after a change of its newest row; ``fn`` gives None where there is nothing to change."""
        return replace(self, visit=self.store.visits.change(*self.name, fn))


def find_case(stores: Stores, context: VisitContext) -> Case | None:
    """The visit that the context names; None where its row or its connection's approval is gone.

    The approval may be as old as ``shared.store.region.LATELY``.
    """
    store = stores.of(context.connection)
    visit = store.visits.get(context.connection, context.visit_key)
    approved = store.approved_lately(context.connection)
    if visit is None or approved is None:
        return None
    return Case(context, store, approved, visit)


def launches_of(visit: Visit, sealer: Sealer) -> tuple[Launch, ...]:
    """Who launched into the visit, patient-side ids opened.

    One that does not open any more (its key is gone) still counts as a person of its own: counting it is what
    keeps two people from being taken for one.
    """
    found = []
    for number, person in enumerate(visit.persons):
        user = person.user
        if person.side == "patient":
            try:
                user = str(sealer.open("person", person.user))
            except SealError:
                user = f"unreadable {number}"
        found.append(Launch(person.side, user, parse_timestamp(person.at), person.oid.lower()))
    return tuple(found)
