"""The hospital's CapabilityStatement: what its FHIR API can do, and nothing more."""

from collections.abc import Mapping
from typing import Any

from sandbox.ehr.hospital import Hospital

SEARCHABLE = {
    "Patient": ("_id", "identifier"),
    "Practitioner": ("_id",),
    "RelatedPerson": ("_id", "patient"),
    "Appointment": ("_id", "identifier", "patient"),
    "Encounter": ("_id", "identifier", "patient", "appointment"),
}
_TYPES = {
    "_id": "token",
    "identifier": "token",
    "patient": "reference",
    "appointment": "reference",
    "practitioner": "reference",
    "date": "date",
}
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def searchable(hospital: Hospital) -> Mapping[str, tuple[str, ...]]:
    """The search parameters of each resource type that this hospital has."""
    return SEARCHABLE | dict(hospital.search_parameters)


def capability_statement(hospital: Hospital) -> dict[str, Any]:
    """R4 CapabilityStatement of kind `instance`."""
    kinds = [_readable(kind, names) for kind, names in searchable(hospital).items()]
    if hospital.moves_appointments:
        _add_patch(kinds)
    if hospital.audit_events:
        kinds.append(_audit_event(hospital))
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-05",
        "kind": "instance",
        "software": {"name": hospital.chart, "version": "2026.1"},
        "implementation": {"description": hospital.name, "url": hospital.fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{"mode": "server", "security": _security(hospital), "resource": kinds}],
    }


def _readable(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": name, "type": _TYPES[name]} for name in names],
    }


def _add_patch(kinds: list[dict[str, Any]]) -> None:
    for one in kinds:
        if one["type"] == "Appointment":
            one["interaction"].append({"code": "patch"})
            one["versioning"] = "versioned-update"


def _audit_event(hospital: Hospital) -> dict[str, Any]:
    return {
        "type": "AuditEvent",
        "interaction": [{"code": code} for code in hospital.audit_events],
        "versioning": "versioned",
        "updateCreate": "update" in hospital.audit_events,
        "conditionalCreate": False,
    }


def _security(hospital: Hospital) -> dict[str, Any]:
    uris = [
        {"url": "authorize", "valueUri": hospital.authorize_url},
        {"url": "token", "valueUri": hospital.token_url},
    ]
    code = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "SMART-on-FHIR",
    }
    return {"extension": [{"url": _OAUTH_URIS, "extension": uris}], "service": [{"coding": [code]}]}
