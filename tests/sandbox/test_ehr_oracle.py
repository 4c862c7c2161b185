"""In what else the Oracle-like hospital differs: v1 scopes, tenant in every address, searches by date."""

from copy import deepcopy

import pytest

from sandbox.ehr.resources import resources
from tests.sandbox.ehr_client import Connector, connector
from tests.sandbox.test_ehr_appointments import WRITE, ZEPH, backend


@pytest.fixture
def oracle() -> Connector:
    return connector("oracle")


SCOPES = {
    "v2": "system/Appointment.rs",
    "v2 for writing": "system/Appointment.u",
    "every type": "system/*.read",
    "everything of a type": "system/Appointment.*",
    "what nobody may write": "system/Encounter.write",
    "what is not there": "system/AuditEvent.read",
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES.keys())
def test_scopes_are_smart_v1_resource_by_resource(oracle: Connector, scope: str) -> None:
    answer = oracle.backend_token(scope)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


def test_discovery_says_so_and_names_the_tenant_in_every_address(oracle: Connector) -> None:
    path = f"{oracle.hospital.fhir_path}/.well-known/smart-configuration"
    found = oracle.tls.get(path).json
    assert "permission-v1" in found["capabilities"]
    assert "permission-v2" not in found["capabilities"]
    assert "system/Appointment.write" in found["scopes_supported"]
    assert not [one for one in found["scopes_supported"] if "*" in one or one.endswith(".rs")]
    tenant = oracle.hospital.fhir_base[-36:]
    for name in ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"):
        assert f"/tenants/{tenant}" in found[name]
    token = oracle.backend_token(WRITE).json
    assert (token["expires_in"], token["scope"]) == (570, WRITE)


def test_metadata_declares_the_patch_and_every_resource_is_valid_r4(oracle: Connector) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    statement = oracle.tls.get(f"{oracle.hospital.fhir_path}/metadata").json
    get_fhir_model_class("CapabilityStatement").model_validate(deepcopy(statement))
    kinds = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert "AuditEvent" not in kinds
    assert {"code": "patch"} in kinds["Appointment"]["interaction"]
    assert {"code": "patch"} not in kinds["Encounter"]["interaction"]
    for kind in kinds:
        for one in resources(oracle.world, kind):
            get_fhir_model_class(kind).model_validate(deepcopy(one))


SINCE, UNTIL = "date=ge2026-05-28T00:00:00Z", "date=lt2026-05-29T00:00:00Z"
PATIENT = "patient=127730941552"
SEARCHES = {
    f"_id={ZEPH}": 1,
    f"{PATIENT}&{SINCE}": 1,
    f"{PATIENT}&{SINCE}&{UNTIL}": 1,
    f"{PATIENT}&date=lt2026-05-28T00:00:00Z": 0,
    f"practitioner=446400781&{SINCE}": 1,
    f"practitioner=1&{SINCE}": 0,
    PATIENT: None,
    SINCE: None,
    f"{PATIENT}&{SINCE}&{SINCE}": None,
    f"{PATIENT}&{PATIENT}&{SINCE}": None,
    f"{PATIENT}&date=2026-05-28": None,
    f"{PATIENT}&date=ge2026-05-28T00:00:00": None,
    f"{PATIENT}&date=ge2026-13-28T00:00:00Z": None,
    "identifier=1": None,
}


@pytest.mark.parametrize(("search", "found"), SEARCHES.items(), ids=SEARCHES.keys())
def test_searching_appointments_needs_an_id_or_a_person_and_a_date(
    oracle: Connector, search: str, found: int | None
) -> None:
    path = f"{oracle.hospital.fhir_path}/Appointment?{search}"
    answer = oracle.tls.get(path, headers=backend(oracle))
    assert answer.status_code == (400 if found is None else 200), answer.text
    assert answer.json.get("total") == found
