"""What a hospital's record must say of a visit, from the script and the times at which it was played.

A reading of design section 6 of its own: nothing here is shared with the app.

- A clinician is who launched as one and joined with that account; other accounts of the house are nobody's.
- The patient is known as such only if one person launched from the patient's side, one identity from outside
  was ever seen, and the visit is no group. Otherwise whoever is from outside is only "somebody", and a record
  may name the patient at most for what is true of the patient, who may have been alone when it was told.
- Who waits in the lobby is connected. Leaving and coming back within the debounce time may go untold.

Times are spans: a thing happened between the moments before and after the control was pressed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.chaos.script import Actor, Plot, Step

SOMEBODY = "unattributed"
"""As whom the hospitals' records name people whom a report does not name."""


@dataclass(frozen=True)
class Moment:
    """Sometime between the two, in Unix seconds."""

    low: float
    high: float


@dataclass(frozen=True)
class Played:
    """A step of the script, done."""

    step: Step
    when: Moment


@dataclass(frozen=True)
class Presence:
    """Somebody was there; `end` None: and is."""

    start: Moment
    end: Moment | None = None


@dataclass(frozen=True)
class Expected:
    """The presence of one subject of a record. `must`: the record has to tell all of it; else it may."""

    spans: tuple[Presence, ...]
    must: bool
    ends: Literal["connected", "disconnected", "either"]


def expected(plot: Plot, played: Sequence[Played]) -> Mapping[str, Expected]:
    """By login, or `SOMEBODY`: everybody of whom the record may speak at all."""
    stays = {name: _stays(name, played) for name in plot.actors}
    found = {
        one.login: Expected(stays[name], True, _end(stays[name]))
        for name, one in plot.actors.items()
        if one.side == "provider" and stays[name]
    }
    outside = _joined([span for name, one in plot.actors.items() if not one.home for span in stays[name]])
    if not outside:
        return found
    patients = [one for one in plot.actors.values() if one.side == "patient"]
    alone = len(patients) == 1 and not plot.group
    named = alone and len(_identities(plot.actors, played)) == 1
    hint: Literal["either", "disconnected"] = "disconnected" if outside[-1].end else "either"
    if alone:
        own = stays[patients[0].name]
        found[patients[0].login] = Expected(own, named, _end(own) if named else hint)
    found[SOMEBODY] = Expected(outside, not named, hint if named else _end(outside))
    return found


def _stays(actor: str, played: Sequence[Played]) -> tuple[Presence, ...]:
    """From each join to the next leaving, or the end of the call for all."""
    found: list[Presence] = []
    since: Moment | None = None
    for one in played:
        mine = one.step.actor == actor
        if one.step.act == "join" and mine:
            since = one.when
        elif since is not None and (one.step.act == "end" or (one.step.act == "leave" and mine)):
            found.append(Presence(since, one.when))
            since = None
    return (*found, Presence(since)) if since is not None else tuple(found)


def _identities(actors: Mapping[str, Actor], played: Sequence[Played]) -> set[str]:
    """Everybody whom Teams saw from outside: an account is one, a guest's every join is another."""
    joins = [one.step for one in played if one.step.act == "join" and not actors[one.step.actor].home]
    return {actors[step.actor].account or f"{step.actor} {number}" for number, step in enumerate(joins)}


def _joined(spans: list[Presence]) -> tuple[Presence, ...]:
    """When at least one of them was there."""
    found: list[Presence] = []
    for one in sorted(spans, key=lambda span: span.start.low):
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end.high < one.start.low):
            found.append(one)
        elif last.end is not None and (one.end is None or one.end.high > last.end.high):
            found[-1] = Presence(last.start, one.end)
    return tuple(found)


def _end(spans: Sequence[Presence]) -> Literal["connected", "disconnected"]:
    return "disconnected" if spans[-1].end else "connected"
