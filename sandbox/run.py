"""Starting and ending the whole sandbox: storage, three hospitals, Microsoft 365 and the Functions host."""

import argparse
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.addresses import Addresses
from sandbox.authority import Authority, ensure_authority
from sandbox.children import Child, ChildError, ChildPlan, is_free, python
from sandbox.environment import app_environ, simulator_environ
from sandbox.forwarding import forwarder
from sandbox.keys import ensure_keys
from sandbox.serving import Server, serve
from sandbox.simulator import state_folder
from sandbox.storage import AzuriteServer, StorageError, StoragePorts

ROOT = Path(__file__).resolve().parent.parent


class SandboxError(Exception):
    """The sandbox cannot start; the message says what to do."""


class Sandbox:
    """Everything on one machine; a context manager.

    A test gives it `Addresses.free()` and a temporary `state` folder. `root` is the function app to serve,
    `settings` are app settings on top of the sandbox's own.
    """

    def __init__(
        self,
        addresses: Addresses,
        state: Path,
        *,
        root: Path = ROOT,
        echo: bool = False,
        core_tools: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing starts before `start`. `echo` shows the host's log; `core_tools` makes `func` the host."""
        self.addresses = addresses
        self.state = state.resolve()
        self._root = root.resolve()
        self._settings = dict(settings or {})
        self._echo = echo
        self._core_tools = core_tools
        ports = StoragePorts(addresses.blob, addresses.queue, addresses.table)
        self.storage = AzuriteServer(self.state, ports)
        self._children: list[Child] = []
        self._doors: list[Server] = []

    @property
    def authority(self) -> Authority:
        """What servers in the sandbox present and clients trust."""
        return ensure_authority(self.state)

    @property
    def journal(self) -> Path:
        """The host's log, one JSON object a line."""
        return self.state / "logs" / "host.jsonl"

    def environ(self) -> dict[str, str]:
        """The settings of the function app."""
        return {**app_environ(self.addresses, self.state, self.storage), **self._settings}

    def start(self) -> Self:
        """Start what is needed in order and wait until all of it answers; SandboxError says what is wrong."""
        self._refuse_taken_ports()
        ensure_keys(self.state / "secrets")
        authority = ensure_authority(self.state)
        try:
            self.storage.start()
            for plan in self._plans(authority):
                self._children.append(self._child(plan))
            for child in self._children:
                child.wait_ready()
        except (ChildError, StorageError) as error:
            self.close()
            raise SandboxError(str(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def ended_child(self) -> str | None:
        """Name of a process that has ended by itself, if any."""
        if self.storage.poll() is not None:
            return "storage"
        return next((child.plan.name for child in self._children if child.ended()), None)

    def close(self) -> None:
        """End the host first, so that it can settle its messages, then the others, storage last."""
        for door in self._doors:
            door.close()
        hosts = [child for child in self._children if child.plan.name == "host"]
        for child in hosts:
            child.close()
        for child in self._children:
            child.tell_to_end()
        for child in self._children:
            child.close()
        self.storage.close()
        self._children, self._doors = [], []

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _child(self, plan: ChildPlan) -> Child:
        echo = self._echo and plan.name == "host"
        return Child(plan, self._root, self.state / "logs" / f"{plan.name}.log", echo=echo)

    def _plans(self, authority: Authority) -> Iterator[ChildPlan]:
        at, environ = self.addresses, simulator_environ(self.addresses, self.state)
        environ["PYTHONPATH"] = str(ROOT)
        yield ChildPlan("epic", python("sandbox.ehr", "epic"), environ, (at.epic_http, at.epic_tls))
        yield ChildPlan("fhir", python("sandbox.ehr", "fhir"), environ, (at.fhir_http, at.fhir_tls))
        yield ChildPlan("oracle", python("sandbox.ehr", "oracle"), environ, (at.oracle_http, at.oracle_tls))
        yield ChildPlan("microsoft365", python("sandbox.microsoft365"), environ, (at.m365_http, at.m365_tls))
        yield self._core_tools_plan(authority) if self._core_tools else self._host_plan(authority)

    def _host_plan(self, authority: Authority) -> ChildPlan:
        at = self.addresses
        command = python(
            *("sandbox.host", "--root", str(self._root)),
            *("--http-port", str(at.host_http), "--tls-port", str(at.host_tls)),
            *("--cert", str(authority.localhost), "--journal", str(self.journal)),
        )
        environ = {**self.environ(), "PYTHONPATH": str(ROOT)}
        return ChildPlan("host", command, environ, (at.host_http, at.host_tls))

    def _core_tools_plan(self, authority: Authority) -> ChildPlan:
        func = shutil.which("func")
        if func is None:
            raise SandboxError(
                "Azure Functions Core Tools (`func`) are not on the PATH. Install them, "
                "or use `make sandbox`, whose own host runs the same app."
            )
        at = self.addresses
        # `func` serves http only; servers in the sandbox speak TLS to the app.
        self._doors.append(serve(forwarder(at.app_url), at.host_tls, authority.server_context()))
        command = (func, "start", "--port", str(at.host_http))
        return ChildPlan("host", command, self.environ(), (at.host_http,))

    def _refuse_taken_ports(self) -> None:
        taken = [one.name for one in fields(Addresses) if not is_free(getattr(self.addresses, one.name))]
        if taken:
            lines = [
                f"  port {getattr(self.addresses, name)} ({name}): set {Addresses.variable(name)} to another"
                for name in taken
            ]
            raise SandboxError(
                "Something else listens where the sandbox wants to (another sandbox?):\n" + "\n".join(lines)
            )


def main(arguments: list[str]) -> int:
    """Run until Ctrl-C or SIGTERM; 1 with a message if it cannot start or a part of it ends by itself."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        addresses = Addresses.from_environ(os.environ)
        with _sandbox(addresses, arguments) as sandbox:
            print(f"Antesala sandbox ready: {addresses.app_url}/sandbox/", flush=True)
            return _watch(sandbox, stop)
    except (SandboxError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _sandbox(addresses: Addresses, arguments: list[str]) -> Sandbox:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that holds function_app.py")
    parser.add_argument(
        "--core-tools", action="store_true", help="let Azure Functions Core Tools be the host"
    )
    given = parser.parse_args(arguments)
    return Sandbox(addresses, state_folder(), root=given.root, echo=True, core_tools=given.core_tools)


def _watch(sandbox: Sandbox, stop: threading.Event) -> int:
    while not stop.wait(0.5):
        if (name := sandbox.ended_child()) is not None:
            print(f"{name} has ended by itself; see {sandbox.state / 'logs'}", file=sys.stderr)
            return 1
    print("Ending the sandbox; its data is kept.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
