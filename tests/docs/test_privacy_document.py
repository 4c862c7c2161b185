"""``docs/privacy.md`` names every stored field, queue, cookie and age as the code has them, no more."""

import re
from collections.abc import Callable
from dataclasses import fields as members_of
from typing import Any

import pytest

from config_function.signin import SESSION
from shared.connection import Connection, Revision
from shared.retention import PARKED_DAYS, RULES
from shared.sealing import LIFETIMES
from shared.secrets import KEYS
from shared.store.audit import Entry
from shared.store.dead_letters import DeadLetter
from shared.store.ehr_users import Link
from shared.store.launches import Launch
from shared.store.operations import Operations, Waiting
from shared.store.queues import PARKED, parked_queue
from shared.store.visits import Person, Visit
from shared.visit.ledger import Ledger
from shared.visit.roster import Roster
from tests.docs import privacy_document as document
from tests.docs.reading import ROOT
from tests.fakes import FakeClock


def names(kind: Any, *left_out: str) -> set[str]:
    return {member.name for member in members_of(kind)} - set(left_out)


def of_visits() -> set[str]:
    # A participant is an entry of people; what has begun is a mark in told.
    roster = {"people" if name == "participants" else name for name in names(Roster)}
    ledger = (names(Ledger, "roster", "begun") | set(Ledger().document()) | roster) - {"participants"}
    visit = names(Visit, "connection", "key", "etag", "persons", "roster")
    return visit | {f"persons.{name}" for name in names(Person)} | {f"roster.{name}" for name in ledger}


def of_connections() -> set[str]:
    connection = names(Connection, "etag")
    revision = Revision("c", 1, "draft", "n").document()
    return connection | document.members(revision)


def of_operations() -> set[str]:
    """What each way of writing writes."""
    written: set[str] = set()

    class Recorder:
        def insert(self, pk: str, rk: str, values: dict[str, Any]) -> bool:
            written.update(values)
            return True

        def upsert(self, pk: str, rk: str, values: dict[str, Any]) -> None:
            written.update(values)

    operations = Operations(Recorder(), FakeClock())  # type: ignore[arg-type]
    operations.claim("c", "o", "owner")
    operations.settle("c", "o", "told")
    operations.waits("c", Waiting("o", "2026-03-02T14:00:00.000Z"))
    return written


CODE: dict[str, Callable[[], set[str]]] = {
    "Connections": of_connections,
    "EhrUsers": lambda: names(Link, "connection", "etag"),
    "Visits": of_visits,
    "Operations": of_operations,
    "DeadLetters": lambda: names(DeadLetter, "connection", "id", "etag"),
    "Launches": lambda: names(Launch),
    "Audit": lambda: names(Entry, "tenant"),
}


def test_every_table_is_documented_and_nothing_else() -> None:
    opened = set(re.findall(r'self\.table\("(\w+)"\)', (ROOT / "shared/store/region.py").read_text()))
    assert set(document.tables()) == opened == set(CODE)


@pytest.mark.parametrize("table", sorted(CODE))
def test_every_field_is_documented_and_nothing_else(table: str) -> None:
    assert document.fields(table) == CODE[table]()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.table)
def test_every_age_is_that_of_the_timer(rule: Any) -> None:
    said = [int(days) for days in re.findall(r"(\d+) days", document.tables()[rule.table])]
    assert said == [*dict.fromkeys(age.days for age in rule.ages)]


def test_what_no_timer_deletes_is_said_to_last() -> None:
    lasting = set(document.tables()) - {rule.table for rule in RULES}
    assert lasting == {"Connections", "EhrUsers"}
    assert all(document.tables()[table].startswith("until ") for table in lasting)


def test_every_queue_is_documented_and_nothing_else() -> None:
    registered = (ROOT / "writeback_function/blueprint.py").read_text()
    listed = re.search(r"^QUEUES = \(([^)]+)\)", registered, re.MULTILINE)
    assert listed
    queues = set(re.findall(r'"(\w+)"', listed[1]))
    expected = {*queues, *(f"{queue}-poison" for queue in queues), PARKED, parked_queue("id")}
    shown = {next(iter(document.named(cells[:1]))): cells[-1] for cells in document.rows("Queues")}
    assert document.named(cells[0] for cells in document.rows("Queues")) == expected
    assert all(f"{PARKED_DAYS} days" in shown[name] for name in (PARKED, parked_queue("id")))


def cookies() -> dict[str, int]:
    """Each cookie's name, or how it begins, and its seconds."""
    found = {SESSION: LIFETIMES["session"]}
    for folder in ("shared", "config_function", "launch_provider", "launch_patient"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            for purpose, rest in re.findall(r'Jar\([^"()]*"([\w-]+)"([^)]*)\)', text):
                name = re.search(r'name="([\w-]+)"', rest)
                found[f"__Host-{name[1] if name else purpose}-"] = LIFETIMES[purpose]
            for name in re.findall(r'"(__Host-[\w-]+)"', text):
                found.setdefault(name, 365 * 24 * 3600)
    return found


def spelled(seconds: int) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0 and seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    raise AssertionError(seconds)


def test_every_cookie_is_documented_with_its_lifetime_and_nothing_else() -> None:
    shown = {cells[0].strip("`"): cells[-1] for cells in document.rows("Cookies")}
    code = {name: spelled(seconds) for name, seconds in cookies().items()}
    assert len(code) > 8
    assert shown == code


def test_pages_store_nothing_else_in_the_browser() -> None:
    scripts = list((ROOT / "shared/static").glob("*.js"))
    assert scripts
    for path in scripts:
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", path.read_text()), (
            path
        )


def test_every_key_of_the_vault_is_documented() -> None:
    assert KEYS - {"graph-client"} <= document.named([document.section("Key Vault")])


def test_a_sealed_person_outlives_the_row_and_the_document_says_so() -> None:
    days = LIFETIMES["person"] // 86_400
    assert f"opens for {days} days" in document.section("Key Vault")
    assert days > max(rule.days for rule in RULES if rule.table == "Visits")
