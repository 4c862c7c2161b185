"""The processes that a section measures: storage, Microsoft 365, hospitals and the Functions host.

All of them are the sandbox's own; they listen on free ports of loopback, live in a folder of their own and
are ended by their process ids.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
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


class House:
    """What runs for one section."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before `start`."""
        self.folder = folder
        self.at = Addresses.free()
        self.storage = AzuriteServer(folder, StoragePorts(self.at.blob, self.at.queue, self.at.table))
        self.session = requests.Session()
        self.session.trust_env = False
        self._children: dict[str, Child] = {}
        self._services: Services | None = None

    def start(self, simulators: Sequence[str], *, host: bool = True) -> None:
        """Starts storage, these simulators and the host, and waits until they answer."""
        ensure_keys(self.folder / "secrets")
        self.session.verify = str(ensure_authority(self.folder).bundle)
        self.storage.start()
        for name in simulators:
            self._add(name, python(*SIMULATORS[name]))
        if host:
            self.start_host()
        for child in self._children.values():
            child.wait_ready()

    def start_host(self, root: Path = ROOT, name: str = "host") -> Child:
        """Starts the Functions host over the app in `root`; does not wait."""
        at, authority = self.at, ensure_authority(self.folder)
        command = python(
            *("sandbox.host", "--root", str(root), "--http-port", str(at.host_http)),
            *("--tls-port", str(at.host_tls), "--cert", str(authority.localhost)),
            *("--journal", str(self.folder / "logs" / f"{name}.jsonl")),
        )
        plan = ChildPlan(name, command, self.environ(), (at.host_http, at.host_tls))
        self._children[name] = Child(plan, root, self.folder / "logs" / f"{name}.log", echo=False)
        return self._children[name]

    def end(self, name: str) -> None:
        """Ends one process."""
        if (child := self._children.pop(name, None)) is not None:
            child.close()

    def environ(self) -> dict[str, str]:
        """The app's settings. One region: the queues of others would only be polled in vain."""
        made = app_environ(self.at, self.folder, self.storage)
        return {**made, "ANTESALA_REGIONS": "americas", "PYTHONPATH": str(ROOT)}

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
def house(*simulators: str, host: bool = True) -> Iterator[House]:
    """A running house in a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="antesala-bench-") as folder:
        made = House(Path(folder))
        try:
            made.start(simulators, host=host)
            yield made
        finally:
            made.close()
