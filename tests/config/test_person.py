"""What is stored about one person, taken out and erased by administrators, and by nobody else."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from config_function import blueprint
from shared.clock import timestamp
from shared.entra import ApiCaller
from shared.settings import Settings
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.store.visits import Person, Visit
from tests.config.house import ADMIN, ANALYST, CLINICIAN, READER, House, forget_rooms
from tests.fakes import FakeClock

EHR_USER = "EMP/%2F-4711-quetzal"
PATIENT = "WPR-5519902"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


def pages_of(connection: str) -> str:
    return f"/config/connections/{connection}/personal-data"


def api_of(connection: str) -> str:
    return f"/config/api/connections/{connection}/personal-data"


def stored(house: House, connection: str, ehr_user: str = EHR_USER, *, over: bool = True) -> None:
    """A link and a visit with a patient."""
    store, now = house.stores.of(connection), timestamp(house.clock.now())
    assert store.ehr_users.link(Link(connection, ehr_user, CLINICIAN, "mac", now))
    persons = (
        Person("provider", ehr_user, now, CLINICIAN),
        Person("patient", house.services.sealer.seal("person", PATIENT), now),
    )
    closed = timestamp(house.clock.now() + timedelta(days=1)) if over else ""
    assert store.visits.create(Visit(connection, "visit-1", 1, now, persons=persons, closed_at=closed))


def rows_of(house: House, connection: str) -> str:
    store = house.stores.of(connection)
    rows = [dict(row) for name in ("EhrUsers", "Visits") for row in store.table(name).rows(connection)]
    return json.dumps(rows, default=str)


def doings(house: House, connection: str) -> list[tuple[str, str, str]]:
    entries = house.stores.of(connection).audit.recent(house.tenant, 50, connection)
    return [(one.what, one.by, one.detail) for one in entries if one.what.startswith("personal-data")]


# -- pages -----------------------------------------------------------------------------------------


def test_an_administrator_finds_downloads_and_erases(house: House, connection: str) -> None:
    stored(house, connection)
    admin, base = house.browser(ADMIN), pages_of(connection)
    assert f'href="{base}"' in admin.get(f"/config/connections/{connection}/clinicians").text
    assert admin.get(base).status == 200
    found = admin.post(base, {"ehr_user": f" {EHR_USER} "})
    assert found.status == 200
    assert "Dr. Elena Vidal" in found.text
    assert f'action="{base}/erase"' in found.text
    file = admin.post(f"{base}/export", {"ehr_user": EHR_USER, "cursor": ""})
    assert file.headers["content-type"] == "application/json"
    assert file.headers["content-disposition"] == 'attachment; filename="personal-data.json"'
    assert file.json()["link"]["oid"] == CLINICIAN
    question = admin.post(f"{base}/erase", {"ehr_user": EHR_USER, "cursor": ""})
    assert "Erase this for good?" in question.text
    assert "4711" in rows_of(house, connection)
    form = {name: question.value(name) for name in ("ehr_user", "cursor", "sure")}
    done = admin.post(f"{base}/erase", form)
    assert (done.status, done.location) == (303, f"{base}?erased=1")
    assert "Nothing is stored about this EHR user ID any more." in admin.get(done.location).text
    assert "4711" not in rows_of(house, connection)
    assert "Nothing." in admin.post(base, {"ehr_user": EHR_USER}).text


def test_the_history_says_who_and_in_how_many_visits_and_never_about_whom(
    house: House, connection: str
) -> None:
    stored(house, connection)
    admin, body = house.browser(ADMIN), {"ehr_user": EHR_USER}
    for what in ("export", "erase", "export", "erase"):
        assert admin.call("POST", f"{api_of(connection)}/{what}", body).status == 200
    # Where there was nothing, nothing was done.
    expected = [("personal-data-erased", ADMIN, "1"), ("personal-data-exported", ADMIN, "1")]
    assert doings(house, connection) == expected
    history = admin.get(f"/config/connections/{connection}/history").text
    assert "erased what was stored about one EHR user ID" in history
    assert "4711" not in history


def test_a_visit_under_way_is_said_and_nothing_is_erased(house: House, connection: str) -> None:
    stored(house, connection, over=False)
    admin, base = house.browser(ADMIN), pages_of(connection)
    found = admin.post(base, {"ehr_user": EHR_USER}).text
    assert "Erasing has to wait" in found
    assert f'action="{base}/erase"' not in found
    before = rows_of(house, connection)
    late = admin.post(f"{base}/erase", {"ehr_user": EHR_USER, "sure": "1"})
    assert late.status == 422
    assert "not over yet" in late.text
    answer = admin.call("POST", f"{api_of(connection)}/erase", {"ehr_user": EHR_USER})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "ehr_user")
    assert (rows_of(house, connection), doings(house, connection)) == (before, [])


def test_a_patient_is_answered_by_the_sealed_copy(house: House, connection: str) -> None:
    stored(house, connection)
    admin = house.browser(ADMIN)
    document = admin.call("POST", f"{api_of(connection)}/export", {"ehr_user": PATIENT}).json()
    assert (document["link"], [one["launches"][0]["side"] for one in document["visits"]]) == (
        None,
        ["patient"],
    )
    erased = admin.call("POST", f"{api_of(connection)}/erase", {"ehr_user": PATIENT}).json()
    assert (erased["visits"], erased["unlinked"], erased["next"]) == (1, False, "")
    again = admin.call("POST", f"{api_of(connection)}/export", {"ehr_user": PATIENT}).json()
    assert again["visits"] == []


def test_more_visits_than_one_request_looks_at_are_answered_in_parts(house: House, connection: str) -> None:
    from shared.personal_data import Bounds

    stored(house, connection)
    store = house.stores.of(connection)
    first = store.visits.get(connection, "visit-1")
    assert first is not None
    for number in (2, 3):
        store.visits.create(replace(first, key=f"visit-{number}"))
    admin = house.browser(ADMIN)
    admin.get(pages_of(connection))
    blueprint._handlers().person._desk.persons._data._bounds = Bounds(visits=1)
    cursor, seen, turns = "", list[str](), 0
    while cursor or not turns:
        body = {"ehr_user": EHR_USER, "cursor": cursor}
        document = admin.call("POST", f"{api_of(connection)}/export", body).json()
        seen += [one["visit"] for one in document["visits"]]
        cursor, turns = document["next"], turns + 1
        assert "4711" not in cursor
    assert (seen, turns) == (["visit-1", "visit-2", "visit-3"], 3)
    page = admin.post(pages_of(connection), {"ehr_user": EHR_USER})
    assert "This is one part of the answer." in page.text
    form, done = {"ehr_user": EHR_USER, "cursor": "", "sure": "1"}, page
    for _ in range(2):
        done = admin.post(f"{pages_of(connection)}/erase", form)
        assert "What follows has not been looked through yet" in done.text
        form["cursor"] = done.value("cursor")
    assert admin.post(f"{pages_of(connection)}/erase", form).status == 303
    assert "4711" not in rows_of(house, connection)


@pytest.mark.parametrize("tail", ["", "/export", "/erase"])
def test_script_in_an_ehr_user_id_is_shown_as_text(house: House, connection: str, tail: str) -> None:
    stored(house, connection, SCRIPT)
    page = house.browser(ADMIN).post(pages_of(connection) + tail, {"ehr_user": SCRIPT})
    assert page.status == 200
    assert tail == "/export" or "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert tail == "/export" or "<script>alert" not in page.text


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ehr_user", ["", " ", "x" * 301, "\u00e9" * 151], ids=["none", "blank", "long", "bytes"]
)
@pytest.mark.parametrize("tail", ["", "/export", "/erase"])
def test_what_cannot_be_an_id_is_said_beside_the_field(
    house: House, connection: str, ehr_user: str, tail: str
) -> None:
    page = house.browser(ADMIN).post(pages_of(connection) + tail, {"ehr_user": ehr_user, "sure": "1"})
    assert page.status == 422
    assert 'id="ehr_user-wrong"' in page.text


@pytest.mark.parametrize("body", [{}, {"ehr_user": ""}, {"ehr_user": 7}, {"ehr_user": "\ud800"}], ids=repr)
@pytest.mark.parametrize("what", ["export", "erase"])
def test_the_api_names_the_field(house: House, connection: str, body: Any, what: str) -> None:
    answer = house.browser(ADMIN).call("POST", f"{api_of(connection)}/{what}", body)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "ehr_user")


def test_a_cursor_of_another_search_leads_nowhere(house: House, connection: str) -> None:
    stored(house, connection)
    admin, seal = house.browser(ADMIN), house.services.sealer.seal
    cursors = [
        seal("cursor", [connection, "person somebody else", "visit-1"]),
        seal("cursor", [connection, "", EHR_USER]),
        seal("cursor", ["aaaaaaaaaaaaaaaa", f"person {EHR_USER}", "visit-1"]),
        seal("view", [connection, f"person {EHR_USER}", "visit-1"]),
        "x",
        "A" * 2_001,
    ]
    for cursor in cursors:
        body = {"ehr_user": EHR_USER, "cursor": cursor}
        for what in ("export", "erase"):
            answer = admin.call("POST", f"{api_of(connection)}/{what}", body)
            assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "cursor")
            assert admin.post(f"{pages_of(connection)}/{what}", {**body, "sure": "1"}).status == 422
    assert "4711" in rows_of(house, connection)


# -- who -------------------------------------------------------------------------------------------


def refused(house: House, connection: str, person: str, status: int) -> None:
    before, browser = rows_of(house, connection), house.browser(person)
    form = {"ehr_user": EHR_USER, "sure": "1"}
    assert browser.get(pages_of(connection)).status == status
    for tail in ("", "/export", "/erase"):
        assert browser.post(pages_of(connection) + tail, form).status == status
    for what in ("export", "erase"):
        answer = browser.call("POST", f"{api_of(connection)}/{what}", {"ehr_user": EHR_USER})
        assert answer.status == status
        assert "quetzal" not in answer.text
    assert (rows_of(house, connection), doings(house, connection)) == (before, [])


@pytest.mark.parametrize(
    ("person", "status"),
    [(READER, 403), (ANALYST, 403), (CLINICIAN, 404)],
    ids=["reader", "approver", "nobody"],
)
def test_nobody_but_an_administrator_may(house: House, connection: str, person: str, status: int) -> None:
    stored(house, connection)
    refused(house, connection, person, status)
    if status == 403:
        text = house.browser(person).get(f"/config/connections/{connection}/clinicians").text
        assert "personal-data" not in text


def test_a_guest_may_not_whatever_roles_are_assigned(house: House, connection: str) -> None:
    stored(house, connection)
    house.microsoft.guest = True
    refused(house, connection, ADMIN, 404)


@pytest.mark.parametrize(("program", "scopes"), [(True, frozenset()), (False, frozenset({"Connector.Read"}))])
def test_programs_and_tokens_that_only_read_may_not(
    house: House, connection: str, program: bool, scopes: frozenset[str]
) -> None:
    stored(house, connection)
    roles = frozenset({"Connector.Admin"})
    house.microsoft.callers["token"] = ApiCaller(
        house.tenant, "p", roles, frozenset(), scopes, program, False
    )
    before = rows_of(house, connection)
    for what in ("export", "erase"):
        answer = house.browser().call(
            "POST", f"{api_of(connection)}/{what}", {"ehr_user": EHR_USER}, authorization="Bearer token"
        )
        assert (answer.status, answer.json()["code"]) == (403, "not-allowed")
    assert rows_of(house, connection) == before


@pytest.mark.parametrize("origin", ["https://evil.example", ""])
def test_another_site_takes_and_erases_nothing(house: House, connection: str, origin: str) -> None:
    stored(house, connection)
    admin, before = house.browser(ADMIN), rows_of(house, connection)
    admin.site = {"origin": origin, "sec-fetch-site": "cross-site"} if origin else {}
    for tail in ("", "/export", "/erase"):
        assert admin.post(pages_of(connection) + tail, {"ehr_user": EHR_USER, "sure": "1"}).status == 403
    for what in ("export", "erase"):
        assert admin.call("POST", f"{api_of(connection)}/{what}", {"ehr_user": EHR_USER}).status == 403
    assert rows_of(house, connection) == before


def test_another_organizations_connection_is_not_there(
    house: House,
    connection: str,
    azurite_settings: Settings,
    stores: Stores,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored(house, connection)
    other = House(azurite_settings, stores, clock)
    monkeypatch.setattr(blueprint, "services", lambda: other.services)
    forget_rooms()
    refused(other, connection, ADMIN, 404)


def test_no_ehr_user_id_reaches_a_log_or_an_address(
    house: House, connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stored(house, connection)
    admin, base = house.browser(ADMIN), pages_of(connection)
    form = {"ehr_user": EHR_USER, "cursor": ""}
    for tail, more in (("", {}), ("/export", {}), ("/erase", {}), ("/erase", {"sure": "1"})):
        page = admin.post(base + tail, {**form, **more})
        assert "quetzal" not in page.location
    for what in ("export", "erase"):
        admin.call("POST", f"{api_of(connection)}/{what}", {"ehr_user": EHR_USER * 20})
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if "quetzal" in line or "4711" in line]
    assert any("POST /config/connections/{connection}/personal-data/erase 303" in line for line in lines)
