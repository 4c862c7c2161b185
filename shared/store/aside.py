"""What nobody waits for: done on a thread beside the request that asked for it, in order, within bounds.

It begins a moment later, when the request is answered: one interpreter runs one thread at a time, and what
is begun at once takes its turns from the answer.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from shared.events import note

MOST = 1_000
LATER = 0.05


class Aside:
    """One thread, made when first needed. What is under way at an orderly end is finished."""

    def __init__(self, most: int = MOST, later: float = LATER) -> None:
        """``most``: how much may wait; what comes beyond that is let go and logged. ``later``: in seconds."""
        self._most = most
        self._later = later
        self._waiting = 0
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def do(self, call: Callable[[], None]) -> None:
        """Returns at once; what becomes of the call is only logged."""
        with self._lock:
            if self._waiting >= self._most:
                note("aside-full")
                return
            self._waiting += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
            self._pool.submit(self._done, call, time.monotonic() + self._later)

    def settle(self, seconds: float = 2.0) -> None:
        """Waits until all that was asked for before is done, at most so long."""
        with self._lock:
            last = self._pool.submit(int) if self._pool is not None else None
        if last is not None:
            wait((last,), seconds)

    def close(self) -> None:
        """Waits for what is under way; a later call begins anew."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _done(self, call: Callable[[], None], due: float) -> None:
        try:
            time.sleep(max(0.0, due - time.monotonic()))
            call()
        except Exception as failure:  # noqa: BLE001 - nobody else would hear of it
            note("aside-failed", failure=type(failure).__name__)
        finally:
            with self._lock:
                self._waiting -= 1
