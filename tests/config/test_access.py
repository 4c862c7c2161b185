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


@pytest.mark.parametrize(
    ("roles", "wids", "guest", "program", "reader", "admin"),
    [
        ({"Connector.Reader"}, set(), False, False, True, False),
        ({"Connector.Reader"}, set(), False, True, True, False),
        # A guest has no role here, whatever the directory assigned.
        ({"Connector.Reader"}, set(), True, False, False, False),
        ({"Connector.Reader", "Connector.Admin"}, {min(ADMIN_DIRECTORY_ROLES)}, True, False, False, False),
        # Directory roles are for people: a program needs an app role.
        (set(), {min(ADMIN_DIRECTORY_ROLES)}, False, True, False, False),
        ({"Connector.Admin"}, set(), False, True, False, True),
        ({"connector.reader", "Reader"}, set(), False, False, False, False),
    ],
)
def test_roles_are_app_roles_and_neither_a_guests_nor_a_programs_directory_roles(
    roles: set[str], wids: set[str], guest: bool, program: bool, reader: bool, admin: bool
) -> None:
    caller = caller_of("t", "o", roles, wids, guest=guest, program=program)
    assert (caller.reader, caller.admin) == (reader, admin)


def test_a_guest_with_a_role_sees_nothing(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    house.microsoft.guest = True
    for person in (READER, ADMIN):
        guest = house.browser(person)
        assert "Nothing waits for you" in guest.get("/config/").text
        assert guest.get(f"/config/connections/{connection}").status == 404
        assert guest.get("/config/connections/new").status == 403
        assert guest.call("GET", "/config/api/connections").json() == {"connections": []}
        assert guest.call("POST", "/config/api/bases", {"fhir_base": house.base}).status == 403


def test_a_guest_approves_what_names_them_and_changes_nothing_of_it(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    house.microsoft.guest = True
    guest = house.browser(ANALYST)
    overview = guest.get(f"/config/connections/{connection}")
    assert overview.status == 200
    assert "/edit/ehr" not in overview.text
    assert guest.get(f"/config/connections/{connection}/edit/ehr").status == 403
    change = guest.call(
        "PUT", f"/config/api/connections/{connection}", {"settings": {"chat": "enabled"}}, if_match='"v"'
    )
    assert change.status == 403
    # Entra shows guests little of the directory, so this app shows them no more.
    assert guest.call("GET", "/config/api/people?q=Tomas").status == 403
    path = f"/config/api/connections/{connection}/checks/access-policy"
    assert guest.call("POST", path, {"person": CLINICIAN}).status == 403
    house.microsoft.searched.clear()
    assert guest.post(f"/config/connections/{connection}/clinicians", {"q": "Tomas"}).status == 403
    assert house.microsoft.searched == []
    assert 'name="q"' not in guest.get(f"/config/connections/{connection}/clinicians").text
    assert house.approve(guest, connection).status == 303
    assert house.approved(connection) is not None


def test_a_guest_may_send_back_what_names_them(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    house.microsoft.guest = True
    form = {"number": "1", "reason": "The base is another one."}
    assert house.browser(ANALYST).post(f"/config/connections/{connection}/reject", form).status == 303


def test_the_people_of_an_approvers_directory_are_searched_by_members_only(house: House) -> None:
    house.begun(house.browser(ADMIN))
    search = "/config/api/people?q=Tomas"
    assert house.browser(ANALYST).call("GET", search).json()["people"]
    assert house.browser(READER).call("GET", search).status == 403
    assert house.browser(CLINICIAN).call("GET", search).status == 403


def test_a_reader_changes_nothing_by_the_api_either(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    reader, one = house.browser(READER), f"/config/api/connections/{connection}"
    version = reader.call("GET", one).json()["version"]
    named = {"if_match": f'"{version}"'}
    assert reader.call("PUT", one, {"settings": {"chat": "enabled"}}, **named).status == 403
    assert reader.call("POST", f"{one}/submit", **named).status == 403
    assert reader.call("POST", f"{one}/reject", {"number": 1, "reason": "x"}).status == 403
    assert reader.call("POST", "/config/api/connections", beginning(house.base)).status == 403
    assert reader.call("POST", "/config/api/bases", {"fhir_base": house.base}).status == 403
    assert reader.call("GET", f"{one}/records").status == 200


def test_a_reader_who_is_named_as_approver_has_an_approvers_rights_there(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    admin.save(connection, "people", {"approver": READER, "organizers": f",{POOL}"})
    reader = house.browser(READER)
    assert reader.get(f"/config/connections/{connection}/edit/visits").status == 200
    assert reader.get("/config/connections/new").status == 403


def _caller(house: House, oid: str, *scopes: str, program: bool = False, role: str = "") -> ApiCaller:
    roles = frozenset({role} - {""})
    return ApiCaller(house.tenant, oid, roles, frozenset(), frozenset(scopes), program, False)


def test_a_program_that_reads_may_not_act_as_the_approver_it_is_called_like(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    house.microsoft.callers["reads"] = _caller(house, ANALYST, program=True, role="Connector.Reader")
    nobody, one = house.browser(), f"/config/api/connections/{connection}"
    bearer = {"authorization": "Bearer reads"}
    assert nobody.call("GET", one, **bearer).status == 200
    assert nobody.call("POST", f"{one}/reject", {"number": 1, "reason": "x"}, **bearer).status == 403
    # A meeting would be made for the person.
    check = nobody.call("POST", f"{one}/checks/access-policy", {"person": CLINICIAN}, **bearer)
    assert check.status == 403


def test_a_persons_token_that_was_granted_reading_only_reads(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    admin = "Connector.Admin"
    house.microsoft.callers["reads"] = _caller(house, ADMIN, "Connector.Read", role=admin)
    house.microsoft.callers["writes"] = _caller(
        house, ADMIN, "Connector.Read", "Connector.ReadWrite", role=admin
    )
    nobody, one = house.browser(), f"/config/api/connections/{connection}"
    version = nobody.call("GET", one, authorization="Bearer reads").json()["version"]
    change = {"settings": {"chat": "enabled"}}
    named = {"if_match": f'"{version}"'}
    # What is no scope to write is none, whatever its name and number.
    house.microsoft.callers["scopeless"] = _caller(house, ADMIN, role=admin)
    house.microsoft.callers["others"] = _caller(house, ADMIN, "Connector.Read", "User.Read", role=admin)
    for token in ("reads", "scopeless", "others"):
        assert nobody.call("GET", one, authorization=f"Bearer {token}").status == 200
        refused = nobody.call("PUT", one, change, authorization=f"Bearer {token}", **named)
        assert refused.status == 403, token
    assert nobody.call("PUT", one, change, authorization="Bearer writes", **named).status == 200


def test_an_approver_without_a_role_appoints_nobody_and_edits_the_rest(house: House) -> None:
    connection = house.in_service(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    form = f"/config/connections/{connection}/edit/people"
    page = approver.get(form).text
    assert "Only an administrator chooses the approver." in page
    assert "Tomas Quiroga" in page
    assert 'name="approver"' not in page
    assert 'name="q-approver"' not in page
    assert 'name="q-organizers"' in page
    version = approver.get(form).value("version")
    refused = approver.post(form, {"version": version, "approver": CLINICIAN, "organizers": f",{POOL}"})
    assert refused.status == 422
    assert "Dr. Elena Vidal" not in refused.text
    one = f"/config/api/connections/{connection}"
    named = {"if_match": f'"{version}"'}
    for oid in (CLINICIAN, ""):
        answer = approver.call("PUT", one, {"settings": {"approver": oid}}, **named)
        assert [error["field"] for error in answer.json()["errors"]] == ["approver"]
    assert house.browser(CLINICIAN).get(f"/config/connections/{connection}").status == 404
    # The one who is chosen already is no change.
    settings = {"approver": ANALYST, "organizers": [POOL, CLINICIAN]}
    changed = approver.call("PUT", one, {"settings": settings}, **named)
    assert changed.json()["latest"]["settings"]["organizers"] == [POOL, CLINICIAN]
    approver.save(connection, "people", {"organizers": f",{POOL}"})
    assert approver.get(f"/config/connections/{connection}").status == 200


def test_an_administrator_chooses_the_approver(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    form = f"/config/connections/{connection}/edit/people"
    assert 'name="q-approver"' in admin.get(form).text
    assert admin.save(connection, "people", {"approver": CLINICIAN, "organizers": f",{POOL}"}).status == 303
    assert house.browser(CLINICIAN).get(f"/config/connections/{connection}").status == 200
