"""The host's log: a JSON line a record in a file, a readable line on the standard output.

Records of the function app carry the function's name and the invocation id, as they would in Application
Insights.
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "function",
    "invocation",
}

Whereabouts = Callable[[], tuple[str | None, str | None]]
"""Gives (invocation id, function name) of the code that is logging, or (None, None)."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, function, invocation, extra, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Turn a record into its line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("function", "invocation"):
            if value := getattr(record, name, None):
                line[name] = value
        if extra := {name: value for name, value in vars(record).items() if name not in _STANDARD}:
            line["extra"] = extra
        if record.exc_info and record.exc_info[0]:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        elif record.exc_text:
            # The app has redacted it, and took the exception itself away.
            line["exception"] = record.exc_text
        return json.dumps(line, default=str)


class Readable(logging.Formatter):
    """Time, level, where, what."""

    def __init__(self) -> None:
        """Fix the form of a line."""
        super().__init__("%(asctime)s %(levelname)-7s %(where)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Put the function's name, else the logger's, in front."""
        record.where = getattr(record, "function", None) or record.name
        return super().format(record)


class Journal:
    """Attached to the root logger while a host runs."""

    def __init__(self, path: Path, whereabouts: Whereabouts, *, echo: bool) -> None:
        """Append to `path`; `echo` prints the readable form too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = logging.FileHandler(path, encoding="utf-8")
        lines.setFormatter(JsonLines())
        self._handlers: list[logging.Handler] = [lines]
        if echo:
            printed = logging.StreamHandler(sys.stdout)
            printed.setFormatter(Readable())
            self._handlers.append(printed)
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(min(root.level or logging.INFO, logging.INFO))
        for handler in self._handlers:
            handler.addFilter(_Mark(whereabouts))
            root.addHandler(handler)

    def close(self) -> None:
        """Detach from the root logger and close the file."""
        root = logging.getLogger()
        root.setLevel(self._level)
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()


class _Mark(logging.Filter):
    """Adds function and invocation; drops the libraries' chatter, which repeats each request with its URL."""

    _QUIET = ("azure.core", "azure.functions", "azure.identity", "urllib3", "msal", "asyncio")

    def __init__(self, whereabouts: Whereabouts) -> None:
        super().__init__()
        self._whereabouts = whereabouts

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING and record.name.startswith(self._QUIET):
            return False
        if not hasattr(record, "function"):
            record.invocation, record.function = self._whereabouts()
        return True
