"""The device test: camera, microphone, speaker, whether this browser can do calls, time to this service.

Everything is tested in the browser and stays there. The network beyond this service is not tested, and the
page says so. Who came from the portal has a ticket: then one word of the result is told to the EHR, once.
"""

import functools
from typing import Protocol

from launch_patient.device_ticket import DeviceTickets, Ticket, result_of
from shared.connection import Approved
from shared.edge import refuse_cross_site
from shared.ehr.port import DeviceAdapter, DeviceResult
from shared.errors import OutsideError, Refusal
from shared.events import failure as failure_of
from shared.events import note
from shared.launch.door import Door, DoorServices
from shared.launch.surroundings import fitness
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from shared.store.operations import Outcome
from shared.web import Request, Response, json_response

# The edge forbids every device; this is the one page that needs two of them.
_PERMISSIONS = "camera=(self), microphone=(self), geolocation=(), payment=(), usb=(), display-capture=()"


class DeviceTestServices(DoorServices, Protocol):
    """What telling an EHR takes beyond what both doors share."""

    @property
    def discovery(self) -> Discovery: ...
    @property
    def tokens(self) -> Tokens: ...


class Devices(Protocol):
    """Who tells an EHR what device tests found."""

    def device(self, approved: Approved) -> DeviceAdapter | None:
        """See ``Adapters.device``."""
        ...


class DeviceTest:
    """One for the process."""

    def __init__(self, services: DeviceTestServices, devices: Devices | None = None) -> None:
        """``devices``: who tells which EHR; those of ``shared.ehr`` unless given."""
        self._services = services
        self._given = devices
        self._door = Door("patient", services)
        self._tickets = DeviceTickets(services)

    @functools.cached_property
    def _adapters(self) -> Devices:
        # Imported here: a device test that nobody is told of needs none of it.
        from shared.ehr.registry import Adapters

        services = self._services
        return self._given or Adapters(services.outbound, services.discovery, services.tokens, services.clock)

    def page(self, request: Request) -> Response:
        """``GET /launch/patient/{connection}/device-test``.

        Refusal for a connection that is not in use, or browser-unsupported.
        """
        approved = self._door.approved(request.route.get("connection", ""))
        fit = fitness(request.header("user-agent"))
        if fit == "too-old":
            # Its script would not even begin there.
            raise Refusal("browser-unsupported")
        handle = request.query.get("ticket", "")
        told = self._tickets.find(request, handle) is not None and self._adapters.device(approved) is not None
        page = self._services.pages.page(
            "launch_patient/device_test.html",
            request,
            service_url="/healthz",
            report_url=request.path if told else "",
            ticket=handle if told else "",
            web_view=fit == "web-view",
        )
        return page.with_headers(Permissions_Policy=_PERMISSIONS)

    def report(self, request: Request) -> Response:
        """``POST`` of ``ticket`` and ``result``: ``{told}``, whether the EHR has the result now.

        Refusal cross-site, parameter-invalid, or flow-unknown without a ticket that opens.
        """
        refuse_cross_site(request, self._services.settings.public_url)
        result = result_of(request.form.get("result", ""))
        handle = request.form.get("ticket", "")
        ticket = self._tickets.find(request, handle)
        if ticket is None:
            raise Refusal("flow-unknown", "no ticket of this browser")
        outcome = self._once(ticket, result)
        response = json_response({"told": outcome == "told"})
        # Without an outcome the page may ask again.
        return response.with_cookies(self._tickets.drop(handle)) if outcome else response

    def _once(self, ticket: Ticket, result: DeviceResult) -> Outcome | None:
        """Claims, tells, settles; None when the EHR did not answer, or another request is at it."""
        operations = self._services.stores.of(ticket.connection).operations
        owner = self._services.entropy.token(9)
        claim = operations.claim(ticket.connection, ticket.operation, owner)
        if claim.state != "mine":
            return claim.outcome or None
        try:
            outcome: Outcome = "told" if self._tell(ticket, result) else "dropped"
        except OutsideError as error:
            note("device-untold", connection=ticket.connection, failure=failure_of(error))
            if error.transient:
                operations.release(ticket.connection, ticket.operation, owner)
                return None
            outcome = "dropped"
        operations.settle(ticket.connection, ticket.operation, outcome)
        return outcome

    def _tell(self, ticket: Ticket, result: DeviceResult) -> bool:
        approved = self._door.approved(ticket.connection)
        adapter = self._adapters.device(approved)
        if adapter is None:
            return False
        adapter.tell_device(approved, self._tickets.telling(ticket, result))
        return True
