"""What ``host.json`` and the app settings say to the host."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d{1,7})?)")
_NAME = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class QueueSettings:
    """``extensions.queues``; the defaults are the storage extension's."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta()
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True


@dataclass(frozen=True)
class HostSettings:
    """The parts of ``host.json`` that this host obeys."""

    route_prefix: str
    queues: QueueSettings

    @classmethod
    def read(cls, path: Path) -> "HostSettings":
        """Read ``host.json``; a missing file means the defaults, a setting out of range raises ValueError."""
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        extensions = document.get("extensions", {})
        prefix = extensions.get("http", {}).get("routePrefix", "api")
        return cls(prefix.strip("/"), _queues(extensions.get("queues", {})))


def _queues(found: Mapping[str, Any]) -> QueueSettings:
    batch_size = int(found.get("batchSize", 16))
    if not 1 <= batch_size <= 32:
        raise ValueError("host.json: extensions.queues.batchSize must be from 1 to 32")
    polling = time_span(found.get("maxPollingInterval", "00:01:00"))
    if polling < timedelta(milliseconds=100):
        raise ValueError("host.json: extensions.queues.maxPollingInterval must be at least 100 ms")
    return QueueSettings(
        batch_size=batch_size,
        new_batch_threshold=int(found.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=int(found.get("maxDequeueCount", 5)),
        visibility_timeout=time_span(found.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=polling,
        base64=found.get("messageEncoding", "base64") == "base64",
    )


def time_span(text: str) -> timedelta:
    """Read .NET's ``[d.]hh:mm:ss[.fffffff]``; anything else raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time span of the form hh:mm:ss")
    days, hours, minutes, seconds = match.groups()
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def resolve_names(text: str, environ: Mapping[str, str]) -> str:
    """Replace each ``%NAME%`` by the app setting of that name; an unknown one raises ValueError."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise ValueError(f"{text!r} names the app setting {match[1]}, which is not set")
        return environ[match[1]]

    return _NAME.sub(value, text)


def connection_string(name: str, environ: Mapping[str, str]) -> str:
    """The connection string behind a trigger's ``connection`` name, looked up as the real host does."""
    for variable in (f"AzureWebJobs{name}", name):
        if environ.get(variable):
            return environ[variable]
    if any(variable.startswith(f"{name}__") for variable in environ):
        raise ValueError(f"connection {name}: this host takes a connection string, not an identity")
    raise ValueError(f"connection {name}: there is no app setting of this name")
