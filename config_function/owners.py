"""Whose connection is this: asked for servers that show no session; remembered, because it never changes."""

import threading
from collections import OrderedDict

from config_function.connections import Connections
from shared.errors import Refusal

REMEMBERED = 1_024


class Owners:
    """The organizations of the connections asked for last; safe for many threads, bounded to ``size``.

    Only what exists is remembered: a connection can be made at any moment, and made-up addresses must not
    push out real ones.
    """

    def __init__(self, connections: Connections, size: int = REMEMBERED) -> None:
        self._connections = connections
        self._size = size
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def tenant(self, connection: str) -> str:
        """The organization's tenant ID; Refusal not-found for a connection that does not exist."""
        with self._lock:
            known = self._known.get(connection)
            if known is not None:
                self._known.move_to_end(connection)
                return known
        tenant = self._connections.owner(connection)
        if tenant is None:
            raise Refusal("not-found")
        with self._lock:
            self._known[connection] = tenant
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return tenant
