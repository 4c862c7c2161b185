"""The last step of a clinician's launch: the room is opened, or the live view made ready."""

from dataclasses import dataclass

from launch_provider.arrival import Arrival
from launch_provider.directory import Directory
from launch_provider.services import ProviderServices
from shared.connection import Approved
from shared.context import VisitContext
from shared.errors import AntesalaError, Refusal
from shared.launch.door import Door
from shared.launch.jar import Jar
from shared.meeting import Launcher
from shared.web import Cookie, Request

VIEWS = 3
VIEW = "view"


class AccountGone(AntesalaError):
    """The linked account is in the directory no more: Teams would not let its owner in as anybody."""


@dataclass(frozen=True)
class Onward:
    """Where to, and the cookies that go along."""

    url: str
    cookies: tuple[Cookie, ...]


class Entrance:
    """Sends a linked clinician into a visit."""

    def __init__(self, door: Door, services: ProviderServices) -> None:
        self._door = door
        self._rooms = services.rooms
        self._entropy = services.entropy
        self._contexts = services.contexts
        self._directory = Directory(services.people, services.clock)
        self._views = Jar(services.sealer, services.clock, "view", VIEWS)
        self._last = Jar(services.sealer, services.clock, "last-opened", 1)

    def approved(self, arrival: Arrival) -> Approved:
        """The revision the launch began under; Refusal flow-expired when another was approved meanwhile."""
        return self._door.approved_as(arrival.connection, arrival.revision)

    def enter(
        self, request: Request, arrival: Arrival, oid: str, *labels: str, approved: Approved | None = None
    ) -> Onward:
        """Opens what the launch asked for; ``labels`` are further names under which it may be resumed.

        ``approved``: what this very request has read already; a later page's request reads it anew.
        AccountGone where the linked account does not exist any more.
        """
        approved, context = approved or self.approved(arrival), self._contexts.open(arrival.context)
        if arrival.opens == VIEW:
            onward = self._view(request, arrival, context, oid)
        else:
            onward = self._meeting(request, approved, context, Launcher("provider", arrival.ehr_user, oid))
        resumes = self._door.resume(request, arrival.connection, onward.url, arrival.state, *labels)
        return Onward(onward.url, (*onward.cookies, *resumes))

    def opened_for_another(self, request: Request, oid: str) -> bool:
        """Whether this browser last opened Teams for somebody else (a shared workstation)."""
        last = self._last.find(request, "teams")
        return isinstance(last, str) and last != oid

    def _meeting(
        self, request: Request, approved: Approved, context: VisitContext, launcher: Launcher
    ) -> Onward:
        room = self._rooms.open(approved, context, launcher)
        # A meeting in one's own name proves the account. Any other may have been made because it is gone.
        if room.visit.organizer != launcher.oid and self._directory.lacks(
            approved.connection.tenant, launcher.oid
        ):
            raise AccountGone
        if not room.provider_url:
            raise Refusal("meeting-unavailable", "no join link")
        self._door.outcomes.ok(approved.connection.id, "provider")
        return Onward(room.provider_url, self._last.put(request, "teams", launcher.oid))

    def _view(self, request: Request, arrival: Arrival, context: VisitContext, oid: str) -> Onward:
        handle = self._entropy.token(24)
        seen = {"c": arrival.connection, "k": context.visit_key, "u": arrival.ehr_user, "o": oid}
        url = f"/launch/provider/{arrival.connection}/visit/{handle}"
        return Onward(url, self._views.put(request, handle, seen))
