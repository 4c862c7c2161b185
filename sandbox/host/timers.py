"""The timer trigger: a thread each, never two runs of one at a time, no catch-up of missed ticks."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime

from sandbox.host.protocol import Message
from sandbox.host.schedule import Schedule
from sandbox.host.worker import Function, InvocationError, Worker

log = logging.getLogger("Host.Timers")


class Timer:
    """Fires one timer function until `close`."""

    def __init__(
        self, function: Function, schedule: Schedule, worker: Worker, now: Callable[[], datetime]
    ) -> None:
        """`now` gives the current time in UTC; nothing runs before `start`."""
        self._function = function
        self._schedule = schedule
        self._worker = worker
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"timer-{function.name}", daemon=True)

    def start(self) -> None:
        """Begin to wait for the next tick."""
        self._thread.start()

    def stop(self) -> None:
        """Fire no more."""
        self._stopping.set()

    def close(self, seconds: float) -> None:
        """Stop, and wait up to `seconds` for a run in progress."""
        self.stop()
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        if self._function.trigger.get("runOnStartup"):
            self._fire()
        while True:
            now = self._now()
            wait = (self._schedule.next_after(now) - now).total_seconds()
            if self._stopping.wait(wait):
                return
            self._fire()

    def _fire(self) -> None:
        try:
            self._worker.invoke(self._function, Message(json=json.dumps({"IsPastDue": False})))
        except InvocationError:
            # Already logged with its traceback; the next tick comes whatever this one did.
            log.warning("%s failed; it fires again at its next tick", self._function.name)
