"""A production app does not start with faulty keys, and does not start later for having looked.

The keys that seal are read before the first answer in any case, and judged there (``wiring.build``). To parse
the others takes longer than a launch may: they are read on a thread of their own, beside the first requests.
What it finds refuses every request from then on, until a look finds it mended. Once an app has started it
stays started: ``shared.reread`` does not take a faulty version in place of a good one.
"""

import threading
from collections.abc import Callable, Collection
from datetime import datetime

from shared.clock import Clock
from shared.errors import AntesalaError
from shared.events import failure as failure_of
from shared.events import note
from shared.key_review import Finding, KeysError
from shared.reread import AGAIN

type Look = Callable[[], Collection[Finding]]


class KeyGate:
    """Looks at the keys when made, and again every ``AGAIN`` while they do not pass."""

    def __init__(self, look: Look, clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._passed = False
        self._refused: KeysError | None = None
        self._looked: datetime = clock.now()
        self._thread = self._started()

    def need_passed(self) -> None:
        """KeysError when a look has found what no app starts with. Waits for nobody."""
        if self._passed:
            return
        with self._lock:
            due = self._clock.now() - self._looked >= AGAIN
            if due and not self._thread.is_alive():
                self._looked, self._thread = self._clock.now(), self._started()
        if self._refused is not None:
            raise self._refused

    def wait(self, seconds: float) -> None:
        """For the end of the look that is under way."""
        self._thread.join(seconds)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="key-gate", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            found = self._look()
        except AntesalaError as failure:
            # Nothing is known: the vault may be silent for a while, and what was read before goes on.
            note("own-keys-unread", failure=failure_of(failure))
            return
        tell(found)
        stopping = [finding for finding in found if finding.stops]
        self._refused = KeysError(stopping) if stopping else None
        self._passed = not stopping


def tell(found: Collection[Finding]) -> None:
    """A line in the log for each finding, under an event of its kind."""
    for finding in found:
        if finding.soon:
            note("keys-expiring", finding=finding.text)
        elif finding.stops:
            note("keys-refused", finding=finding.text)
        else:
            note("keys-expired", finding=finding.text)
