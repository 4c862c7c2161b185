"""For an organization that does not write back."""

from typing import Literal

from shared.connection import Approved
from shared.ehr.options import Sheet
from shared.ehr.port import Telling


class NoneAdapter:
    """Tells nobody."""

    semantics: Literal["state", "event"] = "state"

    def tell(self, approved: Approved, telling: Telling) -> None:
        """Returns at once."""


SHEET = Sheet("none", "Do not write back", lambda *_: NoneAdapter())
