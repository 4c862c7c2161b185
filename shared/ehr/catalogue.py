"""Which adapters there are: a new one is its modules and a line here.

The portal reads its choices and fields from these sheets; an adapter's own code is imported when something
is told through it.
"""

from collections.abc import Mapping

from shared.ehr import epic_options, fhir_options, none, oracle_options
from shared.ehr.options import Sheet

SHEETS: Mapping[str, Sheet] = {
    sheet.code: sheet for sheet in (epic_options.SHEET, oracle_options.SHEET, fhir_options.SHEET, none.SHEET)
}
WRITING = tuple(code for code in SHEETS if code != none.SHEET.code)
"""The adapters that tell somebody, and need a client for it."""
