"""Launches through the real doors, rooms and tables, with every trip to storage and to Graph written down."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from shared.clock import SystemClock
from shared.connection import Approved
from shared.context import ContextSeal
from shared.graph.meetings import OnlineMeetings
from shared.graph.service import Graph
from shared.graph.subscriptions import Subscriptions
from shared.keys import GraphCertificate
from shared.meeting import Rooms
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store import RegionStore, Stores
from shared.store.account import Account
from shared.store.ehr_users import Link
from shared.store.queues import Queue
from shared.store.table import Row, Table, Value, Write
from tests.graph.fakes import ELENA, FakeEntra, FakeEntropy, FakeGraph
from tests.launch.conftest import CONNECTION, Shown, World, connection, own_keys

CLINICIAN = "EMP-88101"


class Counted(Table):
    """A table that writes down what it is asked: the operation, and the table's name."""

    def __init__(self, account: Account, name: str, trips: list[str]) -> None:
        super().__init__(account.table(name))
        self._noted, self._trips = name, trips

    def get(self, pk: str, rk: str) -> Row | None:
        self._trips.append(f"get {self._noted}")
        return super().get(pk, rk)

    def insert(self, pk: str, rk: str, values: Mapping[str, Value]) -> bool:
        self._trips.append(f"insert {self._noted}")
        return super().insert(pk, rk, values)

    def replace(self, pk: str, rk: str, values: Mapping[str, Value], etag: str) -> str:
        self._trips.append(f"replace {self._noted}")
        return super().replace(pk, rk, values, etag)

    def upsert(self, pk: str, rk: str, values: Mapping[str, Value]) -> None:
        self._trips.append(f"upsert {self._noted}")
        super().upsert(pk, rk, values)

    def delete(self, pk: str, rk: str, etag: str | None = None) -> bool:
        self._trips.append(f"delete {self._noted}")
        return super().delete(pk, rk, etag)

    def rows(self, *args: Any, **kwargs: Any) -> Iterator[Row]:
        self._trips.append(f"query {self._noted}")
        return super().rows(*args, **kwargs)

    def batch(self, writes: Sequence[Write]) -> list[str]:
        self._trips.append(f"batch {self._noted}")
        return super().batch(writes)


class CountedRegion(RegionStore):
    """A region whose tables and queues write down what they are asked."""

    def __init__(self, settings: Settings, trips: list[str]) -> None:
        super().__init__("americas", settings.storage["americas"], SystemClock(), cast("Any", FakeEntropy()))
        self.trips = trips

    def table(self, name: str) -> Table:
        return Counted(self._account, name, self.trips)

    def queue(self, name: str) -> Queue:
        self.trips.append(f"queue {name}")
        return super().queue(name)


class CountedStores(Stores):
    """The stores of that one region."""

    def __init__(self, settings: Settings) -> None:
        self.trips: list[str] = []
        self.region_store = CountedRegion(settings, self.trips)
        self._regions = {"americas": self.region_store}


class OneCertificate:
    def newest(self) -> GraphCertificate:
        return GraphCertificate("cert-1", "MIIB")


class Scene(World):
    """A hospital, a browser, the doors over the emulator's tables, and a recording Graph."""

    def __init__(self, stores: CountedStores, settings: Settings) -> None:
        self.counted, self.graph = stores, FakeGraph()
        self._settings = settings
        super().__init__(keys=own_keys())
        # Rows of launches are named by their time, and the emulator keeps those of other tests.
        self.clock.pass_by(microseconds=time.time_ns() // 1_000 % 10**12)

    def _services(self, keys: Any) -> Any:
        self.stores = cast("Any", self.counted)
        services = super()._services(keys)
        services.rooms = self.real_rooms(services.sealer, services.pseudonyms, services.contexts)
        return services

    def real_rooms(self, sealer: Sealer, pseudonyms: Pseudonyms, contexts: ContextSeal) -> Rooms:
        graph = Graph(self._settings, cast("Any", self.graph), cast("Any", FakeEntra()), self.entropy)
        meetings = OnlineMeetings(graph, self._settings)
        subscriptions = Subscriptions(graph, cast("Any", OneCertificate()), self._settings)
        return Rooms(
            self.counted, meetings, subscriptions, contexts, sealer, pseudonyms, self.clock, self.entropy
        )

    def use(self, settings: Any, head: Any = None) -> None:
        rows = self.counted.of(CONNECTION).connections
        if rows.approved(CONNECTION) is not None:
            return
        made = Approved(head or connection(), replace(settings, organizers=(ELENA,)))
        rows.create(made.connection, made.revision)
        standing = rows.standing(CONNECTION)
        assert standing is not None
        rows.save(standing[0], standing[1], publish=True)
        self.counted.of(CONNECTION).ehr_users.link(
            Link(CONNECTION, CLINICIAN, ELENA, "", "2030-01-01T00:00:00.000Z")
        )

    def trips_of(self, side: str, visit: str) -> tuple[Counter[str], Shown]:
        """What one launch asked of storage, what is written beside it included; and how it ended."""
        self.browser.cookies.clear()
        self.counted.trips.clear()
        self.clock.pass_by(seconds=1)
        shown = self.launch(side, members={"sessionId": visit})
        self.counted.region_store.aside.close()
        return Counter(self.counted.trips), shown
