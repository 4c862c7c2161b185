"""Plays the script: opens every visit's room, then joins, admits, leaves and ends, each at its time.

Rooms are opened by the app's own library over the same storage and Microsoft 365, once for each person who
launches; no browser takes part. Everything from then on goes through the running processes.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.chaos.connections import publish, visit_context
from sandbox.chaos.hospitals import SCENES, Scene, dealt
from sandbox.chaos.house import House
from sandbox.chaos.script import Plot, Step
from sandbox.chaos.simulators import MICROSOFT
from sandbox.chaos.truth import Moment, Played
from sandbox.ehr.hospital import Hospital
from shared.connection import Approved
from shared.meeting.persons import Launcher
from shared.settings import Settings
from shared.wiring import Services, build

_OPENERS = 6


class ChaosFailed(Exception):
    """The run itself did not work; it says nothing about the record."""


@dataclass
class Act:
    """One visit on the stage. `subscription` is the one of its call events; `played` grows."""

    plot: Plot
    scene: Scene
    url: str = ""
    subscription: str = ""
    played: list[Played] = field(default_factory=list)


class Stage:
    """All visits of the run."""

    def __init__(self, house: House, plots: Sequence[Plot]) -> None:
        """Nothing happens before `open_rooms`."""
        self._house = house
        self._plots = plots
        # A launch waits for its subscription here: without one, nothing that follows would be heard of.
        environ = house.environ(ANTESALA_SUBSCRIPTION_SECONDS="20")
        self.services: Services = build(Settings.from_environ(environ))
        self.acts: list[Act] = []
        self.stop = threading.Event()

    def open_rooms(self) -> None:
        """Puts the hospitals into service and opens every visit's room for everybody who launches."""
        opening: list[tuple[Act, Approved, Hospital]] = []
        for name, plots in dealt(self._plots).items():
            scene = SCENES[name]
            hospital = scene.hospital(self._house.addresses, plots)
            approved = publish(self.services.stores, scene, hospital)
            self._register(scene)
            opening += [(Act(plot, scene), approved, hospital) for plot in plots]
        with ThreadPoolExecutor(_OPENERS) as pool:
            list(pool.map(lambda one: self._open(*one), opening))
        self.acts = [act for act, _, _ in opening]

    def play(self, begin: float, seconds: float) -> None:
        """Every step at its time after `begin` (Unix seconds); ends early when `stop` is set."""
        with ThreadPoolExecutor(max(1, len(self.acts))) as pool:
            running = [pool.submit(self._play, act, begin) for act in self.acts]
            try:
                for one in running:
                    one.result(timeout=max(1.0, begin + seconds - time.time()))
            except BaseException:
                self.stop.set()
                raise

    def close(self) -> None:
        """Ends what the driver's own library holds."""
        self.stop.set()
        self.services.rooms.close()
        self.services.outbound.close()

    def _register(self, scene: Scene) -> None:
        keys = f"{self._house.addresses.app_tls_url}/config/jwks/{scene.connection}"
        url = f"{self._house.tls(scene.name)}/sandbox/registration"
        self._house.ask(url, "PUT", {"backend": {"jwks_url": keys}})

    def _open(self, act: Act, approved: Approved, hospital: Hospital) -> None:
        services, plot = self.services, act.plot
        context = visit_context(act.scene, plot, services.pseudonyms, datetime.now(UTC))
        for one in plot.launchers:
            launcher = Launcher(
                "provider" if one.side == "provider" else "patient",
                act.scene.user_of(one, hospital),
                one.account if one.home else "",
            )
            room = services.rooms.open(approved, context, launcher)
            if not (room.live and room.visit.subscription_id):
                raise ChaosFailed(f"visit {plot.number} got no subscription to its call events")
            act.url, act.subscription = room.provider_url, room.visit.subscription_id

    def _play(self, act: Act, begin: float) -> None:
        inside: dict[str, str] = {}
        for step in act.plot.steps:
            if self.stop.wait(max(0.0, begin + act.plot.begins + step.at - time.time())):
                return
            before = time.time()
            _ACTS[step.act](self, act, step, inside)
            act.played.append(Played(step, Moment(before, time.time())))

    def join(self, act: Act, step: Step, inside: dict[str, str]) -> None:
        """Opens the join link."""
        actor = act.plot.actors[step.actor]
        wanted = {"url": act.url, "as": actor.account or None, "name": "Somebody"}
        inside[step.actor] = str(self._control("join", wanted)["participant"])

    def admit(self, act: Act, step: Step, inside: dict[str, str]) -> None:
        """Is let in from the lobby."""
        self._control("admit", {"participant": inside[step.actor]})

    def leave(self, act: Act, step: Step, inside: dict[str, str]) -> None:
        """Leaves, or stops waiting."""
        self._control("leave", {"participant": inside[step.actor]})

    def end(self, act: Act, step: Step, inside: dict[str, str]) -> None:
        """Ends the call for everybody."""
        self._control("end", {"url": act.url})

    def _control(self, name: str, wanted: Mapping[str, str | None]) -> Mapping[str, str]:
        answer: Mapping[str, str] = self._house.ask(
            f"{self._house.tls(MICROSOFT)}/sandbox/{name}", "POST", wanted
        )
        return answer


_ACTS: Mapping[str, Callable[[Stage, Act, Step, dict[str, str]], None]] = {
    "join": Stage.join,
    "admit": Stage.admit,
    "leave": Stage.leave,
    "end": Stage.end,
}
