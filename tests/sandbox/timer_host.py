"""``python -m tests.sandbox.timer_host``: the function app, at three seconds before 17 past the hour.

A process of its own, because the host takes the app's modules for itself. Prints its timers' names, and ends
with its standard input.
"""

import sys
from datetime import UTC, datetime, timedelta

from sandbox.host import Host, HostOptions
from sandbox.run import ROOT


class JustBefore:
    """A clock that runs as ours does, from three seconds before 17 past the hour at its first look."""

    def __init__(self) -> None:
        self._ahead: timedelta | None = None

    def __call__(self) -> datetime:
        now = datetime.now(UTC)
        if self._ahead is None:
            self._ahead = now.replace(minute=16, second=57, microsecond=0) - now
        return now + self._ahead


if __name__ == "__main__":
    with Host(ROOT, HostOptions(now=JustBefore())) as host:
        print(
            *sorted(name for name in host.functions if name.startswith(("retention_", "adopt_"))), flush=True
        )
        sys.stdin.read()
