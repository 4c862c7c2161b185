"""How each EHR's people say it: one module an EHR, data only.

What no source says is not made up: there the sentence sends the reader to their own documentation.
"""

from collections.abc import Mapping

from config_function.wording.epic import EPIC
from config_function.wording.fhir import FHIR
from config_function.wording.oracle import ORACLE
from config_function.wording.table import Mistake, Wording
from shared.connection import EhrKind, VisitKind

__all__ = ["WITHOUT_CONTEXT", "WORDING", "Mistake", "Wording"]

WORDING: Mapping[EhrKind, Wording] = {"epic": EPIC, "oracle": ORACLE, "fhir": FHIR}

# What a launch must say where there is no context string.
WITHOUT_CONTEXT: Mapping[VisitKind, str] = {
    "session": "None. The token response must name the visit, in the member that the settings say.",
    "conference": "None. The token response must name the visit, in the member that the settings say.",
    "appointment": "None. The launch itself must name the appointment, or an encounter that leads to one.",
    "encounter": "None. The launch itself must name the encounter.",
}
