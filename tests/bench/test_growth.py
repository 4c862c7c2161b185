"""What makes growth measurable: the emulator with indexes, tables that are full at once, paces and trends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.draining import Drained, rates
from bench.house import ROOT, House, Indexed
from bench.queued import Depth
from bench.queued import figures as by_depth
from bench.rows import OTHERS, Size, fill
from bench.rows import figures as by_rows
from sandbox.storage import AzuriteServer
from shared.store.faults import StorageRefused
from shared.store.queues import Queue

COUNTS = {"abench2222222222": 3, "pbench2222222222": 250}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    running = House(tmp_path_factory.mktemp("house"), "americas,apac", indexed=True)
    try:
        running.start((), host=False, before=lambda house: fill(house, COUNTS))
        yield running
    finally:
        running.close()


@pytest.fixture
def waiting(filled: House, request: pytest.FixtureRequest) -> Queue:
    return filled.services.stores.region("americas").queue(
        request.node.name.replace("_", "-")[:60].strip("-")
    )


@pytest.mark.azurite
@pytest.mark.parametrize(("connection", "count"), COUNTS.items())
@pytest.mark.parametrize("name", OTHERS)
def test_a_filled_table_should_have_its_rows_under_both_keys(
    filled: House, connection: str, count: int, name: str
) -> None:
    key, values = OTHERS[name]
    table = filled.services.stores.of(connection).table(name)
    assert len(list(table.rows(connection, limit=1_000))) == count
    last = table.get(connection, f"{key}{count - 1:08d}")
    assert last is not None
    assert last.rk == f"{key}{count - 1:08d}"
    assert values.items() <= last.items()
    assert table.get(connection, f"{key}{count:08d}") is None
    assert table.get("another", f"{key}{count - 1:08d}") is None


@pytest.mark.azurite
def test_an_indexed_queue_should_give_each_message_once_and_in_order(filled: House, waiting: Queue) -> None:
    other = filled.services.stores.region("americas").queue("tend")
    for number in range(70):
        waiting.send(str(number))
        other.send(f"other {number}")
    found = [message.text for _ in range(5) for message in waiting.receive(16, hide=60)]
    assert found == [str(number) for number in range(70)]
    assert waiting.length() == 70


@pytest.mark.azurite
def test_an_indexed_queue_should_hide_release_and_delete_as_any(waiting: Queue) -> None:
    for text in ("one", "two"):
        waiting.send(text)
    first, second = waiting.receive(2, hide=60)
    assert waiting.receive() == []
    assert waiting.release(first)
    (again,) = waiting.receive()
    assert (again.text, again.deliveries) == ("one", 2)
    with pytest.raises(StorageRefused, match="PopReceiptMismatch"):
        waiting.delete(first)
    assert waiting.delete(again)
    assert waiting.delete(second)
    assert waiting.length() == 0


def test_only_an_indexed_emulator_should_be_another_than_the_sandboxs(tmp_path: Path) -> None:
    assert type(House(tmp_path).storage) is AzuriteServer
    assert type(House(tmp_path, indexed=True).storage) is Indexed


def test_the_bare_queue_function_should_be_served_as_the_app_is() -> None:
    ours, bare = (json.loads((ROOT / one / "host.json").read_text("utf-8")) for one in (".", "bench/relay"))
    assert bare["extensions"]["queues"] == ours["extensions"]["queues"]


def test_a_pace_should_count_both_hops_of_the_same_seconds() -> None:
    told = {"a": 100.0, "b": 104.0, "c": 110.0, "of another": 105.0, "late": 111.0}
    found = rates(told, {"a", "b", "c", "late", "never"}, 100.0, 10.0, folded=40)
    assert found == Drained(told=0.2, folded=4.0, all=False)
    assert found.pace == pytest.approx(2.1)


def test_a_pace_should_end_with_the_last_one_told() -> None:
    found = rates({"a": 100.0, "b": 102.0, "c": 104.0}, {"a", "b", "c"}, 100.0, 600.0, folded=2)
    assert found == Drained(told=0.5, folded=0.5, all=True)


def test_growth_by_what_waits_should_be_told_beside_the_emulators() -> None:
    depths = [
        Depth(100, Drained(10, 10, all=True), 80, 100),
        Depth(10_000, Drained(1, 1, all=False), 90, 100),
    ]
    found = {one.name: one for one in by_depth(depths)}
    assert found["10,000 notifications, each"].median == 1000
    assert found["exponent of time by notifications that wait"].median == pytest.approx(1.5)
    assert found["exponent of time by notifications that wait"].met is False
    assert found["exponent of the raw loop's time by messages that wait"].median == pytest.approx(1)
    assert found["memory gained by notifications"].median == 10


def test_growth_by_rows_should_be_told_beside_the_emulators() -> None:
    sizes = [Size("a", 1_000, [0.01], [0.001]), Size("p", 100_000, [0.01], [0.1])]
    found = {one.name: one for one in by_rows(sizes)}
    trend = found["exponent of time by rows in a partition"]
    assert trend.median == pytest.approx(0)
    assert trend.note.endswith("the emulator's own look-ups: 1.00")
