"""The real function app in the sandbox's host: its timers delete in every region, each for itself."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.addresses import Addresses
from sandbox.environment import app_environ
from sandbox.host import Host, HostOptions
from sandbox.keys import ensure_keys
from sandbox.run import ROOT
from sandbox.storage import AzuriteServer
from shared import wiring
from shared.clock import SystemClock, timestamp
from shared.settings import Settings
from shared.store import Stores

REGIONS = ("americas", "emea", "apac")
_SECONDS = 30.0


class JustBefore:
    """A clock that runs as ours does, from three seconds before 17 past the hour at its first look."""

    def __init__(self) -> None:
        self._ahead: timedelta | None = None

    def __call__(self) -> datetime:
        now = datetime.now(UTC)
        if self._ahead is None:
            self._ahead = now.replace(minute=16, second=57, microsecond=0) - now
        return now + self._ahead


@pytest.mark.azurite
def test_the_timer_of_each_region_should_delete_there_whatever_happens_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        for name, value in broken.items():
            monkeypatch.setenv(name, value)
        # Another test of this process may have built the app's services, with other settings.
        monkeypatch.setattr(wiring, "_built", [])
        monkeypatch.setattr(wiring, "_gates", [])
        with Host(ROOT, HostOptions(environ=broken, now=JustBefore())) as host:
            timers = {name for name in host.functions if name.startswith(("retention_", "adopt_"))}
            until = time.monotonic() + _SECONDS
            while any(table.get("p", "over") for table in tables[1:]):
                assert time.monotonic() < until, "the timers deleted nothing"
                time.sleep(0.1)
        assert timers == {f"{kind}_{region}" for kind in ("retention", "adopt") for region in REGIONS}
        assert [bool(table.get("p", "over")) for table in tables] == [True, False, False]
        assert all(table.get("p", "kept") for table in tables)


def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_environ(environ)


def _nowhere() -> str:
    places = ";".join(f"{one}Endpoint=http://127.0.0.1:9/a" for one in ("Queue", "Table"))
    return f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;{places}"
