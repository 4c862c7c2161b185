"""What differs between the EHRs an administrator can choose: one row a kind, data only.

Sources: reference ehr.md 2.2 and 2.3 (Epic FDI records and context tokens), 3.1 (Oracle Health), section 7;
Epic on FHIR, API specifications (names of the Incoming APIs). What people do with it: ``wording``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.connection import EhrKind


@dataclass(frozen=True)
class ContextTokens:
    """The EHR's placeholders that a context string is made of; the EHR fills them in at launch."""

    session: str
    conference: str
    user: str
    department: str


@dataclass(frozen=True)
class Kind:
    """``defaults``: settings of a new connection by field name. ``tokens`` None: no context string.

    ``registry``: what the analyst calls the place where OAuth clients are registered. ``apis``: what to
    select there beside the scopes, for each resource that is read and each adapter that writes.
    """

    kind: EhrKind
    label: str
    registry: str
    defaults: Mapping[str, Any]
    tokens: ContextTokens | None = None
    apis: Mapping[str, str] = field(default_factory=dict)
    base_example: str = ""


KINDS: Mapping[EhrKind, Kind] = {
    "epic": Kind(
        "epic",
        "Epic",
        "Epic on FHIR, Build Apps",
        {
            "visit_kind": "session",
            "visit_key": "sessionId",
            "provider_user_key": "epicUserId",
            "patient_user_key": "epicUserId",
            "adapter": "epic",
        },
        ContextTokens("%CSN%", "%CONFERENCEID%", "%EPICUSERID%", "%PERFDEPID;;; ; ;;NONE;%"),
        {
            "Practitioner": "Practitioner.Read (R4)",
            "Appointment": "Appointment.Read (Appointments) (R4)",
            "Encounter": "Encounter.Read (Patient Chart) (R4)",
            # The service's name; under which the registration lists it is not public (ehr.md section 9).
            "epic": "SetExternalConnectionStatus",
        },
        "https://fhir.hospital.example/interconnect/api/FHIR/R4",
    ),
    "oracle": Kind(
        "oracle",
        "Oracle Health",
        "the Oracle Health code Console",
        {"visit_kind": "appointment", "visit_key": "", "adapter": "oracle"},
        base_example="https://fhir-ehr.cerner.com/r4/00000000-0000-0000-0000-000000000000",
    ),
    "fhir": Kind(
        "fhir",
        "Other EHR with FHIR R4 and SMART",
        "the EHR's app registration",
        {"visit_kind": "appointment", "visit_key": "", "adapter": "fhir"},
        base_example="https://ehr.hospital.example/fhir",
    ),
}
