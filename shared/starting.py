"""The start of a process, in which nothing that is made is garbage."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Two at once would take each other's switching off for the state before.
_lock = threading.RLock()


@contextmanager
def uncollected() -> Iterator[None]:
    """Meanwhile no garbage is collected; what is there in the end, if that is a good one, is never looked at.

    Modules live as long as the process. Every full collection would walk over all that belongs to them, about
    ten milliseconds each time, in the middle of the start and of the first request.
    """
    with _lock:
        was = gc.isenabled()
        gc.disable()
        try:
            yield
            gc.freeze()
        finally:
            if was:
                gc.enable()
