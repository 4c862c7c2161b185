"""The processes of the run, and what may happen to them: killed, restarted, ended in order."""

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sandbox.addresses import Addresses
from sandbox.authority import ensure_authority
from sandbox.chaos.hospitals import SCENES
from sandbox.chaos.plan import Plan
from sandbox.chaos.simulators import MICROSOFT
from sandbox.children import Child, ChildError, ChildPlan, python
from sandbox.environment import app_environ, simulator_environ
from sandbox.keys import ensure_keys
from sandbox.run import ROOT
from sandbox.storage import AzuriteServer, StoragePorts

_POOL = 32


class House:
    """Storage, simulators and one host; `close` ends whatever still runs, by process id."""

    def __init__(self, plan: Plan, state: Path) -> None:
        """Nothing starts before `start`."""
        self.plan, self.state = plan, state.resolve()
        self.addresses = Addresses.free()
        at = self.addresses
        self.storage = AzuriteServer(self.state, StoragePorts(at.blob, at.queue, at.table))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", HTTPAdapter(pool_maxsize=_POOL))
        self._simulators: list[Child] = []
        self._host: Child | None = None
        # What happens to the processes happens one after the other, and nothing starts after the end.
        self._changing = threading.RLock()
        self._closed = False

    def start(self) -> None:
        """Start everything and wait until it answers."""
        ensure_keys(self.state / "secrets")
        self.session.verify = str(ensure_authority(self.state).bundle)
        self.storage.start()
        for name in (*SCENES, MICROSOFT):
            self._simulators.append(self._child(self._simulator(name)))
        self._start_host()
        for one in self._simulators:
            one.wait_ready()

    def environ(self, **more: str) -> dict[str, str]:
        """The app's settings; the host hurries, the driver does not."""
        # All of it lies in one region: the queues of others would only be polled in vain.
        made = app_environ(self.addresses, self.state, self.storage)
        return {**made, "ANTESALA_REGIONS": "americas", **more}

    def kill_host(self) -> None:
        """End the host in the middle of whatever it does, and start another."""
        with self._changing:
            if self._host is not None and not self._closed:
                self._host.kill()
                self._start_host()

    def restart_storage(self) -> None:
        """End the storage with SIGTERM, which keeps every write, and start it again over the same data."""
        with self._changing:
            if not self._closed:
                self.storage.close()
                self.storage.start()

    def memory(self) -> float:
        """What the host holds in memory, in MiB."""
        if self._host is None:
            return 0.0
        for line in Path(f"/proc/{self._host.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def ask(self, url: str, method: str = "GET", wanted: Mapping[str, Any] | None = None) -> Any:
        """What a simulator's control answers; a refusal raises."""
        answer = self.session.request(method, url, json=wanted, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        """End all of it: the host first, storage last."""
        with self._changing:
            self._closed = True
            children = [*([self._host] if self._host else []), *self._simulators]
            for child in children:
                child.tell_to_end()
            for child in children:
                child.close()
            self.storage.close()
            self.session.close()
            self._host, self._simulators = None, []

    def tls(self, name: str) -> str:
        """A simulator's address for servers and controls."""
        return f"https://localhost:{getattr(self.addresses, f'{name}_tls')}"

    def _start_host(self) -> None:
        at, plan = self.addresses, self.plan
        command = python(
            *("sandbox.host", "--root", str(ROOT)),
            *("--http-port", str(at.host_http), "--tls-port", str(at.host_tls)),
            *("--cert", str(ensure_authority(self.state).localhost)),
            *("--journal", str(self.state / "logs" / "host.jsonl")),
            *("--invisibility", str(plan.invisibility)),
        )
        more = {
            "ANTESALA_HURRY": str(plan.hurry),
            "ANTESALA_DEBOUNCE_SECONDS": str(plan.debounce),
            "ANTESALA_LATENESS_SECONDS": str(plan.lateness),
        }
        environ = {**self.environ(**more), "PYTHONPATH": str(ROOT)}
        self._host = self._child(ChildPlan("host", command, environ, (at.host_http, at.host_tls)))
        self._host.wait_ready()

    def _simulator(self, name: str) -> ChildPlan:
        script = ("--seed", str(self.plan.seed), "--visits", str(self.plan.visits))
        environ = {**simulator_environ(self.addresses, self.state), "PYTHONPATH": str(ROOT)}
        ports = (getattr(self.addresses, f"{name}_http"), getattr(self.addresses, f"{name}_tls"))
        return ChildPlan(name, python("sandbox.chaos.simulators", name, *script), environ, ports)

    def _child(self, plan: ChildPlan) -> Child:
        return Child(plan, ROOT, self.state / "logs" / f"{plan.name}.log", echo=False)


@contextmanager
def house(plan: Plan) -> Iterator[House]:
    """A running house in a folder of its own, which is gone afterwards; with CHAOS_KEEP set its logs stay."""
    delete = "CHAOS_KEEP" not in os.environ
    with tempfile.TemporaryDirectory(prefix="antesala-chaos-", delete=delete) as folder:
        made = House(plan, Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.close()


__all__ = ["ChildError", "House", "house"]
