"""What the EHR needs to recognise a visit, sealed for the road: in webhook URLs and queue messages.

It names a visit and the patient's record number in the EHR, never a person by name; the region follows from
the connection's id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, get_args

from shared.connection import VisitKind
from shared.errors import Refusal, SealBroken
from shared.sealing import Sealer
from shared.trace import trace_of

MOST_CHARACTERS = 1_000
"""Graph takes notification URLs of limited length; both of ours carry the context."""

_KINDS: tuple[VisitKind, ...] = get_args(VisitKind.__value__)


@dataclass(frozen=True)
class VisitContext:
    """One visit as the EHR knows it. Ids are the EHR's own; ``visit_key`` is how we name it at rest."""

    connection: str
    visit_key: str
    kind: VisitKind
    visit_id: str = field(repr=False)
    appointment: str = field(default="", repr=False)
    encounter: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)
    starts: datetime | None = None
    ends: datetime | None = None
    group: bool = False
    # The chain of the launch that sealed it (``shared.trace``); which visit it is does not depend on it.
    trace: str = field(default="", compare=False)


class ContextSeal:
    """Seals and opens contexts."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, context: VisitContext) -> str:
        """The context in at most 1,000 characters; Refusal ``visit-invalid`` when its ids are too long."""
        sealed = self._sealer.seal("context", _compact(context))
        if len(sealed) > MOST_CHARACTERS and context.trace:
            # Following a visit in the log is worth less than the visit.
            return self.seal(replace(context, trace=""))
        if len(sealed) > MOST_CHARACTERS:
            raise Refusal("visit-invalid", "the context is too long")
        return sealed

    def open(self, token: str) -> VisitContext:
        """The context again; SealExpired, SealBroken."""
        values = self._sealer.open("context", token)
        try:
            return _context(values)
        except (ValueError, TypeError, IndexError) as error:
            raise SealBroken("context: of another version") from error


def _compact(context: VisitContext) -> list[Any]:
    """A list without names, its empty end cut off."""
    values: list[Any] = [
        context.connection,
        context.visit_key,
        _KINDS.index(context.kind),
        context.visit_id,
        # The same id often stands twice: a visit named by its appointment is named so here, too.
        1 if context.appointment == context.visit_id else context.appointment or 0,
        1 if context.encounter == context.visit_id else context.encounter or 0,
        context.patient or 0,
        _seconds(context.starts),
        _seconds(context.ends),
        int(context.group),
        context.trace or 0,
    ]
    while values[-1] == 0:
        values.pop()
    return values


def _context(values: Sequence[Any]) -> VisitContext:
    connection, visit_key, kind, visit_id, *rest = values
    rest.extend([0] * (7 - len(rest)))
    appointment, encounter, patient, starts, ends, group, trace = rest
    return VisitContext(
        connection=connection,
        visit_key=visit_key,
        kind=_KINDS[kind],
        visit_id=visit_id,
        appointment=visit_id if appointment == 1 else appointment or "",
        encounter=visit_id if encounter == 1 else encounter or "",
        patient=patient or "",
        starts=_moment(starts),
        ends=_moment(ends),
        group=bool(group),
        trace=trace_of(str(trace)),
    )


def _seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment else 0


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
