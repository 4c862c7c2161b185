"""`make chaos`: plays the visits, makes the trouble, compares every record; 1 unless everything is right."""

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

import requests

from sandbox.chaos.hospitals import SCENES
from sandbox.chaos.house import ChildError, House, house
from sandbox.chaos.plan import Plan
from sandbox.chaos.report import Findings, compared, delays, lines
from sandbox.chaos.script import plots
from sandbox.chaos.simulators import MICROSOFT
from sandbox.chaos.stage import ChaosFailed, Stage
from sandbox.chaos.weather import Weather
from sandbox.storage import StorageError
from shared.errors import AntesalaError
from shared.parked import NOBODYS
from shared.store.queues import PARKED
from shared.store.region import RegionStore

_WORKING = ("attendance", "writeback", "attendance-poison", "writeback-poison", "tend-poison")
_POLL_SECONDS = 0.5
# Seen empty so often, everything is quiet.
_QUIET_LOOKS = 3


def main(arguments: list[str]) -> int:
    """0 with a record that is the truth; 1 with what is wrong; 2 when the run itself failed."""
    plan = _plan(arguments)
    print(f"chaos --seed {plan.seed} --visits {plan.visits}", flush=True)
    signal.signal(signal.SIGTERM, _end)
    try:
        with house(plan) as running:
            return 0 if run(plan, running).clean else 1
    except (
        ChaosFailed,
        ChildError,
        StorageError,
        AntesalaError,
        requests.RequestException,
        OSError,
    ) as error:
        print(f"the run failed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 2


def run(plan: Plan, running: House) -> Findings:
    """Plays the whole plan in a running house, prints the report and gives the findings."""
    began = time.monotonic()
    stage = Stage(running, plots(plan.seed, plan.visits, plan.begins_within, plan.debounce))
    try:
        stage.open_rooms()
        _say(began, f"{len(stage.acts)} rooms are open")
        memory = running.memory()
        weather = Weather(running, plan, stage.stop)
        weather.prepare()
        begin = time.time()
        happening = weather.start(begin)
        _played(stage, weather, begin, plan.limit - (time.monotonic() - began))
        happening.join(timeout=plan.limit)
        weather.complete()
        _say(began, "every step is played")
        time.sleep(plan.trouble_after)
        weather.clear()
        _say(began, "the EHRs have recovered")
        store = stage.services.stores.region("americas")
        left = _quiet(running, store, began + plan.limit)
        _say(began, "quiet" if not any(left.values()) else "out of time")
        return _report(plan, running, stage, weather, left, (memory, running.memory()))
    finally:
        stage.close()


def _played(stage: Stage, weather: Weather, begin: float, seconds: float) -> None:
    try:
        stage.play(begin, seconds)
    except TimeoutError as late:
        raise ChaosFailed("the script took too long: is the machine very busy?") from late
    weather.well()


def _quiet(running: House, store: RegionStore, until: float) -> Mapping[str, int]:
    """What still waits when nothing has waited for a while, or when time is up."""
    looks = 0
    while True:
        left = _left(running, store)
        looks = 0 if any(left.values()) else looks + 1
        if looks >= _QUIET_LOOKS or time.monotonic() > until:
            return left
        time.sleep(_POLL_SECONDS)


def _left(running: House, store: RegionStore) -> Mapping[str, int]:
    sending = int(running.ask(f"{running.tls(MICROSOFT)}/sandbox/undelivered"))
    return {"Microsoft 365": sending, **{name: store.queue(name).length() for name in _WORKING}}


def _report(
    plan: Plan,
    running: House,
    stage: Stage,
    weather: Weather,
    left: Mapping[str, int],
    memory: tuple[float, float],
) -> Findings:
    records: dict[str, Any] = {name: running.ask(f"{running.tls(name)}/sandbox/chaos") for name in SCENES}
    handovers = running.ask(f"{running.tls(MICROSOFT)}/sandbox/chaos")["handovers"]
    findings = compared(stage.acts, records, plan.debounce)
    store = stage.services.stores.region("americas")
    parked = sum(queue.length() for queue in store.parked())
    names = [*(scene.connection for scene in SCENES.values()), NOBODYS]
    findings.letters = [
        f"{one.reason} {one.status or ''}".strip()
        for name in names
        for one in store.dead_letters.of_connection(name)
    ]
    findings.undelivered = {**left, PARKED: parked}
    waits = delays(stage.acts, records, handovers)
    for line in lines(findings, weather.happened, handovers, records, waits, memory):
        print(line)
    return findings


def _plan(arguments: list[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m sandbox.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="repeats a run's script"
    )
    parser.add_argument("--visits", type=_some, default=Plan.visits, help=f"default {Plan.visits}")
    given = parser.parse_args(arguments)
    return Plan(given.seed, given.visits)


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        # A run without visits would find nothing wrong.
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _say(began: float, what: str) -> None:
    print(f"  {time.monotonic() - began:5.0f} s  {what}", flush=True)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
