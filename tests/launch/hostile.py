"""What every launch that is refused must leave behind: its reason, and nothing else."""

from typing import Any

from tests.launch.conftest import Shown, World


def refused(world: World, shown: Shown, reason: str, gain: str, *, recorded: bool = True) -> None:
    """Refused for this reason; nobody was sent anywhere, nothing opened, linked, kept or left to replay.

    ``recorded``: whether the connection is known at that point, so that its outcome can be.
    """
    assert shown.reason == reason, gain
    assert not shown.location, gain
    assert world.outcomes == ([reason] if recorded else []), gain
    nothing_happened(world)
    assert not world.browser.cookies, "the flow is consumed, and nothing is kept for a second try"


def nothing_happened(world: World) -> None:
    region = world.stores.region
    assert not world.rooms.opened
    assert not region.ehr_users.rows
    assert not region.visits.rows
    assert not region.audit.rows
    assert not world.entra.begun


def reads(world: World) -> list[Any]:
    """What was asked of the chart."""
    return world.ehr.requests("ehr-fhir")
