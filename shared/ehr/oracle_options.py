"""The options of moving an Oracle Health appointment (reference ehr.md 3.1 and 3.2)."""

from typing import TYPE_CHECKING

from shared.clock import Clock
from shared.ehr.options import Option, Sheet, scope
from shared.ehr.port import Adapter

if TYPE_CHECKING:
    from shared.ehr.senders import Senders

NOTHING = "nothing"
_LEAVE = (NOTHING, "Leave the appointment as it is")
_LABELS = {
    "arrived": "Arrived",
    "checked-in": "Checked in",
    "fulfilled": "Fulfilled",
    "noshow": "No-show",
}


def _move(name: str, label: str, hint: str, *targets: str, default: str = NOTHING) -> Option:
    choices = (_LEAVE, *((target, _LABELS[target]) for target in targets))
    return Option(name, label, hint, "Choose one of the list.", default, choices=choices)


_OPTIONS = (
    _move(
        "patient_connected",
        "When the patient connects",
        "Arrived only changes the tracking status; checked in changes the appointment itself.",
        "arrived",
        "checked-in",
        default="arrived",
    ),
    _move(
        "provider_connected",
        "When the clinician connects",
        "Only an appointment that is booked or arrived is moved.",
        "checked-in",
    ),
    _move(
        "provider_disconnected",
        "When the clinician leaves",
        "Only a checked-in appointment is moved. A clinician may leave and come back.",
        "fulfilled",
    ),
    _move(
        "took_place",
        "When the visit took place",
        "Once the visit is over and its reports were read. Only a checked-in appointment is moved.",
        "fulfilled",
    ),
    _move(
        "patient_no_show",
        "When the patient did not come",
        "Only a booked appointment is moved. Check first that your domain lets applications set no-show.",
        "noshow",
    ),
    # Read, too: a status is changed under the version that was read. Scopes as SMART v1 writes them.
    scope("system/Appointment.read system/Appointment.write"),
)


def _make(senders: "Senders", clock: Clock) -> Adapter:
    from shared.ehr.oracle import OracleAdapter

    return OracleAdapter(senders.bearer, clock)


SHEET = Sheet("oracle", "Oracle Health appointment status", _make, _OPTIONS)
