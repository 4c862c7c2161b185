"""The ticket of a device test that a portal's launch led to: with it, and once, a result is written back.

Anybody may open the device test; only who came through the EHR's door has a ticket. It is a sealed cookie of
one hour that names person and visit; the result itself is one word of a fixed list.
"""

from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID, uuid5

from shared.connection import Approved
from shared.context import VisitContext
from shared.ehr.port import DeviceResult, DeviceTelling
from shared.errors import Refusal, SealError
from shared.launch.door import DoorServices
from shared.launch.jar import Jar
from shared.launch.parameters import VISIT_ID
from shared.web import Cookie, Request

TICKETS = 2
RESULTS: tuple[DeviceResult, ...] = get_args(DeviceResult.__value__)
_NAMESPACE = UUID("c2b7b0f6-5c0f-5a7e-8a4e-3f1d5c6e9b21")


@dataclass(frozen=True)
class Ticket:
    """``operation``: UUID text, the same however often the result is sent."""

    connection: str
    operation: str
    user: str = field(repr=False)
    patient: str = field(repr=False)
    context: VisitContext | None = field(repr=False)


class DeviceTickets:
    """Gives tickets out and reads them."""

    def __init__(self, services: DoorServices) -> None:
        self._entropy = services.entropy
        self._contexts = services.contexts
        self._clock = services.clock
        self._jar = Jar(services.sealer, services.clock, "device-test", TICKETS)

    def put(
        self, request: Request, approved: Approved, user: str, patient: str, context: VisitContext | None
    ) -> tuple[str, tuple[Cookie, ...]]:
        """A ticket's handle and its cookies; an empty handle where the organization writes nothing back."""
        if approved.revision.writeback.adapter == "none":
            return "", ()
        handle = self._entropy.token(24)
        value = {
            "c": approved.connection.id,
            "u": user,
            "p": patient if VISIT_ID.fullmatch(patient) else "",
            "x": self._contexts.seal(context) if context is not None else "",
        }
        return handle, self._jar.put(request, handle, value)

    def find(self, request: Request, handle: str) -> Ticket | None:
        """The ticket of this browser, connection and handle, or None; nothing says why there is none."""
        value = self._jar.find(request, handle) if handle else None
        if not isinstance(value, dict) or value.get("c") != request.route.get("connection"):
            return None
        try:
            return self._ticket(value, handle)
        except (KeyError, SealError):  # sealed by another release of this app
            return None

    def drop(self, handle: str) -> Cookie:
        """The deletion of a ticket that was used."""
        return self._jar.drop(handle)

    def telling(self, ticket: Ticket, result: DeviceResult) -> DeviceTelling:
        """What the EHR is told."""
        return DeviceTelling(
            ticket.operation, result, self._clock.now(), ticket.user, ticket.patient, ticket.context
        )

    def _ticket(self, value: dict[str, Any], handle: str) -> Ticket:
        operation = str(uuid5(_NAMESPACE, f"{value['c']}/{handle}"))
        context = self._contexts.open(value["x"]) if value["x"] else None
        return Ticket(value["c"], operation, value["u"], value["p"], context)


def result_of(text: str) -> DeviceResult:
    """One word of the list; Refusal parameter-invalid for any other."""
    for known in RESULTS:
        if known == text:
            return known
    raise Refusal("parameter-invalid", "device test result")
