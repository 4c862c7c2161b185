"""How launches end, by reason code and without identities: for the portal's page of recent launches."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from shared.clock import Clock, timestamp
from shared.connection import Side
from shared.errors import AntesalaError, OutsideError, Refusal
from shared.store import Stores
from shared.web import Cookie

_log = logging.getLogger("antesala.launch")


class Outcomes:
    """Writes one row a launch; a row that cannot be written never stops a visit."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    def ok(self, connection: str, side: Side) -> None:
        """The person was sent on to the meeting."""
        self._write(connection, "ok", side)

    def refused(self, connection: str, code: str, side: Side) -> None:
        """The person was shown why not, on a page of our own instead of the edge's."""
        self._write(connection, code, side)

    @contextmanager
    def watched(self, connection: str, side: Side, *clear: Cookie) -> Iterator[None]:
        """Records every refusal inside the block; each carries ``clear`` to the browser."""
        try:
            yield
        except Refusal as refusal:
            refusal.cookies = (*refusal.cookies, *clear)
            self._write(connection, refusal.reason.code, side)
            raise
        except OutsideError as error:
            # Doors say themselves what a silent EHR or Graph means: what comes here is the region's storage.
            refused = Refusal(
                "storage-unavailable" if error.transient else "internal-error", type(error).__name__
            )
            refused.cookies = clear
            raise refused from error

    def _write(self, connection: str, code: str, side: Side) -> None:
        if code in ("connection-unknown", "storage-unavailable"):
            return
        try:
            self._stores.of(connection).launches.record(connection, code, side, timestamp(self._clock.now()))
        except AntesalaError as error:
            _log.warning("launch outcome %s not recorded: %s", code, type(error).__name__)
