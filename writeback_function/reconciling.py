"""What only the attendance reports know, added to what was seen live. Pure.

- A home user is who the object id says. Somebody from outside has no id in a report: they are the one seen
  live only where one person was seen live and one record of each session was there at that time; whoever else
  a report knows counts as a person of their own, and so nobody in particular (design section 6).
- A leaving that no event told is added, and so is a presence that no event showed.
- Events and reports have different clocks: what differs by no more than ``TOLERANCE`` is the same moment, and
  then what was seen live counts. A gap in a report that is no longer than that is no gap.
- Nobody outlasts the last session, once the visit is over.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from shared.graph.reports import Report
from shared.visit.intervals import Interval, bridge, common, instant, moment, union, without
from shared.visit.roster import TOLERANCE, Participant, Presence, Roster, Sighting, report_participant

_IN: frozenset[Presence] = frozenset({"in"})
_THERE: frozenset[Presence] = frozenset({"waiting", "in"})


@dataclass(frozen=True)
class _Record:
    """One person of one session."""

    session: int
    spans: tuple[Interval, ...]


def reconciled(roster: Roster, reports: Sequence[Report], *, over: bool) -> Roster:
    """The roster with the reports' knowledge; the same however often and in whatever order they are read.

    ``over``: the visit is, so that nobody can be waiting for another session.
    """
    home, outside = _records(reports)
    live = [one for one in roster.participants.values() if not one.reported]
    for oid, spans in home.items():
        mine = [one for one in live if one.home and one.identity == oid]
        roster = _merged(roster, mine, spans, oid) if mine else roster.seen(_stay(oid, spans, home=True))
    roster = _outside(roster, [one for one in live if not one.home], outside)
    return _ended(roster, live, reports) if over else roster


def _records(reports: Sequence[Report]) -> tuple[dict[str, list[Interval]], list[_Record]]:
    home: dict[str, list[Interval]] = {}
    outside: list[_Record] = []
    once = {one.id: one for one in reports}.values()
    for session, report in enumerate(sorted(once, key=lambda one: (one.starts, one.id))):
        for record in report.records:
            spans = tuple(Interval(instant(one), instant(other)) for one, other in record.intervals)
            if record.identity_kind == "home":
                home.setdefault(record.oid.lower(), []).extend(spans)
            elif spans:
                outside.append(_Record(session, spans))
    return home, outside


def _stay(person: str, spans: Iterable[Interval], *, home: bool, name: str = "") -> Iterable[Sighting]:
    for span in spans:
        if span.end is not None and span.end > span.start:
            yield Sighting(name or report_participant(0, person), "in", moment(span.start), home, person)
            yield Sighting(name or report_participant(0, person), "out", moment(span.end), home, person)


# -- people from outside -------------------------------------------------------------------------------------


def _outside(roster: Roster, live: Sequence[Participant], records: Sequence[_Record]) -> Roster:
    if not live:
        return _strangers(roster, [one.spans for one in records])
    people = {one.person for one in live}
    there = union(span for one in live for span in roster.present(one, _THERE))
    facts = tuple(Interval(fact.at, fact.at + 1) for one in live for fact in one.facts)
    near = _widened((*there, *facts))
    touching = [one for one in records if any(_meets(span, near) for span in one.spans)]
    others = [one.spans for one in records if one not in touching]
    if len(people) > 1 or len({one.session for one in touching}) < len(touching):
        roster = _crowd(roster, live, touching)
    elif touching:
        roster = _merged(roster, live, [span for one in touching for span in one.spans], people.pop())
    return _strangers(roster, others)


def _crowd(roster: Roster, live: Sequence[Participant], records: Sequence[_Record]) -> Roster:
    """Several who cannot be told apart: together they were there when the records say so.

    Where fewer were seen live than a session has records, the others are added within what is known, so that
    nobody is told apart by exclusion who cannot be.
    """
    roster = _merged(roster, live, [span for one in records for span in one.spans], "")
    known = union(
        span for one in roster.participants.values() if not one.home for span in roster.present(one, _THERE)
    )
    missing = (
        max(sum(one.session == record.session for one in records) for record in records) if records else 0
    )
    by_start = sorted(records, key=lambda one: min(one.spans))
    spare = by_start[1:] if missing > len({one.person for one in live}) else []
    return _strangers(roster, [tuple(common(one.spans, known)) for one in spare])


def _strangers(roster: Roster, stays: Iterable[tuple[Interval, ...]]) -> Roster:
    """Each a person of their own, named by when they began: the same at every reading, in any order."""
    taken: set[str] = set()
    for spans in sorted(stay for stay in stays if stay):
        number = min(span.start for span in spans)
        while report_participant(number, "") in taken:
            number += 1
        name = report_participant(number, "")
        taken.add(name)
        roster = roster.seen(_stay("", spans, home=False, name=name))
    return roster


# -- one person, or several who are taken together -----------------------------------------------------------


def _merged(roster: Roster, joins: Sequence[Participant], spans: Sequence[Interval], person: str) -> Roster:
    """The roster in which these joins follow the report where events say nothing.

    ``person``: whose presence is added; empty: nobody's in particular.
    """
    told = bridge(spans, lambda gap: gap.end is not None and gap.end - gap.start <= TOLERANCE)
    ends = [_left(joins, span.end) for span in told if span.end is not None]
    for one in {join.person for join in joins}:
        roster = roster.gone(one, ends)
    cover = union(span for join in joins for span in roster.present(join, _IN))
    missed = [
        _apart(piece, cover, joins, spans)
        for piece in without(told, cover)
        if tuple(without([piece], _widened(cover)))
    ]
    if not person:
        return _strangers(roster, [(piece,) for piece in missed])
    home = any(join.home for join in joins)
    name = "" if home else report_participant(min((one.start for one in missed), default=0), "")
    return roster.seen(_stay(person, missed, home=home, name=name))


def _left(joins: Sequence[Participant], end: int) -> int:
    """When they left: as it was seen, if it was, and never before a sign of them that came after."""
    outs = [fact.at for join in joins for fact in join.facts if fact.presence == "out"]
    near = [at for at in outs if abs(at - end) <= TOLERANCE]
    signs = [
        fact.at + 1
        for join in joins
        if join.first <= end
        for fact in join.facts
        if fact.presence != "out" and end < fact.at <= end + TOLERANCE
    ]
    return max(near) if near else max([end, *signs])


def _apart(
    piece: Interval, cover: Collection[Interval], joins: Sequence[Participant], spans: Sequence[Interval]
) -> Interval:
    """The piece, ended as it was seen to end; begun when the report says, if it follows a leaving.

    At least right after it: two facts of one moment would be taken for one.
    """
    start, end = piece.start, piece.end
    if any(span.end == start for span in cover):
        back = (span.start for span in spans if start < span.start <= start + TOLERANCE)
        start = min(back, default=start + 1)
    if end is not None and not any(span.start == end for span in cover):
        end = _left(joins, end)
    return Interval(start, end)


def _ended(roster: Roster, live: Iterable[Participant], reports: Sequence[Report]) -> Roster:
    if not reports:
        return roster
    end = max(instant(one.ends) for one in reports)
    for one in live:
        newest = one.facts[-1].at
        if roster.now(one).presence != "out" and newest <= end + TOLERANCE:
            roster = roster.gone(one.person, [max(end, newest + 1)])
    return roster


# -- spans ---------------------------------------------------------------------------------------------------


def _widened(spans: Iterable[Interval]) -> tuple[Interval, ...]:
    return union(
        Interval(one.start - TOLERANCE, None if one.end is None else one.end + TOLERANCE) for one in spans
    )


def _meets(span: Interval, others: Iterable[Interval]) -> bool:
    return any(True for _ in common([span], others))
