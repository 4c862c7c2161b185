"""Recent launches in words: who does not get in, why, and what to do about it; never who it was."""

from datetime import timedelta

import pytest

from config_function.launch_report import chosen, most_frequent, summary
from shared.clock import timestamp
from shared.connection import Side
from shared.reasons import REASONS
from shared.store.launches import KEPT, Launch
from shared.store.log import newest_first
from shared.store.table import Write
from tests.config.house import ADMIN, ANALYST, CLINICIAN, READER, House
from tests.fakes import FakeClock

NOW = FakeClock().now()


def launch(code: str = "ok", hours: float = 0.0, side: Side = "provider") -> Launch:
    return Launch(code, side, timestamp(NOW - timedelta(hours=hours)))


def recorded(house: House, connection: str, *launches: tuple[str, Side]) -> None:
    for code, side in launches:
        house.stores.of(connection).launches.record(connection, code, side, timestamp(house.clock.now()))
        house.clock.advance(1)


def page_of(connection: str) -> str:
    return f"/config/connections/{connection}/launches"


@pytest.fixture
def connection(house: House) -> str:
    return house.begun(house.browser(ADMIN))


def test_the_summary_counts_the_last_24_hours() -> None:
    launches = [
        launch(),
        launch("visit-missing", 1),
        launch("too-early", 2),
        launch("too-early", 23.9),
        launch("visit-missing", 24.1),
        launch("visit-missing", 30),
    ]
    day = summary(launches, NOW)
    assert (day.total, day.got_in, day.refused, day.frequent) == (4, 1, 3, "too-early")
    assert day.reason is REASONS["too-early"]
    assert day.whole


def test_a_day_without_launches_has_no_reason() -> None:
    day = summary([launch(hours=25)], NOW)
    assert (day.total, day.got_in, day.frequent, day.reason) == (0, 0, "", None)


def test_a_day_of_more_launches_than_are_kept_is_said_to_be_one() -> None:
    assert not summary([launch()] * KEPT, NOW).whole
    assert summary([launch()] * (KEPT - 1) + [launch(hours=25)], NOW).whole


def test_of_two_equally_frequent_reasons_the_newer_counts() -> None:
    assert most_frequent([launch("too-late"), launch("too-early"), launch()]) == "too-late"
    assert most_frequent([launch()]) == ""


def test_launches_are_chosen_by_side_and_outcome() -> None:
    launches = [launch(), launch("too-late"), launch(side="patient"), launch("too-early", side="patient")]
    assert [one.code for one in chosen(launches, "patient")] == ["ok", "too-early"]
    assert [one.code for one in chosen(launches, outcome="refused")] == ["too-late", "too-early"]
    assert [one.code for one in chosen(launches, "provider", "in")] == ["ok"]
    assert chosen(launches) == launches


def test_an_outcome_is_said_in_words_with_what_to_do(house: House, connection: str) -> None:
    recorded(house, connection, ("ok", "provider"), ("visit-missing", "patient"), ("of-tomorrow", "patient"))
    text = house.browser(ADMIN).get(page_of(connection)).text
    assert "Got in" in text
    assert REASONS["visit-missing"].title in text
    assert REASONS["visit-missing"].staff in text
    assert '<small class="mono quiet">visit-missing</small>' in text
    # A code of a newer version is shown as it is.
    assert '<small class="mono quiet">of-tomorrow</small>' in text
    assert "3 launches, 1 got in." in text
    assert "Most frequent reason:" in text


def test_one_launch_is_counted_in_the_singular(house: House, connection: str) -> None:
    recorded(house, connection, ("ok", "provider"))
    assert "1 launch, 1 got in." in house.browser(ADMIN).get(page_of(connection)).text


def test_the_page_is_filtered_by_links(house: House, connection: str) -> None:
    recorded(house, connection, ("ok", "provider"), ("too-late", "provider"), ("too-early", "patient"))
    admin = house.browser(ADMIN)
    patients = admin.get(f"{page_of(connection)}?side=patient").text
    assert '<small class="mono quiet">too-early</small></td>' in patients
    assert '<small class="mono quiet">too-late</small></td>' not in patients
    # The other filter keeps this one.
    assert f'href="{page_of(connection)}?outcome=refused&side=patient"' in patients.replace("&amp;", "&")
    assert "None of this kind." in admin.get(f"{page_of(connection)}?side=patient&outcome=in").text
    everything = admin.get(f"{page_of(connection)}?side=<script>&outcome=x")
    assert everything.status == 200
    assert "<script>&" not in everything.text
    assert "too-late</small></td>" in everything.text


def test_the_fullest_page_stays_small(house: House, connection: str) -> None:
    table, now = house.stores.of(connection).table("Launches"), house.clock.now()
    table.insert("x", "y", {})
    for begin in range(0, KEPT, 100):
        moments = [now - timedelta(seconds=number) for number in range(begin, begin + 100)]
        values = {"code": "access-policy-missing", "side": "provider"}
        table.batch(
            [
                Write("insert", connection, newest_first(moment), {**values, "at": timestamp(moment)})
                for moment in moments
            ]
        )
    page = house.browser(ADMIN).get(page_of(connection)).text
    assert f"The newest 100 of {KEPT}." in page
    assert "More launches than are kept" in page
    assert len(page.encode()) < 150_000


def test_an_empty_page_says_so(house: House, connection: str) -> None:
    assert "Nobody has launched a visit yet." in house.browser(ADMIN).get(page_of(connection)).text


def test_the_api_says_the_same(house: House, connection: str) -> None:
    recorded(house, connection, ("ok", "provider"), ("visit-missing", "patient"))
    admin = house.browser(ADMIN)
    path = f"/config/api/connections/{connection}/launches"
    document = admin.call("GET", path).json()
    assert document["last_24_hours"] == {
        "launches": 2,
        "got_in": 1,
        "most_frequent_code": "visit-missing",
        "complete": True,
    }
    newest, oldest = document["launches"]
    assert (newest["code"], newest["side"], newest["got_in"]) == ("visit-missing", "patient", False)
    assert newest["remedy"] == REASONS["visit-missing"].staff
    assert (oldest["got_in"], oldest["title"]) == (True, "")
    assert set(newest) == {"at", "side", "code", "got_in", "title", "remedy"}
    one = admin.call("GET", f"{path}?side=patient&outcome=refused").json()["launches"]
    assert [row["code"] for row in one] == ["visit-missing"]
    for query, field in (("side=nurse", "side"), ("outcome=ok", "outcome")):
        answer = admin.call("GET", f"{path}?{query}")
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


def test_who_sees_the_connection_sees_its_launches(house: House, connection: str) -> None:
    for person, status in ((ADMIN, 200), (READER, 200), (ANALYST, 200), (CLINICIAN, 404)):
        browser = house.browser(person)
        assert browser.get(page_of(connection)).status == status
        assert browser.call("GET", f"/config/api/connections/{connection}/launches").status == status
