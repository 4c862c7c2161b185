"""The whole host: a function app served on http and TLS, its queues polled, its timers fired."""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sandbox.host.frontend import Frontend, Limits
from sandbox.host.journal import Journal
from sandbox.host.protocol import Message
from sandbox.host.queues import INVISIBILITY, QueueListener, QueueRules
from sandbox.host.schedule import Schedule
from sandbox.host.settings import HostSettings, connection_string, resolve_names
from sandbox.host.timers import Timer
from sandbox.host.worker import Function, HostStartError, Worker
from sandbox.serving import Server, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class HostOptions:
    """What a host is given from outside; the defaults serve a test: free ports, no TLS, this environment."""

    http_port: int = 0
    tls_port: int = 0
    tls: ssl.SSLContext | None = None
    journal: Path | None = None
    """File that gets the log as JSON lines; none keeps no log."""
    echo: bool = False
    """Print the log too."""
    pages: "WSGIApplication | None" = None
    """The sandbox's own pages, under /sandbox/."""
    listen: bool = True
    """Poll queues and fire timers."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    now: Callable[[], datetime] = _utc_now
    invisibility: timedelta = INVISIBILITY
    """How long a received message is hidden; only a test shortens the real host's ten minutes."""
    response_seconds: float = 230.0


class Host:
    """A running function app, and a context manager that closes it."""

    def __init__(self, root: Path, options: HostOptions | None = None) -> None:
        """Load the app under `root` and serve it; HostStartError says what is wrong with it."""
        self._options = options or HostOptions()
        self._settings = HostSettings.read(root / "host.json")
        self._worker = Worker(root.resolve())
        self._journal = self._open_journal()
        self._servers: list[Server] = []
        self._listeners: list[QueueListener | Timer] = []
        try:
            self.app = self._frontend()
            self._serve()
            self._listen()
        except BaseException:
            self.close(0)
            raise

    @property
    def http_port(self) -> int:
        """Where browsers reach the app."""
        return self._servers[0].port

    @property
    def tls_port(self) -> int:
        """Where servers reach the app; only with a TLS context."""
        return self._servers[1].port

    @property
    def functions(self) -> dict[str, Function]:
        """Every function that the app registers, by name."""
        return self._worker.functions

    @property
    def busy(self) -> bool:
        """Whether any function is running."""
        return self._worker.busy

    def invoke_http(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> "tuple[int, list[tuple[str, str]], bytes]":
        """Answer one request without a socket: (status, headers, body). `target` is path and query."""
        from werkzeug.datastructures import Headers
        from werkzeug.test import EnvironBuilder, run_wsgi_app

        environ = EnvironBuilder(
            path="/", method=method, headers=Headers(headers or {}), data=body
        ).get_environ()
        path, _, query = target.partition("?")
        environ |= {"REQUEST_URI": target, "PATH_INFO": path, "QUERY_STRING": query}
        chunks, status, found = run_wsgi_app(self.app, environ)
        return int(status.split()[0]), list(found), b"".join(chunks)

    def invoke_queue(self, function: str, text: str) -> None:
        """Run a queue function once with a message that no queue held; raises InvocationError."""
        metadata: dict[str, Any] = {"Id": Message(string="direct"), "DequeueCount": Message(json="1")}
        self._worker.invoke(self.functions[function], Message(string=text), metadata)

    def close(self, seconds: float = 10.0) -> None:
        """Accept nothing more, give running invocations up to `seconds`, and let go of everything."""
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.stop()
        for listener in self._listeners:
            listener.close(seconds)
        self._worker.close(seconds)
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        """The host is already running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _open_journal(self) -> Journal | None:
        if self._options.journal is None:
            return None
        return Journal(self._options.journal, self._whereabouts, echo=self._options.echo)

    def _whereabouts(self) -> tuple[str | None, str | None]:
        invocation = self._worker.current_invocation()
        return invocation, self._worker.function_of(invocation)

    def _frontend(self) -> Frontend:
        largest = self._options.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT")
        limits = Limits(
            body_bytes=int(largest) if largest else Limits.body_bytes,
            response_seconds=self._options.response_seconds,
        )
        return Frontend(self._worker, self._settings.route_prefix, limits, self._options.pages)

    def _serve(self) -> None:
        self._servers.append(serve(self.app, self._options.http_port))
        if self._options.tls is not None:
            self._servers.append(serve(self.app, self._options.tls_port, self._options.tls))

    def _listen(self) -> None:
        if not self._options.listen:
            return
        for function in self.functions.values():
            try:
                listener = self._listener(function)
            except ValueError as error:
                raise HostStartError(f"function {function.name}: {error}") from error
            if listener is not None:
                self._listeners.append(listener)
        for one in self._listeners:
            one.start()

    def _listener(self, function: Function) -> QueueListener | Timer | None:
        trigger, environ = function.trigger, self._options.environ
        if trigger["type"] == "queueTrigger":
            queue = resolve_names(trigger["queueName"], environ)
            connection = connection_string(trigger.get("connection") or "AzureWebJobsStorage", environ)
            rules = QueueRules(self._settings.queues, self._options.invisibility)
            return QueueListener(function, queue, connection, rules, self._worker)
        if trigger["type"] == "timerTrigger":
            schedule = Schedule.parse(resolve_names(trigger["schedule"], environ))
            return Timer(function, schedule, self._worker, self._options.now)
        return None
