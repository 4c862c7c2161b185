"""Storage and an EHR in memory for tests that play a visit very often; the trap in which a process dies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.connection import Approved
from shared.ehr.port import OutcomeTelling, Telling
from shared.errors import OutsideError
from shared.store import ChangedMeanwhile
from shared.store.queues import Message
from shared.store.table import Row, Write
from tests.fakes import FakeClock


class Crash(Exception):
    """The process died here."""


@dataclass
class Trap:
    """Counts every call to the outside, and dies at one: before its effect or right after it.

    A dead process does nothing more: every later call dies, too, until ``revive``.
    """

    at: int = 0
    when: Literal["before", "after"] = "before"
    count: int = 0
    dead: bool = False
    sprung: bool = False

    def call[T](self, fn: Callable[[], T]) -> T:
        if self.dead:
            raise Crash
        self.count += 1
        if self.count != self.at:
            return fn()
        self.dead = self.sprung = True
        if self.when == "after":
            fn()
        raise Crash

    def revive(self) -> None:
        self.dead = False


class MemoryTable:
    """The part of ``Table`` that the rooms of a visit use, with ETags."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Row] = {}
        self._version = 0

    def get(self, pk: str, rk: str) -> Row | None:
        known = self.kept.get((pk, rk))
        return Row(dict(known), pk, rk, known.etag) if known is not None else None

    def insert(self, pk: str, rk: str, values: Mapping[str, Any]) -> bool:
        if (pk, rk) in self.kept:
            return False
        self.upsert(pk, rk, values)
        return True

    def replace(self, pk: str, rk: str, values: Mapping[str, Any], etag: str) -> str:
        known = self.kept.get((pk, rk))
        if known is None or known.etag != etag:
            raise ChangedMeanwhile("memory")
        self.upsert(pk, rk, values)
        return self.kept[pk, rk].etag

    def upsert(self, pk: str, rk: str, values: Mapping[str, Any]) -> None:
        self._version += 1
        self.kept[pk, rk] = Row(dict(values), pk, rk, f"v{self._version}")

    def delete(self, pk: str, rk: str, etag: str | None = None) -> bool:
        known = self.kept.get((pk, rk))
        if known is not None and etag is not None and known.etag != etag:
            raise ChangedMeanwhile("memory")
        return self.kept.pop((pk, rk), None) is not None

    def rows(
        self, pk: str, rk_from: str = "", rk_below: str = "", limit: int = 1_000, **_: Any
    ) -> Iterator[Row]:
        found = sorted(rk for first, rk in self.kept if first == pk and rk >= rk_from)
        yield from [self.kept[pk, rk] for rk in found if not rk_below or rk < rk_below][:limit]

    def batch(self, writes: Sequence[Write]) -> list[str]:
        if not all(self._holds(write) for write in writes):
            raise ChangedMeanwhile("memory")
        for write in writes:
            if write.kind == "delete":
                del self.kept[write.pk, write.rk]
            else:
                self.upsert(write.pk, write.rk, write.values)
        return ["" if write.kind == "delete" else self.kept[write.pk, write.rk].etag for write in writes]

    def _holds(self, write: Write) -> bool:
        known = self.kept.get((write.pk, write.rk))
        if write.kind in ("insert", "upsert"):
            return write.kind == "upsert" or known is None
        return known is not None and write.etag in ("", known.etag)


class Trapped:
    """Whatever it wraps, with the trap before each call."""

    def __init__(self, inner: Any, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if not callable(member):
            return member
        return lambda *values, **named: self._trap.call(lambda: member(*values, **named))


@dataclass
class Waiting:
    """One message of a queue and when it is seen."""

    text: str = field(repr=False)
    seen: datetime
    delay: float = 0
    deliveries: int = 0


class ClockQueue:
    """A queue whose messages are seen, and hide once they are received, by the test's clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.messages: list[Waiting] = []

    def send(self, text: str, *, delay: float = 0, ttl: int = -1) -> None:
        self.messages.append(Waiting(text, self.clock.now() + timedelta(seconds=delay), delay))

    def receive(self, most: int = 16, hide: int = 30) -> list[Message]:
        now = self.clock.now()
        found = [one for one in self.messages if one.seen <= now][:most]
        for one in found:
            one.seen, one.deliveries = now + timedelta(seconds=hide), one.deliveries + 1
        return [Message(str(id(one)), str(one.deliveries), one.text) for one in found]

    def delete(self, message: Message) -> bool:
        for one in self.messages:
            if (str(id(one)), str(one.deliveries)) == (message.id, message.receipt):
                self.messages.remove(one)
                return True
        return False

    def release(self, message: Message) -> bool:
        for one in self.messages:
            if (str(id(one)), str(one.deliveries)) == (message.id, message.receipt):
                one.seen = self.clock.now()
        return True

    def length(self) -> int:
        return len(self.messages)


class RecordingAdapter:
    """An EHR that remembers what it was told, and fails as the test says; telling again changes nothing."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.semantics: Literal["state", "event"] = "event"
        self.calls: list[Telling] = []
        self.held: list[Telling] = []
        self.failures: list[OutsideError] = []
        self.down: OutsideError | None = None
        self.meanwhile: Callable[[], None] | None = None
        self.takes = False
        self.outcomes: list[OutcomeTelling] = []

    def of(self, approved: Approved) -> "RecordingAdapter":
        return self

    def tell(self, approved: Approved, telling: Telling) -> None:
        self.calls.append(telling)
        if self.meanwhile is not None:
            doing, self.meanwhile = self.meanwhile, None
            doing()
        if self.failures:
            raise self.failures.pop(0)
        if self.down is not None:
            raise self.down
        self.held.append(telling)

    def outcome(self, approved: Approved) -> "RecordingAdapter | None":
        return self if self.takes else None

    def tell_outcome(self, approved: Approved, telling: OutcomeTelling) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if self.down is not None:
            raise self.down
        self.outcomes.append(telling)

    def said(self) -> list[tuple[str, str, float]]:
        """Role, status and seconds since the test began, in the order of telling."""
        begin = FakeClock().now()
        return [(one.role, one.status, round((one.at - begin).total_seconds(), 3)) for one in self.held]
