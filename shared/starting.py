"""The start of a process, in which nothing that is made is garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Meanwhile no garbage is collected, and what is there at the end is never looked at again.

    Modules live as long as the process. Every full collection would walk over all that belongs to them, about
    ten milliseconds each time, in the middle of the start and of the first request.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()
