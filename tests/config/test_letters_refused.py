"""Undelivered records: what is no clear choice, and who may not choose."""

from typing import Any

import pytest

from shared.entra import ApiCaller
from shared.store.dead_letters import MOST
from tests.config.checking import empty_region
from tests.config.house import ADMIN, ANALYST, CLINICIAN, READER, Browser, House
from tests.config.undelivered import a_letter, add, api_of, audit, ids, page_of, poison


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "letters"),
        ({"letters": []}, "letters"),
        ({"letters": "all"}, "letters"),
        ({"letters": [7]}, "letters"),
        ({"letters": ["x"]}, "letters"),
        ({"letters": ["../DeadLetters"]}, "letters"),
        ({"letters": [f"{a_letter(1)}\n"]}, "letters"),
        ({"letters": [a_letter(1)] * (MOST + 1)}, "letters"),
        ({"letters": [a_letter(1)], "all": True}, "letters"),
        ({"cause": ""}, "letters"),
        ({"cause": "a' or '1' eq '1"}, "cause"),
        ({"cause": "x" * 65}, "cause"),
        ({"cause": ["gave-up"]}, "cause"),
        ({"all": False}, "all"),
        ({"all": "yes"}, "all"),
        ({"until": "x"}, "until"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_unclear_choice_should_be_refused_and_change_nothing(
    house: House, connection: str, admin: Browser, body: dict[str, Any], field: str
) -> None:
    add(house, connection, 1)
    for tail in ("/send", "/discard"):
        answer = admin.call("POST", api_of(connection, tail), body)
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"letter": "x"},
        {"letter": a_letter(1), "all": "yes"},
        {"all": "no"},
        {"cause": "<b>"},
        {"cause": "x" * 65},
    ],
    ids=str,
)
def test_an_unclear_form_should_be_refused_and_change_nothing(
    house: House, connection: str, admin: Browser, form: dict[str, str]
) -> None:
    add(house, connection, 1)
    for tail, extra in (("/send", {}), ("/discard", {}), ("/discard", {"confirmed": "yes"})):
        assert admin.post(page_of(connection, tail), {**form, **extra}).status == 422
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


# -- who -------------------------------------------------------------------------------------------


def attempts(browser: Browser, connection: str, **headers: str) -> list[int]:
    """The status of every way of changing something."""
    choice = {"all": "yes"}
    return [
        browser.post(page_of(connection, "/send"), choice).status,
        browser.post(page_of(connection, "/discard"), choice).status,
        browser.post(page_of(connection, "/discard"), {**choice, "confirmed": "yes"}).status,
        browser.call("POST", api_of(connection, "/send"), {"all": True}, **headers).status,
        browser.call("POST", api_of(connection, "/discard"), {"all": True}, **headers).status,
    ]


def test_a_reader_should_see_and_change_nothing(house: House, connection: str) -> None:
    add(house, connection, 1)
    reader = house.browser(READER)
    text = reader.get(page_of(connection)).text
    assert "The EHR did not take it for a whole day" in text
    assert 'method="post" action="' + page_of(connection) not in text
    assert reader.call("GET", api_of(connection)).status == 200
    assert attempts(reader, connection) == [403] * 5
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


def test_the_approver_should_send_and_discard(house: House, connection: str) -> None:
    empty_region(house.stores)
    poison(house, connection, "one")
    approver = house.browser(ANALYST)
    assert "Send again" in approver.get(page_of(connection)).text
    assert approver.post(page_of(connection, "/send"), {"all": "yes"}).location.endswith(
        "sent=1&left=0&unopened=0"
    )
    add(house, connection, 1)
    assert attempts(approver, connection) == [303, 200, 303, 200, 200]
    assert {by for by, _, _ in audit(house, connection)} == {ANALYST}


def test_a_guest_and_a_stranger_should_change_nothing(house: House, connection: str) -> None:
    add(house, connection, 1)
    clinician = house.browser(CLINICIAN)
    assert clinician.get(page_of(connection)).status == 404
    assert clinician.call("GET", api_of(connection)).status == 404
    assert attempts(clinician, connection) == [404] * 5
    house.microsoft.guest = True
    guest = house.browser(ANALYST)
    assert "/deadletters/send" not in guest.get(page_of(connection)).text
    assert attempts(guest, connection) == [403] * 5
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


def test_programs_should_read_and_never_change(house: House, connection: str) -> None:
    add(house, connection, 1)
    house.microsoft.callers["program"] = ApiCaller(
        house.tenant, "p", frozenset({"Connector.Admin"}), frozenset(), frozenset(), True, False
    )
    bearer = {"authorization": "Bearer program"}
    assert house.browser().call("GET", api_of(connection), **bearer).status == 200
    for tail in ("/send", "/discard"):
        refused = house.browser().call("POST", api_of(connection, tail), {"all": True}, **bearer)
        assert (refused.status, refused.json()["code"]) == (403, "not-allowed")
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


def test_what_comes_from_another_site_should_be_refused(
    house: House, connection: str, admin: Browser
) -> None:
    add(house, connection, 1)
    admin.site = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert attempts(admin, connection) == [403] * 5
    assert (len(ids(house, connection)), audit(house, connection)) == (1, [])


def test_a_letter_of_another_connection_should_look_like_none(
    house: House, connection: str, admin: Browser
) -> None:
    letter = add(house, connection, 1)
    house.base += "/second"
    house.ehr.serve(house.base)
    second = house.begun(admin)
    answer = admin.call("POST", api_of(second, "/send"), {"letters": [letter]})
    assert answer.json() == {"connection": second, "sent": 0, "left": 0, "unopened": 0}
    assert admin.call("POST", api_of(second, "/discard"), {"letters": [letter]}).json()["discarded"] == 0
    assert ids(house, connection) == {letter}


def test_a_choice_of_language_should_lead_back_to_the_list(
    house: House, connection: str, admin: Browser
) -> None:
    add(house, connection, 1)
    question = admin.post(page_of(connection, "/discard"), {"all": "yes"}).text
    assert f'return={page_of(connection)}"' in question
