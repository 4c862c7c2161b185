"""What the clinician's door needs of the wired services beyond what both doors share."""

from typing import Protocol

from shared.entra import Entra
from shared.graph.people import People
from shared.launch.door import DoorServices


class ProviderServices(DoorServices, Protocol):
    """The Microsoft 365 sign-in, and the directory."""

    @property
    def entra(self) -> Entra: ...
    @property
    def people(self) -> People: ...
