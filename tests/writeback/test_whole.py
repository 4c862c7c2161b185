"""Fold, deliver and an EHR as one machine, whatever may come: the record must be that of a simple model.

The model knows the events and nothing of queues, claims or rows. Graph's notifications come in any order and
more than once; deliveries come one by one, in any order; the EHR fails for a while, for good, or answers too
late; the process dies at any call; time passes.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.connection import Approved
from shared.ehr.port import Telling
from shared.errors import NoToken, OutsideError, StatusRefused, Unreachable
from shared.messages import WritebackMessage
from shared.store.operations import LEASE
from tests.fakes import FakeClock
from tests.writeback.conftest import memory_house
from tests.writeback.house import KEY, House, guest, home
from tests.writeback.memory import RecordingAdapter, Trap, Waiting

DEBOUNCE = 15
DAY = 24 * 3_600
PASSING: Sequence[OutsideError] = (
    Unreachable("ehr"),
    StatusRefused(503),
    StatusRefused(429, retry_after=45),
    StatusRefused(423),
    StatusRefused(409),
    NoToken("no token: status 401 invalid_client", 401),
)
FOR_GOOD: Sequence[OutsideError] = (StatusRefused(403), StatusRefused(422))

type Said = tuple[str, str, float]


class LateEhr(RecordingAdapter):
    """Also one whose answer gets lost on the way: it has what it was told, and we do not know."""

    lost = 0

    def tell(self, approved: Approved, telling: Telling) -> None:
        super().tell(approved, telling)
        if self.lost:
            self.lost -= 1
            raise Unreachable("ehr")


def model(events: Sequence[tuple[str, str, int]]) -> list[Said]:
    """What the EHR should know of a call: for each person the times in and out, gaps too brief left out."""
    found: list[Said] = []
    for role in ("patient", "provider"):
        here = False
        mine = sorted((at, what) for one, what, at in events if one == role)
        for place, (at, what) in enumerate(mine):
            if (what == "in") == here:
                continue
            # A gap that a return closes within the debounce is none.
            back = next((later for later, other in mine[place + 1 :] if other == "in"), None)
            if what == "out" and back is not None and back - at < DEBOUNCE:
                continue
            here = what == "in"
            found.append((role, "connected" if here else "disconnected", float(at)))
    return found


class Whole(RuleBasedStateMachine):
    """One visit of a clinician and a patient."""

    @initialize(semantics=st.sampled_from(["state", "event"]))
    def begin(self, semantics: Literal["state", "event"]) -> None:
        self.house: House = memory_house("a" + "b" * 15, FakeClock(), Trap())
        self.ehr = LateEhr(self.house.clock)
        self.house.adapter = self.ehr
        self.ehr.semantics = semantics
        self.house.start()
        self.house.visit()
        self.events: list[tuple[str, str, int]] = []
        self.instants: set[int] = set()
        self.refused: set[str] = set()

    # -- what happens in the call ------------------------------------------------------------------

    @rule(
        role=st.sampled_from(["patient", "provider"]),
        what=st.sampled_from(["in", "out"]),
        at=st.integers(0, 600),
        copies=st.integers(1, 2),
        late=st.integers(0, 400),
    )
    def event(self, role: str, what: str, at: int, copies: int, late: int) -> None:
        if at in self.instants:
            # Two facts of one instant have no order, in Graph as little as here.
            return
        self.instants.add(at)
        self.events.append((role, what, at))
        delta = guest("p", out=what == "out") if role == "patient" else home("d", out=what == "out")
        text = self.house.text(self.house.item(self.house.event(at, delta)))
        for copy in range(copies):
            self.house.clocked["attendance"].send(text, delay=late * copy)

    # -- what the host does ------------------------------------------------------------------------

    @rule(place=st.integers(0, 30))
    def take_one(self, place: int) -> None:
        if due := self.house.due():
            name, message = due[place % len(due)]
            self._take(name, message)

    @rule(place=st.integers(0, 30), step=st.integers(1, 14), when=st.sampled_from(["before", "after"]))
    def die_at(self, place: int, step: int, when: Literal["before", "after"]) -> None:
        if not (due := self.house.due()):
            return
        trap = self.house.trap
        trap.count, trap.at, trap.when = 0, step, when
        name, message = due[place % len(due)]
        self._take(name, message)
        trap.at = 0
        self.house.start()

    @rule(seconds=st.sampled_from([1, 5, 20, 40, 300]))
    def time_passes(self, seconds: int) -> None:
        self.house.clock.advance(seconds)

    @rule()
    def lease_ends(self) -> None:
        self.house.clock.advance(LEASE.total_seconds() + 1)

    # -- what the EHR does -------------------------------------------------------------------------

    @rule(failures=st.lists(st.sampled_from(PASSING), min_size=1, max_size=6))
    def fails_in_passing(self, failures: list[OutsideError]) -> None:
        self.ehr.failures += failures

    @rule(failure=st.sampled_from(FOR_GOOD))
    @precondition(lambda self: len(self.refused) < 2)
    def refuses_for_good(self, failure: OutsideError) -> None:
        self.ehr.failures.append(failure)
        self.refused.add(str(failure))

    @rule()
    def answers_too_late(self) -> None:
        self.ehr.lost += 1

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def no_message_is_poison(self) -> None:
        assert self.house.poisoned == []

    @invariant()
    def a_settled_state_is_never_undone(self) -> None:
        """Until its answer is known, an older one may still be told once more; after that, never."""
        if self.ehr.semantics == "event":
            return
        for role in ("patient", "provider"):
            mine = [one for one in self.ehr.held if one.role == role]
            newest = max(mine, key=lambda one: one.at, default=None)
            if newest is not None and self._outcome(newest) == "told":
                assert mine[-1].operation == newest.operation, self.ehr.said()

    def _outcome(self, telling: Telling) -> str | None:
        found: str | None = self.house.region.operations.outcome(self.house.connection, telling.operation)
        return found

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self._settle()
            self._check()

    def _settle(self) -> None:
        """The EHR is well again, whoever looks after it drives what was parked again, and all is told."""
        self.ehr.failures.clear()
        self.ehr.lost = 0
        for _ in range(3):
            self.house.run_for(DAY / 12)
            for letter in self.house.region.dead_letters.of_connection(self.house.connection):
                self._drive_again(letter.id)
        self.house.run_for(DAY / 12)

    def _drive_again(self, name: str) -> None:
        parked = self.house.clocked[self.house.lot].messages
        mine = [one for one in parked if self._operation(one) == name]
        # A crash while parking may have left a second message; never none.
        assert mine
        self.house.region.operations.reopen(self.house.connection, name)
        for message in mine:
            self.house.clocked["writeback"].send(message.text)
            parked.remove(message)
        self.house.region.dead_letters.remove(self.house.connection, name)

    def _operation(self, parked: Waiting) -> str:
        message = WritebackMessage.read(parked.text, self.house.sealer)
        return message.operation.id(self.house.connection, KEY)

    def _check(self) -> None:
        house = self.house
        assert (house.waiting(), house.waiting("attendance"), house.dead()) == ([], [], [])
        rows = house.region.operations
        # A worker that stalled while it parked may leave its message behind another's telling: nothing drives
        # it again, and retention takes it.
        left = {self._operation(one) for one in house.waiting(house.lot)}
        assert {rows.outcome(house.connection, name) for name in left} <= {"told", "dropped"}
        assert rows.undelivered(house.connection).count == 0
        assert not list(rows._table.rows(house.connection, "waiting-", "waiting."))
        for role in ("patient", "provider"):
            wanted = [one for one in model(self.events) if one[0] == role]
            last = wanted[-1][1] if wanted else "disconnected"
            if self.ehr.semantics == "state":
                states = [one.status for one in self.ehr.held if one.role == role]
                assert (states or ["disconnected"])[-1] == last, (role, self.ehr.said())
            else:
                self._complete(role, wanted, last)

    def _complete(self, role: str, wanted: list[Said], last: str) -> None:
        """Every transition once and in turn; of those that the model wants, none is missing.

        What was told before a fact that came late cannot be untold: it is corrected right behind it, and what
        the model wants may be there already, within the same span of presence or absence.
        """
        mine = {one.operation: one for one in self.ehr.held if one.role == role}
        ordered = sorted(mine.values(), key=lambda one: one.at)
        told = [(one.status, (one.at - self.house.begin).total_seconds()) for one in ordered]
        assert all(one[0] != other[0] for one, other in pairwise(told)), (role, told)
        assert (told[-1][0] if told else "disconnected") == last, (role, told)
        ends = [*(at for _, _, at in wanted[1:]), float("inf")]
        for (_, status, at), end in zip(wanted, ends, strict=False):
            assert any(one == status and at <= when < end for one, when in told), (role, status, at, told)

    def _take(self, name: str, message: Waiting) -> None:
        message.deliveries = 0
        self.house._take(name, message)


TestWhole = Whole.TestCase
TestWhole.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    # Making a failure small takes minutes: whoever sees one adds the phase `shrink` for a while.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    database=None,
    suppress_health_check=list(HealthCheck),
)
