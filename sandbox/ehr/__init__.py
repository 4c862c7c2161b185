"""Simulated hospitals: SMART authorization server, FHIR R4 API, status service, schedule and portal."""

from sandbox.ehr.app import create_app
from sandbox.ehr.failures import Failures
from sandbox.ehr.hospital import EPIC, FHIR, ORACLE, Hospital
from sandbox.ehr.world import World

__all__ = ["EPIC", "FHIR", "ORACLE", "Failures", "Hospital", "World", "create_app"]
