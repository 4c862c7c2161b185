"""The trouble of the run: the hospitals' bad day from the beginning, and what happens to the processes."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sandbox.chaos.hospitals import SCENES
from sandbox.chaos.house import House
from sandbox.chaos.plan import Plan
from sandbox.chaos.simulators import MICROSOFT
from sandbox.chaos.stage import ChaosFailed

_RESPITE = 3.0


@dataclass
class Happened:
    """What really came about."""

    kills: int = 0
    restarts: int = 0
    outages: int = 0
    failure: BaseException | None = None


@dataclass
class Weather:
    """Runs in a thread of its own until all of it has happened, or `stop` is set."""

    house: House
    plan: Plan
    stop: threading.Event
    happened: Happened = field(default_factory=Happened)

    def prepare(self) -> None:
        """From now on notifications come twice and out of order, and EHRs fail."""
        plan = self.plan
        messages = {
            "duplicate_share": plan.duplicates,
            "shuffle": True,
            "shuffle_seconds": plan.shuffle,
            "no_call_ended_share": 0.3,
        }
        self.house.ask(f"{self.house.tls(MICROSOFT)}/sandbox/failures", "PUT", messages)
        self._everywhere({"trouble_share": plan.trouble, "trouble_seconds": plan.hang, "outage": False})

    def clear(self) -> None:
        """The EHRs recover, so that what was tried in vain is not kept waiting by chance alone."""
        self._everywhere({"trouble_share": 0.0, "outage": False})

    def start(self, begin: float) -> threading.Thread:
        """Lets it happen from `begin` on, in Unix seconds."""
        thread = threading.Thread(target=self._run, args=(begin,), name="weather", daemon=True)
        thread.start()
        return thread

    def well(self) -> None:
        """ChaosFailed when the trouble could not be made."""
        if self.happened.failure is not None:
            raise ChaosFailed(f"the weather failed: {self.happened.failure}")

    def complete(self) -> None:
        """ChaosFailed unless all of the trouble has come about: without it, a right record proves nothing."""
        self.well()
        came, plan = self.happened, self.plan
        wanted = (plan.kills, plan.restarts, int(plan.outage > 0))
        if (came.kills, came.restarts, came.outages) != wanted:
            raise ChaosFailed("not all of the trouble came about")

    def _run(self, begin: float) -> None:
        try:
            for at, happen in sorted(self._forecast(), key=lambda one: one[0]):
                if self.stop.wait(max(0.0, begin + at - time.time())):
                    return
                happen()
                # On a busy machine a start takes long: the next trouble must still find work under way.
                if self.stop.wait(_RESPITE):
                    return
        except BaseException as failure:  # noqa: BLE001 (told where the main thread waits)
            self.happened.failure = failure
            self.stop.set()

    def _forecast(self) -> Iterator[tuple[float, Callable[[], None]]]:
        plan = self.plan
        rng = random.Random(f"{plan.seed} weather")  # noqa: S311 (the same weather again is the point)
        busy = plan.begins_within + 10 * plan.debounce
        for _ in range(plan.kills):
            yield rng.uniform(0.03, 0.97) * busy, self._kill
        for number in range(plan.restarts):
            yield (number + rng.uniform(0.6, 1.0)) / plan.restarts * 0.8 * busy, self._restart
        if plan.outage:
            down = rng.uniform(0.3, 0.5) * busy
            yield down, self._outage
            yield down + plan.outage, lambda: self._everywhere({"outage": False})

    def _kill(self) -> None:
        self.house.kill_host()
        self.happened.kills += 1

    def _restart(self) -> None:
        self.house.restart_storage()
        self.happened.restarts += 1

    def _outage(self) -> None:
        self._everywhere({"outage": True})
        self.happened.outages += 1

    def _everywhere(self, failures: dict[str, float | bool]) -> None:
        for name in SCENES:
            self.house.ask(f"{self.house.tls(name)}/sandbox/failures", "PATCH", failures)
