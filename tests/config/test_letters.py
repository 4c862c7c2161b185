"""Undelivered records in the portal and its API: seen, sent again, given up."""

from typing import Any, cast

import pytest

from config_function.letter_words import CAUSES, KINDS, UNFORESEEN, counted, read_counted, said_of, words_of
from shared.errors import StatusRefused
from shared.parked import QUEUES
from shared.store.dead_letters import MOST, DeadLetter
from shared.store.queues import parked_queue
from shared.store.table import Write
from tests.config.checking import empty_region
from tests.config.house import ADMIN, Browser, House, forget_rooms
from tests.config.undelivered import a_letter, add, api_of, audit, confirmed, ids, page_of, poison
from tests.fakes import FakeClock
from tests.writeback.house import House as Hospital
from tests.writeback.house import home
from tests.writeback.memory import Trap

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


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
    hospital.clocked[hospital.lot] = cast("Any", store.queue(hospital.lot))
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
    assert (store.queue(parked_queue(connection)).length(), ids(house, connection)) == (0, set())
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
    assert house.stores.of(connection).queue(parked_queue(connection)).length() == 0
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
