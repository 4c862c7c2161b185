import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import timestamp
from shared.connection import Connection, Revision
from shared.errors import Refusal
from shared.settings import Settings
from shared.store import ChangedMeanwhile, Stores
from shared.store.audit import LINKINGS
from shared.store.ehr_users import Link
from shared.store.launches import KEPT, Launches
from shared.store.region import LATELY
from shared.store.visits import Person, Visit, Visits
from tests.fakes import FakeClock, SeededEntropy
from tests.shared.test_settings import SANDBOX
from tests.shared.test_store_table import ODD

pytestmark = pytest.mark.azurite
AT = "2026-03-02T14:00:00.000Z"


@pytest.fixture
def store(stores: Stores, connection_id: str) -> Any:
    return stores.of(connection_id)


@pytest.fixture
def connection(connection_id: str) -> Connection:
    return Connection(
        connection_id, f"t-{connection_id}", "americas", "test", "epic", "https://e.invalid/R4", AT
    )


@pytest.fixture
def revision(connection_id: str) -> Revision:
    return Revision(connection_id, 1, "draft", "Sierra")


# -- regions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("letter", "region"), [("a", "americas"), ("e", "emea"), ("p", "apac")])
def test_a_connections_letter_chooses_its_region(
    stores: Stores, azurite_settings: Settings, letter: str, region: str
) -> None:
    connection_id = letter + "b" * 15
    store = stores.of(connection_id)
    assert store.name == region
    assert store is stores.region(region)
    store.launches.record(connection_id, "ok", "provider", AT)
    store.aside.settle()
    # Asked with a client of our own: the row lies in that account and in no other.
    from azure.data.tables import TableServiceClient

    found = []
    for name, storage in azurite_settings.storage.items():
        service = TableServiceClient.from_connection_string(storage.connection_string)
        rows = service.get_table_client("Launches").query_entities(f"PartitionKey eq '{connection_id}'")
        found += [name for _ in rows]
    assert found == [region]


@pytest.mark.parametrize(
    "connection_id",
    ["", "a", "x" + "b" * 15, "a" + "b" * 16, "A" + "b" * 15, "a" + "B" * 15, "a/" + "b" * 14, "a" + "1" * 15,
     "a" + "b" * 15 + "\n"],
)  # fmt: skip
def test_what_is_no_connection_id_has_no_store(stores: Stores, connection_id: str) -> None:
    with pytest.raises(Refusal, match="connection-unknown"):
        stores.of(connection_id)


def test_a_region_that_this_app_does_not_serve_is_unknown(clock: FakeClock) -> None:
    stores = Stores(Settings.from_environ(SANDBOX), clock)
    assert [store.name for store in stores.all()] == ["americas", "emea"]
    with pytest.raises(Refusal, match="connection-unknown"):
        stores.of("p" + "b" * 15)
    with pytest.raises(KeyError):
        stores.region("apac")


# -- connections -----------------------------------------------------------------------------------


def test_a_connection_and_its_first_revision_are_created_once(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    assert rows.get(connection.id) is None
    rows.create(connection, revision)
    assert rows.get(connection.id) == connection
    assert rows.revision(connection.id, 1) == revision
    assert rows.revision(connection.id, 2) is None
    assert rows.of_tenant(connection.tenant) == [(connection, revision, None)]
    assert rows.approved(connection.id) is None
    with pytest.raises(ChangedMeanwhile):
        rows.create(connection, revision)


def test_a_connection_of_another_region_is_not_written_here(
    stores: Stores, connection: Connection, revision: Revision
) -> None:
    with pytest.raises(ValueError, match="region"):
        stores.region("emea").connections.create(connection, revision)


def test_a_row_copied_into_another_region_is_not_served(
    stores: Stores, store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    rows.create(connection, revision)
    saved = rows.get(connection.id)
    rows.save(replace(saved, approved=1), rows.revision(connection.id, 1), publish=True)
    for rk in ("head", "approved"):
        row = store.table("Connections").get(connection.id, rk)
        stores.region("emea").table("Connections").upsert(connection.id, rk, dict(row))
    assert stores.region("emea").connections.get(connection.id) is None
    assert stores.region("emea").connections.approved(connection.id) is None


def test_a_message_is_judged_by_a_connection_that_was_read_a_moment_ago(
    azurite_settings: Settings, connection: Connection, revision: Revision
) -> None:
    clock = FakeClock()
    store = Stores(azurite_settings, clock, SeededEntropy()).of(connection.id)
    rows = store.connections
    rows.create(connection, revision)
    assert store.approved_lately(connection.id) is None
    rows.save(replace(rows.get(connection.id), approved=1), rows.revision(connection.id, 1), publish=True)  # type: ignore[type-var, arg-type]
    first = store.approved_lately(connection.id)
    assert first is not None, "what is not approved is looked up every time"
    second = replace(revision, number=2, name="Sierra anew")
    rows.save(replace(rows.get(connection.id), latest=2, approved=2), second, publish=True)  # type: ignore[type-var]
    assert store.approved_lately(connection.id) == first
    clock.advance(LATELY.total_seconds())
    anew = store.approved_lately(connection.id)
    assert anew is not None
    assert anew.revision.number == 2


def test_publishing_writes_head_revision_and_approved_in_one_transaction(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    rows.create(connection, revision)
    head, first = rows.get(connection.id), rows.revision(connection.id, 1)
    rows.save(replace(head, approved=1), replace(first, state="approved"), publish=True)
    approved = rows.approved(connection.id)
    assert (approved.connection.approved, approved.revision.state) == (1, "approved")
    assert approved.issuers == ("https://e.invalid/R4",)

    # Somebody who read the head before may neither publish nor leave a trace.
    stale = replace(rows.revision(connection.id, 1), name="Stale")
    with pytest.raises(ChangedMeanwhile):
        rows.save(replace(head, approved=1), stale, publish=True)
    assert rows.approved(connection.id).revision.name == "Sierra"
    assert rows.revision(connection.id, 1).name == "Sierra"


def test_a_draft_beside_the_approved_revision_changes_nothing_for_launches(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    rows.create(connection, revision)
    rows.save(replace(rows.get(connection.id), approved=1), rows.revision(connection.id, 1), publish=True)
    rows.save(replace(rows.get(connection.id), latest=2), replace(revision, number=2, name="New"))
    assert rows.approved(connection.id).revision.name == "Sierra"
    assert [row.name for row in rows.revisions(connection.id)] == ["New", "Sierra"]
    assert rows.get(connection.id).latest == 2


def test_how_a_connection_stands_is_read_with_the_etags_that_a_change_needs(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    assert rows.standing(connection.id) is None
    rows.create(connection, revision)
    head, latest, approved = rows.standing(connection.id)
    assert (head, latest, approved) == (connection, revision, None)
    rows.save(replace(head, approved=1), replace(latest, state="approved"), publish=True)
    head, latest, approved = rows.standing(connection.id)
    assert latest == approved == rows.revision(connection.id, 1)
    rows.save(replace(head, latest=2), replace(revision, number=2, name="New"))
    with pytest.raises(ChangedMeanwhile):
        rows.save(replace(head, latest=2), replace(revision, number=3, name="Late"))
    stood = head, latest, approved = rows.standing(connection.id)
    assert (head.latest, latest.name, approved.number, approved.state) == (2, "New", 1, "approved")
    parts = rows.get(connection.id), rows.revision(connection.id, 2), rows.revision(connection.id, 1)
    assert stood == parts
    assert [part.etag for part in stood] == [part.etag for part in parts]
    # The head without its revision is no connection.
    store.table("Connections").delete(connection.id, "revision-0002")
    assert rows.standing(connection.id) is None


def test_two_editors_of_one_draft_do_not_overwrite_each_other(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    rows.create(connection, revision)
    mine = yours = rows.revision(connection.id, 1)
    rows.save(None, replace(mine, name="Mine"))
    with pytest.raises(ChangedMeanwhile) as refused:
        rows.save(None, replace(yours, name="Yours"))
    assert refused.value.reason.status == 409
    assert rows.revision(connection.id, 1).name == "Mine"


def test_a_tenants_index_shows_only_its_own_whole_connections(
    store: Any, connection: Connection, revision: Revision
) -> None:
    rows = store.connections
    other = replace(connection, id=connection.id[:-1] + "a", tenant="t-other")
    rows.create(connection, revision)
    rows.create(other, replace(revision, connection=other.id))
    # A creation cut short, and an index row that names somebody else's connection.
    store.table("Connections").insert(f"tenant-{connection.tenant}", "a" + "z" * 15, {})
    store.table("Connections").insert(f"tenant-{connection.tenant}", other.id, {})
    assert [row.id for row, *_ in rows.of_tenant(connection.tenant)] == [connection.id]
    assert rows.of_tenant("x' or PartitionKey ge '") == []


# -- EHR users -------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ODD)
def test_any_ehr_user_id_can_be_linked_and_unlinked(stores: Stores, user: str) -> None:
    users, connection = stores.region("americas").ehr_users, "a" + "c" * 15
    link = Link(connection, user, "oid-1", "m" * 43, AT)
    assert users.link(link)
    assert users.get(connection, user) == link
    assert user in users.of_person(connection, "oid-1")
    assert user in [row.ehr_user for row in users.list(connection)]
    assert users.unlink(connection, user)
    assert users.get(connection, user) is None
    assert user not in users.of_person(connection, "oid-1")
    assert not users.unlink(connection, user)


def test_the_first_link_stays_and_eight_threads_make_one(store: Any, connection_id: str) -> None:
    users, start, won = store.ehr_users, threading.Barrier(8), []

    def link(number: int) -> None:
        start.wait()
        if users.link(Link(connection_id, "EMP-1", f"oid-{number}", "m", AT)):
            won.append(f"oid-{number}")

    threads = [threading.Thread(target=link, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert users.get(connection_id, "EMP-1").oid == won[0]
    assert [users.of_person(connection_id, f"oid-{n}") for n in range(8)].count(("EMP-1",)) == 1


def test_links_belong_to_one_connection_and_one_person(store: Any, connection_id: str) -> None:
    users = store.ehr_users
    assert users.link(Link(connection_id, "EMP-1", "oid", "m", AT))
    assert users.link(Link(connection_id, "EMP-2", "oid", "m", AT))
    assert users.link(Link(connection_id, "EMP-3", "oid-2", "m", AT))
    assert users.of_person(connection_id, "oid") == ("EMP-1", "EMP-2")
    assert users.get("a" + "d" * 15, "EMP-1") is None
    assert len(users.list(connection_id)) == 3
    assert len(users.list(connection_id, limit=2)) == 2


# -- visits ----------------------------------------------------------------------------------------


@pytest.fixture
def visit(connection_id: str) -> Visit:
    return Visit(connection_id, "k" * 43, 1, AT, organizer="oid", organizer_from="pool")


def test_a_visit_comes_back_whole(store: Any, visit: Visit) -> None:
    full = replace(
        visit,
        group=True,
        meeting_id="m",
        join_url="https://j.invalid",
        patient_url="https://p.invalid",
        policy_applied=True,
        subscription_id="s",
        subscription_expires=AT,
        live="live",
        tended=True,
        persons=(Person("provider", "EMP-1", AT, "oid"), Person("patient", "sealed", AT)),
        roster={"p": [1, {"x": "é"}]},
        closed_at=AT,
    )
    assert store.visits.create(full)
    found = store.visits.get(full.connection, full.key)
    assert found == full
    assert found.etag


def test_eight_launches_at_once_agree_on_one_organizer(store: Any, visit: Visit) -> None:
    start, made, seen = threading.Barrier(8), [], []

    def launch(number: int) -> None:
        start.wait()
        mine = replace(visit, organizer=f"oid-{number}")
        if store.visits.create(mine):
            made.append(mine.organizer)
        seen.append(store.visits.get(visit.connection, visit.key).organizer)

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert seen == made * 8


def test_a_visit_is_found_under_the_key_it_was_made_with(store: Any, visit: Visit) -> None:
    store.visits.create(replace(visit, key="old"))
    assert store.visits.find(visit.connection, ("new", "old")).key == "old"
    assert store.visits.find(visit.connection, ("new", "newer")) is None


def test_a_save_needs_the_newest_row(store: Any, visit: Visit) -> None:
    store.visits.create(visit)
    first = store.visits.get(visit.connection, visit.key)
    second = store.visits.save(replace(first, meeting_id="m-1"))
    with pytest.raises(ChangedMeanwhile):
        store.visits.save(replace(first, meeting_id="m-2"))
    assert store.visits.save(replace(second, live="live")).live == "live"
    assert store.visits.get(visit.connection, visit.key).meeting_id == "m-1"


def test_eight_threads_change_one_visit_and_nothing_is_lost(store: Any, visit: Visit) -> None:
    store.visits.create(visit)

    def add(number: int) -> None:
        person = Person("provider", f"EMP-{number}", AT)
        store.visits.change(
            visit.connection, visit.key, lambda row: replace(row, persons=(*row.persons, person)), tries=40
        )

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    persons = store.visits.get(visit.connection, visit.key).persons
    assert sorted(person.user for person in persons) == [f"EMP-{number}" for number in range(8)]


def test_a_change_of_nothing_writes_nothing(store: Any, visit: Visit) -> None:
    store.visits.create(visit)
    before = store.visits.get(visit.connection, visit.key)
    assert store.visits.change(visit.connection, visit.key, lambda _: None).etag == before.etag
    assert store.visits.get(visit.connection, visit.key).etag == before.etag


def test_a_change_gives_up_after_its_tries(store: Any, visit: Visit, entropy: SeededEntropy) -> Any:
    store.visits.create(visit)
    pauses: list[float] = []
    visits = Visits(store.table("Visits"), entropy, pauses.append)

    def always_beaten(row: Any) -> Any:
        store.visits.save(replace(row, meeting_id=row.meeting_id + "x"))
        return replace(row, meeting_id="mine")

    with pytest.raises(ChangedMeanwhile):
        visits.change(visit.connection, visit.key, always_beaten, tries=3)
    assert len(pauses) == 2
    assert store.visits.get(visit.connection, visit.key).meeting_id == "xxx"


def test_a_change_of_no_visit_is_refused(store: Any, connection_id: str) -> None:
    with pytest.raises(Refusal, match="not-found"):
        store.visits.change(connection_id, "absent", lambda row: row)


def test_a_row_of_a_newer_version_is_still_read(store: Any, visit: Visit) -> None:
    from shared.store.table import packed, unpacked

    store.visits.create(visit)
    table = store.table("Visits")
    row = table.get(visit.connection, visit.key)
    newer = unpacked(row) | {"invented": 1, "persons": [{"side": "patient", "user": "s", "at": AT, "new": 1}]}
    table.upsert(visit.connection, visit.key, packed(newer))
    assert store.visits.get(visit.connection, visit.key).persons == (Person("patient", "s", AT),)


def test_links_and_ids_stay_out_of_logs(visit: Visit) -> None:
    shown = repr(
        replace(visit, join_url="https://secret.invalid", persons=(Person("patient", "secret", AT),))
    )
    assert "secret" not in shown


# -- launches and audit ----------------------------------------------------------------------------


def test_the_newest_launches_come_first(store: Any, connection_id: str, clock: FakeClock) -> None:
    for code in ("ok", "too-early", "ok"):
        store.launches.record(connection_id, code, "patient", timestamp(clock.now()))
        clock.advance(1)
    recent = store.launches.recent(connection_id)
    assert [launch.code for launch in recent] == ["ok", "too-early", "ok"]
    assert recent[0].at > recent[2].at
    assert recent[0].side == "patient"
    assert len(store.launches.recent(connection_id, limit=1)) == 1


def test_launches_of_one_moment_are_all_kept(store: Any, connection_id: str) -> None:
    for _ in range(3):
        store.launches.record(connection_id, "ok", "provider", AT)
    assert len(store.launches.recent(connection_id)) == 3


def test_launches_are_bounded_in_number_and_age(store: Any, connection_id: str, clock: FakeClock) -> None:
    table = store.table("Launches")
    log = store.launches._log
    for number in range(KEPT + 20):
        log.add(
            connection_id,
            clock.now() + timedelta(seconds=number),
            {"code": "ok", "side": "provider", "at": AT},
        )
    Launches(table).record(connection_id, "ok", "provider", timestamp(clock.now() + timedelta(hours=1)))
    assert len(store.launches.recent(connection_id, 5_000)) == KEPT
    Launches(table).record(connection_id, "late", "provider", timestamp(clock.now() + timedelta(days=40)))
    left = store.launches.recent(connection_id, 5_000)
    assert left[0].code == "late"
    assert len(left) < KEPT


def test_the_audit_trail_belongs_to_one_organization(store: Any, connection_id: str) -> None:
    tenant = f"t-{connection_id}"
    store.audit.record(tenant, "oid-1", "connection-created", connection_id, AT, "Sierra")
    store.audit.record(tenant, "oid-2", "approved", "a" + "b" * 15, "2026-03-02T15:00:00.000Z")
    entries = store.audit.recent(tenant)
    assert [(entry.by, entry.what, entry.detail) for entry in entries] == [
        ("oid-2", "approved", ""),
        ("oid-1", "connection-created", "Sierra"),
    ]
    assert [entry.by for entry in store.audit.recent(tenant, connection=connection_id)] == ["oid-1"]
    # The limit counts what is asked for: a neighbour's many changes hide nothing.
    assert [entry.by for entry in store.audit.recent(tenant, 1, connection_id)] == ["oid-1"]
    assert store.audit.recent("t-other") == []


def test_kinds_of_the_audit_trail_are_read_apart(store: Any, connection_id: str) -> None:
    tenant = f"t-{connection_id}"
    for minute, what in enumerate(("created", "ehr-user-linked", "approved", "ehr-user-unlinked")):
        store.audit.record(tenant, "oid-1", what, connection_id, f"2026-03-02T14:{minute:02d}:00.000Z")
    store.audit.record(tenant, "oid-1", "ehr-user-linked", "a" + "b" * 15, AT)

    def kinds(limit: int, **chosen: tuple[str, ...]) -> list[str]:
        return [entry.what for entry in store.audit.recent(tenant, limit, connection_id, **chosen)]

    assert kinds(9, only=LINKINGS) == ["ehr-user-unlinked", "ehr-user-linked"]
    assert kinds(1, only=LINKINGS) == ["ehr-user-unlinked"]
    assert kinds(9, never=LINKINGS) == ["approved", "created"]
    assert kinds(1, never=LINKINGS) == ["approved"]
    assert kinds(9, only=("approved",), never=LINKINGS) == ["approved"]
