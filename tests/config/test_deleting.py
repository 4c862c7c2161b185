"""A connection that never served may be taken away; one that served may not."""

import re

import pytest

from tests.config.house import ADMIN, ANALYST, READER, House, beginning


def test_a_draft_is_deleted_after_a_question_and_its_base_is_free_again(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    where = f"/config/connections/{connection}"
    assert f'href="{where}/delete"' in admin.get(where).text
    asked = admin.get(f"{where}/delete")
    assert "Delete this connection?" in asked.text
    assert admin.get(where).status == 200
    assert admin.post(f"{where}/delete", {"version": asked.value("version")}).location == "/config/"
    assert admin.get(where).status == 404
    assert connection not in admin.get("/config/").text
    assert admin.post("/config/connections/new", beginning(house.base)).status == 303
    # Who did it stays written down.
    region = next(store for store in house.stores.all() if store.audit.recent(house.tenant))
    assert "deleted" in {entry.what for entry in region.audit.recent(house.tenant)}


def test_what_serves_cannot_be_deleted(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    where = f"/config/connections/{connection}"
    admin.save(connection, "visits", {"chat": "disabled"})
    assert f"{where}/delete" not in admin.get(where).text
    version = admin.get(where).value("version")
    assert admin.get(f"{where}/delete").status == 409
    assert admin.post(f"{where}/delete", {"version": version}).status == 409
    assert house.approved(connection) is not None


@pytest.mark.parametrize("person", [READER, ANALYST])
def test_only_an_administrator_deletes(house: House, person: str) -> None:
    connection = house.begun(house.browser(ADMIN))
    somebody = house.browser(person)
    where = f"/config/connections/{connection}"
    assert f"{where}/delete" not in somebody.get(where).text
    assert somebody.get(f"{where}/delete").status == 403
    assert somebody.post(f"{where}/delete", {"version": "v"}).status == 403


def test_what_changed_meanwhile_is_not_deleted(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    where = f"/config/connections/{connection}"
    version = admin.get(f"{where}/delete").value("version")
    admin.save(connection, "visits", {"chat": "disabled"})
    assert admin.post(f"{where}/delete", {"version": version}).status == 409
    assert admin.get(where).status == 200


def test_a_stale_page_shows_where_the_connection_stands_now(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    where = f"/config/connections/{connection}"
    version = admin.get(where).value("version")
    assert admin.post(f"{where}/submit", {"version": version}).status == 303
    again = admin.post(f"{where}/submit", {"version": version})
    assert again.status == 409
    assert "Nothing was done" in again.text
    assert "It waits for the approver" in again.text
    stale = house.browser(ANALYST).post(f"{where}/approve", {"number": "9"})
    assert stale.status == 409
    assert "Sign in to the EHR" in stale.text


def test_an_approver_sees_what_changes(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    where = f"/config/connections/{connection}"
    admin.save(connection, "visits", {"chat": "disabled"})
    admin.post(f"{where}/submit", {"version": admin.get(where).value("version")})
    approver = house.browser(ANALYST)
    assert re.search(r"<li>Chat: During the visit only &rarr; Off</li>", approver.get(where).text)
    assert "Waits for you" in approver.get("/config/").text
    assert "Waits for you" not in admin.get("/config/").text


def test_a_cancelled_ehr_sign_in_says_that_nothing_was_approved(house: House) -> None:
    from shared.errors import Refusal

    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})

    def refuse(*_: object) -> None:
        raise Refusal("ehr-refused", "access_denied")

    house.flow.finish = refuse  # type: ignore[assignment, method-assign]
    page = approver.get(f"/config/ehr/callback/{connection}?state=s&error=access_denied")
    assert page.status == 403
    assert "You did not sign in to the EHR" in page.text
    assert "Begin virtual visit" not in page.text


def test_a_copy_needs_a_base_of_its_own(house: House) -> None:
    admin = house.browser(ADMIN)
    source = house.begun(admin)
    page = admin.post(
        "/config/connections/new", beginning(house.base, environment="production", copy_of=source)
    )
    assert page.status == 422
    assert "the base of Sierra test itself" in page.text


def test_the_language_switch_leads_back_to_a_page_that_exists(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    where = f"/config/connections/{connection}"
    form = admin.get(f"/config/connections/new?from={connection}").text
    assert f"/config/language/es?return=/config/connections/new%3Ffrom%3D{connection}" in form
    back = admin.get(f"/config/language/es?return=/config/connections/new%3Ffrom%3D{connection}")
    assert back.location == f"/config/connections/new?from={connection}"
    stale = admin.post(f"{where}/submit", {"version": "old"})
    assert f'/config/language/es?return={where}"' in stale.text
