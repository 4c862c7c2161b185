"""What a secret says, kept parsed, and looked at again every five minutes.

* Whoever meets something that the keys at hand do not know may ask for one look more (``anew``): another
  instance may have read a newer version. At most one in ``AGAIN``, because anybody can show what is unknown.
* A version that cannot be used never takes the place of one that could: it is logged, and what was known
  stays. So a mistake in a rotation is a line in the log, and no outage.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.events import note
from shared.secrets import KEPT, SecretMissing, Secrets

AGAIN = timedelta(seconds=30)
"""How long a secret that was not there counts as missing, and how often one look more is had."""
UNUSABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What parsers of a secret raise where it is of another shape."""


@dataclass(frozen=True)
class _Known[T]:
    """What a look at the vault gave; ``text`` and ``parsed`` are None where there was no such secret."""

    at: datetime
    text: str | None
    parsed: T | None

    def fresh(self, now: datetime) -> bool:
        return now - self.at < (KEPT if self.text is not None else AGAIN)


class Reread[T]:
    """One secret, parsed again only when its text has changed.

    One thread looks at a time. Meanwhile others have what was known, also that there was none, which counts
    for half a minute: anybody may ask for a key set, and must not make the vault's work of it.
    """

    def __init__(
        self, secrets: Secrets, name: str, parse: Callable[[str], T], clock: Clock, *, keeps: bool = False
    ) -> None:
        """``keeps``: what was read stays when the secret vanishes, because nothing else opens what is out."""
        self._secrets = secrets
        self._name = name
        self._parse = parse
        self._clock = clock
        self._keeps = keeps
        self._lock = threading.Lock()
        self._known: _Known[T] | None = None

    def value(self) -> T:
        """What the secret says; SecretMissing, or Unreachable when it was never read."""
        known = self._known
        if known is not None and known.fresh(self._clock.now()):
            return self._said(known)
        if not self._lock.acquire(blocking=known is None) and known is not None:
            return self._said(known)
        try:
            return self._said(self._look())
        finally:
            self._lock.release()

    def anew(self) -> None:
        """Looks now, unless that was done within ``AGAIN``. Threads that ask while one looks wait for it."""
        with self._lock:
            known = self._known
            if known is None or self._clock.now() - known.at >= AGAIN:
                self._look(force=True)

    def _look(self, *, force: bool = False) -> _Known[T]:
        known, now = self._known, self._clock.now()
        if known is not None and not force and known.fresh(now):
            return known
        try:
            found = self._parsed(self._secrets.read(self._name), now)
        except SecretMissing:
            found = self._vanished(now)
        self._known = found
        return found

    def _parsed(self, text: str, now: datetime) -> _Known[T]:
        known = self._known
        if known is not None and known.text == text:
            return _Known(now, text, known.parsed)
        try:
            return _Known(now, text, self._parse(text))
        except UNUSABLE as failure:
            if known is None or known.parsed is None:
                raise
            self._stays(type(failure).__name__)
            return _Known(now, known.text, known.parsed)

    def _vanished(self, now: datetime) -> _Known[T]:
        known = self._known
        if known is None or known.parsed is None or not self._keeps:
            return _Known(now, None, None)
        self._stays("SecretMissing")
        return _Known(now, known.text, known.parsed)

    def _stays(self, why: str) -> None:
        # Never the failure's own words: json's quote what they could not read.
        note("keys-unusable", secret=self._name, reason=why)

    def _said(self, known: _Known[T]) -> T:
        if known.parsed is None:
            raise SecretMissing(self._name)
        return known.parsed
