"""Azure Storage on one machine: Azurite, with one account per region and one for the host.

The emulator keeps its data in a folder and must be ended with SIGTERM: SIGKILL loses its last writes.
"""

import base64
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
from azure.core.exceptions import ResourceExistsError
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox.children import answers, bare_environ

REGIONAL_ACCOUNTS = {
    "AntesalaAmericas": "antesalaamericas",
    "AntesalaEmea": "antesalaemea",
    "AntesalaApac": "antesalaapac",
}
"""App setting (the queue triggers' connection name) -> account."""

HOST_ACCOUNT = "antesalahost"
QUEUES = (
    "attendance",
    "writeback",
    "writeback-parked",
    "tend",
    "attendance-poison",
    "writeback-poison",
    "tend-poison",
)
TABLES = ("Connections", "EhrUsers", "Visits", "Operations", "DeadLetters", "Launches", "Audit")

_READY_SECONDS = 30.0
_PROGRAM = Path("node_modules", "azurite", "dist", "src", "azurite.js")


class StorageError(Exception):
    """The emulator cannot run; the message says what to do."""


@dataclass(frozen=True)
class StoragePorts:
    """Where the three services listen on 127.0.0.1."""

    blob: int
    queue: int
    table: int


@dataclass(frozen=True)
class Account:
    """One storage account of the emulator."""

    name: str
    key: str
    ports: StoragePorts

    @property
    def connection_string(self) -> str:
        """What the storage SDKs and the host's triggers take."""
        host = "http://127.0.0.1"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.name};AccountKey={self.key};"
            f"BlobEndpoint={host}:{self.ports.blob}/{self.name};"
            f"QueueEndpoint={host}:{self.ports.queue}/{self.name};"
            f"TableEndpoint={host}:{self.ports.table}/{self.name};"
        )

    def prepare(self, queues: Iterable[str] = QUEUES, tables: Iterable[str] = TABLES) -> None:
        """Create the queues and tables that are missing."""
        with QueueServiceClient.from_connection_string(
            self.connection_string, transport=_transport()
        ) as service:
            for name in queues:
                _create(service, name)
        with TableServiceClient.from_connection_string(
            self.connection_string, transport=_transport()
        ) as table_service:
            for name in tables:
                table_service.create_table_if_not_exists(name)


class AzuriteServer:
    """One emulator process with four accounts; a context manager."""

    def __init__(self, folder: Path, ports: StoragePorts, root: Path | None = None) -> None:
        """Keep data and keys in `folder`; `root` holds node_modules (default: this checkout)."""
        self._folder = folder
        self._ports = ports
        self._root = root or Path(__file__).resolve().parent.parent
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def on_free_ports(cls, folder: Path) -> Self:
        """An emulator for a test, on ports asked from the system."""
        probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = StoragePorts(*(probe.getsockname()[1] for probe in probes))
        for probe in probes:
            probe.close()
        return cls(folder, ports)

    @property
    def accounts(self) -> dict[str, Account]:
        """Every account by name; the keys are made once and kept in `folder`."""
        names = (*REGIONAL_ACCOUNTS.values(), HOST_ACCOUNT)
        keys = _account_keys(self._folder / "accounts.json", names)
        return {name: Account(name, keys[name], self._ports) for name in names}

    def environ(self) -> dict[str, str]:
        """The app settings that point at the accounts."""
        accounts = self.accounts
        settings = {setting: accounts[name].connection_string for setting, name in REGIONAL_ACCOUNTS.items()}
        return {"AzureWebJobsStorage": accounts[HOST_ACCOUNT].connection_string, **settings}

    def start(self) -> Self:
        """Start the process, wait until all three services answer, and create queues and tables."""
        self._process = subprocess.Popen(
            self._command(),
            env={**bare_environ(), "AZURITE_ACCOUNTS": self._account_list()},
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "azurite.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait()
            for name in REGIONAL_ACCOUNTS.values():
                self.accounts[name].prepare()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End the process in the way that keeps every write."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def poll(self) -> int | None:
        """Exit status of the process, None while it runs."""
        return self._process.poll() if self._process is not None else 0

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _command(self) -> list[str]:
        node = shutil.which("node")
        program = self._root / _PROGRAM
        if node is None or not program.exists():
            raise StorageError("Azurite is not installed here: run `make setup` (it needs Node.js 20)")
        data = self._folder / "azurite"
        data.mkdir(parents=True, exist_ok=True)
        ports = self._ports
        return [
            *(node, str(program), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            *("--location", str(data)),
            *("--blobHost", "127.0.0.1", "--blobPort", str(ports.blob)),
            *("--queueHost", "127.0.0.1", "--queuePort", str(ports.queue)),
            *("--tableHost", "127.0.0.1", "--tablePort", str(ports.table)),
        ]

    def _account_list(self) -> str:
        return ";".join(f"{account.name}:{account.key}" for account in self.accounts.values())

    def _wait(self) -> None:
        waiting = [self._ports.blob, self._ports.queue, self._ports.table]
        until = time.monotonic() + _READY_SECONDS
        while waiting:
            if self.poll() is not None:
                raise StorageError(f"Azurite ended while it started; see {self._folder / 'azurite.log'}")
            if time.monotonic() > until:
                raise StorageError(f"Azurite gave no answer in {_READY_SECONDS:.0f} seconds")
            waiting = [port for port in waiting if not answers(port)]
            time.sleep(0.05)


def _account_keys(path: Path, names: Iterable[str]) -> dict[str, str]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in names}
        path.touch(mode=0o600)
        path.write_text(json.dumps(made, indent=1))
    keys: dict[str, str] = json.loads(path.read_text())
    return keys


def _create(service: QueueServiceClient, name: str) -> None:
    try:
        service.create_queue(name)
    except ResourceExistsError:
        return


def _transport() -> RequestsTransport:
    session = requests.Session()
    session.trust_env = False
    return RequestsTransport(session=session, session_owner=True)
