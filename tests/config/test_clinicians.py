"""Linked clinicians: found, named, parted by whoever may; EHR user IDs stay out of addresses and logs."""

import logging
import re
from urllib.parse import unquote

import pytest

from config_function import blueprint
from config_function.clinicians import PAGE
from shared.clock import timestamp
from shared.connection import Connection
from shared.entra import ApiCaller
from shared.settings import Settings
from shared.store import ChangedMeanwhile, Stores
from shared.store.ehr_users import Link
from tests.config.house import ADMIN, ANALYST, CLINICIAN, READER, Browser, House, Page, forget_rooms
from tests.fakes import FakeClock

GONE = "22222222-bbbb-4bbb-8bbb-000000000009"
SCRIPT = "<script>alert(1)</script>/%2F#?"


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


def link(house: House, connection: str, ehr_user: str, oid: str = CLINICIAN) -> Link:
    made = Link(connection, ehr_user, oid, "mac", timestamp(house.clock.now()))
    assert house.stores.of(connection).ehr_users.link(made)
    return made


def link_anew(house: House, connection: str, ehr_user: str, oid: str) -> None:
    assert house.stores.of(connection).ehr_users.unlink(connection, ehr_user)
    link(house, connection, ehr_user, oid)


def oid_of(house: House, connection: str, ehr_user: str) -> str:
    found = house.stores.of(connection).ehr_users.get(connection, ehr_user)
    return found.oid if found is not None else ""


def pages_of(connection: str) -> str:
    return f"/config/connections/{connection}/clinicians"


def api_of(connection: str) -> str:
    return f"/config/api/connections/{connection}/clinicians"


def asked(browser: Browser, connection: str, ehr_user: str) -> Page:
    return browser.post(f"{pages_of(connection)}/unlink", {"ehr_user": ehr_user})


def confirmed(browser: Browser, connection: str, question: Page, ehr_user: str) -> Page:
    form = {"ehr_user": ehr_user, "version": question.value("version")}
    return browser.post(f"{pages_of(connection)}/unlink", form)


def version_in(browser: Browser, connection: str, ehr_user: str) -> str:
    found = browser.call("POST", f"{api_of(connection)}/find", {"ehr_user": ehr_user}).json()
    return str(found["clinicians"][0]["version"])


# -- seeing ----------------------------------------------------------------------------------------


def test_a_list_of_sixty_is_shown_in_pages_and_nobody_is_missed(house: House, connection: str) -> None:
    expected = [f"EMP-{number:03d}" for number in range(60)]
    for ehr_user in expected:
        link(house, connection, ehr_user)
    admin = house.browser(ADMIN)
    seen, url, sizes = [], pages_of(connection), []
    while url:
        page = admin.get(url)
        found = re.findall(r'<p class="title mono">(EMP-\d+)</p>', page.text)
        seen += found
        sizes.append(len(found))
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        url = following[1].replace("&amp;", "&") if following else ""
        assert "EMP-" not in unquote(url)
    assert (seen, sizes) == (expected, [PAGE, PAGE, 10])


def test_the_api_pages_by_a_cursor_that_tells_nothing(house: House, connection: str) -> None:
    for number in range(60):
        link(house, connection, f"EMP-{number:03d}")
    admin = house.browser(ADMIN)
    seen, cursor, turns = [], "", 0
    while turns == 0 or cursor:
        document = admin.call("GET", f"{api_of(connection)}?cursor={cursor}").json()
        seen += [clinician["ehr_user"] for clinician in document["clinicians"]]
        cursor, turns = document["next"], turns + 1
        assert "EMP" not in cursor
    assert (len(seen), len(set(seen)), turns) == (60, 60, 3)


def test_the_pages_of_one_person_hold_only_theirs(house: House, connection: str) -> None:
    for number in range(30):
        link(house, connection, f"EMP-{number:03d}")
    link(house, connection, "OTHER", ANALYST)
    admin = house.browser(ADMIN)
    first = admin.call("GET", f"{api_of(connection)}?person={CLINICIAN}").json()
    rest = admin.call("GET", f"{api_of(connection)}?person={CLINICIAN}&cursor={first['next']}").json()
    assert (len(first["clinicians"]), len(rest["clinicians"]), rest["next"]) == (PAGE, 5, "")
    assert admin.call("GET", f"{api_of(connection)}?cursor={first['next']}").status == 422
    page = admin.get(f"{pages_of(connection)}?person={ANALYST}")
    assert "OTHER" in page.text
    assert "EMP-" not in page.text


def test_names_of_a_page_are_read_together_and_not_kept(house: House, connection: str) -> None:
    link(house, connection, "EMP-1", CLINICIAN)
    link(house, connection, "EMP-2", ANALYST)
    admin = house.browser(ADMIN)
    house.microsoft.read.clear()
    text = admin.get(pages_of(connection)).text
    assert "Dr. Elena Vidal" in text
    assert "Tomas Quiroga" in text
    assert house.microsoft.read == [(CLINICIAN, ANALYST)]
    row = house.stores.of(connection).table("EhrUsers").get(connection, "user-EMP-1")
    assert row is not None
    assert "Vidal" not in str(dict(row))


def test_an_account_that_is_gone_is_shown_as_such(house: House, connection: str) -> None:
    link(house, connection, "EMP-1", GONE)
    admin = house.browser(ADMIN)
    assert "No longer in the directory" in admin.get(pages_of(connection)).text
    assert "No longer in the directory" in asked(admin, connection, "EMP-1").text
    (shown,) = admin.call("GET", api_of(connection)).json()["clinicians"]
    assert (shown["oid"], shown["name"], shown["in_directory"]) == (GONE, "", False)


def test_a_silent_directory_is_not_taken_for_an_empty_one(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    house.microsoft.down = True
    text = admin.get(pages_of(connection)).text
    assert "Microsoft 365 does not answer right now" in text
    assert "No longer in the directory" not in text
    (shown,) = admin.call("GET", api_of(connection)).json()["clinicians"]
    assert shown["in_directory"] is None


def test_one_is_found_by_the_exact_id_and_by_the_persons_name(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    assert "Dr. Elena Vidal" in admin.post(pages_of(connection), {"ehr_user": " EMP-1 "}).text
    assert "No clinician is linked" in admin.post(pages_of(connection), {"ehr_user": "EMP"}).text
    people = admin.post(pages_of(connection), {"q": "Dr. El"})
    assert f'href="{pages_of(connection)}?person={CLINICIAN}"' in people.text
    assert "EMP-1" in admin.get(f"{pages_of(connection)}?person={CLINICIAN}").text


@pytest.mark.parametrize(
    "ehr_user", ["", " ", "x" * 301, "\u00e9" * 151], ids=["none", "blank", "long", "bytes"]
)
def test_what_cannot_be_an_id_is_said_beside_the_field(house: House, connection: str, ehr_user: str) -> None:
    admin = house.browser(ADMIN)
    page = admin.post(pages_of(connection), {"ehr_user": ehr_user})
    assert page.status == 422
    assert 'id="ehr_user-wrong"' in page.text


@pytest.mark.parametrize("ehr_user", ["", "x" * 301, "\ud800", 7, None, ["EMP-1"]], ids=repr)
def test_the_api_names_the_field_of_what_cannot_be_an_id(
    house: House, connection: str, ehr_user: object
) -> None:
    answer = house.browser(ADMIN).call("POST", f"{api_of(connection)}/find", {"ehr_user": ehr_user})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "ehr_user")


def test_script_in_an_ehr_user_id_is_shown_as_text(house: House, connection: str) -> None:
    link(house, connection, SCRIPT)
    admin = house.browser(ADMIN)
    for page in (
        admin.get(pages_of(connection)),
        admin.post(pages_of(connection), {"ehr_user": SCRIPT}),
        asked(admin, connection, SCRIPT),
    ):
        assert page.status == 200
        assert "&lt;script&gt;alert(1)&lt;/script&gt;/%2F#?" in page.text
        assert "<script>alert" not in page.text
    assert confirmed(admin, connection, asked(admin, connection, SCRIPT), SCRIPT).status == 303
    assert oid_of(house, connection, SCRIPT) == ""


# -- unlinking -------------------------------------------------------------------------------------


def test_unlinking_asks_first_and_names_both(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    question = asked(admin, connection, "EMP-1")
    assert question.status == 200
    assert "Nothing was unlinked." not in question.text
    assert "EMP-1" in question.text
    assert "Dr. Elena Vidal" in question.text
    assert oid_of(house, connection, "EMP-1") == CLINICIAN
    done = confirmed(admin, connection, question, "EMP-1")
    assert (done.status, done.location) == (303, f"{pages_of(connection)}?unlinked=1")
    assert oid_of(house, connection, "EMP-1") == ""
    assert house.stores.of(connection).ehr_users.of_person(connection, CLINICIAN) == ()
    assert "Unlinked." in admin.get(done.location).text


def test_the_audit_trail_says_who_unlinked_and_never_whom(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    confirmed(admin, connection, asked(admin, connection, "EMP-1"), "EMP-1")
    (entry, *_) = house.stores.of(connection).audit.recent(house.tenant, 1, connection)
    assert (entry.by, entry.what, entry.detail) == (ADMIN, "ehr-user-unlinked", "")
    history = admin.get(f"/config/connections/{connection}/history").text
    assert "removed the link of an EHR user" in history
    assert "EMP-1" not in history


def test_a_link_made_anew_meanwhile_is_not_removed_unseen(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    question = asked(admin, connection, "EMP-1")
    version = version_in(admin, connection, "EMP-1")
    link_anew(house, connection, "EMP-1", ANALYST)
    late = confirmed(admin, connection, question, "EMP-1")
    assert late.status == 409
    assert "Nothing was unlinked." in late.text
    assert "Tomas Quiroga" in late.text
    answer = admin.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}, if_match=version)
    assert (answer.status, answer.json()["code"]) == (409, "changed-meanwhile")
    assert oid_of(house, connection, "EMP-1") == ANALYST
    # The page that told so asks again, with the account that it shows.
    assert confirmed(admin, connection, late, "EMP-1").status == 303
    assert oid_of(house, connection, "EMP-1") == ""


def test_the_row_itself_guards_against_the_last_moment(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    users = house.stores.of(connection).ehr_users
    read = users.get(connection, "EMP-1")
    assert read is not None
    link_anew(house, connection, "EMP-1", ANALYST)
    with pytest.raises(ChangedMeanwhile):
        users.remove(read)
    assert oid_of(house, connection, "EMP-1") == ANALYST
    assert users.unlink(connection, "EMP-1")
    with pytest.raises(ChangedMeanwhile):
        users.remove(read)


def test_whoever_comes_second_is_told_that_nothing_is_left(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    question = asked(admin, connection, "EMP-1")
    version = version_in(admin, connection, "EMP-1")
    assert confirmed(admin, connection, question, "EMP-1").status == 303
    second = confirmed(admin, connection, question, "EMP-1")
    assert second.status == 404
    assert "This EHR user is not linked" in second.text
    answer = admin.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}, if_match=version)
    assert (answer.status, answer.json()["code"]) == (404, "not-found")
    audit = house.stores.of(connection).audit.recent(house.tenant, 50, connection)
    assert [entry.what for entry in audit].count("ehr-user-unlinked") == 1


def test_the_api_unlinks_only_under_the_version_that_was_read(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    path, body = f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}
    missing = admin.call("POST", path, body)
    assert (missing.status, missing.json()["errors"][0]["field"]) == (422, "If-Match")
    done = admin.call("POST", path, body, if_match=f'"{version_in(admin, connection, "EMP-1")}"')
    assert done.json() == {"connection": connection, "unlinked": True}
    assert oid_of(house, connection, "EMP-1") == ""


# -- who -------------------------------------------------------------------------------------------


def test_a_reader_sees_the_links_and_cannot_part_them(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    reader = house.browser(READER)
    text = reader.get(pages_of(connection)).text
    assert "EMP-1" in text
    assert "Unlink" not in text
    assert "EMP-1" in reader.post(pages_of(connection), {"ehr_user": "EMP-1"}).text
    # The directory is searched by those who change something; the API holds the same line.
    assert 'name="q"' not in text
    assert reader.post(pages_of(connection), {"q": "Dr. El"}).status == 403
    assert asked(reader, connection, "EMP-1").status == 403
    version = version_in(reader, connection, "EMP-1")
    form = {"ehr_user": "EMP-1", "version": version}
    assert reader.post(f"{pages_of(connection)}/unlink", form).status == 403
    answer = reader.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}, if_match=version)
    assert answer.status == 403
    assert oid_of(house, connection, "EMP-1") == CLINICIAN


def test_the_approver_may_unlink(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    approver = house.browser(ANALYST)
    assert confirmed(approver, connection, asked(approver, connection, "EMP-1"), "EMP-1").status == 303
    assert oid_of(house, connection, "EMP-1") == ""


def test_the_approver_of_what_is_in_service_may_unlink_while_another_is_named(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    link(house, connection, "EMP-1")
    admin.save(connection, "people", {"approver": CLINICIAN})
    serving = house.browser(ANALYST)
    assert confirmed(serving, connection, asked(serving, connection, "EMP-1"), "EMP-1").status == 303


def test_somebody_without_a_role_sees_none_of_it(house: House, connection: str) -> None:
    link(house, connection, "EMP-1", CLINICIAN)
    clinician = house.browser(CLINICIAN)
    assert clinician.get(pages_of(connection)).status == 404
    assert asked(clinician, connection, "EMP-1").status == 404
    assert clinician.call("GET", api_of(connection)).status == 404


def test_programs_read_and_never_part(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    house.microsoft.callers["program"] = ApiCaller(
        house.tenant, "p", frozenset({"Connector.Admin"}), frozenset(), frozenset(), True, False
    )
    nobody, bearer = house.browser(), {"authorization": "Bearer program", "if_match": '"v"'}
    assert nobody.call("GET", api_of(connection), **bearer).status == 200
    assert nobody.call("POST", f"{api_of(connection)}/find", {"ehr_user": "EMP-1"}, **bearer).status == 200
    for tail in ("launches", "history", "health"):
        assert nobody.call("GET", f"/config/api/connections/{connection}/{tail}", **bearer).status == 200
    refused = nobody.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}, **bearer)
    assert (refused.status, refused.json()["code"]) == (403, "not-allowed")
    assert oid_of(house, connection, "EMP-1") == CLINICIAN


def test_an_unlinking_from_another_site_is_refused(house: House, connection: str) -> None:
    made = link(house, connection, "EMP-1")
    admin = house.browser(ADMIN)
    version = version_in(admin, connection, "EMP-1")
    admin.site = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    form = {"ehr_user": made.ehr_user, "version": version}
    assert admin.post(f"{pages_of(connection)}/unlink", form).status == 403
    answer = admin.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": "EMP-1"}, if_match=version)
    assert answer.status == 403
    assert oid_of(house, connection, "EMP-1") == CLINICIAN


def test_another_organizations_links_look_like_none(
    house: House,
    connection: str,
    azurite_settings: Settings,
    stores: Stores,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link(house, connection, "EMP-1")
    other = House(azurite_settings, stores, clock)
    monkeypatch.setattr(blueprint, "services", lambda: other.services)
    forget_rooms()
    stranger, nothing = other.browser(ADMIN), "a" + "b" * 15

    def without_reference(page: Page) -> str:
        return re.sub(r"not-found.*|urn:antesala:reference:[^\"]*", "", page.text)

    for tail in ("clinicians", "launches"):
        seen, unknown = (stranger.get(f"/config/connections/{one}/{tail}") for one in (connection, nothing))
        assert seen.status == unknown.status == 404
        assert without_reference(seen) == without_reference(unknown)
    for method, tail in (
        ("GET", "clinicians"),
        ("POST", "clinicians/find"),
        ("POST", "clinicians/unlink"),
        ("GET", "launches"),
        ("GET", "history"),
        ("GET", "health"),
    ):
        body = {"ehr_user": "EMP-1"} if method == "POST" else None
        seen, unknown = (
            stranger.call(method, f"/config/api/connections/{one}/{tail}", body, if_match='"v"')
            for one in (connection, nothing)
        )
        assert seen.status == unknown.status == 404, tail
        assert without_reference(seen) == without_reference(unknown)
    for form in ({"ehr_user": "EMP-1"}, {"ehr_user": "EMP-1", "version": "v"}):
        assert stranger.post(f"{pages_of(connection)}/unlink", form).status == 404
    assert oid_of(house, connection, "EMP-1") == CLINICIAN


def test_a_cursor_of_another_connection_leads_nowhere(house: House, connection: str) -> None:
    for number in range(PAGE + 1):
        link(house, connection, f"EMP-{number:03d}")
    admin = house.browser(ADMIN)
    cursor = admin.call("GET", api_of(connection)).json()["next"]
    (found,) = house.connections()
    assert isinstance(found, Connection)
    house.base += "/second"
    house.ehr.serve(house.base)
    second = house.begun(admin)
    for wrong in (cursor, "x", "%00", "A" * 2_001):
        answer = admin.call("GET", f"{api_of(second)}?cursor={wrong}")
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "cursor"), wrong
    assert admin.get(f"{pages_of(second)}?cursor={cursor}").location == pages_of(second)
    assert admin.call("GET", f"{api_of(second)}?person=x").json()["errors"][0]["field"] == "person"


def test_no_ehr_user_id_reaches_a_log(
    house: House, connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "EMP/%2F-4711-quetzal"
    link(house, connection, secret)
    admin = house.browser(ADMIN)
    admin.get(pages_of(connection))
    admin.post(pages_of(connection), {"ehr_user": secret})
    version = version_in(admin, connection, secret)
    asked(admin, connection, secret)
    for sent in ("wrong", version, version):
        admin.post(f"{pages_of(connection)}/unlink", {"ehr_user": secret, "version": sent})
        admin.call("POST", f"{api_of(connection)}/unlink", {"ehr_user": secret}, if_match=sent)
    admin.call("POST", f"{api_of(connection)}/find", {"ehr_user": secret * 20})
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if "quetzal" in line or "4711" in line]
    assert any("POST /config/connections/{connection}/clinicians/unlink 409" in line for line in lines)
    assert any("POST /config/api/connections/{connection}/clinicians/unlink 404" in line for line in lines)


def test_a_guest_who_approves_the_connection_parts_nobody(house: House, connection: str) -> None:
    link(house, connection, "EMP-1")
    house.microsoft.guest = True
    guest = house.browser(ANALYST)
    version = version_in(guest, connection, "EMP-1")
    body = {"ehr_user": "EMP-1"}
    assert guest.call("POST", f"{api_of(connection)}/unlink", body, if_match=version).status == 403
    assert guest.post(f"{pages_of(connection)}/unlink", {**body, "version": version}).status == 403
    assert "/unlink" not in guest.get(pages_of(connection)).text
    assert oid_of(house, connection, "EMP-1") == CLINICIAN
