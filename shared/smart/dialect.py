"""In what the EHRs differ from SMART App Launch as it is written: one row a kind, read by the other modules.

A new EHR is a row here; no module of this package asks for a kind by name (reference ehr.md sections 2.1 and
3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.connection import EhrKind


@dataclass(frozen=True)
class Dialect:
    """``client_header``: a header that names our client on discovery and on every API call (Epic demands it).

    ``appointment_members``: members of the token response, beside the standard ``fhirContext``, where this
    EHR says which appointment is launched (bare id). ``issuer_tails``: with one of these behind it, the name
    of the issuer means the same issuer, in id_tokens of older versions.
    """

    client_header: str = ""
    appointment_members: tuple[str, ...] = ()
    issuer_tails: tuple[str, ...] = ()

    def headers(self, client_id: str) -> dict[str, str]:
        """What to send beside the standard headers."""
        return {self.client_header: client_id} if self.client_header and client_id else {}

    def issuer_forms(self, issuer: str) -> frozenset[str]:
        """Every ``iss`` that an id_token of this issuer may carry; its keys are the same."""
        return frozenset({issuer, *(f"{issuer.rstrip('/')}{tail}" for tail in self.issuer_tails)})


DIALECTS: Mapping[EhrKind, Dialect] = {
    "epic": Dialect(
        client_header="Epic-Client-ID",
        appointment_members=("appointment",),
        # Before May 2020 it was the address of the token endpoint.
        issuer_tails=("/token",),
    ),
    "oracle": Dialect(appointment_members=("appointment",)),
    "fhir": Dialect(),
}
