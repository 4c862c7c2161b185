"""What an EHR is told, and the port through which it is told."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from shared.connection import Approved
from shared.context import VisitContext
from shared.visit.outcome import Outcome

# What a device test found, as far as an EHR is told: it works, or the one thing that does not.
type DeviceResult = Literal["works", "browser", "camera", "microphone", "speaker", "connection", "several"]


@dataclass(frozen=True)
class Telling:
    """One transition of one participant, as the EHR is to know it.

    ``operation``: UUID text, the same at every attempt, and a valid FHIR id. ``at`` and ``began`` in UTC;
    ``began``: for a disconnect, when the presence that it ends began, where that is known. ``user``: the EHR
    user ID, empty when unattributed. ``reconstructed``: known from a report afterwards, not live.
    """

    operation: str
    status: Literal["connected", "disconnected"]
    at: datetime
    began: datetime | None
    role: Literal["provider", "patient", "unattributed"]
    user: str = field(repr=False)
    reconstructed: bool
    context: VisitContext


class Adapter(Protocol):
    """One way of telling an EHR.

    ``semantics``: ``state`` where only a participant's newest state counts, ``event`` where every transition
    does, in any order.
    """

    @property
    def semantics(self) -> Literal["state", "event"]:
        """Which of the two; see the class."""
        ...

    def tell(self, approved: Approved, telling: Telling) -> None:
        """Returns when the EHR has it; telling it again changes nothing.

        StatusRefused, Unreachable, AnswerRefused or AddressRefused otherwise; ``transient`` says whether
        trying again later can help.
        """
        ...


@dataclass(frozen=True)
class DeviceTelling:
    """What one person's device test found. ``operation``: UUID text, the same at every attempt.

    ``user``: the EHR user ID; ``patient``: the token's patient, may be empty; ``context``: the visit, where
    the launch named one.
    """

    operation: str
    result: DeviceResult
    at: datetime
    user: str = field(repr=False)
    patient: str = field(repr=False)
    context: VisitContext | None


@runtime_checkable
class DeviceAdapter(Protocol):
    """An adapter that can also tell what a device test found; not every EHR has a place for it."""

    def takes_device(self, approved: Approved) -> bool:
        """Whether this connection's EHR has such a place, as far as its settings say; makes no call."""
        ...

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """Returns when the EHR has it; OutsideErrors as with ``Adapter.tell``."""
        ...


@dataclass(frozen=True)
class OutcomeTelling:
    """What a visit amounted to, once it is over and its attendance reports were read.

    ``operation``: UUID text, the same at every attempt. ``began`` and ``ended``: the time that a clinician
    and somebody from outside spent together, in UTC; None where they did not meet.
    """

    operation: str
    outcome: Outcome
    began: datetime | None
    ended: datetime | None
    context: VisitContext


@runtime_checkable
class OutcomeAdapter(Protocol):
    """An adapter that can also tell what a visit amounted to; never over what a person set in the EHR."""

    def takes_outcome(self, approved: Approved) -> bool:
        """Whether this connection's settings ask for it; makes no call."""
        ...

    def tell_outcome(self, approved: Approved, telling: OutcomeTelling) -> None:
        """Returns when the EHR has it, or holds a newer word of a person; OutsideErrors as with ``tell``."""
        ...
