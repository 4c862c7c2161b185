"""The simulated Graph: licences of accounts."""

from collections.abc import Iterator

import pytest

from sandbox.microsoft365.cast import OUTSIDER, VIDAL
from tests.sandbox.m365 import Cloud, running

DETAILS = f"/v1.0/users/{VIDAL.oid}/licenseDetails"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("authority")) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    yield shared
    shared.session.put(f"{shared.tls}/sandbox/failures", json={})
    shared.tokens.clear()


def test_licences_should_hold_teams_unless_switched_off_or_taken_away(cloud: Cloud) -> None:
    def states() -> list[str]:
        found = cloud.graph("GET", DETAILS).json()["value"]
        plans = [plan for licence in found for plan in licence["servicePlans"]]
        return [plan["provisioningStatus"] for plan in plans if plan["servicePlanName"] == "TEAMS1"]

    assert states() == ["Success"]
    cloud.failures.teams_off_for = [VIDAL.oid]
    assert states() == ["Disabled"]
    cloud.failures.no_licence_for = [VIDAL.oid]
    assert states() == []


def test_licences_of_nobody_and_with_options_should_be_refused(cloud: Cloud) -> None:
    assert cloud.graph("GET", DETAILS, params={"$top": "1"}).status_code == 400
    assert cloud.graph("GET", f"/v1.0/users/{OUTSIDER.oid}/licenseDetails").status_code == 404


def test_licences_without_consent_should_be_refused(cloud: Cloud) -> None:
    cloud.failures.missing_permissions = ["LicenseAssignment.Read.All"]
    answer = cloud.graph("GET", DETAILS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
