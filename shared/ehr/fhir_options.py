"""The options of writing AuditEvents to a FHIR R4 server (reference ehr.md 4.1)."""

from typing import TYPE_CHECKING

from shared.clock import Clock
from shared.ehr.options import Option, Sheet, scope
from shared.ehr.port import Adapter

if TYPE_CHECKING:
    from shared.ehr.backend import Backend

_OPTIONS = (
    Option(
        "user_system",
        "Namespace of EHR user IDs",
        "A URI that goes with user IDs that are no FHIR references. Leave it empty to send none.",
        "A URI of up to 200 characters like urn:oid:1.2.3 or https://ehr.hospital.example/users.",
        pattern=r"[A-Za-z][A-Za-z0-9+.\-]*:[!#-;=?-~]+",
        most=200,
    ),
    # The form of SMART v1, which servers of v2 take, too.
    scope("system/AuditEvent.write"),
)


def _make(backend: "Backend", clock: Clock) -> Adapter:
    from shared.ehr.fhir import FhirAdapter

    return FhirAdapter(backend, clock)


SHEET = Sheet("fhir", "FHIR AuditEvent", _make, _OPTIONS)
