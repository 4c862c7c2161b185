"""In whose name a visit's meeting is made. Pure: the same visit always gets the same order."""

import base64
from dataclasses import dataclass
from typing import Literal

from shared.meeting.persons import Launcher


@dataclass(frozen=True)
class Organizer:
    """An Entra object id, and where it came from."""

    oid: str
    source: Literal["launcher", "pool"]


def candidates(pool: tuple[str, ...], visit_key: str, launcher: Launcher) -> tuple[Organizer, ...]:
    """The launching provider, then the connection's pool, begun at a place that the visit key decides.

    Spreading visits over the pool matters: Teams counts meetings per user and month (graph.md 6).
    """
    turned = _turned(pool, visit_key)
    if launcher.side != "provider" or not launcher.oid:
        return tuple(Organizer(oid, "pool") for oid in turned)
    rest = (Organizer(oid, "pool") for oid in turned if oid != launcher.oid)
    return (Organizer(launcher.oid, "launcher"), *rest)


def following(order: tuple[Organizer, ...], tried: frozenset[str]) -> Organizer | None:
    """The first who was not tried yet."""
    return next((organizer for organizer in order if organizer.oid not in tried), None)


def _turned(pool: tuple[str, ...], visit_key: str) -> tuple[str, ...]:
    if not pool:
        return ()
    first = int.from_bytes(base64.urlsafe_b64decode(visit_key + "=" * (-len(visit_key) % 4))) % len(pool)
    return (*pool[first:], *pool[:first])
