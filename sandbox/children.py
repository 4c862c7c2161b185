"""The processes that make up the sandbox: started with a bare environment, ended by their own process id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 60.0
_END_SECONDS = 20.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")


class ChildError(Exception):
    """A process of the sandbox did not come up; the message holds the end of its log."""


@dataclass(frozen=True)
class ChildPlan:
    """How to start one process and how to know that it is ready."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    ports: tuple[int, ...]


def bare_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What any process needs to start at all; time is UTC as it is in Azure."""
    kept = {name: environ[name] for name in _KEPT if name in environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "TZ": "UTC"}


def python(*arguments: str) -> tuple[str, ...]:
    """The command that runs a module of this checkout with this interpreter."""
    return (sys.executable, "-m", *arguments)


class Child:
    """One running process."""

    def __init__(self, plan: ChildPlan, folder: Path, log: Path, *, echo: bool) -> None:
        """Start it in `folder`; its output goes to the file `log`, or to the terminal with `echo`."""
        self.plan = plan
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            # A session of its own: Ctrl-C reaches the parent only, which then ends everybody in order.
            self._process = subprocess.Popen(
                plan.command,
                cwd=folder,
                env=dict(plan.environ),
                stdin=subprocess.DEVNULL,
                stdout=None if echo else output,
                stderr=None if echo else subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return when every port answers; ChildError if the process ends or takes too long."""
        until = time.monotonic() + _READY_SECONDS
        for port in self.plan.ports:
            while not answers(port):
                if self.ended():
                    raise ChildError(f"{self.plan.name} ended while it started.\n{self._last_words()}")
                if time.monotonic() > until:
                    raise ChildError(f"{self.plan.name} gave no answer on port {port}.\n{self._last_words()}")
                time.sleep(0.05)

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def tell_to_end(self) -> None:
        """Ask it to end."""
        if not self.ended():
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """Ask it to end and wait; kill it if it does not listen."""
        self.tell_to_end()
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


def answers(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def is_free(port: int) -> bool:
    """Whether this port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
