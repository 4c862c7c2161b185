"""How long a launch takes in this process, and that nobody asks a hospital more often than needed.

Times are processor time of this thread, so that a busy machine does not make them longer; what the simulated
hospital itself spends is taken off. The promised times are far above the usual ones (0.2 and 1 ms): they are
for slower processors.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from shared.connection import Client, UserSource
from shared.launch import Finished
from shared.smart.discovery import Discovery
from shared.web import Response, html
from tests.launch.conftest import CONNECTION, PUBLIC, Clock, World, revision
from tests.launch.ehr import BASE, Ehr

CALLBACK = f"{PUBLIC}/launch/patient/callback/{CONNECTION}"
LEG_1, LEG_2 = 0.003, 0.008


@contextmanager
def taken_off(ehr: Ehr) -> Iterator[list[float]]:
    """Seconds that the hospital spent, call by call."""
    spent: list[float] = []
    send = ehr.send

    def timed(*values: Any, **named: Any) -> Any:
        begun = time.thread_time()
        try:
            return send(*values, **named)
        finally:
            spent.append(time.thread_time() - begun)

    ehr.send = timed  # type: ignore[method-assign]
    yield spent
    ehr.send = send  # type: ignore[method-assign]


@pytest.mark.parametrize("side", ["provider", "patient"])
def test_leg_1_takes_three_milliseconds_at_most(world: World, side: str) -> None:
    world.leg1(side)
    spent = []
    for _ in range(60):
        world.browser.cookies.clear()
        begun = time.thread_time()
        world.leg1(side)
        spent.append(time.thread_time() - begun)
    assert statistics.median(spent) < LEG_1
    assert len(world.ehr.sent) == 1


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_the_smart_part_of_leg_2_takes_eight_milliseconds_at_most(world: World, alg: Any) -> None:
    """From the code to the verified identity: our signature, and the check of theirs with kept keys."""
    world.use(revision(user_source=UserSource(), patient=Client("patient-client", alg=alg)))
    door = world.services.flow
    times = []
    for _ in range(40):
        url = world.agreed(world.leg1("patient").location, "Patient/pat-1")
        with taken_off(world.ehr) as theirs:
            begun = time.thread_time()
            shown = world.browser.open(lambda request: _named(door.finish(request, CALLBACK)), url)
            times.append(time.thread_time() - begun - sum(theirs))
        assert shown.text == "Patient/pat-1"
        world.browser.cookies.clear()
    assert statistics.median(times) < LEG_2
    assert len([one for one in world.ehr.sent if one.url.endswith("/oauth2/keys")]) == 1


def _named(finished: Finished) -> Response:
    return html(finished.identity.reference if finished.identity else "")


def test_many_first_launches_at_once_are_one_question_to_the_hospital(world: World) -> None:
    began, go = threading.Barrier(8), threading.Event()
    send = world.ehr.send

    def slow(*values: Any, **named: Any) -> Any:
        go.wait(5)
        return send(*values, **named)

    world.ehr.send = slow  # type: ignore[method-assign]
    discovery = Discovery(cast("Any", world.ehr), world.clock)
    found = []

    def launch() -> None:
        began.wait(5)
        found.append(discovery.get(BASE, client_id="c", kind="epic"))

    threads = [threading.Thread(target=launch) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(world.ehr.sent) == 1


def test_launches_at_a_silent_hospital_are_one_question_in_half_a_minute(world: World) -> None:
    world.ehr.failures.down = frozenset({"smart-configuration"})
    assert [world.leg1().reason for _ in range(20)] == ["ehr-unreachable"] * 20
    assert len(world.ehr.sent) == 1
    world.clock.pass_by(seconds=31)
    world.ehr.failures.down = frozenset()
    assert world.leg1().status == 303, "it is asked again, and serves"


def test_a_hospital_that_falls_silent_goes_on_launching_on_what_was_read(world: World) -> None:
    """Configuration and keys serve for a day; only what must be new is asked: the token."""
    world.launch("patient")
    world.browser.cookies.clear()
    world.clock.pass_by(hours=20)
    world.ehr.failures.down = frozenset({"smart-configuration", "/oauth2/keys"})
    assert world.launch("patient").status == 303
    world.browser.cookies.clear()
    world.clock.pass_by(hours=6)
    assert world.leg1("patient").reason == "ehr-unreachable"


def test_a_configuration_is_kept_for_each_base_and_client(world: World) -> None:
    discovery = Discovery(cast("Any", world.ehr), Clock())
    for client in ("one", "other", "one"):
        discovery.get(BASE, client_id=client, kind="epic")
    assert [one.headers["Epic-Client-ID"] for one in world.ehr.sent] == ["one", "other"]
    for client in ("one", "other"):
        discovery.get(BASE, client_id=client, kind="fhir")
    assert len(world.ehr.sent) == 3, "who asks counts only where the answer depends on it"
    discovery.renew(BASE, client_id="one", kind="epic")
    assert len(world.ehr.sent) == 4


def test_keys_that_cannot_be_had_are_the_hospitals_silence_and_asked_for_once_a_minute(world: World) -> None:
    world.ehr.failures.down = frozenset({"/oauth2/keys"})
    for _ in range(5):
        assert world.launch("patient").reason == "ehr-unreachable"
    asked = [one for one in world.ehr.sent if one.url.endswith("/oauth2/keys")]
    assert len(asked) == 1
    world.ehr.failures.down = frozenset()
    world.clock.pass_by(seconds=61)
    assert world.launch("patient").status == 303
