"""One launch on its way into one visit: what every step of opening a room works with."""

from dataclasses import dataclass

from shared.connection import Approved
from shared.context import VisitContext
from shared.meeting.organizers import Organizer, candidates
from shared.meeting.persons import Launcher
from shared.store import RegionStore


@dataclass(frozen=True)
class Opening:
    """Who launches into what, and the store of the visit's region."""

    approved: Approved
    context: VisitContext
    launcher: Launcher
    store: RegionStore

    @property
    def tenant(self) -> str:
        """The organization's Microsoft 365 tenant."""
        return self.approved.connection.tenant

    @property
    def name(self) -> tuple[str, str]:
        """How the visit's row is found: connection and visit key."""
        return self.context.connection, self.context.visit_key

    @property
    def organizers(self) -> tuple[Organizer, ...]:
        """Who may organize the meeting, in order; the visit's row may already name another."""
        return candidates(self.approved.revision.organizers, self.context.visit_key, self.launcher)
