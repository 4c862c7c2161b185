"""Which Microsoft 365 services an account is licensed for, read live (Graph v1.0 licenseDetails).

The permission is optional: without it Graph answers 403, and only the portal's check knows less.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.errors import AnswerRefused
from shared.graph.service import Graph

PERMISSION = "LicenseAssignment.Read.All"
# Microsoft's "Product names and service plan identifiers for licensing".
TEAMS_PLANS: Mapping[str, str] = {
    "57ff2da0-773e-42df-b2af-ffb7a2317929": "TEAMS1",
    "304767db-7d23-49e8-a945-4a7eb65f9f28": "TEAMS_GOV",
    "9953b155-8aef-4c56-92f3-72b0487fce41": "TEAMS_AR_GCCHIGH",
    "fd500458-c24c-478e-856c-a6067a8376cd": "TEAMS_AR_DOD",
}


@dataclass(frozen=True)
class ServicePlan:
    """One service of a licence; ``state`` is Graph's provisioningStatus (``Success``, ``Disabled``, ...)."""

    id: str
    state: str


class Licences:
    """The licences of a tenant's accounts."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def service_plans(self, tenant: str, oid: str) -> list[ServicePlan]:
        """Every service of every licence of the account; GraphRefused 403 without the permission."""
        path = f"/users/{quote(oid, safe='')}/licenseDetails"
        licences = self._graph.call(tenant, "GET", path, timeout=7.0).get("value")
        if not isinstance(licences, list):
            raise AnswerRefused("graph licences")
        return [plan for licence in licences if isinstance(licence, dict) for plan in _plans(licence)]


def _plans(licence: Mapping[str, Any]) -> Iterator[ServicePlan]:
    plans = licence.get("servicePlans")
    for plan in plans if isinstance(plans, list) else []:
        if isinstance(plan, dict):
            yield ServicePlan(
                str(plan.get("servicePlanId", "")).lower(), str(plan.get("provisioningStatus", ""))
            )
