"""Starting and ending the sandbox as its processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest
import requests

from sandbox.addresses import Addresses
from sandbox.children import is_free
from sandbox.run import ROOT, Sandbox, SandboxError

SAMPLE = Path(__file__).parent / "sample_app"
pytestmark = pytest.mark.sandbox


def sandbox(state: Path, addresses: Addresses | None = None) -> Sandbox:
    made = Sandbox(addresses or Addresses.free(), state, root=SAMPLE)
    settings = {"SAMPLE_QUEUE": "attendance", "SampleStorage": made.storage.environ()["AntesalaEmea"]}
    return Sandbox(made.addresses, state, root=SAMPLE, settings=settings)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def test_every_door_should_answer_and_a_second_start_should_keep_the_data(
    tmp_path: Path, session: requests.Session
) -> None:
    with sandbox(tmp_path) as first:
        at, session.verify = first.addresses, str(first.authority.bundle)
        for url in (
            f"{at.app_url}/sandbox/",
            f"{at.epic_url}/",
            f"{at.fhir_url}/",
            f"{at.oracle_url}/",
            f"{at.m365_url}/",
        ):
            assert session.get(url).status_code == 200
        for url in (at.app_tls_url, at.epic_tls_url, at.fhir_tls_url, at.oracle_tls_url, at.m365_tls_url):
            assert session.get(url + "/sandbox/state").status_code in (200, 404)
        names = {table.name for table in tables(first)}
        row(first).create_entity({"PartitionKey": "a", "RowKey": "b"})
        keys = (tmp_path / "secrets" / "sealing-keys").read_text()
    assert {"Connections", "EhrUsers", "Visits", "Operations", "DeadLetters", "Launches", "Audit"} == names
    assert all(is_free(port) for port in astuple(at))
    with sandbox(tmp_path, at) as second:
        assert row(second).get_entity("a", "b")["RowKey"] == "b"
        assert (tmp_path / "secrets" / "sealing-keys").read_text() == keys


def test_a_taken_port_should_be_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    addresses = Addresses.free()
    reason = rf"port {addresses.fhir_tls} .*SANDBOX_FHIR_TLS_PORT"
    with socket.create_server(("127.0.0.1", addresses.fhir_tls)), pytest.raises(SandboxError, match=reason):
        sandbox(tmp_path, addresses).start()
    assert not (tmp_path / "azurite").exists()


def test_a_host_that_cannot_start_should_take_everything_down_and_say_why(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "function_app.py").write_text("import nowhere_at_all\n")
    addresses = Addresses.free()
    with pytest.raises(SandboxError, match="nowhere_at_all"):
        Sandbox(addresses, tmp_path / "state", root=tmp_path / "app").start()
    assert all(is_free(port) for port in astuple(addresses))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_should_print_its_address_and_end_everything_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route('hello')\n"
        "def hello(req: func.HttpRequest) -> str: return 'hello'\n"
    )
    addresses = Addresses.free()
    environ = {**os.environ, **addresses.environ(), "SANDBOX_STATE": str(tmp_path / "state")}
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--root", str(tmp_path)],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
        )
    try:
        ready = f"Antesala sandbox ready: {addresses.app_url}/sandbox/"
        wait_for_line(tmp_path / "out", ready, process)
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
    assert all(is_free(port) for port in astuple(addresses))


def wait_for_line(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while text not in path.read_text():
        assert process.poll() is None, path.read_text()
        assert time.monotonic() < until, path.read_text()
        time.sleep(0.1)


def tables(running: Sandbox):  # type: ignore[no-untyped-def]
    from azure.data.tables import TableServiceClient

    connection = running.storage.environ()["AntesalaEmea"]
    return list(TableServiceClient.from_connection_string(connection).list_tables())


def row(running: Sandbox):  # type: ignore[no-untyped-def]
    from azure.data.tables import TableClient

    return TableClient.from_connection_string(running.storage.environ()["AntesalaEmea"], "Launches")
