"""Whose connection is this: asked for servers that show no session; remembered, because it never changes."""

from config_function.connections import Connections
from shared.clock import Clock
from shared.errors import Refusal
from shared.memory import Memory

REMEMBERED = 1_024


class Owners:
    """The organizations of the ``size`` connections asked for last; safe for many threads.

    Only what exists is remembered: a connection can be made at any moment, and made-up addresses must not
    push out real ones.
    """

    def __init__(self, connections: Connections, clock: Clock, size: int = REMEMBERED) -> None:
        self._connections = connections
        self._known: Memory[str, str] = Memory(clock, size)

    def tenant(self, connection: str) -> str:
        """The organization's tenant ID; Refusal not-found for a connection that does not exist."""
        known = self._known.fresh(connection)
        if known is not None:
            return known
        tenant = self._connections.owner(connection)
        if tenant is None:
            raise Refusal("not-found")
        self._known.put(connection, tenant)
        return tenant
