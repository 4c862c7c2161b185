"""The function app inside Microsoft's worker library: loading, indexing and invoking.

The library runs on one event loop, kept here in a thread of its own; plain functions run in the library's
thread pool (``PYTHON_THREADPOOL_THREAD_COUNT``). `Worker.invoke` may be called from any thread.
"""

import asyncio
import importlib
import json
import logging
import sys
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sandbox.host.protocol import Message, ParameterBinding, StatusResult, request

log = logging.getLogger("Host.Function")

_LIBRARY = "azure_functions_runtime"
# Folders of a repository that are beside the function app, not part of it.
_live_roots: list[Path] = []
_NOT_THE_APP = frozenset({"sandbox", "tests", "bench", "scripts", "conftest"})


class HostStartError(Exception):
    """The function app cannot be served; the message says why."""


class InvocationError(Exception):
    """A function raised. `trace` is the traceback as text, for the log only."""

    def __init__(self, message: str, trace: str) -> None:
        """Keep the worker's message and traceback."""
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True)
class Function:
    """One indexed function: its name, the worker's id, and its bindings as the decorators declared them."""

    name: str
    id: str
    bindings: tuple[dict[str, Any], ...]

    @property
    def trigger(self) -> dict[str, Any]:
        """The binding that starts this function."""
        return next(binding for binding in self.bindings if binding["type"].lower().endswith("trigger"))


class Worker:
    """A loaded function app.

    One process may hold several, one after another or side by side, because every worker gets a fresh copy
    of the
    library and of the app's modules: a second index of the same modules would fail or take over the first's.
    """

    def __init__(self, root: Path) -> None:
        """Load and index ``function_app.py`` under `root`; HostStartError if any function cannot."""
        self.root = root
        self._running: dict[str, str] = {}
        self._idle = threading.Condition()
        if not (root / "function_app.py").is_file():
            raise HostStartError(f"there is no function_app.py in {root}")
        self._displaced = _forget(root)
        self._library = _fresh_library(root)
        self._library.start_threadpool_executor()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="functions-worker", daemon=True)
        self._thread.start()
        try:
            self.functions = self._index()
        except BaseException:
            self.close(0)
            raise

    def invoke(self, function: Function, data: Message, metadata: dict[str, Any] | None = None) -> Message:
        """Run `function` with its trigger's `data`; return the worker's reply or raise InvocationError."""
        return self.start(function, data, metadata).result()

    def start(
        self, function: Function, data: Message, metadata: dict[str, Any] | None = None
    ) -> Future[Message]:
        """As `invoke`, without waiting."""
        return asyncio.run_coroutine_threadsafe(self._invoke(function, data, metadata or {}), self._loop)

    def function_of(self, invocation_id: str | None) -> str | None:
        """Name of the function that runs as `invocation_id`, while it runs."""
        return self._running.get(invocation_id or "")

    @property
    def busy(self) -> bool:
        """Whether any function is running."""
        return bool(self._running)

    def current_invocation(self) -> str | None:
        """Id of the invocation on whose thread or task this is called, if any."""
        found: str | None = self._library.invocation_id_cv.get()
        return found

    def close(self, seconds: float) -> None:
        """Wait up to `seconds` for running invocations, then stop the pool and the loop."""
        with self._idle:
            self._idle.wait_for(lambda: not self._running, timeout=seconds)
        if not self._running:
            self._library.stop_threadpool_executor()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()
        _forget(self.root)
        sys.path.remove(str(self.root))
        _live_roots.remove(self.root)
        # Whoever imported the app's modules before this worker finds the same ones again.
        sys.modules.update(self._displaced)

    def _index(self) -> dict[str, Function]:
        init = Message(capabilities={}, function_app_directory=str(self.root))
        self._ask("worker_init_request", init)
        reply = self._ask("functions_metadata_request", Message())
        if not reply.function_metadata_results:
            raise HostStartError(f"no function found in {self.root / 'function_app.py'}")
        functions = [_function(row) for row in reply.function_metadata_results]
        return {function.name: function for function in functions}

    def _ask(self, kind: str, body: Message) -> Message:
        call = getattr(self._library, kind)(request(kind, body))
        reply: Message = asyncio.run_coroutine_threadsafe(call, self._loop).result()
        if reply.result.status != StatusResult.Success:
            raise HostStartError(f"{reply.result.exception.message}\n{reply.result.exception.stack_trace}")
        return reply

    async def _invoke(self, function: Function, data: Message, metadata: dict[str, Any]) -> Message:
        invocation_id = str(uuid.uuid4())
        started = time.perf_counter()
        self._running[invocation_id] = function.name
        try:
            reply = await self._library.invocation_request(
                request("invocation_request", _invocation(function, invocation_id, data, metadata))
            )
        finally:
            with self._idle:
                del self._running[invocation_id]
                self._idle.notify_all()
        return _outcome(function, invocation_id, reply, time.perf_counter() - started)


def _outcome(function: Function, invocation_id: str, reply: Message, seconds: float) -> Message:
    succeeded = reply.result.status == StatusResult.Success
    log.log(
        logging.INFO if succeeded else logging.ERROR,
        "%s %s in %.0f ms",
        function.name,
        "succeeded" if succeeded else "failed",
        seconds * 1000,
        extra={"function": function.name, "invocation": invocation_id},
    )
    if succeeded:
        return reply
    failure = reply.result.exception
    log.error(
        "%s\n%s",
        failure.message,
        failure.stack_trace,
        extra={"function": function.name, "invocation": invocation_id},
    )
    raise InvocationError(failure.message, failure.stack_trace)


def _invocation(function: Function, invocation_id: str, data: Message, metadata: dict[str, Any]) -> Message:
    return Message(
        invocation_id=invocation_id,
        function_id=function.id,
        input_data=[_parameter(function.trigger["name"], data)],
        trigger_metadata=metadata,
        # A chain of its own for each invocation, as the Functions host begins one.
        trace_context=Message(trace_parent=_traceparent(), trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0),
    )


def _traceparent() -> str:
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"


def _parameter(name: str, data: Message) -> Message:
    return ParameterBinding(name=name, data=data)


def _function(row: Message) -> Function:
    bindings = tuple(json.loads(text) for text in row.raw_bindings)
    for binding in bindings:
        if binding["type"] not in {"httpTrigger", "http", "queueTrigger", "timerTrigger"}:
            raise HostStartError(f"function {row.name}: this host has no binding of type {binding['type']}")
    return Function(row.name, row.function_id, bindings)


def _fresh_library(root: Path) -> ModuleType:
    sys.path.insert(0, str(root))
    _live_roots.append(root)
    importlib.invalidate_caches()
    library = importlib.import_module(_LIBRARY)
    # What the library imports late must be this copy's too, so it is imported while the copy is in
    # sys.modules.
    importlib.import_module(f"{_LIBRARY}.utils.executor")
    return library


def _forget(root: Path) -> dict[str, ModuleType]:
    """Take the library's and the app's modules out of `sys.modules`; return the app's."""
    displaced: dict[str, ModuleType] = {}
    tops = {path.stem for path in root.iterdir() if path.suffix in ("", ".py")} - _NOT_THE_APP
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top == _LIBRARY:
            del sys.modules[name]
        elif top in tops and any(_lies_under(sys.modules[name], one) for one in (root, *_live_roots)):
            displaced[name] = sys.modules.pop(name)
    return displaced


def _lies_under(module: ModuleType, root: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(place is not None and Path(place).is_relative_to(root) for place in places)
