"""OpenTelemetry: off it costs nothing, on it comes late and redacts, without its package nothing starts."""

import logging
import sys
import threading
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from shared import telemetry
from shared.redaction import Redacting
from shared.settings import Settings, SettingsError
from tests.conftest import CLIENT_ID, TENANT

ENVIRON = {
    "ANTESALA_ENVIRONMENT": "sandbox",
    "ANTESALA_PUBLIC_URL": "http://localhost:7071",
    "ANTESALA_REGIONS": "emea",
    "AntesalaEmea": "UseDevelopmentStorage=true",
    "ANTESALA_TENANTS": TENANT,
    "ANTESALA_CLIENT_ID": CLIENT_ID,
    "ANTESALA_SECRETS_DIR": "/nonexistent",
}
FAKE = "antesala_fake_monitor"


class Monitor(ModuleType):
    """In the package's place: remembers how it was configured, and puts a handler where the real one does."""

    def __init__(self) -> None:
        super().__init__(FAKE)
        self.__spec__ = SimpleNamespace(name=FAKE)  # type: ignore[assignment]
        self.configured: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.done = threading.Event()
        self.handler = logging.Handler()

    def configure_azure_monitor(self, **options: Any) -> None:
        self.done.set()
        if self.failure is not None:
            raise self.failure
        self.configured.append(options)
        logging.getLogger(options["logger_name"]).addHandler(self.handler)


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    made = Monitor()
    monkeypatch.setitem(sys.modules, FAKE, made)
    yield made
    logging.getLogger("antesala").removeHandler(made.handler)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(telemetry, "installed", lambda: True)
    return Settings.from_environ({**ENVIRON, "ANTESALA_OPENTELEMETRY": "on"})


def test_it_should_be_off_unless_it_is_switched_on() -> None:
    off = Settings.from_environ(ENVIRON)
    assert not off.opentelemetry
    assert telemetry.soon(off) is None


@pytest.mark.parametrize("value", ["yes", "ON", "1"])
def test_another_word_should_be_a_fault(value: str) -> None:
    with pytest.raises(SettingsError, match="ANTESALA_OPENTELEMETRY must be one of off, on"):
        Settings.from_environ({**ENVIRON, "ANTESALA_OPENTELEMETRY": value})


def test_without_its_package_the_app_should_not_start() -> None:
    assert not telemetry.installed("antesala_no_such.package")
    assert telemetry.installed("logging.handlers")
    with pytest.raises(SettingsError, match="azure-monitor-opentelemetry is not installed"):
        Settings.from_environ({**ENVIRON, "ANTESALA_OPENTELEMETRY": "on"})


def test_it_should_be_imported_later_and_beside_the_requests(on: Settings, monitor: Monitor) -> None:
    thread = telemetry.soon(on, 0.05, FAKE)
    assert thread is not None
    assert thread.daemon
    assert not monitor.done.is_set()
    assert monitor.done.wait(5)
    thread.join(5)
    assert telemetry.SECONDS >= 1
    assert len(monitor.configured) == 1


def test_only_our_lines_should_go_out_and_no_address_of_a_call(on: Settings, monitor: Monitor) -> None:
    telemetry.set_up(on, FAKE)
    (options,) = monitor.configured
    assert options["logger_name"] == "antesala"
    assert options["disable_offline_storage"]
    switched = {name: one["enabled"] for name, one in options["instrumentation_options"].items()}
    assert {"requests", "urllib3", "azure_sdk"} <= set(switched)
    assert not any(switched.values())
    assert [type(one).__name__ for one in options["log_record_processors"]] == ["RedactingLines"]
    assert [type(one).__name__ for one in options["span_processors"]] == ["RedactingSpans"]
    assert any(isinstance(one, Redacting) for one in monitor.handler.filters)


def test_its_failure_should_be_a_line_and_nothing_else(
    on: Settings, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.failure = ValueError("InstrumentationKey=s3cret")
    telemetry.set_up(on, FAKE)
    assert [vars(one)["event"] for one in caplog.records] == ["telemetry-failed"]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("method", ["on_emit", "emit"])
def test_a_line_should_be_redacted_before_it_is_sent(method: str) -> None:
    inner = SimpleNamespace(
        body="?code=s3cret", attributes={"url": "x?state=s3cret", "n": 1, "l": ("c=s3cret",)}
    )
    getattr(telemetry.RedactingLines(), method)(SimpleNamespace(log_record=inner))
    assert "s3cret" not in f"{inner.body}{inner.attributes}"
    assert inner.attributes["n"] == 1


def test_a_span_should_be_redacted_before_it_is_sent() -> None:
    class Span:
        name = property(lambda self: self._name)
        attributes = property(lambda self: self._attributes)

        def __init__(self) -> None:
            self._name = "GET https://x.example/?code=s3cret"
            self._attributes = {"url.full": "https://x.example/Patient/s3cret", "n": 2}
            self._events = ("s3cret",)

    span = Span()
    telemetry.RedactingSpans().on_end(span)
    assert "s3cret" not in str(vars(span))
    assert span.attributes["n"] == 2
