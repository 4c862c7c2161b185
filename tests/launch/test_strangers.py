"""What anybody may do at a connection's door, and how little of it is written down."""

from collections.abc import Callable

import pytest

from shared.errors import Unreachable
from shared.launch import outcomes
from tests.launch.conftest import CONNECTION, World, revision
from tests.launch.ehr import BASE

OLD = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko"}


def _unapproved(world: World, side: str) -> str:
    world.use(revision(state="draft"))
    return world.leg1(side).reason


KNOCKS: dict[str, Callable[[World, str], str]] = {
    "launch-incomplete": lambda world, side: world.leg1(side, f"iss={BASE}").reason,
    "wrong-environment": lambda world, side: world.leg1(side, "iss=https://x.example&launch=l").reason,
    "browser-unsupported": lambda world, side: world.leg1(side, headers=OLD).reason,
    "connection-not-approved": _unapproved,
}


def rows(world: World) -> list[tuple[str, str, str]]:
    return world.stores.region.launches.rows


@pytest.mark.parametrize("side", ["patient", "provider"])
@pytest.mark.parametrize("code", KNOCKS)
def test_a_knock_is_written_once_a_minute_however_often_it_comes(world: World, side: str, code: str) -> None:
    for _ in range(20):
        assert KNOCKS[code](world, side) == code
    assert rows(world) == [(CONNECTION, code, side)]
    world.clock.pass_by(seconds=59)
    KNOCKS[code](world, side)
    assert len(rows(world)) == 1
    world.clock.pass_by(seconds=1)
    KNOCKS[code](world, side)
    KNOCKS[code](world, side)
    assert rows(world) == [(CONNECTION, code, side)] * 2


def test_sides_and_reasons_are_counted_apart(world: World) -> None:
    for _ in range(3):
        for side in ("patient", "provider"):
            for code in ("launch-incomplete", "wrong-environment"):
                KNOCKS[code](world, side)
    assert len(rows(world)) == len(set(rows(world))) == 4


def test_what_nobody_can_act_on_is_not_written_at_all(world: World) -> None:
    assert world.leg1("patient", f"iss={BASE}&launch=%C3%A9").reason == "parameter-invalid"
    assert not rows(world)


def test_a_knock_hides_no_refusal_of_a_real_launch(world: World) -> None:
    world.ehr.failures.down = frozenset({"/smart-configuration", "/metadata"})
    for _ in range(3):
        assert world.leg1("patient").reason == "ehr-unreachable"
    assert world.outcomes == ["ehr-unreachable"] * 3


def test_the_memory_of_knocks_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "REMEMBERED", 1)
    for _ in range(2):
        KNOCKS["launch-incomplete"](world, "patient")
        KNOCKS["wrong-environment"](world, "patient")
    assert len(rows(world)) == 4, "what was forgotten is written again"


def test_storage_that_is_down_says_so_to_a_knock_as_well(world: World) -> None:
    def down(_: str) -> None:
        raise Unreachable("storage")

    world.stores.region.connections.approved = down  # type: ignore[assignment]
    assert world.leg1("patient").reason == "storage-unavailable"
    assert not rows(world)
