"""The device test: camera, microphone, speaker, whether this browser can do calls, time to this service.

Everything is tested in the browser and stays there. The network beyond this service is not tested, and the
page says so.
"""

from shared.launch.door import Door, DoorServices
from shared.web import Request, Response

# The edge forbids every device; this is the one page that needs two of them.
_PERMISSIONS = "camera=(self), microphone=(self), geolocation=(), payment=(), usb=(), display-capture=()"


class DeviceTest:
    """One for the process."""

    def __init__(self, services: DoorServices) -> None:
        self._door = Door("patient", services)
        self._pages = services.pages

    def page(self, request: Request) -> Response:
        """``GET /launch/patient/{connection}/device-test``; Refusal for a connection that is not in use."""
        self._door.approved(request.route.get("connection", ""))
        page = self._pages.page("launch_patient/device_test.html", request, service_url="/healthz")
        return page.with_headers(Permissions_Policy=_PERMISSIONS)
