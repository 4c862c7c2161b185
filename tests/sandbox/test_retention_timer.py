"""The real function app in the sandbox's host: its timers delete in every region, each for itself."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.addresses import Addresses
from sandbox.children import bare_environ, python
from sandbox.environment import app_environ
from sandbox.keys import ensure_keys
from sandbox.run import ROOT
from sandbox.storage import AzuriteServer
from shared.clock import SystemClock, timestamp
from shared.settings import Settings
from shared.store import Stores

REGIONS = ("americas", "emea", "apac")
_SECONDS = 30.0


@pytest.mark.azurite
def test_the_timer_of_each_region_should_delete_there_whatever_happens_to_another(
    tmp_path: Path,
) -> None:
    ensure_keys(tmp_path / "secrets")
    with AzuriteServer.on_free_ports(tmp_path / "azurite") as storage:
        environ = app_environ(Addresses.free(), tmp_path, storage)
        tables = [region.table("Launches") for region in Stores(settings(environ), SystemClock()).all()]
        now = datetime.now(UTC)
        for table in tables:
            table.insert("p", "over", {"at": timestamp(now - timedelta(days=31))})
            table.insert("p", "kept", {"at": timestamp(now - timedelta(days=29))})
        # The first region's storage does not answer.
        broken = environ | {"AntesalaAmericas": _nowhere(), "ANTESALA_CA_BUNDLE": ""}
        with _host(bare_environ() | broken) as timers:
            until = time.monotonic() + _SECONDS
            while any(table.get("p", "over") for table in tables[1:]):
                assert time.monotonic() < until, "the timers deleted nothing"
                time.sleep(0.1)
        assert timers == {f"{kind}_{region}" for kind in ("retention", "adopt") for region in REGIONS}
        assert [bool(table.get("p", "over")) for table in tables] == [True, False, False]
        assert all(table.get("p", "kept") for table in tables)


@contextmanager
def _host(environ: dict[str, str]) -> Iterator[set[str]]:
    """The app's host as a process; gives the names of its timers."""
    command = python("tests.sandbox.timer_host")
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield set(process.stdout.readline().split())
        finally:
            process.stdin.close()
            process.terminate()


def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_environ(environ)


def _nowhere() -> str:
    places = ";".join(f"{one}Endpoint=http://127.0.0.1:9/a" for one in ("Queue", "Table"))
    return f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;{places}"
