"""Who was seen in a visit's call, and when: a set of facts that only grows.

Graph promises neither order nor exactly-once delivery, and its deltas are no snapshots (reference graph.md
3.2, 3.3). So nothing here is a current state that an event overwrites: an event adds facts, equal facts are
one, and every question is answered from all of them by event time. Any order and any repetition of the same
events therefore ends in the same roster.

Of two facts about one participant at one instant the later stage counts: waiting, then in, then out.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from shared.visit.intervals import Interval, instant

type Presence = Literal["waiting", "in", "out"]

# A row holds 1 MiB, two bytes a character (reference functions.md 8). With every bound reached, and ids as
# long as ``shared.graph.notifications`` lets them be, the roster takes less than half of that.
PARTICIPANTS = 200
FACTS = 40
ENDINGS = 40
LEAVINGS = 8

TOLERANCE = timedelta(seconds=15) // timedelta(microseconds=1)
"""By how much the times of events and of reports may differ and still mean the same moment (microseconds)."""

_STAGES: tuple[Presence, ...] = ("waiting", "in", "out")
_LETTERS: Mapping[str, Presence] = {"w": "waiting", "i": "in", "o": "out"}
_REPORT = "report:"
_NEVER = -(2**62)


@dataclass(frozen=True, order=True)
class Fact:
    """At this instant the participant was at this stage (index into waiting, in, out)."""

    at: int
    stage: int

    @property
    def presence(self) -> Presence:
        """The stage by name."""
        return _STAGES[self.stage]


@dataclass(frozen=True)
class Sighting:
    """One participant in one event, as Graph told it.

    ``participant`` is Graph's id of one join; a person who comes back has another. ``identity``: the Entra
    object id of a user of the home tenant, or whatever id Graph gives to somebody else; may be empty. Never
    a name.
    """

    participant: str
    presence: Presence
    at: datetime
    home: bool = False
    identity: str = ""


@dataclass(frozen=True)
class Participant:
    """Everything known about one join."""

    id: str
    home: bool = False
    identity: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def first(self) -> int:
        """When it was seen first."""
        return self.facts[0].at

    @property
    def reported(self) -> bool:
        """Whether it was learned from an attendance report instead of live."""
        return self.id.startswith(_REPORT)

    @property
    def person(self) -> str:
        """Who it is, as far as anybody can tell: joins without an identity are a person each."""
        return self.identity or self.id

    def outlasts(self, at: int) -> bool:
        """Whether it was seen to leave at a moment that is later, by any clock."""
        return any(fact.presence == "out" and fact.at > at + TOLERANCE for fact in self.facts)

    def with_sighting(self, sighting: Sighting) -> "Participant":
        """One fact more.

        Who it is may come late (a delta without identity): what is known outlives what is not.
        """
        home = self.home or sighting.home
        known = {self.identity} if self.home == home else set()
        told = {sighting.identity} if sighting.home == home else set()
        seen = self.with_fact(Fact(instant(sighting.at), _STAGES.index(sighting.presence)))
        return replace(seen, home=home, identity=max(known | told, default=""))

    def with_fact(self, fact: Fact) -> "Participant":
        """One fact more, of those that are kept."""
        return replace(self, facts=_bounded(tuple(sorted({*self.facts, fact}))))


@dataclass(frozen=True)
class Roster:
    """All participants of a visit; ``endings`` are the instants at which Graph said that the call was over.

    ``crowded``: more joins than are kept were seen, so that nobody can be told apart by exclusion any more.
    Then the join that ended first is forgotten for each new one; ``horizon`` is when the last of those ended.
    An unknown join of before counts as one of them: were it taken for new, somebody long gone would seem to
    be there for ever.
    ``left``: the instants at which an attendance report says that a person (``Participant.person``) had left.
    """

    participants: Mapping[str, Participant] = field(default_factory=lambda: MappingProxyType({}))
    endings: frozenset[int] = frozenset()
    crowded: bool = False
    horizon: int = _NEVER
    left: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def seen(self, sightings: Iterable[Sighting]) -> "Roster":
        """The roster with these facts added; equal to itself when all were known."""
        roster = self
        for one in sightings:
            if one.participant not in roster.participants:
                if instant(one.at) <= roster.horizon:
                    continue
                if len(roster.participants) >= PARTICIPANTS:
                    roster = roster._with_room()
                    if len(roster.participants) >= PARTICIPANTS:
                        continue
            known = roster.participants.get(one.participant) or Participant(one.participant)
            people = {**roster.participants, one.participant: known.with_sighting(one)}
            roster = replace(roster, participants=people)
        return roster

    def _with_room(self) -> "Roster":
        """The roster without the join that ended first; as full as before while everybody is there."""
        ends = {one.id: self.timeline(one)[-1] for one in self.participants.values()}
        gone = [name for name, last in ends.items() if last.presence == "out"]
        if not gone:
            return replace(self, crowded=True)
        first = min(gone, key=lambda name: ends[name])
        people = {name: one for name, one in self.participants.items() if name != first}
        return replace(self, participants=people, crowded=True, horizon=max(self.horizon, ends[first].at))

    def ended(self, at: datetime) -> "Roster":
        """The roster of a call that was over at this moment, for everybody seen until then."""
        endings = sorted({*self.endings, instant(at)})
        if len(endings) <= ENDINGS:
            return replace(self, endings=frozenset(endings))
        # The oldest goes; for those who were in that call it becomes a fact of their own.
        over, out = endings[0], _STAGES.index("out")
        people = {
            name: one.with_fact(Fact(over, out)) if one.first <= over else one
            for name, one in self.participants.items()
        }
        return replace(self, participants=people, endings=frozenset(endings[1:]))

    def gone(self, person: str, instants: Iterable[int]) -> "Roster":
        """The roster in which a report says that whatever joins the person had were over at these instants.

        A join that was seen to leave later is left as it was seen.
        """
        known = tuple(sorted({*self.left.get(person, ()), *instants})[-LEAVINGS:])
        if not known or (person not in self.left and len(self.left) >= PARTICIPANTS):
            return self
        return replace(self, left={**self.left, person: known})

    def timeline(self, participant: Participant) -> tuple[Fact, ...]:
        """The participant's facts and the ends of calls they were in, by time."""
        out = _STAGES.index("out")
        left = (end for end in self.left.get(participant.person, ()) if not participant.outlasts(end))
        ends = {Fact(end, out) for end in (*self.endings, *left) if end >= participant.first}
        return tuple(sorted({*participant.facts, *ends}))

    def present(self, participant: Participant, counting: Collection[Presence]) -> tuple[Interval, ...]:
        """The spans in which the participant was at one of the counting stages."""
        spans: list[Interval] = []
        begun: int | None = None
        for fact in _settled(self.timeline(participant)):
            if fact.presence in counting:
                begun = fact.at if begun is None else begun
            elif begun is not None:
                spans.append(Interval(begun, fact.at))
                begun = None
        return (*spans, Interval(begun)) if begun is not None else tuple(spans)

    def now(self, participant: Participant) -> Fact:
        """The participant's newest stage and since when it lasts (a repeated stage does not restart it)."""
        newest, *older = reversed(_settled(self.timeline(participant)))
        for fact in older:
            if fact.stage != newest.stage:
                break
            newest = fact
        return newest

    def document(self) -> dict[str, Any]:
        """The roster as JSON values, short enough for a table row."""
        return {
            "people": {
                one.id: [
                    int(one.home),
                    one.identity,
                    [[fact.at, _STAGES[fact.stage][0]] for fact in one.facts],
                ]
                for one in self.participants.values()
            },
            "endings": sorted(self.endings),
            "crowded": self.crowded,
            **({"horizon": self.horizon} if self.crowded else {}),
            "left": {person: list(instants) for person, instants in self.left.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Roster":
        """Reads ``document`` back; an empty mapping is an empty roster."""
        people = {
            name: Participant(name, bool(home), identity, tuple(_fact(*fact) for fact in facts))
            for name, (home, identity, facts) in document.get("people", {}).items()
        }
        left = {person: tuple(instants) for person, instants in document.get("left", {}).items()}
        endings = frozenset(document.get("endings", ()))
        horizon = document.get("horizon", _NEVER)
        return cls(people, endings, bool(document.get("crowded", False)), horizon, left)


def report_participant(number: int, identity: str) -> str:
    """The participant id under which a record of an attendance report is kept beside those seen live."""
    return f"{_REPORT}{identity or number}"


def _fact(at: int, letter: str) -> Fact:
    return Fact(at, _STAGES.index(_LETTERS[letter]))


def _settled(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """One fact an instant: the latest stage."""
    return tuple({fact.at: fact for fact in facts}.values())


def _bounded(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """At most ``FACTS`` of them.

    First those go that say what both neighbours say, then the oldest but one: never the first, so that an
    earlier "in" stays, and never the newest, which says where the participant is.
    """
    if len(facts) <= FACTS:
        return facts
    for place in range(1, len(facts) - 1):
        if facts[place - 1].stage == facts[place].stage == facts[place + 1].stage:
            return facts[:place] + facts[place + 1 :]
    return (facts[0], *facts[2:])
