"""What a visit's row keeps for the write-back: the roster, and which operations were handed on.

The list of operations handed on is an outbox: facts are saved first, then what is due is queued, then it is
marked. A crash in between queues it again, and the claims in ``Operations`` make that harmless. Beginning
an operation and withdrawing it are both changes of this one row under its ETag, so never both happen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from shared.visit.operations import Operation, Picture, Status, due, standing
from shared.visit.roster import Roster

_VERSION = 1
_STATUSES: Mapping[str, Status] = {"c": "connected", "d": "disconnected"}
_FORMER = 10
TOLD = 400


@dataclass(frozen=True)
class Ledger:
    """Everything of a visit that notifications and tending build up.

    ``former``: ids of subscriptions that were replaced and may still deliver; ``turn``: which tend message
    of the visit is the valid one; ``checks``: how often attendance reports were read. ``forgotten``: by
    subject, up to when operations were handed on that are no longer listed, so that they are never due again.
    """

    roster: Roster = field(default_factory=Roster)
    told: tuple[Operation, ...] = ()
    begun: frozenset[Operation] = frozenset()
    former: tuple[str, ...] = ()
    turn: str = ""
    checks: int = 0
    forgotten: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def handed_on(self, operations: Iterable[Operation]) -> "Ledger":
        """The ledger in which these are marked; each once."""
        told = tuple(dict.fromkeys([*self.told, *operations]))
        if len(told) <= TOLD:
            return replace(self, told=told)
        return _shortened(replace(self, told=told))

    def standing(self, view: Picture, debounce: int) -> "Ledger":
        """The ledger without the operations that ``shared.visit.operations.standing`` withdraws."""
        return replace(self, told=standing(view, self.told, self.begun, debounce))

    def due(self, view: Picture, debounce: int) -> tuple[Operation, ...]:
        """What is still to be handed on."""
        found = due(view, self.told, debounce)
        return tuple(one for one in found if one.at > self.forgotten.get(one.subject, one.at - 1))

    def begin(self, operation: Operation) -> "Ledger | None":
        """The ledger in which it may reach the EHR from now on; None when it was withdrawn."""
        if operation not in self.told:
            return None
        return replace(self, begun=self.begun & frozenset(self.told) | {operation})

    def listed(self, operation: Operation) -> Operation:
        """The operation as it was first handed on; itself where it is not listed."""
        return next((one for one in self.told if one == operation), operation)

    def replaced(self, subscription: str) -> "Ledger":
        """The ledger after this subscription was replaced by another."""
        if not subscription:
            return self
        return replace(self, former=tuple(dict.fromkeys([*self.former, subscription]))[-_FORMER:])

    def document(self) -> dict[str, Any]:
        """The ledger as JSON values, for ``Visit.roster``."""
        return {
            "v": _VERSION,
            **self.roster.document(),
            "told": [_listed(one, one in self.begun) for one in self.told],
            "former": list(self.former),
            "turn": self.turn,
            "checks": self.checks,
            **({"forgotten": dict(self.forgotten)} if self.forgotten else {}),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Ledger":
        """Reads ``Visit.roster``; an empty mapping is an empty ledger."""
        entries = [
            (Operation(subject, _STATUSES[letter], at, *_known(*known)), begun)
            for subject, letter, at, begun, *known in document.get("told", ())
        ]
        return cls(
            Roster.from_document(document),
            tuple(one for one, _ in entries),
            frozenset(one for one, begun in entries if begun),
            tuple(document.get("former", ())),
            document.get("turn", ""),
            document.get("checks", 0),
            document.get("forgotten", {}),
        )


def _listed(one: Operation, begun: bool) -> list[str | int]:
    return [one.subject, one.status[0], one.at, int(begun), int(one.reconstructed), one.began]


def _known(reconstructed: int = 0, began: int = 0) -> tuple[bool, int]:
    return bool(reconstructed), began


def _shortened(ledger: Ledger) -> Ledger:
    """The ledger with at most ``TOLD`` operations.

    The oldest go, those that have begun first. The newest of a subject, and the newest that has begun,
    stay whatever their age: they say what the EHR believes, and what it is to believe.
    """
    lasting = {one.subject: one for one in sorted(ledger.told, key=lambda one: one.at)}
    began = sorted(ledger.begun & frozenset(ledger.told), key=lambda one: one.at)
    kept = {*lasting.values(), *{one.subject: one for one in began}.values()}
    spare = sorted(frozenset(ledger.told) - kept, key=lambda one: (one not in ledger.begun, one.at))
    gone = spare[: len(ledger.told) - TOLD]
    forgotten = dict(ledger.forgotten)
    for one in gone:
        forgotten[one.subject] = max(forgotten.get(one.subject, one.at), one.at)
    told = tuple(one for one in ledger.told if one not in gone)
    return replace(ledger, told=told, begun=ledger.begun & frozenset(told), forgotten=forgotten)
