"""Who may see and do what; a connection of somebody else is indistinguishable from none."""

import re

import pytest

from config_function import blueprint
from config_function.access import ADMIN_DIRECTORY_ROLES, caller_of
from shared.entra import ApiCaller
from shared.settings import Settings
from shared.store import Stores
from tests.config.house import ADMIN, ANALYST, CLINICIAN, POOL, READER, House, Page, beginning, forget_rooms
from tests.fakes import FakeClock


def _without_reference(page: Page) -> str:
    return re.sub(r"not-found.*", "", page.text)


def test_another_organizations_connection_should_look_like_none(
    house: House,
    azurite_settings: Settings,
    stores: Stores,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = house.begun(house.browser(ADMIN))
    other = House(azurite_settings, stores, clock)
    monkeypatch.setattr(blueprint, "services", lambda: other.services)
    forget_rooms()
    stranger = other.browser(ADMIN)
    nothing = "a" + "b" * 15
    for tail in ("", "/edit/ehr", "/registration", "/records", "/checks", "/history"):
        seen = stranger.get(f"/config/connections/{theirs}{tail}")
        unknown = stranger.get(f"/config/connections/{nothing}{tail}")
        assert seen.status == unknown.status == 404
        assert _without_reference(seen) == _without_reference(unknown)
    for tail in ("/ehr", "/submit", "/approve", "/reject"):
        seen = stranger.post(f"/config/connections/{theirs}{tail}", {"number": "1", "version": "v"})
        unknown = stranger.post(f"/config/connections/{nothing}{tail}", {"number": "1", "version": "v"})
        assert seen.status == unknown.status == 404
        assert _without_reference(seen) == _without_reference(unknown)
    assert stranger.get(f"/config/connections/new?from={theirs}").status == 404
    for method, tail, body in (
        ("GET", "", None),
        ("PUT", "", {"settings": {}}),
        ("POST", "/submit", None),
        ("POST", "/reject", {"number": 1, "reason": "no"}),
        ("GET", "/records", None),
        ("POST", "/checks/discovery", None),
    ):
        path = f"/config/api/connections/{theirs}{tail}"
        answer = stranger.call(method, path, body, if_match='"v"')
        assert (answer.status, answer.json()["code"]) == (404, "not-found"), (method, tail)
    assert stranger.call("GET", "/config/api/connections").json() == {"connections": []}


def test_a_reader_sees_everything_and_changes_nothing(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    reader = house.browser(READER)
    assert "Sierra test" in reader.get("/config/").text
    overview = reader.get(f"/config/connections/{connection}")
    assert overview.status == 200
    assert "Change settings" not in overview.text
    assert reader.get(f"/config/connections/{connection}/edit/ehr").status == 403
    assert reader.get("/config/connections/new").status == 403
    for tail, form in (
        ("/submit", {"version": "v"}),
        ("/approve", {"number": "1"}),
        ("/reject", {"number": "1", "reason": "x"}),
        ("/edit/ehr", {"version": "v", "name": "Mine"}),
    ):
        assert reader.post(f"/config/connections/{connection}{tail}", form).status == 403, tail
    # A policy check makes a meeting for the person: a reader may try the organizers and nobody else.
    path = f"/config/api/connections/{connection}/checks/access-policy"
    assert reader.call("POST", path, {"person": POOL}).status == 200
    assert reader.call("POST", path, {"person": CLINICIAN}).status == 403


def test_somebody_without_a_role_sees_only_what_they_approve(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    clinician = house.browser(CLINICIAN)
    assert "Nothing waits for you" in clinician.get("/config/").text
    assert clinician.get(f"/config/connections/{connection}").status == 404
    approver = house.browser(ANALYST)
    assert approver.get(f"/config/connections/{connection}").status == 200
    assert approver.get(f"/config/connections/{connection}/edit/visits").status == 200
    assert approver.get("/config/connections/new").status == 403


def test_an_administrator_who_is_not_the_approver_cannot_approve(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    assert admin.post(f"/config/connections/{connection}/ehr", {}).status == 403
    assert admin.post(f"/config/connections/{connection}/approve", {"number": "1"}).status == 403
    assert house.approved(connection) is None


@pytest.mark.parametrize(
    ("roles", "wids", "guest", "admin"),
    [
        ({"Connector.Admin"}, set(), False, True),
        ({"connector.admin"}, set(), False, False),
        ({"Connector.Admin"}, set(), True, False),
        (set(), {min(ADMIN_DIRECTORY_ROLES)}, False, True),
        (set(), {min(ADMIN_DIRECTORY_ROLES)}, True, False),
        # Every member of a directory has this one.
        (set(), {"b79fbf4d-3ef9-4689-8143-76b194e85509"}, False, False),
        ({"Connector.Reader"}, set(), False, False),
    ],
)
def test_administrators_are_known_by_role_and_never_guests(
    roles: set[str], wids: set[str], guest: bool, admin: bool
) -> None:
    assert caller_of("t", "o", roles, wids, guest=guest).admin is admin


def test_programs_may_only_read(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    house.microsoft.callers["program"] = ApiCaller(
        house.tenant, "p", frozenset({"Connector.Admin"}), frozenset(), frozenset(), True, False
    )
    house.microsoft.callers["roleless"] = ApiCaller(
        house.tenant, ANALYST, frozenset(), frozenset(), frozenset(), True, False
    )
    nobody = house.browser()
    bearer = {"authorization": "Bearer program", "if_match": '"v"'}
    one = f"/config/api/connections/{connection}"
    assert nobody.call("GET", one, **bearer).status == 200
    assert nobody.call("POST", f"{one}/checks/discovery", **bearer).status == 200
    assert nobody.call("PUT", one, {"settings": {"chat": "enabled"}}, **bearer).status == 403
    assert nobody.call("POST", f"{one}/submit", **bearer).status == 403
    assert nobody.call("POST", "/config/api/connections", beginning(house.base), **bearer).status == 403
    assert nobody.call("GET", "/config/api/people?q=Tomas", **bearer).status == 403
    assert nobody.call("GET", one, authorization="Bearer roleless").status == 403
    for value in ("Bearer other", "Basic program", "Bearer "):
        assert nobody.call("GET", one, authorization=value).status == 401
