"""What our backend client asks for: shown on the registration sheet and sent to the EHR alike.

Sources: SMART App Launch 2.2, Backend Services (a scope is required); reference ehr.md 1.5 and 2.6.
"""

from shared.connection import Writeback
from shared.ehr.catalogue import SHEETS


def backend_scope(writeback: Writeback) -> str:
    """The scopes of this write-back, space-separated: its option ``scope``, or the adapter's usual ones."""
    sheet = SHEETS.get(writeback.adapter)
    return sheet.values(writeback.options).get("scope", "") if sheet else ""
