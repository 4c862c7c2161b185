"""What our backend client needs: shown on the registration sheet and used towards the EHR alike.

Sources: SMART App Launch 2.2, Backend Services (a scope is required); reference ehr.md 1.5 and 2.6.
"""

from shared.connection import Writeback
from shared.ehr.catalogue import SHEETS


def backend_scope(writeback: Writeback) -> str:
    """The scopes of this write-back, space-separated: its option ``scope``, or what its options need."""
    sheet = SHEETS.get(writeback.adapter)
    return sheet.scopes(writeback.options) if sheet else ""


def needs_secret(writeback: Writeback) -> bool:
    """Whether the EHR is told by user name and password: the backend client's secret, and no token."""
    sheet = SHEETS.get(writeback.adapter)
    return sheet is not None and sheet.needs_secret(sheet.values(writeback.options))
