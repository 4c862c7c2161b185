"""Which account a connection's data lies in, and the rooms inside."""

import re
import threading
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from shared.clock import Clock, Entropy, SystemEntropy
from shared.connection import CONNECTION_ID, Approved, Region, region_of
from shared.errors import Refusal
from shared.memory import Memory
from shared.settings import Settings, Storage
from shared.store.account import Account
from shared.store.aside import Aside
from shared.store.audit import Audit
from shared.store.connections import Connections
from shared.store.ehr_users import EhrUsers
from shared.store.launches import Launches
from shared.store.queues import PARKED, Queue
from shared.store.table import Table
from shared.store.visits import Visits

if TYPE_CHECKING:
    from shared.store.dead_letters import DeadLetters
    from shared.store.operations import Operations

LATELY = timedelta(seconds=5)
"""How old a connection may be by which the queues' messages are judged."""
_REMEMBERED = 500
_CONNECTION_ID = re.compile(CONNECTION_ID)


class RegionStore:
    """Everything that one region keeps; each room is opened when it is first needed."""

    def __init__(
        self, name: Region, storage: Storage, clock: Clock, entropy: Entropy, hurry: float = 1.0
    ) -> None:
        """``hurry``: see ``Settings.hurry``."""
        self.name = name
        self._hurry = hurry
        self._account = Account(storage)
        self._clock = clock
        self._entropy = entropy
        self.aside = Aside()
        self._lately: Memory[str, Approved] = Memory(clock, _REMEMBERED, LATELY)
        self._queues: dict[str, Queue] = {}
        self._lock = threading.Lock()

    @cached_property
    def connections(self) -> Connections:
        """Configuration."""
        return Connections(self.table("Connections"), self.name)

    @cached_property
    def ehr_users(self) -> EhrUsers:
        """Links between EHR users and Microsoft 365 accounts."""
        return EhrUsers(self.table("EhrUsers"))

    @cached_property
    def visits(self) -> Visits:
        """Visits."""
        return Visits(self.table("Visits"), self._entropy)

    @cached_property
    def launches(self) -> Launches:
        """Recent launches by reason code."""
        return Launches(self.table("Launches"), self.aside)

    @cached_property
    def audit(self) -> Audit:
        """Who changed what."""
        return Audit(self.table("Audit"))

    @cached_property
    def operations(self) -> "Operations":
        """What was told to EHRs."""
        from shared.store.operations import LEASE, Operations

        return Operations(self.table("Operations"), self._clock, LEASE / self._hurry)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """What could not be told to an EHR, and why."""
        from shared.store.dead_letters import DeadLetters

        return DeadLetters(self.table("DeadLetters"), self._clock)

    def approved_lately(self, connection_id: str) -> Approved | None:
        """As ``connections.approved`` a few seconds ago at most: for messages, which may be as late as that.

        Never for a launch. What is not approved is looked up every time.
        """
        approved = self._lately.fresh(connection_id)
        if approved is None and (approved := self.connections.approved(connection_id)) is not None:
            self._lately.put(connection_id, approved)
        return approved

    def queue(self, name: str) -> Queue:
        """One of the region's queues."""
        with self._lock:
            if name not in self._queues:
                self._queues[name] = Queue(self._account.queue(name))
            return self._queues[name]

    def serves(self, connection_id: str) -> bool:
        """Whether this is the region of the connection."""
        return bool(_CONNECTION_ID.fullmatch(connection_id)) and region_of(connection_id) == self.name

    def parked(self) -> tuple[Queue, ...]:
        """Every queue of parked messages: nobody's, and those of connections that ever had any."""
        return tuple(self.queue(name) for name in self._account.queue_names(PARKED))

    def table(self, name: str) -> Table:
        """One of the region's tables, for a room of this package."""
        return Table(self._account.table(name))


class Stores:
    """The regions of this app."""

    def __init__(self, settings: Settings, clock: Clock, entropy: Entropy | None = None) -> None:
        """``entropy`` spreads the tries of those who write one row at the same time."""
        self._regions = {
            region: RegionStore(
                region, settings.storage[region], clock, entropy or SystemEntropy(), settings.hurry
            )
            for region in settings.regions
        }

    def region(self, name: str) -> RegionStore:
        """The store of a region by name; KeyError for one that this app does not serve."""
        for region, store in self._regions.items():
            if region == name:
                return store
        raise KeyError(name)

    def of(self, connection_id: str) -> RegionStore:
        """The store that a connection's id names; Refusal ``connection-unknown`` if it names none of ours."""
        if not _CONNECTION_ID.fullmatch(connection_id):
            raise Refusal("connection-unknown", "not a connection's id")
        store = self._regions.get(region_of(connection_id))
        if store is None:
            raise Refusal("connection-unknown", "another region's connection")
        return store

    def all(self) -> tuple[RegionStore, ...]:
        """Every region of this app, in the order of the settings."""
        return tuple(self._regions.values())
