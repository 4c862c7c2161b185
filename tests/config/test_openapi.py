"""The OpenAPI document against the API it describes: schemathesis calls every operation, as each caller."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from config_function.openapi import OPERATIONS, openapi
from sandbox.serving import serve
from shared.entra import ApiCaller
from tests.config.house import ADMIN, ANALYST, PUBLIC, House
from tests.config.serving import app

# The Functions host answers 404, not 405, for a method that a route does not have (functions.md section 2).
EXCLUDED: tuple[str, ...] = ("unsupported_method",)
# Whether these are accepted is decided by more than their form: the address must answer, the state allow it,
# the cursor be one of ours.
DECIDED_BY_RULES = (
    "createConnection",
    "changeConnection",
    "submitConnection",
    "listClinicians",
    "exportPersonalData",
    "erasePersonalData",
)
WRITING = frozenset({"Connector.ReadWrite"})
CALLERS = {
    "admin": ApiCaller("", ADMIN, frozenset({"Connector.Admin"}), frozenset(), WRITING, False, False),
    "reader": ApiCaller("", "r", frozenset({"Connector.Reader"}), frozenset(), WRITING, False, False),
    "approver": ApiCaller("", ANALYST, frozenset(), frozenset(), WRITING, False, False),
    "program": ApiCaller("", "p", frozenset({"Connector.Admin"}), frozenset(), frozenset(), True, False),
}
FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


KNOWN = {name for operation in OPERATIONS for name in operation.query or {}}
schema = schemathesis.openapi.from_dict(openapi(PUBLIC))
# A query over the edge's limit is refused before anybody looks at it.
schema.config.checks.negative_data_rejection.expected_statuses.append("413")


@schema.hook
def filter_headers(_: schemathesis.HookContext, headers: dict[str, str] | None) -> bool:
    """Headers that no operation knows are no wrong headers: every server passes over them."""
    return not headers or "If-Match" in headers


@schema.hook
def filter_query(_: schemathesis.HookContext, query: dict[str, str] | None) -> bool:
    """So does every server over a query that no operation knows."""
    return not query or set(query) <= KNOWN


@dataclass(frozen=True)
class Api:
    """The API behind a socket; one connection in service and one draft, which calls may name."""

    url: str
    connections: tuple[str, str]


@pytest.fixture
def api(house: House) -> Iterator[Api]:
    admin = house.browser(ADMIN)
    serving = house.in_service(admin)
    house.base = f"{house.base}/second"
    house.ehr.serve(house.base)
    draft = house.begun(admin, kind="fhir")
    house.microsoft.callers = {name: replace(caller, tid=house.tenant) for name, caller in CALLERS.items()}
    server = serve(app, 0)
    yield Api(f"http://127.0.0.1:{server.port}", (serving, draft))
    server.close()


@schema.parametrize()
@FEW
def test_the_api_does_what_its_document_says(case: schemathesis.Case[Any], api: Api) -> None:
    names = EXCLUDED
    if case.operation.definition.raw["operationId"] in DECIDED_BY_RULES:
        names = (*EXCLUDED, "positive_data_acceptance")
    for name in CALLERS:
        _call(case, api, name, names)
    if "connection" in (case.path_parameters or {}):
        for connection in api.connections:
            case.path_parameters = {**case.path_parameters, "connection": connection}
            # The wrong part may have been the one just put right.
            _call(case, api, "admin", (*names, "negative_data_rejection"))


def _call(case: schemathesis.Case[Any], api: Api, caller: str, excluded: tuple[str, ...]) -> None:
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ in excluded]
    bearer = {"Authorization": f"Bearer {caller}"}
    case.call_and_validate(base_url=api.url, headers=bearer, excluded_checks=checks)
