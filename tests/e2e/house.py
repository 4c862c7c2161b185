"""The hospitals of the browser test, as their people know them."""

from dataclasses import dataclass

from sandbox.addresses import Addresses

SIDES = ("provider", "patient", "backend")
CLINICIAN, PATIENT, ANALYST = "evidal", "zquillfeather", "tquiroga"


@dataclass(frozen=True)
class House:
    """`label` is what the portal calls this kind of EHR; `visit` the key on the schedule."""

    kind: str
    label: str
    url: str
    tls_url: str
    base: str
    visit: str


def house(kind: str, at: Addresses) -> House:
    """The Epic-like hospital or the plain FHIR one."""
    if kind == "epic":
        base = f"{at.epic_tls_url}/interconnect/api/FHIR/R4"
        return House(kind, "Epic", at.epic_url, at.epic_tls_url, base, "880014417731")
    base = f"{at.fhir_tls_url}/fhir"
    return House(kind, "Other EHR", at.fhir_url, at.fhir_tls_url, base, "appt-zeph-4417731")
