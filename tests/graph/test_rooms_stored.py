"""Rooms on the real storage emulator: what the in-memory rows of ``test_rooms`` promise holds on ETags."""

import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from shared.clock import SystemClock, SystemEntropy
from shared.context import ContextSeal, VisitContext
from shared.graph.meetings import OnlineMeetings
from shared.graph.service import Graph
from shared.graph.subscriptions import Subscriptions
from shared.meeting import Launcher, Rooms
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store import Stores
from tests.graph.fakes import ELENA, FakeEntra, FakeEntropy, FakeGraph
from tests.graph.test_rooms import KEYS, PATIENT, PROVIDER, OneCertificate, approved_with

pytestmark = pytest.mark.azurite


@pytest.fixture
def connection() -> str:
    return "e" + base64.b32encode(os.urandom(10)).decode().lower()[:15]


@pytest.fixture
def fake() -> FakeGraph:
    return FakeGraph()


@pytest.fixture
def rooms(settings: Settings, stores: Stores, fake: FakeGraph) -> Iterator[Rooms]:
    sealer = Sealer(KEYS, SystemClock())
    graph = Graph(settings, cast("Any", fake), cast("Any", FakeEntra()), FakeEntropy())
    subscriptions = Subscriptions(graph, cast("Any", OneCertificate()), settings)
    meetings, pseudonyms = OnlineMeetings(graph, settings), Pseudonyms(KEYS)
    rooms = Rooms(
        stores,
        meetings,
        subscriptions,
        ContextSeal(sealer),
        sealer,
        pseudonyms,
        SystemClock(),
        SystemEntropy(),
    )
    yield rooms
    rooms.close()


def context_of(connection: str, visit_id: str = "880014417731") -> VisitContext:
    key = Pseudonyms(KEYS).visit_keys(connection, "session", visit_id)[0]
    return VisitContext(connection=connection, visit_key=key, kind="session", visit_id=visit_id)


def test_a_visit_s_row_lies_in_its_region_with_one_tend_message(
    rooms: Rooms, stores: Stores, connection: str
) -> None:
    before = stores.region("emea").queue("tend").length()
    room = rooms.open(approved_with(), context_of(connection), PATIENT)
    again = rooms.open(approved_with(), context_of(connection), PROVIDER)
    row = stores.region("emea").visits.get(connection, context_of(connection).visit_key)
    assert row is not None
    assert row == again.visit
    assert (row.join_url, row.patient_url, row.live) == (room.provider_url, room.patient_url, "live")
    assert [(person.side, person.oid) for person in row.persons] == [("patient", ""), ("provider", ELENA)]
    assert stores.region("americas").visits.get(connection, row.key) is None
    assert stores.region("emea").queue("tend").length() == before + 1


def test_a_crowd_of_strangers_ends_in_one_visit_that_names_them_all(
    rooms: Rooms, stores: Stores, fake: FakeGraph, connection: str
) -> None:
    crowd = [Launcher("patient", f"WPR-{number}") for number in range(15)] + [PROVIDER]
    before = stores.region("emea").queue("tend").length()
    with ThreadPoolExecutor(16) as threads:
        opened = list(
            threads.map(lambda who: rooms.open(approved_with(), context_of(connection), who), crowd)
        )
    row = stores.region("emea").visits.get(connection, context_of(connection).visit_key)
    assert row is not None
    assert {room.provider_url for room in opened} == {row.join_url}
    assert len(row.persons) == 16
    assert (len(fake.meetings), len(fake.subscriptions)) == (1, 1)
    assert row.subscription_id == "sub-1"
    assert stores.region("emea").queue("tend").length() == before + 1
