"""OpenTelemetry to Azure Monitor, where the operator wants it: an optional package, loaded late.

Without it every line goes through the Functions host, which costs nothing at the start. With
``ANTESALA_OPENTELEMETRY=on`` the package is imported some seconds after the first request has come, in a
thread of its own, so that nobody who launches a visit waits for it.

- Only the lines of ``antesala`` go out, redacted where they are captured and once more before they are sent.
- Calls outward are not instrumented: their addresses name patients and appointments.
- Nothing is kept on the instance's disk.
"""

import importlib
import importlib.util
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.events import failure, note
from shared.redaction import guard, redacted

if TYPE_CHECKING:
    from shared.settings import Settings

PACKAGE = "azure-monitor-opentelemetry"
MODULE = "azure.monitor.opentelemetry"
SECONDS = 5.0
"""Between the first request and the import."""

_NOT_INSTRUMENTED = ("azure_sdk", "httpx", "requests", "urllib", "urllib3")


def installed(module: str = MODULE) -> bool:
    """Whether the optional package is there; imports nothing of it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def soon(settings: "Settings", seconds: float = SECONDS, module: str = MODULE) -> threading.Thread | None:
    """Begins to set it up in the background; None where it is off."""
    if not settings.opentelemetry:
        return None
    timer = threading.Timer(seconds, set_up, (settings, module))
    timer.daemon = True
    timer.start()
    return timer


def set_up(settings: "Settings", module: str = MODULE) -> None:
    """Imports the package and hands it our lines. A failure is logged: visits do not hang on telemetry."""
    try:
        configure: Callable[..., None] = importlib.import_module(module).configure_azure_monitor
        configure(
            logger_name="antesala",
            credential=_credential(settings),
            disable_offline_storage=True,
            enable_live_metrics=False,
            enable_performance_counters=False,
            instrumentation_options={name: {"enabled": False} for name in _NOT_INSTRUMENTED},
            log_record_processors=[RedactingLines()],
            span_processors=[RedactingSpans()],
        )
    except Exception as error:  # noqa: BLE001 - another's code: whatever it raises, visits go on
        note("telemetry-failed", failure=failure(error))
        return
    # Its handler sits at our logger, not at the root.
    guard(logging.getLogger("antesala"))


def _credential(settings: "Settings") -> Any:
    """The app's identity: the component takes nothing without one (``DisableLocalAuth``)."""
    if settings.sandbox or not settings.identity_client_id:
        return None
    from shared.credential import managed_identity

    return managed_identity(settings.identity_client_id)


class RedactingLines:
    """A log record processor: redacts text and attributes before an exporter sees them."""

    def on_emit(self, log_record: Any) -> None:
        """Called for each line; ``log_record`` is the SDK's own and may be changed."""
        record = getattr(log_record, "log_record", log_record)
        record.body = _clean(record.body)
        for name, value in dict(record.attributes or {}).items():
            record.attributes[name] = _clean(value)

    emit = on_emit
    """Its name before OpenTelemetry 1.33."""

    def shutdown(self) -> None:
        """Holds nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Holds nothing."""
        return True


class RedactingSpans:
    """A span processor: redacts name, attributes and events of what others instrumented."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Nothing is known of it yet."""

    def on_end(self, span: Any) -> None:
        """The SDK hands the very span that the exporter gets next."""
        # A span that has ended has no public way to change; the SDK offers no other place before an exporter.
        vars(span).update(_name=redacted(str(span.name)), _attributes=_cleaned(span.attributes), _events=())

    def _on_ending(self, span: Any) -> None:
        """Between the two: nothing."""

    def shutdown(self) -> None:
        """Holds nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Holds nothing."""
        return True


def _cleaned(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _clean(value) for name, value in (attributes or {}).items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    return type(value)(_clean(one) for one in value) if isinstance(value, list | tuple) else value
