"""For an organization that does not write back."""

from typing import Literal

from shared.connection import Approved
from shared.ehr.port import Telling


class NoneAdapter:
    """Tells nobody."""

    semantics: Literal["state", "event"] = "state"

    def tell(self, approved: Approved, telling: Telling) -> None:
        """Returns at once."""
