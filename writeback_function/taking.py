"""The outermost frame of a queue function: what it raises tells the host that the message must come again.

The host logs what was raised with its whole traceback, past every filter of ours, and an exception's text may
hold what it choked on. So the host gets its type alone, and the log the places that it passed.
"""

from collections.abc import Callable

from shared.request_log import surprised


class MessageFailed(Exception):
    """The message comes again; the text is the type of what was raised."""


def taken(where: str, take: Callable[[], None]) -> None:
    """Runs ``take``; MessageFailed for whatever it raises. ``where``: queue and region, for the log."""
    kind = ""
    try:
        take()
    except Exception as error:  # noqa: BLE001 - the outermost frame: nothing else keeps texts from the host
        surprised(error, where)
        kind = type(error).__name__
    if kind:
        # Raised outside the handler: what it comes from, which holds values, is let go.
        raise MessageFailed(kind)
