import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock
from shared.errors import OutsideError, Refusal
from shared.settings import Settings, Storage
from shared.store import ChangedMeanwhile, Stores
from shared.store.account import Account
from shared.store.faults import StorageRefused, StorageUnavailable
from shared.store.queues import LONGEST, Queue
from shared.store.region import RegionStore
from shared.store.table import Row, Table, Write, after, key_text, packed, unpacked
from tests.fakes import SeededEntropy

pytestmark = pytest.mark.azurite
ODD = [
    *("a/b", "a\\b", "a#b", "a?b", "O'Neil", 'x"y', "Ünïcödé", "日本", "😀", " ", "a b", "%2f", "a\tb"),
    *("é" * 100, "=", "' or PartitionKey ge '", "..", "EMP-88101"),
]


@pytest.fixture
def table(stores: Stores, request: pytest.FixtureRequest) -> Table:
    name = "T" + "".join(letter for letter in request.node.name if letter.isalnum())[:50]
    return stores.region("americas").table(name)


def test_a_row_comes_back_with_its_keys_and_etag(table: Table) -> None:
    assert table.insert("p", "r", {"text": "é", "number": 7, "flag": True, "real": 1.5})
    row = table.get("p", "r")
    assert isinstance(row, Row)
    assert row == {"text": "é", "number": 7, "flag": True, "real": 1.5}
    assert (row.pk, row.rk) == ("p", "r")
    assert row.etag


def test_a_table_that_does_not_exist_reads_as_empty_and_is_made_by_a_write(table: Table) -> None:
    assert table.get("p", "r") is None
    assert list(table.rows("p")) == []
    assert table.delete("p", "r") is False
    with pytest.raises(ChangedMeanwhile):
        table.replace("p", "r", {}, 'W/"x"')
    table.batch([Write("insert", "p", "r", {"a": 1})])
    assert table.get("p", "r") == {"a": 1}


def test_an_existing_row_is_not_inserted_again(table: Table) -> None:
    assert table.insert("p", "r", {"a": 1})
    assert not table.insert("p", "r", {"a": 2})
    assert table.get("p", "r") == {"a": 1}


def test_eight_threads_insert_one_row(table: Table) -> None:
    start, won = threading.Barrier(8), []

    def insert(number: int) -> None:
        start.wait()
        if table.insert("race", "r", {"winner": number}):
            won.append(number)

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    row = table.get("race", "r")
    assert row is not None
    assert row["winner"] == won[0]


def test_a_stale_etag_changes_nothing(table: Table) -> None:
    table.insert("p", "r", {"a": 1})
    row = table.get("p", "r")
    assert row is not None
    new = table.replace("p", "r", {"b": 2}, row.etag)
    assert new != row.etag
    with pytest.raises(ChangedMeanwhile):
        table.replace("p", "r", {"a": 3}, row.etag)
    with pytest.raises(ChangedMeanwhile):
        table.delete("p", "r", row.etag)
    assert table.get("p", "r") == {"b": 2}
    assert table.delete("p", "r", new)
    with pytest.raises(ChangedMeanwhile):
        table.replace("p", "r", {"a": 3}, new)


def test_a_write_without_the_etag_it_needs_is_a_mistake_of_ours(table: Table) -> None:
    with pytest.raises(ValueError, match="ETag"):
        table.replace("p", "r", {}, "")


def test_upsert_replaces_the_whole_row(table: Table) -> None:
    table.upsert("p", "r", {"a": 1})
    table.upsert("p", "r", {"b": 2})
    assert table.get("p", "r") == {"b": 2}


def test_rows_come_in_order_and_within_their_bounds(table: Table) -> None:
    for rk in ("a-1", "a-3", "a-2", "b-1", "A-1"):
        table.insert("p", rk, {"v": rk})
    table.insert("other", "a-1", {})
    assert [row.rk for row in table.rows("p")] == ["A-1", "a-1", "a-2", "a-3", "b-1"]
    assert [row.rk for row in table.rows("p", "a-", after("a-"))] == ["a-1", "a-2", "a-3"]
    assert [row.rk for row in table.rows("p", "a-2", limit=2)] == ["a-2", "a-3"]
    assert [dict(row) for row in table.rows("p", "a-", after("a-"), keys_only=True)] == [{}, {}, {}]


def test_more_rows_than_a_page_are_read(table: Table) -> None:
    for start in range(0, 1_200, 100):
        table.batch([Write("insert", "p", f"{number:05d}") for number in range(start, start + 100)])
    assert len(list(table.rows("p", limit=5_000))) == 1_200
    assert len(list(table.rows("p", limit=1_100))) == 1_100


def test_a_partition_key_is_no_query(table: Table) -> None:
    table.insert("secret", "r", {})
    assert list(table.rows("x' or PartitionKey ge '")) == []
    assert list(table.rows("x", "a' or RowKey ge '", "z' or PartitionKey ge '")) == []


def test_a_batch_is_all_or_nothing(table: Table) -> None:
    table.insert("p", "there", {"a": 1})
    row = table.get("p", "there")
    assert row is not None
    with pytest.raises(ChangedMeanwhile):
        table.batch([Write("insert", "p", "new", {}), Write("insert", "p", "there", {})])
    assert table.get("p", "new") is None
    table.replace("p", "there", {"a": 2}, row.etag)
    for stale in (Write("replace", "p", "there", {}, row.etag), Write("delete", "p", "there", etag=row.etag)):
        with pytest.raises(ChangedMeanwhile):
            table.batch([Write("insert", "p", "new", {}), stale])
    assert table.get("p", "new") is None
    assert table.get("p", "there") == {"a": 2}


@pytest.mark.parametrize("odd", ODD)
def test_any_text_can_be_a_key(stores: Stores, odd: str) -> None:
    table = stores.region("americas").table("OddKeys")
    table.delete(key_text(odd), key_text(odd))
    assert table.insert(key_text(odd), key_text(odd), {"text": odd})
    assert table.get(key_text(odd), key_text(odd)) == {"text": odd}
    assert [row["text"] for row in table.rows(key_text(odd))] == [odd]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_key_text_is_safe(text: str) -> None:
    assert set(key_text(text)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=")


def test_two_texts_never_share_a_key() -> None:
    texts = [*ODD, "=IA", "IA", "a", "A", "YS9i", "=YS9i", "e\u0301", "é"]
    assert len({key_text(text) for text in texts}) == len(set(texts))


@pytest.mark.parametrize("text", ["", "x" * 301, "é" * 151, "\ud800"])
def test_what_cannot_be_a_key_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="parameter-invalid"):
        key_text(text)


@pytest.mark.parametrize("length", [0, 10, 29_998, 30_000, 100_000])
def test_documents_longer_than_a_column_come_back(table: Table, length: int) -> None:
    document = {"text": "é" * length}
    table.insert("p", "r", {**packed(document), **packed([1], "other")})
    row = table.get("p", "r")
    assert row is not None
    assert unpacked(row) == document
    assert unpacked(row, "other") == [1]


def test_a_value_that_storage_cannot_hold_is_refused_for_good(table: Table) -> None:
    with pytest.raises(StorageRefused) as refused:
        table.insert("p", "r", {"text": "x" * 40_000})
    assert not refused.value.transient
    assert "xxx" not in str(refused.value)


def silent(port: int = 1) -> Any:
    url = f"http://127.0.0.1:{port}/a"
    return Account(
        Storage(
            f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint={url};TableEndpoint={url}"
        )
    )


def test_silent_storage_is_an_outside_error_without_keys_in_it() -> None:
    table = Table(silent().table("Visits"))
    for call in (
        lambda: table.get("secret-pk", "secret-rk"),
        lambda: table.insert("secret-pk", "secret-rk", {}),
        lambda: list(table.rows("secret-pk")),
        lambda: table.batch([Write("insert", "secret-pk", "secret-rk")]),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            call()
        assert isinstance(caught.value, OutsideError)
        assert caught.value.transient
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_a_wrong_account_key_is_an_outside_error(azurite_settings: Settings) -> None:
    good = azurite_settings.storage["americas"].connection_string
    parts = dict(part.split("=", 1) for part in good.strip(";").split(";"))
    bad = ";".join(f"{name}={'a2V5' if name == 'AccountKey' else value}" for name, value in parts.items())
    store = RegionStore("americas", Storage(bad), SystemClock(), SeededEntropy())
    with pytest.raises(StorageUnavailable, match="403"):
        store.table("Visits").get("a", "b")


def test_nothing_of_a_row_is_logged(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    table.insert("MRN-7730941552", "r", {"a": "MRN-7730941552"})
    table.get("MRN-7730941552", "r")
    assert "MRN" not in caplog.text


# -- queues ----------------------------------------------------------------------------------------


@pytest.fixture
def queue(stores: Stores, request: pytest.FixtureRequest) -> Queue:
    name = "q-" + "".join(letter for letter in request.node.name.lower() if letter.isalnum())[-50:]
    return stores.region("emea").queue(name)


def test_a_message_goes_through_and_is_deleted(queue: Queue) -> None:
    queue.send('{"v":1,"text":"é"}')
    (message,) = queue.receive(4, 60)
    assert (message.text, message.deliveries) == ('{"v":1,"text":"é"}', 1)
    assert queue.receive(4, 60) == []
    assert queue.length() == 1
    assert queue.delete(message)
    assert not queue.delete(message)
    assert queue.length() == 0


def test_a_queue_that_does_not_exist_is_empty(queue: Queue) -> None:
    assert queue.length() == 0
    assert queue.receive() == []
    assert queue.oldest() is None


def test_a_delayed_message_is_not_seen_yet(queue: Queue) -> None:
    queue.send("later", delay=0.4)
    queue.send("never", delay=3_000)
    assert queue.receive() == []
    assert queue.length() == 2


def test_messages_are_base64_as_the_host_expects(queue: Queue, azurite_settings: Settings) -> None:
    from azure.storage.queue import QueueClient

    queue.send("plain")
    raw = QueueClient.from_connection_string(
        azurite_settings.storage["emea"].connection_string, queue._client.queue_name
    )
    (message,) = raw.receive_messages(max_messages=1)
    assert message.content == "cGxhaW4="
    assert message.expires_on is not None
    assert message.expires_on.year > 9_000


def test_a_message_that_is_too_large_is_refused(queue: Queue) -> None:
    queue.send("x" * LONGEST)
    with pytest.raises(Refusal, match="too-large"):
        queue.send("x" * (LONGEST + 1))
