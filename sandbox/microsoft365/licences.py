"""Which licences an account holds: everybody of the tenant the same one, except as the failure modes say.

Ids are Microsoft's published ones ("Product names and service plan identifiers for licensing").
"""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.failures import Failures

_SKU, _SKU_NAME = "6fd2c87f-b296-42f0-b197-1e91e994b900", "ENTERPRISEPACK"
_EXCHANGE, _EXCHANGE_NAME = "efb87545-963c-4e0d-99df-69c6916d9eb0", "EXCHANGE_S_ENTERPRISE"
_TEAMS, _TEAMS_NAME = "57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1"


def licence_details(person: Person, failures: Failures) -> list[dict[str, Any]]:
    """The account's licences as Graph shows them."""
    if person.home is not None or person.oid in failures.no_licence_for:
        return []
    teams = "Disabled" if person.oid in failures.teams_off_for else "Success"
    return [
        {
            "id": str(uuid5(NAMESPACE_URL, f"{person.oid}/{_SKU}")),
            "skuId": _SKU,
            "skuPartNumber": _SKU_NAME,
            "servicePlans": [
                _plan(_EXCHANGE, _EXCHANGE_NAME, "Success"),
                _plan(_TEAMS, _TEAMS_NAME, teams),
            ],
        }
    ]


def _plan(plan: str, name: str, status: str) -> dict[str, str]:
    return {
        "servicePlanId": plan,
        "servicePlanName": name,
        "provisioningStatus": status,
        "appliesTo": "User",
    }
