"""Sealed cookies in families: what a browser carries for us between two requests, and no other browser can.

A family has one purpose of ``shared.sealing`` (which fixes the lifetime), a name prefix and a bound: when one
more would exceed it, the oldest goes (a clinician with seven open tabs must not end with a request too large
to send).
"""

from typing import Any

from shared.clock import Clock
from shared.errors import SealError
from shared.sealing import LIFETIMES, Sealer
from shared.web import Cookie, Request


class Jar:
    """One family. A cookie's sealed value holds its own name, so that one cannot be passed off as another."""

    def __init__(self, sealer: Sealer, clock: Clock, purpose: str, most: int, *, name: str = "") -> None:
        self._sealer = sealer
        self._clock = clock
        self._purpose = purpose
        self._most = most
        self._prefix = f"__Host-{name or purpose}-"

    def put(self, request: Request, label: str, value: Any, *also: str) -> tuple[Cookie, ...]:
        """The cookies to set: the new one (under further labels too), and deletions of those pushed out."""
        mine = [self._prefix + name for name in (label, *also)]
        others = [name for name in request.cookies if name.startswith(self._prefix) and name not in mine]
        others.sort(key=lambda name: self._age(request, name))
        surplus = max(0, len(others) + len(mine) - self._most)
        return (
            *(Cookie(name, self._sealed(name, value), LIFETIMES[self._purpose]) for name in mine),
            *(Cookie(name, "", 0) for name in others[:surplus]),
        )

    def get(self, request: Request, label: str) -> Any:
        """The value, or None when the browser sent no such cookie; SealExpired or SealBroken."""
        name = self._prefix + label
        text = request.cookies.get(name)
        if not text:
            return None
        content = self._sealer.open(self._purpose, text)
        if not isinstance(content, dict) or content.get("n") != name:
            return None
        return content.get("v")

    def find(self, request: Request, label: str) -> Any:
        """The value, or None for whatever reason there is none that we open."""
        try:
            return self.get(request, label)
        except SealError:
            return None

    def has(self, request: Request, label: str) -> bool:
        """Whether the browser sent a cookie of this label at all."""
        return bool(request.cookies.get(self._prefix + label))

    def drop(self, label: str) -> Cookie:
        """The deletion of one cookie."""
        return Cookie(self._prefix + label, "", 0)

    def _sealed(self, name: str, value: Any) -> str:
        now = int(self._clock.now().timestamp())
        return self._sealer.seal(self._purpose, {"n": name, "t": now, "v": value})

    def _age(self, request: Request, name: str) -> int:
        """When it was sealed; those that do not open come first."""
        try:
            content = self._sealer.open(self._purpose, request.cookies[name])
        except SealError:
            return 0
        return int(content.get("t", 0)) if isinstance(content, dict) else 0
