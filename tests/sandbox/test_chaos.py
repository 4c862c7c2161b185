"""A small run of chaos, and the failure modes that only chaos uses."""

import random
import threading
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from sandbox.chaos.__main__ import run
from sandbox.chaos.house import House
from sandbox.chaos.plan import Plan
from sandbox.chaos.stage import ChaosFailed
from sandbox.chaos.weather import Happened, Weather
from sandbox.children import is_free
from sandbox.ehr.trouble import WAYS
from sandbox.host.__main__ import main as host
from sandbox.microsoft365.dispatch import Delivery, Dispatcher
from tests.sandbox.ehr_client import Connector, connector
from tests.sandbox.test_ehr_api import backend, report, transitions

SMALL = Plan(
    seed=4,
    visits=10,
    hurry=15.0,
    debounce=1.0,
    shuffle=1.5,
    trouble=0.2,
    trouble_after=0.0,
    begins_within=4.0,
    kills=1,
    restarts=0,
    outage=0.0,
    invisibility=4,
    limit=240.0,
)


@pytest.mark.sandbox
@pytest.mark.slow
def test_a_small_run_with_a_killed_host_should_end_with_the_true_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House(SMALL, tmp_path)
    try:
        house.start()
        findings = run(SMALL, house)
    finally:
        house.close()
    said = capsys.readouterr().out
    assert findings.clean, said
    assert findings.participants >= 20
    for line in ("host killed                  1", "missing                      0", "delay p95"):
        assert line in said
    assert is_free(house.addresses.host_tls)
    assert is_free(house.addresses.m365_tls)


@pytest.fixture
def epic() -> Connector:
    made = connector("epic")
    made.world.rng = random.Random(3)  # noqa: S311
    return made


def test_every_way_of_trouble_should_strike_and_be_counted(epic: Connector) -> None:
    token = backend(epic)
    waits: list[float] = []
    epic.world.sleep = waits.append
    epic.world.troubles.clear()
    epic.world.failures.trouble_share = 0.9
    answers = Counter(report(epic, headers=token).status_code for _ in range(120))
    counted = epic.world.troubles
    assert set(counted) == {"answered", *(way.name for way in WAYS)}
    assert sum(counted.values()) == 120 == sum(answers.values())
    # What had its effect is in the record, whatever the caller was told of it.
    done = counted["answered"] + sum(counted[way.name] for way in WAYS if way.done)
    assert sum(len(one) for one in transitions(epic).values()) == done > answers[200]
    assert {20.0, 1.0} <= set(waits)


def test_an_outage_should_reach_every_server_endpoint_and_no_control(epic: Connector) -> None:
    epic.world.failures.outage = True
    for path in (
        f"{epic.hospital.fhir_path}/metadata",
        epic.hospital.status_path,
        f"{epic.hospital.oauth_path}/token",
    ):
        assert epic.tls.post(path).status_code == 503
    assert epic.tls.get("/sandbox/state").status_code == 200
    assert epic.http.get("/").status_code == 200


def test_several_senders_should_not_wait_for_a_slow_one() -> None:
    taken: list[str] = []
    quick = threading.Event()

    def send(delivery: Delivery) -> bool:
        if delivery.content == "slow":
            quick.wait(10)
        taken.append(delivery.content)
        quick.set()
        return True

    dispatcher = Dispatcher(send, threads=2)
    dispatcher.enqueue("s", "slow")
    dispatcher.enqueue("s", "quick")
    assert dispatcher.settle(20)
    dispatcher.close()
    assert taken == ["quick", "slow"]


def test_pauses_should_grow_to_the_longest_only() -> None:
    """Twenty pauses that only grew would last for days."""
    attempts: list[int] = []

    def send(delivery: Delivery) -> bool:
        attempts.append(delivery.attempt)
        return delivery.attempt == 20

    dispatcher = Dispatcher(send, first_pause=0.01, longest_pause=0.02, keep_trying=1e9)
    dispatcher.enqueue("s", "again")
    assert dispatcher.settle(20)
    dispatcher.close()
    assert attempts == list(range(21))


@pytest.mark.parametrize("seconds", ["1", "601", "ten"])
def test_the_host_should_hide_messages_for_a_sensible_time_only(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        host(["--invisibility", seconds])
    assert "--invisibility" in capsys.readouterr().err


@pytest.mark.parametrize("lacking", ["kills", "restarts", "outages", "failure"])
def test_a_run_in_which_not_all_trouble_came_about_should_prove_nothing(lacking: str) -> None:
    weather = Weather(cast("House", None), Plan(1), threading.Event(), Happened(10, 2, 1))
    weather.complete()
    setattr(weather.happened, lacking, OSError("no host") if lacking == "failure" else 0)
    with pytest.raises(ChaosFailed):
        weather.complete()
