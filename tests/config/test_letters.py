"""Undelivered records in the portal and its API: seen, sent again, given up, by whoever may alone."""

from typing import Any, cast
from uuid import UUID, uuid5

import pytest

from config_function.letter_words import CAUSES, KINDS, UNFORESEEN, counted, read_counted, said_of, words_of
from shared.context import ContextSeal, VisitContext
from shared.entra import ApiCaller
from shared.errors import StatusRefused
from shared.messages import sealed
from shared.parked import PARKED, QUEUES, poison_id
from shared.store.dead_letters import MOST, DeadLetter
from shared.store.table import Write
from tests.config.checking import empty_region
from tests.config.house import ADMIN, ANALYST, CLINICIAN, READER, Browser, House, Page, forget_rooms
from tests.fakes import FakeClock
from tests.writeback.house import House as Hospital
from tests.writeback.house import Trap, home

NAMES = UUID("00000000-0000-4000-8000-000000000001")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


def page_of(connection: str, tail: str = "") -> str:
    return f"/config/connections/{connection}/deadletters{tail}"


def api_of(connection: str, tail: str = "") -> str:
    return f"/config/api/connections/{connection}/deadletters{tail}"


def a_letter(number: int) -> str:
    return str(uuid5(NAMES, str(number)))


def add(house: House, connection: str, number: int, reason: str = "gave-up", status: int = 0) -> str:
    """A row without a message, a second younger than the last."""
    house.clock.advance(1)
    rows = house.stores.of(connection).dead_letters
    rows.add(connection, a_letter(number), queue="writeback", reason=reason, status=status, attempts=3)
    return a_letter(number)


def poison(house: House, connection: str, mark: str) -> tuple[str, str]:
    """A parked message of the portal's own connection, with its row: id and text."""
    sealer, store = house.services.sealer, house.stores.of(connection)
    context = ContextSeal(sealer).seal(VisitContext(connection, mark, "session", "S-1"))
    text = sealed("tend", {"c": context, "turn": mark}, sealer)
    store.queue(PARKED).send(text)
    house.clock.advance(1)
    store.dead_letters.add(connection, poison_id(text), queue="tend", reason="poison")
    return poison_id(text), text


def ids(house: House, connection: str) -> set[str]:
    return {one.id for one in house.stores.of(connection).dead_letters.of_connection(connection)}


def audit(house: House, connection: str) -> list[tuple[str, str, str]]:
    entries = house.stores.of(connection).audit.recent(house.tenant, 50, connection)
    return [(one.by, one.what, one.detail) for one in entries if one.what.startswith("letters-")]


def confirmed(browser: Browser, connection: str, question: Page, form: dict[str, str]) -> Page:
    form = {**form, "until": question.value("until"), "confirmed": question.value("confirmed")}
    return browser.post(page_of(connection, "/discard"), form)


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        ("gave-up", "The EHR did not take it for a whole day"),
        ("StatusRefused-403", "The EHR does not let us in (403)"),
        ("StatusRefused-404", "The EHR does not know the visit, or the address (404)"),
        ("StatusRefused-422", "The EHR does not take what it was told (422)"),
        ("StatusRefused-412", "The visit was changed or locked in the EHR (412)"),
        ("StatusRefused-418", "The EHR refused it (418)"),
        ("adapter-missing", "No write-back is set up for it"),
        ("of-tomorrow", UNFORESEEN.why),
    ],
)
def test_a_cause_should_be_said_in_words(cause: str, why: str) -> None:
    assert str(said_of(cause)) == why
    assert words_of(cause).remedy


def test_every_row_should_be_reached_and_every_queue_have_a_name() -> None:
    for row in CAUSES:
        status = min(row.statuses, default=499)
        cause = f"{row.reason}-{status}" if row.reason == "StatusRefused" else row.reason
        assert words_of(cause) is row
    assert set(KINDS) == set(QUEUES)


def test_the_audit_trail_should_count_by_cause_and_be_read_again() -> None:
    def letter(reason: str, status: int = 0) -> DeadLetter:
        return DeadLetter("c", "i", "writeback", reason, status, 1, "")

    text = counted([letter("poison"), letter("StatusRefused", 403), letter("StatusRefused", 403)])
    assert text == "2 StatusRefused-403, 1 poison"
    assert read_counted(text) == ((2, "StatusRefused-403"), (1, "poison"))
    assert read_counted("revision 2: chat") == ()
    assert read_counted("") == ()


# -- seeing ----------------------------------------------------------------------------------------


def test_an_empty_page_should_say_that_all_was_delivered(
    house: House, connection: str, admin: Browser
) -> None:
    text = admin.get(page_of(connection)).text
    assert "Everything was delivered" in text
    assert "Send again" not in text
    assert "could not be written" not in admin.get(f"/config/connections/{connection}").text


def test_each_letter_should_be_said_in_words_with_what_to_do(
    house: House, connection: str, admin: Browser
) -> None:
    add(house, connection, 1, "StatusRefused", 403)
    add(house, connection, 2, "StatusRefused", 403)
    add(house, connection, 3, SCRIPT)
    text = admin.get(page_of(connection)).text
    assert "The EHR does not let us in" in text
    assert words_of("StatusRefused-403").remedy in text
    assert UNFORESEEN.why in text
    assert "Record for the EHR" in text
    assert "Tried 3 times" in text
    assert SCRIPT not in text
    assert text.index("14:00 UTC") > 0
    one = admin.get(f"{page_of(connection)}?cause=StatusRefused-403").text
    assert one.count('name="letter"') == 4
    assert "None of this kind." in admin.get(f"{page_of(connection)}?cause=nothing").text
    for query in ("cause=<b>", "page=-1", "page=9999", "page=x", "sent=<b>", "sent=9999999"):
        shown = admin.get(f"{page_of(connection)}?{query}")
        assert (shown.status, "<b>" in shown.text, "9999999" in shown.text) == (200, False, False), query


def test_the_other_pages_should_lead_there(house: House, connection: str, admin: Browser) -> None:
    add(house, connection, 1)
    add(house, connection, 2)
    link = f'href="{page_of(connection)}"'
    overview = admin.get(f"/config/connections/{connection}").text
    assert "2 records could not be written into the EHR." in overview
    for text in (
        overview,
        admin.get("/config/").text,
        admin.get(f"/config/connections/{connection}/launches").text,
    ):
        assert link in text.split("<main", 1)[1].replace("aria-current", "")
    assert "Look at the undelivered records" in admin.get("/config/").text


def test_many_letters_should_come_in_pages_and_no_more_than_are_shown(
    house: House, connection: str, admin: Browser
) -> None:
    table = house.stores.of(connection).table("DeadLetters")
    table.insert("x", "y", {})
    values: dict[str, str | int] = {
        "queue": "writeback",
        "reason": "gave-up",
        "status": 0,
        "attempts": 1,
        "at": "2026-03-02T14:00:00.000Z",
    }
    for begin in range(0, MOST + 10, 100):
        numbers = range(begin, min(begin + 100, MOST + 10))
        table.batch([Write("insert", connection, a_letter(number), values) for number in numbers])
    page = admin.get(page_of(connection)).text
    assert f"these are {MOST} of them" in page
    assert "Page 1 of 10" in page
    assert page.count('name="letter"') == 100
    assert len(page.encode()) < 150_000
    last = admin.get(f"{page_of(connection)}?page=10").text
    assert "Page 10 of 10" in last
    document = admin.call("GET", api_of(connection)).json()
    assert (len(document["letters"]), document["complete"]) == (MOST, False)


def test_the_api_should_say_the_same(house: House, connection: str, admin: Browser) -> None:
    older = add(house, connection, 1, "StatusRefused", 403)
    newer = add(house, connection, 2)
    document = admin.call("GET", api_of(connection)).json()
    assert [one["id"] for one in document["letters"]] == [newer, older]
    assert document["complete"] is True
    assert document["letters"][1] == {
        "id": older,
        "at": "2026-03-02T14:00:01.000Z",
        "queue": "writeback",
        "kind": "Record for the EHR",
        "reason": "StatusRefused",
        "status": 403,
        "attempts": 3,
        "unopened": False,
        "cause": "StatusRefused-403",
        "title": "The EHR does not let us in (403)",
        "remedy": words_of("StatusRefused-403").remedy,
    }


# -- sending again, giving up ----------------------------------------------------------------------


def test_the_whole_way_from_a_refusal_to_the_record(house: House, clock: FakeClock) -> None:
    """The EHR refuses for good, the page shows it, the EHR is mended, Send again, and it is told once."""
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    empty_region(house.stores)
    store = house.stores.of(connection)
    hospital = Hospital(connection, store.table, clock, Trap())
    hospital.clocked[PARKED] = cast("Any", store.queue(PARKED))
    house.services.sealer = hospital.sealer
    forget_rooms()
    admin = house.browser(ADMIN)
    hospital.visit()
    hospital.adapter.down = StatusRefused(403)
    hospital.sees(5, home("d"))
    hospital.run_for(60)

    page = admin.get(page_of(connection))
    assert "The EHR does not let us in" in page.text
    assert "1 record" in page.text
    hospital.adapter.down = None
    sent = admin.post(page_of(connection, "/send"), {"letter": page.value("letter")})
    assert (sent.status, sent.location) == (303, f"{page_of(connection)}?sent=1&left=0&unopened=0")
    assert "1 record is on its way to the EHR again." in admin.get(sent.location).text
    for message in store.queue("writeback").receive(32):
        store.queue("writeback").delete(message)
        hospital.clocked["writeback"].send(message.text)
    hospital.run_for(60)
    assert hospital.adapter.said() == [("provider", "connected", 5)]
    assert "Everything was delivered" in admin.get(page_of(connection)).text
    assert (store.queue(PARKED).length(), ids(house, connection)) == (0, set())
    assert audit(house, connection) == [(ADMIN, "letters-sent-again", "1 StatusRefused-403")]
    history = admin.get(f"/config/connections/{connection}/history").text
    assert "sent undelivered records again" in history
    assert "1 &times; The EHR does not let us in (403)" in history


def test_all_of_one_cause_should_be_sent_and_no_other(house: House, connection: str, admin: Browser) -> None:
    empty_region(house.stores)
    _, text = poison(house, connection, "one")
    other = add(house, connection, 1)
    sent = admin.post(page_of(connection, "/send"), {"cause": "poison"})
    assert sent.location.endswith("?sent=1&left=0&unopened=0")
    assert ids(house, connection) == {other}
    queue = house.stores.of(connection).queue("tend")
    assert text in [message.text for message in queue.receive(32) if queue.delete(message)]


def test_what_has_no_message_any_more_should_stay_and_say_so(
    house: House, connection: str, admin: Browser
) -> None:
    empty_region(house.stores)
    add(house, connection, 1)
    sent = admin.post(page_of(connection, "/send"), {"all": "yes"})
    assert sent.location.endswith("?sent=0&left=0&unopened=1")
    assert "cannot be opened any more" in admin.get(sent.location).text
    assert "Cannot be opened any more" in admin.get(page_of(connection)).text
    assert admin.call("GET", api_of(connection)).json()["letters"][0]["unopened"] is True


def test_discarding_should_ask_first_and_take_only_what_was_asked_about(
    house: House, connection: str, admin: Browser
) -> None:
    empty_region(house.stores)
    poison(house, connection, "one")
    add(house, connection, 1, "poison")
    form = {"cause": "poison"}
    question = admin.post(page_of(connection, "/discard"), form)
    assert question.status == 200
    assert "Discard 2 undelivered records?" in question.text
    assert "The EHR will never be told." in question.text
    assert (len(ids(house, connection)), audit(house, connection)) == (2, [])
    late = add(house, connection, 2, "poison")
    done = confirmed(admin, connection, question, form)
    assert (done.status, done.location) == (303, f"{page_of(connection)}?discarded=2&left=0")
    assert "2 records were discarded." in admin.get(done.location).text
    assert ids(house, connection) == {late}
    assert house.stores.of(connection).queue(PARKED).length() == 0
    assert audit(house, connection) == [(ADMIN, "letters-discarded", "2 poison")]
    assert "discarded undelivered records" in admin.get(f"/config/connections/{connection}/history").text
    again = admin.post(page_of(connection, "/discard"), {"letter": a_letter(1)})
    assert (again.status, "There is nothing to discard" in again.text) == (404, True)


def test_the_api_should_send_and_discard_by_ids_cause_or_all(
    house: House, connection: str, admin: Browser
) -> None:
    empty_region(house.stores)
    letter, _ = poison(house, connection, "one")
    add(house, connection, 1, "StatusRefused", 422)
    add(house, connection, 2)
    send, discard = api_of(connection, "/send"), api_of(connection, "/discard")
    answer = admin.call("POST", send, {"letters": [letter, letter, a_letter(9)]})
    assert answer.json() == {"connection": connection, "sent": 1, "left": 0, "unopened": 0}
    answer = admin.call("POST", discard, {"cause": "StatusRefused-422"})
    assert answer.json() == {"connection": connection, "discarded": 1, "left": 0}
    answer = admin.call("POST", discard, {"all": True})
    assert answer.json() == {"connection": connection, "discarded": 1, "left": 0}
    assert admin.call("POST", send, {"all": True}).json()["sent"] == 0
    # What was asked for and was not there is no entry.
    assert [detail for _, _, detail in audit(house, connection)] == [
        "1 gave-up",
        "1 StatusRefused-422",
        "1 poison",
    ]


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
