"""Which chain of work a line of the log belongs to, from a launch through the queues to the EHR.

A chain is named as W3C Trace Context names it (``traceparent``, level 1): taken from the host's invocation,
from a message or from a sealed text of our own, never from what a stranger sends; made where nothing brings
one. Beside it stand the visit's key, once it is known, and the calls outward, so that a request can say how
much of its time was others'.

Ids only say what belongs together: nothing is decided by them, and they hold nothing.
"""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NOTHING = frozenset("0")
# Our words for whom ``Outbound`` calls, by how they begin; what is in none of these is nobody's.
_WHOM = {"ehr": "ehr", "graph": "graph", "microsoft-365": "entra"}


@dataclass(frozen=True)
class Call:
    """One call outward; seconds of the monotonic clock."""

    whom: str
    begun: float
    ended: float


@dataclass(frozen=True)
class Scope:
    """What the code that runs now is part of."""

    trace: str
    span: str
    visit: str = ""
    calls: list[Call] = field(default_factory=list, compare=False, repr=False)

    @property
    def traceparent(self) -> str:
        """For a message: whoever takes it goes on in this chain."""
        return f"00-{self.trace}-{self.span}-01"


_now: ContextVar[Scope | None] = ContextVar("antesala-trace", default=None)


@contextmanager
def entered(traceparent: str = "") -> Iterator[Scope]:
    """One piece of work: a step of its own in the given chain, or in a new one."""
    scope = Scope(trace_of(traceparent) or secrets.token_hex(16), secrets.token_hex(8))
    token = _now.set(scope)
    try:
        yield scope
    finally:
        _now.reset(token)


def current() -> Scope | None:
    """The scope of the code that runs now; None outside of any."""
    return _now.get()


def traceparent() -> str:
    """That of the current step; empty outside of any."""
    scope = _now.get()
    return scope.traceparent if scope is not None else ""


def trace_id() -> str:
    """The current chain's id; empty outside of any."""
    scope = _now.get()
    return scope.trace if scope is not None else ""


def trace_of(text: str) -> str:
    """The chain's id in a ``traceparent`` or alone; empty for anything else, and for all zeros."""
    found = _TRACEPARENT.fullmatch(text)
    trace = found[1] if found else text
    return trace if _TRACE_ID.fullmatch(trace) and not set(trace) <= _NOTHING else ""


def follow(traceparent: str) -> None:
    """From here on the current step belongs to this chain; what names none changes nothing."""
    scope, trace = _now.get(), trace_of(traceparent)
    if scope is not None and trace:
        _now.set(replace(scope, trace=trace))


def about(visit: str) -> None:
    """From here on the current step is about this visit."""
    scope = _now.get()
    if scope is not None:
        _now.set(replace(scope, visit=visit))


@contextmanager
def calling(service: str) -> Iterator[None]:
    """Counts the time inside as that of the called ``service``."""
    scope, begun = _now.get(), time.monotonic()
    try:
        yield
    finally:
        if scope is not None:
            whom = next((name for start, name in _WHOM.items() if service.startswith(start)), "")
            scope.calls.append(Call(whom, begun, time.monotonic()))


def others_ms(scope: Scope, whom: str | None = None) -> float:
    """Milliseconds of waiting for them; ``whom`` None: for anybody. What goes on side by side counts once."""
    total, until = 0.0, 0.0
    for call in sorted(scope.calls, key=lambda one: one.begun):
        if whom in (None, call.whom):
            total += max(0.0, call.ended - max(call.begun, until))
            until = max(until, call.ended)
    return total * 1000
