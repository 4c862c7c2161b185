"""Calls of servers that go wrong by chance, and outages: what a client of a real EHR lives with.

A call in trouble goes one of `WAYS`. In some of them the EHR does what it was asked and the caller does
not learn of it, which is what makes telling it again dangerous. Pages for people and controls are never hit.
"""

import threading
from dataclasses import dataclass

from flask import Flask, Response, g, request

from sandbox.ehr.world import World
from sandbox.recorder import CONTROLS


@dataclass(frozen=True)
class Way:
    """One way of going wrong: `status` 0 leaves the true answer; `hangs` is a part of `trouble_seconds`.

    `done`: the EHR does what it was asked for all the same.
    """

    name: str
    status: int = 0
    done: bool = False
    hangs: float = 0.0
    retry_after: str = ""


WAYS = (
    Way("429", 429, retry_after="1"),
    Way("500", 500),
    Way("502 although done", 502, done=True),
    Way("503", 503),
    Way("503 Retry-After", 503, retry_after="2"),
    Way("hangs", 504, hangs=1.0),
    Way("hangs although done", done=True, hangs=1.0),
    Way("slow", done=True, hangs=0.05),
)


class Trouble:
    """Decides for each call of a server whether it goes wrong, and how; counts what it did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._counting = threading.Lock()

    def install(self, app: Flask) -> None:
        """Come before every other answer, and after it."""
        app.before_request(self.before)
        app.after_request(self.after)

    def before(self) -> Response | None:
        """The answer of a call that is refused or hangs without effect."""
        g.way = None
        if request.scheme != "https" or request.path.startswith(CONTROLS):
            return None
        way = self._way()
        self._count(way.name if way else "answered")
        if way is None or way.done:
            g.way = way
            return None
        self._world.sleep(way.hangs * self._world.failures.trouble_seconds)
        return _refused(way)

    def after(self, response: Response) -> Response:
        """What the caller sees of a call that had its effect."""
        way: Way | None = g.get("way")
        if way is None:
            return response
        self._world.sleep(way.hangs * self._world.failures.trouble_seconds)
        return _refused(way) if way.status else response

    def _way(self) -> Way | None:
        failures = self._world.failures
        if failures.outage:
            return Way("outage", 503)
        if failures.trouble_share > self._world.rng.random():
            return self._world.rng.choice(WAYS)
        return None

    def _count(self, name: str) -> None:
        with self._counting:
            self._world.troubles[name] += 1


def _refused(way: Way) -> Response:
    headers = {"Retry-After": way.retry_after} if way.retry_after else {}
    return Response(status=way.status, headers=headers)
