"""How launches end, by reason code and without identities: for the portal's page of recent launches.

Whoever knows a connection's address can knock at its door. What is refused before a launch has shown that it
comes from the connection's EHR is therefore hardly written: no flood of it hides the launches of patients.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.clock import Clock, timestamp
from shared.connection import Side
from shared.errors import AntesalaError, OutsideError, Refusal
from shared.events import failure as failure_of
from shared.events import note
from shared.store import Stores
from shared.web import Cookie

# What of a stranger's knock helps whoever sets the connection up, once in a while.
TOLD = frozenset({"browser-unsupported", "connection-not-approved", "launch-incomplete", "wrong-environment"})
EVERY = timedelta(minutes=1)
REMEMBERED = 500


class Outcomes:
    """Writes one row a launch; a row that cannot be written never stops a visit."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self._told: OrderedDict[tuple[str, str, Side], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def ok(self, connection: str, side: Side) -> None:
        """The person was sent on to the meeting."""
        self._write(connection, "ok", side)

    def refused(self, connection: str, code: str, side: Side) -> None:
        """The person was shown why not, on a page of our own instead of the edge's."""
        self._write(connection, code, side)

    @contextmanager
    def knocking(self, connection: str, side: Side) -> Iterator[None]:
        """For what anybody may ask: records the refusals that help, each at most once a minute."""
        with _storage():
            try:
                yield
            except Refusal as refusal:
                code = refusal.reason.code
                if code in TOLD and self._is_due((connection, code, side)):
                    self._write(connection, code, side)
                raise

    @contextmanager
    def watched(self, connection: str, side: Side, *clear: Cookie) -> Iterator[None]:
        """Records every refusal inside the block; each carries ``clear`` to the browser."""
        with _storage(*clear):
            try:
                yield
            except Refusal as refusal:
                refusal.cookies = (*refusal.cookies, *clear)
                self._write(connection, refusal.reason.code, side)
                raise

    def _is_due(self, knock: tuple[str, str, Side]) -> bool:
        now = self._clock.now()
        with self._lock:
            last = self._told.get(knock)
            if last is not None and now - last < EVERY:
                return False
            self._told[knock] = now
            self._told.move_to_end(knock)
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        return True

    def _write(self, connection: str, code: str, side: Side) -> None:
        if code in ("connection-unknown", "storage-unavailable"):
            return
        try:
            self._stores.of(connection).launches.record(connection, code, side, timestamp(self._clock.now()))
        except AntesalaError as error:
            note("outcome-unwritten", connection=connection, reason=code, failure=failure_of(error))


@contextmanager
def _storage(*clear: Cookie) -> Iterator[None]:
    """Doors say themselves what a silent EHR or Graph means: what else comes is the region's storage."""
    try:
        yield
    except OutsideError as error:
        code = "storage-unavailable" if error.transient else "internal-error"
        refused = Refusal(code, type(error).__name__)
        refused.cookies = clear
        raise refused from error
