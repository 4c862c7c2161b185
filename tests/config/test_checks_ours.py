"""Verdicts on our own side: whether others reach us, and what waits."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config_function.letter_words import CAUSES, said_of, words_of
from shared.clock import timestamp
from shared.errors import Unreachable
from shared.keys import signing_keys_name
from shared.outbound import Answer
from shared.store.faults import StorageRefused, StorageUnavailable
from shared.store.operations import Waiting
from shared.store.region import RegionStore
from tests.config.checking import AMERICAS, drafted, empty_region, outcome, own_address, verdict
from tests.config.house import ADMIN, Browser, House
from tests.fakes import FakeClock
from tests.keys.making import certificate_row, listed

TEXT = {"content-type": "text/plain"}


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


@pytest.fixture
def store(house: House) -> RegionStore:
    empty_region(house.stores)
    return house.stores.region(AMERICAS)


def test_keys_that_the_ehr_cannot_fetch_are_noticed(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    found = verdict(admin, connection, "jwks")
    assert (found["verdict"], found["found"]) == ("failed", "There was no answer.")
    assert "no sign-in, no firewall" in found["remedy"]
    pages: tuple[Any, ...] = (["no object"], {"keys": []}, b"<html>")
    for page in pages:
        house.ehr.pages[own_address(house, f"/config/jwks/{connection}")] = page
        assert verdict(admin, connection, "jwks")["verdict"] == "failed", page


def test_sound_keys_are_well(house: House, admin: Browser) -> None:
    assert outcome(admin, drafted(house, admin), "keys") == ("ok", "Every key is sound.")


def test_what_is_wrong_with_keys_is_told_with_the_page_that_helps(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    now = house.clock.now()
    house.vault.secrets["graph-certificates"] = listed(certificate_row(now, ends=10))
    soon = verdict(admin, connection, "keys")
    assert (soon["verdict"], soon["found"]) == (
        "warning",
        "Certificate g-1 of graph-certificates runs out on 2026-03-12.",
    )
    assert "docs/keys.md" in soon["remedy"]
    house.vault.secrets["graph-certificates"] = listed(certificate_row(now, begins=-9, ends=-1))
    house.vault.secrets["visit-keys"] = "[]"
    gone = verdict(admin, connection, "keys")
    assert gone["verdict"] == "failed"
    assert gone["found"].startswith(
        "The secret visit-keys is not of the shape that it needs. Certificate g-1"
    )


def test_an_organization_is_told_of_its_own_signing_keys_and_no_neighbours(house: House) -> None:
    other = house.neighbour()
    del house.vault.secrets[signing_keys_name(other.tenant)]
    mine, theirs = house.browser(ADMIN), other.browser(ADMIN)
    assert outcome(mine, drafted(house, mine), "keys")[0] == "ok"
    result, found = outcome(theirs, drafted(other, theirs), "keys")
    assert (result, found) == ("failed", f"The secret ehr-signing-keys-{other.tenant} is missing.")


def test_a_silent_vault_is_a_verdict(house: House, admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = drafted(house, admin)

    def silent(_: str) -> str:
        raise Unreachable("key vault")

    monkeypatch.setattr(house.vault, "read", silent)
    found = verdict(admin, connection, "keys")
    assert (found["verdict"], found["found"]) == ("failed", "There was no answer.")


@pytest.mark.parametrize("probe", ["jwks", "webhook"])
def test_a_name_that_leads_inside_for_us_proves_nothing(house: House, admin: Browser, probe: str) -> None:
    connection = drafted(house, admin)
    house.ehr.inside.add("unset.invalid")
    found = verdict(admin, connection, probe)
    assert found["verdict"] == "warning"
    assert "leads inside" in found["found"]


def test_webhooks_that_nobody_reaches_are_noticed(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    found = verdict(admin, connection, "webhook")
    assert (found["verdict"], found["found"]) == ("failed", "There was no answer.")
    assert "Microsoft 365" in found["remedy"]


@pytest.mark.parametrize("hook", ["notifications", "lifecycle"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda token: Answer(200, {"content-type": "text/html"}, token.encode()),
        lambda token: Answer(202, TEXT, token.encode()),
        lambda token: Answer(200, TEXT, token.replace(" ", "+").encode()),
        lambda token: Answer(302, {**TEXT, "location": "https://login.example/"}, b""),
    ],
    ids=["another type", "another status", "not decoded", "a sign-in before it"],
)
def test_a_webhook_that_does_not_give_the_token_back_is_noticed(
    house: House, admin: Browser, hook: str, answer: Callable[[str], Answer]
) -> None:
    connection = drafted(house, admin)
    house.serve_outside()
    house.ehr.pages[own_address(house, f"/attendance/{hook}")] = answer
    result, found = outcome(admin, connection, "webhook")
    assert (result, f"/attendance/{hook} answered" in found) == ("failed", True)


def test_a_slow_webhook_is_a_warning(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.serve_outside()

    def slow(token: str) -> Answer:
        house.clock.advance(7)
        return Answer(200, TEXT, token.encode())

    house.ehr.pages[own_address(house, "/attendance/notifications")] = slow
    found = verdict(admin, connection, "webhook")
    assert found["verdict"] == "warning"
    assert "always ready" in found["remedy"]


def test_empty_queues_are_well(house: House, admin: Browser, store: RegionStore) -> None:
    result, found = outcome(admin, drafted(house, admin), "queue-age")
    assert result == "ok"
    assert found == "Call events: nothing waits. Write-backs: nothing waits. Parked in this region: 0."


@pytest.mark.parametrize(
    ("queue", "age", "expected", "words"),
    [
        ("attendance", 30, "ok", "Call events: the oldest is"),
        ("attendance", 90, "warning", "Call events: the oldest is"),
        ("attendance", 630, "failed", "Call events: the oldest is 10 minutes old"),
        ("writeback", 1_170, "ok", "Write-backs: the oldest is 19 minutes old"),
        ("writeback", 1_230, "warning", "Write-backs: the oldest is 20 minutes old"),
        ("writeback", 3_630, "failed", "Write-backs: the oldest is 60 minutes old"),
    ],
)
def test_what_waits_too_long_is_noticed(
    house: House, clock: FakeClock, store: RegionStore, queue: str, age: int, expected: str, words: str
) -> None:
    store.queue(queue).send("anything")
    # The emulator dates messages by the machine's clock.
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds() + age)
    admin = house.browser(ADMIN)
    found = verdict(admin, drafted(house, admin), "queue-age")
    empty_region(house.stores)
    assert (found["verdict"], words in found["found"]) == (expected, True), found
    assert bool(found["remedy"]) is (expected != "ok")


@pytest.mark.parametrize(
    ("age", "expected", "says"),
    [
        (0, "ok", "Call events: on time. Write-backs: on time."),
        (90, "warning", "Call events: behind. Write-backs: on time."),
        (630, "failed", "Call events: behind. Write-backs: on time."),
    ],
)
def test_organizations_that_share_a_region_count_nothing_of_each_other(
    house: House, clock: FakeClock, store: RegionStore, age: int, expected: str, says: str
) -> None:
    other = house.neighbour()
    if age:
        for queue in ("attendance", "writeback", "writeback-parked"):
            store.queue(queue).send("anything")
        store.dead_letters.add("unknown", "m1", queue="attendance", reason="poison")
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds() + age)
    admin = other.browser(ADMIN)
    found = outcome(admin, drafted(other, admin), "queue-age")
    empty_region(house.stores)
    assert found == (expected, says)


def test_what_is_parked_is_counted_and_nobodys_is_a_warning(
    house: House, admin: Browser, store: RegionStore
) -> None:
    connection = drafted(house, admin)
    store.queue("writeback-parked").send("anything")
    assert outcome(admin, connection, "queue-age")[1].endswith("Parked in this region: 1.")
    store.dead_letters.add("unknown", "m1", queue="attendance", reason="poison")
    found = verdict(admin, connection, "queue-age")
    empty_region(house.stores)
    assert found["verdict"] == "warning"
    assert "no known connection" in found["found"]
    assert "operator" in found["remedy"]


@pytest.mark.parametrize(
    ("age", "reason", "expected", "words"),
    [
        (0, "outage", "ok", ""),
        (900, "outage", "ok", ""),
        (901, "outage", "warning", "service is up"),
        (901, "people", "warning", "does not accept this app's own client"),
        (14_400, "outage", "warning", "service is up"),
        (14_401, "outage", "failed", "service is up"),
    ],
)
def test_what_waits_for_the_ehr_is_counted_and_the_oldest_says_how_bad_it_is(
    house: House, clock: FakeClock, store: RegionStore, age: int, reason: str, expected: str, words: str
) -> None:
    connection = drafted(house, house.browser(ADMIN))
    store.operations.waits(connection, Waiting("1", timestamp(clock.now()), reason))
    store.operations.waits("a-another", Waiting("2", timestamp(clock.now()), reason))
    clock.advance(age)
    store.operations.waits(connection, Waiting("3", timestamp(clock.now()), "outage"))
    found = verdict(house.browser(ADMIN), connection, "undelivered")
    assert found["verdict"] == expected
    says = f"Operations that wait for the EHR: 2. The oldest has waited for {age // 60} minutes."
    assert found["found"] == says
    assert (words in found["remedy"], bool(found["remedy"])) == (True, expected != "ok")


def test_nothing_waits_for_an_ehr_that_was_told_everything(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    assert outcome(admin, connection, "undelivered") == ("ok", "Nothing waits for the EHR.")


@pytest.mark.parametrize("reason", [*sorted({row.reason for row in CAUSES}), "a-reason-of-tomorrow"])
def test_dead_letters_are_counted_and_the_newest_says_why(
    house: House, admin: Browser, store: RegionStore, reason: str
) -> None:
    connection = drafted(house, admin)
    store.dead_letters.add(connection, "z-first", queue="writeback", reason="gave-up")
    house.clock.advance(60)
    store.dead_letters.add(connection, "a-last", queue="writeback", reason=reason, status=422)
    found = verdict(admin, connection, "dead-letters")
    assert found["verdict"] == "failed"
    assert found["found"].startswith("Parked messages: 2. The newest, of 2026-03-02 14:01 UTC: ")
    cause = f"{reason}-422" if reason == "StatusRefused" else reason
    assert found["found"].endswith(f": {said_of(cause)}.")
    assert ("(422)" in found["found"]) is (reason == "StatusRefused")
    assert found["remedy"] == words_of(cause).remedy
    assert found["link"] == f"/config/connections/{connection}/deadletters"
    assert (
        f'href="{found["link"]}"'
        in admin.post(
            f"/config/connections/{connection}/checks", {"probe": "dead-letters", "person": ""}
        ).text
    )


def test_old_dead_letters_are_a_warning_and_others_are_not_ours(
    house: House, clock: FakeClock, store: RegionStore
) -> None:
    first = house.browser(ADMIN)
    connection = drafted(house, first)
    store.dead_letters.add(connection, "one", queue="writeback", reason="gave-up")
    store.dead_letters.add("a-another", "two", queue="writeback", reason="gave-up")
    clock.advance(24 * 3_600 + 1)
    later = house.browser(ADMIN)
    result, found = outcome(later, connection, "dead-letters")
    assert (result, found.startswith("Parked messages: 1.")) == ("warning", True)
    assert not found.endswith("(0).")


def test_the_reasons_are_those_that_messages_are_parked_for() -> None:
    room = Path(__file__).parents[2] / "writeback_function"
    code = "".join((room / f"{name}.py").read_text("utf-8") for name in ("deliver", "patience", "poison"))
    known = {"visit-gone", "adapter-missing", "gave-up", "no-token", "poison"}
    written = set(re.findall(rf'"({"|".join(known)})"', code))
    assert written <= {row.reason for row in CAUSES}
    assert written == known


@pytest.mark.parametrize("probe", ["queue-age", "undelivered", "dead-letters"])
@pytest.mark.parametrize(
    ("error", "words"),
    [(StorageUnavailable("queue"), "Wait a minute"), (StorageRefused("queue"), "operator")],
    ids=["down", "refuses"],
)
def test_storage_that_fails_is_a_verdict(
    house: House, admin: Browser, monkeypatch: pytest.MonkeyPatch, probe: str, error: Any, words: str
) -> None:
    connection = drafted(house, admin)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("shared.store.queues.Queue.oldest", fail)
    monkeypatch.setattr("shared.store.dead_letters.DeadLetters.of_connection", fail)
    monkeypatch.setattr("shared.store.operations.Operations.undelivered", fail)
    found = verdict(admin, connection, probe)
    assert found["verdict"] == "failed"
    assert words in found["remedy"]
