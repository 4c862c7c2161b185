"""The app's own health for monitors: what it looks at, who may ask, what it never tells."""

from typing import Any

import pytest

from config_function.deep_check import FRESH
from shared.entra import ApiCaller
from shared.errors import Unreachable
from shared.store.dead_letters import DeadLetters
from shared.store.faults import StorageUnavailable
from shared.store.operations import Waiting
from shared.store.queues import Queue
from tests.config.house import ADMIN, ANALYST, READER, House

URL = "/config/api/health"


def caller(house: House, *roles: str, program: bool = False) -> ApiCaller:
    return ApiCaller(house.tenant, "p", frozenset(roles), frozenset(), frozenset(), program, False)


def asked(house: House, person: str = READER) -> tuple[int, dict[str, Any]]:
    page = house.browser(person).get(URL)
    return page.status, page.json()


def by_name(document: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["verdict"] for one in document["checks"]}


@pytest.fixture(autouse=True)
def _quiet_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests left in the emulator's queues is not this one's."""
    monkeypatch.setattr(Queue, "oldest", lambda _: None)


def test_all_is_well(house: House) -> None:
    house.in_service(house.browser(ADMIN))
    status, document = asked(house)
    assert (status, document["verdict"]) == (200, "ok")
    assert set(by_name(document)) == {
        *(f"storage-{region}" for region in ("americas", "emea", "apac")),
        *(
            f"queue-{queue}-{region}"
            for queue in ("attendance", "writeback")
            for region in ("americas", "emea", "apac")
        ),
        "vault-keys",
        "vault-client-secrets",
        "graph-token",
        "undelivered",
        "dead-letters",
    }


@pytest.mark.parametrize(
    ("roles", "program", "status"),
    [
        (("Connector.Reader",), True, 200),
        (("Connector.Admin",), True, 200),
        (("Connector.Reader",), False, 200),
        ((), True, 403),
        ((), False, 403),
    ],
)
def test_readers_may_ask_and_programs_with_their_role(
    house: House, roles: tuple[str, ...], program: bool, status: int
) -> None:
    house.microsoft.callers = {"t": caller(house, *roles, program=program)}
    bearer = {"authorization": "Bearer t"}
    assert house.browser().send("GET", URL, headers=bearer).status == status


def test_nobody_else_may(house: House) -> None:
    assert house.browser().get(URL).status == 401
    assert house.browser(ANALYST).get(URL).status == 403


def test_a_region_that_is_silent_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: str) -> None:
        raise StorageUnavailable("table Connections of account-7730")

    store = house.stores.region("emea")
    monkeypatch.setattr(store.connections, "get", silent)
    status, document = asked(house)
    assert (status, document["verdict"]) == (503, "failed")
    assert [name for name, verdict in by_name(document).items() if verdict == "failed"] == ["storage-emea"]
    assert "7730" not in str(document)


def test_a_queue_that_is_stuck_fails(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = house.clock.now()
    monkeypatch.setattr(Queue, "oldest", lambda _: begun)
    house.clock.advance(700)
    status, document = asked(house)
    found = {one["check"]: one for one in document["checks"]}
    assert (status, found["queue-attendance-emea"]["verdict"]) == (503, "failed")
    assert found["queue-attendance-emea"]["age_seconds"] == 700
    assert found["queue-writeback-emea"]["verdict"] == "ok"


@pytest.mark.parametrize("vault", ["keys", "client-secrets"])
def test_a_vault_that_is_silent_fails(house: House, vault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = house.secrets.read

    def silent(name: str) -> str:
        if name.startswith("ehr-signing-keys") == (vault == "keys"):
            raise Unreachable("key vault: ServiceRequestError")
        return read(name)

    monkeypatch.setattr(house.secrets, "read", silent)
    status, document = asked(house)
    assert (status, by_name(document)[f"vault-{vault}"]) == (503, "failed")


def test_no_token_for_graph_fails(house: House) -> None:
    reader = house.browser(READER)
    house.microsoft.down = True
    page = reader.get(URL)
    assert (page.status, by_name(page.json())["graph-token"]) == (503, "failed")


def test_what_waits_and_what_is_parked_is_told_of_one_s_own_alone(house: House) -> None:
    admin = house.browser(ADMIN)
    mine = house.in_service(admin)
    other = house.neighbour()
    theirs = other.in_service(other.browser(ADMIN))
    since = "2026-03-02T14:00:00.000Z"
    for connection, number in ((mine, 1), (theirs, 3)):
        store = house.stores.of(connection)
        for n in range(number):
            store.operations.waits(connection, Waiting(f"op-{n}", since, "outage"))
            store.dead_letters.add(connection, f"letter-{n}", queue="writeback", reason="refused")
    house.clock.advance(1_000)
    status, document = asked(house)
    found = {one["check"]: one for one in document["checks"]}
    assert (status, document["verdict"]) == (200, "warning")
    assert (found["undelivered"]["count"], found["undelivered"]["verdict"]) == (1, "warning")
    assert (found["dead-letters"]["count"], found["dead-letters"]["verdict"]) == (1, "warning")
    # Of queues that others' messages wait in, too, nothing is counted.
    assert "age_seconds" not in found["queue-attendance-emea"]
    assert theirs not in str(document)


def test_it_is_looked_at_once_in_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    count = DeadLetters.count

    def counted(self: DeadLetters, connection: str, most: int = 0) -> int:
        looks.append(connection)
        return count(self, connection, most)

    connection = house.in_service(house.browser(ADMIN))
    monkeypatch.setattr(DeadLetters, "count", counted)
    first, second = asked(house), asked(house)
    assert (first, looks) == (second, [connection])
    house.clock.advance(FRESH.total_seconds())
    assert asked(house)[1]["at"] != first[1]["at"]
    assert len(looks) == 2


def test_the_load_balancer_s_answer_says_nothing(house: House) -> None:
    house.microsoft.down = True
    page = house.browser().get("/healthz")
    assert (page.status, page.text) == (200, "ok")
