"""From the launch to what the EHR was told: an operator who follows one id finds every step."""

from collections.abc import Iterator

import pytest

from shared import trace
from shared.errors import Unreachable
from shared.messages import WritebackMessage, opened
from tests.launch.conftest import World
from tests.launch.front import wired
from tests.telemetry.capture import Captured
from tests.telemetry.visit import AfterLaunch, launched
from tests.writeback.house import House, guest
from tests.writeback.office import Office


@pytest.fixture
def served(world: World) -> Iterator[World]:
    with wired(world):
        yield world


def test_a_visit_should_be_one_chain_from_the_launch_to_the_ehr(served: World, captured: Captured) -> None:
    assert launched(served, "patient", "Patient/pat-1").status == 303
    ((context, _),) = served.rooms.opened
    visit = AfterLaunch(served, context)
    assert visit.notified(5) == 202
    assert visit.played().adapter.said()
    steps = [one for one in captured.events() if one["event"] != "request"]
    assert [one["event"] for one in steps] == ["launch", "launch", "notified", "folded", "told"]
    assert {one["trace"] for one in captured.events()} == {context.trace}
    assert {one.get("visit") for one in steps[1:]} == {context.visit_key}


def test_two_launches_of_one_visit_should_be_two_chains_of_one_visit(
    served: World, captured: Captured
) -> None:
    for launch in ("l-1", "l-2"):
        launched(served, "patient", "Patient/pat-1", launch)
    ends = [one for one in captured.events("launch") if one["leg"] == "return"]
    assert len({one["trace"] for one in ends}) == 2
    assert len({one["visit"] for one in ends}) == 1


def test_a_leg_should_say_side_reason_and_whose_time_it_was(served: World, captured: Captured) -> None:
    launched(served, "patient", "Practitioner/prac-vidal")
    first, second = captured.events("launch")
    assert (first["side"], first["leg"], first["reason"], first["status"]) == ("patient", "begin", "-", 303)
    assert (second["leg"], second["reason"]) == ("return", "wrong-front-door")
    for leg in (first, second):
        assert {"duration_ms", "own_ms", "ehr_ms", "entra_ms", "graph_ms"} <= set(leg)


def test_what_comes_again_should_stay_in_its_chain(light: House, captured: Captured) -> None:
    light.visit()
    light.sees(5, guest("p"))
    before = chain_of(light)
    light.adapter.failures = [Unreachable("ehr")]
    light.run()
    assert chain_of(light) == before != ""
    light.run_for(3_600)
    assert {one["trace"] for one in captured.events("folded", "retry", "told")} == {before}


def chain_of(house: House) -> str:
    (waiting,) = house.waiting()
    return trace.trace_of(WritebackMessage.read(waiting.text, house.sealer).traceparent)


def test_a_tended_visit_should_stay_in_the_chain_of_its_launch_and_be_closed_once(
    office: Office, captured: Captured
) -> None:
    office.visit()
    with trace.entered("cd" * 16):
        office.begin()
    office.run_for(4 * 86_400)
    (closed,) = captured.events("visit-closed")
    assert (closed["trace"], closed["visit"]) == ("cd" * 16, office.house.row().key)
    assert (closed["outcome"], closed["reported"]) == ("unknown", False)
    assert office.house.waiting("tend") == []
    assert opened("tend", office.first(), office.house.sealer)["traceparent"] == ""
