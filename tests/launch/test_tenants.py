"""Several organizations in one deployment, as launches see them."""

import pytest

from shared.keys import signing_keys_name
from tests.launch import microsoft
from tests.launch.conftest import World


@pytest.mark.parametrize("side", ["provider", "patient"])
def test_a_launch_signs_with_the_keys_of_the_connections_organization(side: str) -> None:
    world = World(microsoft.FOREIGN)
    assert world.launch(side).reason == ""
    assert set(world.secrets.reads) == {signing_keys_name(microsoft.TENANT)}


@pytest.mark.parametrize("side", ["provider", "patient"])
def test_an_organization_without_keys_is_told_so_and_nothing_is_sent_to_the_ehr(side: str) -> None:
    world = World()
    world.secrets.names.clear()
    world.clock.pass_by(minutes=6)
    first = world.leg1(side)
    who = "Practitioner/prac-vidal" if side == "provider" else "Patient/pat-1"
    shown = world.leg2(world.agreed(first.location, who), side)
    assert (shown.status, shown.reason) == (503, "keys-missing")
    assert world.outcomes == ["keys-missing"]
    assert not world.ehr.requests("ehr-token")
    assert not world.browser.named("flow")


@pytest.mark.parametrize("side", ["provider", "patient"])
def test_an_organization_that_is_no_longer_listed_has_no_connections(side: str) -> None:
    world = World(microsoft.FOREIGN)
    assert world.leg1(side).location
    world.tenants.remove(microsoft.TENANT)
    asked = len(world.ehr.sent)
    shown = world.leg1(side)
    assert (shown.status, shown.reason) == (404, "connection-unknown")
    assert len(world.ehr.sent) == asked
