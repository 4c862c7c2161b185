"""What a visit's row keeps for the write-back: the roster, and which operations were handed on.

The list of operations handed on is an outbox: facts are saved first, then what is due is queued, then it is
marked. A crash in between queues it again, and the claims in ``Operations`` make that harmless. Beginning
an operation and withdrawing it are both changes of this one row under its ETag, so never both happen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.visit.operations import Operation, Picture, Status, due, standing
from shared.visit.roster import Roster

_VERSION = 1
_STATUSES: Mapping[str, Status] = {"c": "connected", "d": "disconnected"}
_FORMER = 10
_TOLD = 200


@dataclass(frozen=True)
class Ledger:
    """Everything of a visit that notifications and tending build up.

    ``former``: ids of subscriptions that were replaced and may still deliver; ``turn``: which tend message
    of the visit is the valid one; ``checks``: how often attendance reports were read.
    """

    roster: Roster = field(default_factory=Roster)
    told: tuple[Operation, ...] = ()
    begun: frozenset[Operation] = frozenset()
    former: tuple[str, ...] = ()
    turn: str = ""
    checks: int = 0

    def handed_on(self, operations: Iterable[Operation]) -> "Ledger":
        """The ledger in which these are marked; each once."""
        return replace(self, told=tuple(dict.fromkeys([*self.told, *operations]))[-_TOLD:])

    def standing(self, view: Picture, debounce: int) -> "Ledger":
        """The ledger without the operations that ``shared.visit.operations.standing`` withdraws."""
        return replace(self, told=standing(view, self.told, self.begun, debounce))

    def due(self, view: Picture, debounce: int) -> tuple[Operation, ...]:
        """What is still to be handed on."""
        return due(view, self.told, debounce)

    def begin(self, operation: Operation) -> "Ledger | None":
        """The ledger in which it may reach the EHR from now on; None when it was withdrawn."""
        if operation not in self.told:
            return None
        return replace(self, begun=self.begun & frozenset(self.told) | {operation})

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
            "told": [[one.subject, one.status[0], one.at, int(one in self.begun)] for one in self.told],
            "former": list(self.former),
            "turn": self.turn,
            "checks": self.checks,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Ledger":
        """Reads ``Visit.roster``; an empty mapping is an empty ledger."""
        entries = [
            (Operation(subject, _STATUSES[letter], at), begun)
            for subject, letter, at, begun in document.get("told", ())
        ]
        return cls(
            Roster.from_document(document),
            tuple(one for one, _ in entries),
            frozenset(one for one, begun in entries if begun),
            tuple(document.get("former", ())),
            document.get("turn", ""),
            document.get("checks", 0),
        )
