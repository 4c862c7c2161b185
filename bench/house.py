"""The processes that a section measures: storage, Microsoft 365, hospitals and the Functions host.

All of them are the sandbox's own; they listen on free ports of loopback, live in a folder of their own and
are ended by their process ids.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from sandbox.addresses import Addresses
from sandbox.authority import ensure_authority
from sandbox.children import Child, ChildPlan, python
from sandbox.environment import app_environ, simulator_environ
from sandbox.keys import ensure_keys
from sandbox.storage import AzuriteServer, StoragePorts
from shared.settings import Settings
from shared.wiring import Services, build

ROOT = Path(__file__).resolve().parent.parent
SIMULATORS: Mapping[str, Sequence[str]] = {
    "m365": ("sandbox.microsoft365",),
    "epic": ("bench.hospital", "epic"),
    "fhir": ("bench.hospital", "fhir"),
    "oracle": ("bench.lean",),
}
"""Name of the address, and the module that serves there; the lean EHR stands where Oracle's would."""


class Indexed(AzuriteServer):
    """The emulator, whose queues do not read all of their messages at every operation (``indexed.js``)."""

    def _command(self) -> list[str]:
        node, *rest = super()._command()
        return [node, "--require", str(ROOT / "bench" / "indexed.js"), *rest]


class House:
    """What runs for one section."""

    def __init__(self, folder: Path, regions: str = "americas", *, indexed: bool = False) -> None:
        """Nothing runs before `start`.

        `regions`: those that the app serves; each one's queues are polled. `indexed`: see `Indexed`.
        """
        self.folder = folder
        self._regions = regions
        self.at = Addresses.free()
        emulator = Indexed if indexed else AzuriteServer
        self.storage = emulator(folder, StoragePorts(self.at.blob, self.at.queue, self.at.table))
        self.session = requests.Session()
        self.session.trust_env = False
        self._children: dict[str, Child] = {}
        self._services: Services | None = None

    def start(
        self,
        simulators: Sequence[str],
        *,
        host: bool = True,
        before: Callable[["House"], None] | None = None,
    ) -> None:
        """Starts storage, these simulators and the host, and waits until they answer.

        `before`: what is done to the storage before it is started for good.
        """
        ensure_keys(self.folder / "secrets")
        self.session.verify = str(ensure_authority(self.folder).bundle)
        if before is not None:
            before(self)
        self.storage.start()
        for name in simulators:
            self._add(name, python(*SIMULATORS[name]))
        if host:
            self.start_host()
        for child in self._children.values():
            child.wait_ready()

    def start_host(self, root: Path = ROOT, name: str = "host", ports: Sequence[int] = ()) -> Child:
        """Starts the Functions host over the app in `root`; does not wait. `ports`: others than the app's."""
        http, tls = ports or (self.at.host_http, self.at.host_tls)
        command = python(
            *("sandbox.host", "--root", str(root), "--http-port", str(http), "--tls-port", str(tls)),
            *("--cert", str(ensure_authority(self.folder).localhost)),
            *("--journal", str(self.folder / "logs" / f"{name}.jsonl")),
        )
        plan = ChildPlan(name, command, self.environ(), (http, tls))
        self._children[name] = Child(plan, root, self.folder / "logs" / f"{name}.log", echo=False)
        return self._children[name]

    @staticmethod
    def spare_ports() -> tuple[int, int]:
        """Two more that nobody listens on."""
        free = Addresses.free()
        return free.host_http, free.host_tls

    def end(self, name: str) -> None:
        """Ends one process."""
        if (child := self._children.pop(name, None)) is not None:
            child.close()

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Lets processes stand still meanwhile: a warm host, which sees all that waits at one moment."""
        pids = [child.pid for name, child in self._children.items() if name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def environ(self) -> dict[str, str]:
        """The app's settings."""
        made = app_environ(self.at, self.folder, self.storage)
        return {**made, "ANTESALA_REGIONS": self._regions, "PYTHONPATH": str(ROOT)}

    @property
    def services(self) -> Services:
        """The app's own library over the same storage, for seeds and for what is measured in process."""
        if self._services is None:
            self._services = build(Settings.from_environ(self.environ()))
        return self._services

    def add(self, name: str, command: Sequence[str], ports: Sequence[int], **environ: str) -> None:
        """Starts another process and waits for its ports."""
        base = simulator_environ(self.at, self.folder)
        plan = ChildPlan(name, command, {**base, "PYTHONPATH": str(ROOT), **environ}, tuple(ports))
        self._children[name] = Child(plan, ROOT, self.folder / "logs" / f"{name}.log", echo=False)
        self._children[name].wait_ready()

    def ask(self, name: str, method: str, path: str, wanted: Mapping[str, Any] | None = None) -> Any:
        """What a simulator's control answers."""
        answer = self.session.request(method, self.tls(name) + path, json=wanted, timeout=120)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def tls(self, name: str) -> str:
        """A simulator's address for servers and controls."""
        return f"https://localhost:{getattr(self.at, f'{name}_tls')}"

    def memory(self, name: str = "host") -> float:
        """What a process holds in memory, in MiB."""
        status = Path(f"/proc/{self._children[name].pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        """Ends everything, storage last."""
        if self._services is not None:
            self._services.rooms.close()
            self._services.outbound.close()
        for name in reversed(list(self._children)):
            self.end(name)
        self.storage.close()
        self.session.close()

    def _add(self, name: str, command: Sequence[str]) -> None:
        ports = (getattr(self.at, f"{name}_http"), getattr(self.at, f"{name}_tls"))
        environ = {**simulator_environ(self.at, self.folder), "PYTHONPATH": str(ROOT)}
        plan = ChildPlan(name, command, environ, ports)
        self._children[name] = Child(plan, ROOT, self.folder / "logs" / f"{name}.log", echo=False)


@contextmanager
def house(
    *simulators: str,
    host: bool = True,
    regions: str = "americas",
    indexed: bool = False,
    before: Callable[[House], None] | None = None,
) -> Iterator[House]:
    """A running house in a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="antesala-bench-") as folder:
        made = House(Path(folder), regions, indexed=indexed)
        try:
            made.start(simulators, host=host, before=before)
            yield made
        finally:
            made.close()
