"""What the EHR is to be told: the transitions of a visit's subjects, each once, each with a lasting id.

Everything is derived from the roster. ``told`` is the list of operations handed on; those in ``begun`` may
have reached the EHR, the others can still be withdrawn.

- An operation is due when its span of presence, or absence, holds none. So a fact that comes late moves no
  operation, repeats none, and adds exactly the transitions that were missing.
- A gap shorter than the debounce time is no gap; a disconnect that was handed on before the return was
  known is withdrawn, unless it has begun.
- What proves wrong is withdrawn; if it has begun, a correction right behind it is due.

Once every operation of the list has reached the EHR, its newest state is that of the roster.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID, uuid5

from shared.visit.attribution import Attribution, Launch, attribute, clinician_user
from shared.visit.intervals import Interval, bridge, covered, union
from shared.visit.roster import Presence, Roster

type Status = Literal["connected", "disconnected"]

_NAMESPACE = UUID("6d9f4f0e-4f0c-5d0a-9a43-0d2b5f6f2a11")
_ALWAYS = -(2**62)
_MEETING: frozenset[Presence] = frozenset({"in"})
_LOBBY: frozenset[Presence] = frozenset({"waiting", "in"})


@dataclass(frozen=True)
class Operation:
    """One transition of one subject.

    ``at`` in microseconds. ``reconstructed``: known from a report, not live. ``began``: for a disconnect,
    when the presence that it ends began; 0: not known. Both as they were known when it was handed on: what is
    told stays the same at every attempt, whatever is learned meanwhile.
    """

    subject: str = field(repr=False)
    status: Status
    at: int
    reconstructed: bool = field(default=False, compare=False)
    began: int = field(default=0, compare=False)

    def id(self, connection: str, visit_key: str) -> str:
        """A UUID (version 5) that is the same wherever the operation is derived; also a valid FHIR id."""
        return str(uuid5(_NAMESPACE, f"{connection}/{visit_key}/{self.subject}/{self.status}/{self.at}"))

    def lane(self, connection: str, visit_key: str) -> str:
        """A UUID for the subject as a whole, where only its newest state counts."""
        return str(uuid5(_NAMESPACE, f"{connection}/{visit_key}/{self.subject}"))


@dataclass(frozen=True)
class Picture:
    """When each subject was connected.

    ``outside``: when anybody from outside was; ``strangers``: home users were seen who launched nothing;
    ``reported``: instants that only a report knows.
    """

    subjects: Mapping[str, tuple[Interval, ...]]
    outside: tuple[Interval, ...] = ()
    strangers: bool = False
    reported: frozenset[int] = frozenset()

    def spans(self, subject: str) -> tuple[Interval, ...]:
        """The subject's connected spans.

        One that is attributed no more is gone when nobody from outside is there.
        """
        return self.subjects.get(subject, self.outside)


def picture(
    roster: Roster, launches: Sequence[Launch], *, group: bool, connected: Literal["lobby", "meeting"]
) -> Picture:
    """The presence of every subject.

    ``connected``: whether an external who waits in the lobby counts already.
    """
    external = _LOBBY if connected == "lobby" else _MEETING
    found = attribute(roster, launches, group=group)
    subjects = {
        subject: union(
            span
            for one in people
            for span in roster.present(one, _MEETING if clinician_user(subject) else external)
        )
        for subject, people in found.subjects.items()
    }
    outside = union(span for one in found.externals for span in roster.present(one, external))
    return Picture(subjects, outside, bool(found.strangers), _reported(roster, found))


def due(view: Picture, told: Sequence[Operation], debounce: int) -> tuple[Operation, ...]:
    """The operations still to be handed on, by time, given those that stand. ``debounce`` in microseconds.

    After they are added to ``told``, nothing is due until something new is known.
    """
    found: list[Operation] = []
    for subject in dict.fromkeys([*view.subjects, *(one.subject for one in told)]):
        mine = sorted((one for one in told if one.subject == subject), key=lambda one: one.at)
        if subject in view.subjects:
            found += _missing(subject, view.subjects[subject], mine, debounce)
        else:
            found += _farewell(subject, view.outside, mine)
    marked = (replace(one, reconstructed=one.at in view.reported, began=began(view, one)) for one in found)
    return tuple(sorted(marked, key=lambda one: (one.at, one.subject)))


def standing(
    view: Picture, told: Sequence[Operation], begun: Collection[Operation], debounce: int
) -> tuple[Operation, ...]:
    """``told`` without what has not begun and proved wrong, repeats, or is a gap too brief to mention."""
    latest = {one.subject: one.at for one in sorted(begun, key=lambda one: one.at)}

    def stands(one: Operation) -> bool:
        if one in begun:
            return True
        # Behind a return that was told already, its disconnect is told as well.
        brief = latest.get(one.subject, _ALWAYS) < one.at and _brief(view, one, debounce)
        return _holds(view, one) and not brief

    true = sorted((one for one in told if stands(one)), key=lambda one: one.at)
    said: dict[str, Status] = {}
    kept: set[Operation] = set()
    for one in true:
        if one in begun or said.get(one.subject) != one.status:
            kept.add(one)
        said[one.subject] = one.status
    return tuple(one for one in told if one in kept)


def began(view: Picture, operation: Operation) -> int:
    """When the presence began that a disconnect ends; 0 for a connect or where it is not known."""
    starts = [span.start for span in view.spans(operation.subject) if span.start < operation.at]
    return max(starts, default=0) if operation.status == "disconnected" else 0


def bearing(view: Picture, operation: Operation) -> Literal["new", "end", "correction"]:
    """Whether it says that somebody came, that they left, or only puts right what was told."""
    spans = view.spans(operation.subject)
    if operation.status == "connected":
        return "new" if any(span.start == operation.at for span in spans) else "correction"
    return "end" if any(span.end == operation.at for span in spans) else "correction"


def superseded(begun: Iterable[Operation], operation: Operation) -> bool:
    """Whether a newer operation makes this one pointless where only the newest state counts."""
    return any(one.at > operation.at for one in begun if one.subject == operation.subject)


def _holds(view: Picture, operation: Operation) -> bool:
    if operation.subject not in view.subjects and operation.status == "connected":
        return False
    return covered(view.spans(operation.subject), operation.at) == (operation.status == "connected")


def _brief(view: Picture, operation: Operation, debounce: int) -> bool:
    returns = [span.start for span in view.spans(operation.subject) if span.start > operation.at]
    return operation.status == "disconnected" and min(returns, default=2**62) - operation.at < debounce


def _missing(
    subject: str, spans: tuple[Interval, ...], told: Sequence[Operation], debounce: int
) -> list[Operation]:
    def brief(gap: Interval) -> bool:
        short = gap.end is not None and gap.end - gap.start < debounce
        return short and not any(gap.holds(one.at) for one in told)

    found: list[Operation] = []
    before = _ALWAYS
    for span in bridge(spans, brief):
        found += _tell(subject, "disconnected", Interval(before, span.start), told)
        found += _tell(subject, "connected", span, told)
        if span.end is None:
            return found
        before = span.end
    return found + _tell(subject, "disconnected", Interval(before), told)


def _tell(subject: str, status: Status, span: Interval, told: Sequence[Operation]) -> list[Operation]:
    inside = [one for one in told if span.holds(one.at)]
    found: list[Operation] = []
    # Before anybody came there is nothing to say; what proved wrong later does not stand for the beginning.
    if span.start != _ALWAYS and (not inside or inside[0].status != status):
        found.append(Operation(subject, status, span.start))
    if inside and inside[-1].status != status and span.holds(inside[-1].at + 1):
        found.append(Operation(subject, status, inside[-1].at + 1))
    return [one for one in found if one.at not in {other.at for other in inside}]


def _farewell(subject: str, outside: tuple[Interval, ...], told: Sequence[Operation]) -> list[Operation]:
    """For a subject told as connected that is attributed no more, because a second external came.

    When nobody from outside is left, whoever it was has left too.
    """
    last = told[-1]
    if last.status == "disconnected" or any(span.end is None for span in outside):
        return []
    ends = [span.end for span in outside if span.end is not None]
    return [Operation(subject, "disconnected", max([*ends, last.at + 1]))]


def _reported(roster: Roster, found: Attribution) -> frozenset[int]:
    known = {one for people in found.subjects.values() for one in people} | set(found.externals)
    live = {fact.at for one in known if not one.reported for fact in one.facts} | roster.endings
    reports = {fact.at for one in known if one.reported for fact in one.facts}
    reports |= {at for one in known for at in roster.left.get(one.person, ())}
    return frozenset(reports - live)
