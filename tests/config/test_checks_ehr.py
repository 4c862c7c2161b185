"""Verdicts on the EHR's side, and on the clocks."""

from types import SimpleNamespace

import pytest

from shared.errors import AntesalaError, StatusRefused, Unreachable
from shared.outbound import Answer
from tests.config.checking import drafted, host_of, outcome, verdict
from tests.config.house import ADMIN, Browser, House, forget_rooms

SKEW = "clock-skew"


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


def fails_with(house: House, error: AntesalaError) -> None:
    """No token is given any more."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    house.services.tokens = SimpleNamespace(backend=refuse)
    forget_rooms()


def test_endpoints_that_moved_are_noticed(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    found = verdict(admin, connection, "discovery")
    assert (found["verdict"], found["found"]) == ("failed", "It names other hosts than were approved.")
    assert "approve it again" in found["remedy"]


def test_a_base_that_falls_silent_or_says_nonsense_is_noticed(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.ehr.pages[f"{house.base}/.well-known/smart-configuration"] = b"<html>"
    found = verdict(admin, connection, "discovery")
    assert (found["verdict"], found["found"]) == ("failed", "The answer was not of the expected form.")
    assert "EHR team" in found["remedy"]
    house.ehr.pages.clear()
    found = verdict(admin, connection, "discovery")
    assert (found["verdict"], found["found"]) == ("failed", "There was no answer.")
    assert "Wait a minute" in found["remedy"]


def test_the_newest_revision_is_tried_before_anything_is_pinned(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.ehr.serve(house.base, host="https://login.sierra.example/oauth2")
    assert outcome(admin, connection, "discovery") == ("ok", "Sign-in at login.sierra.example.")


def test_a_token_is_not_asked_of_an_endpoint_that_moved(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    # Looks anew, so that what the next probe works with is the moved one.
    verdict(admin, connection, "discovery")
    fails_with(house, AssertionError())  # type: ignore[arg-type]
    found = verdict(admin, connection, "backend-token")
    assert (found["verdict"], found["found"]) == ("failed", "It names other hosts than were approved.")
    assert "approve it again" in found["remedy"]


def test_a_draft_does_not_loosen_what_was_approved(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.serve_outside()
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    house.ehr.pages["https://evil.example/oauth2/token"] = {}
    admin.save(connection, "writeback", {"backend_client_id": "backend-2"})
    fails_with(house, AssertionError())  # type: ignore[arg-type]
    for probe in ("discovery", "backend-token"):
        moved = ("failed", "It names other hosts than were approved.")
        assert outcome(admin, connection, probe) == moved, probe
    assert "EHR: no time was given" in outcome(admin, connection, SKEW)[1]
    assert not [url for url in house.ehr.asked if url.startswith("https://evil.example/")]
    house.ehr.serve(house.base)
    assert outcome(admin, connection, "discovery")[0] == "ok"


def test_nothing_is_proven_to_a_host_that_no_approver_was_shown(house: House, admin: Browser) -> None:
    connection = house.begun(admin)
    fails_with(house, AssertionError())  # type: ignore[arg-type]
    assert outcome(admin, connection, "backend-token") == (
        "skipped",
        "Submit the settings first: until then nobody has seen where the EHR takes tokens.",
    )


def test_what_was_submitted_is_tried_where_it_was_shown(house: House, admin: Browser) -> None:
    connection = house.submitted(admin)
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    assert outcome(admin, connection, "discovery")[0] == "failed"
    assert outcome(admin, connection, "backend-token")[1] == "It names other hosts than were approved."


def test_a_check_during_an_outage_takes_nothing_from_launches(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    discovery = house.services.discovery
    kept = discovery.get(house.base, client_id="provider-1", kind="epic")
    house.clock.advance(7_200)
    house.ehr.pages[f"{house.base}/.well-known/smart-configuration"] = Answer(503)
    assert outcome(house.browser(ADMIN), connection, "discovery")[0] == "failed"
    assert discovery.get(house.base, client_id="provider-1", kind="epic") == kept


def test_a_refused_backend_client_is_explained(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    fails_with(house, StatusRefused(401, "invalid_client"))
    found = verdict(admin, connection, "backend-token")
    assert (found["verdict"], found["found"]) == ("failed", "The answer was 401 (invalid_client).")
    assert "registration sheet" in found["remedy"]


@pytest.mark.parametrize("error", [StatusRefused(503), Unreachable("ehr")], ids=["503", "silent"])
def test_a_token_endpoint_that_is_down_is_worth_another_try(
    house: House, admin: Browser, error: AntesalaError
) -> None:
    connection = house.in_service(admin)
    fails_with(house, error)
    found = verdict(admin, connection, "backend-token")
    assert found["verdict"] == "failed"
    assert "Wait a minute" in found["remedy"]


def test_no_token_is_asked_for_where_none_is_needed(house: House, admin: Browser) -> None:
    connection = drafted(house, admin, adapter="none")
    assert outcome(admin, connection, "backend-token") == ("skipped", "Write-back is switched off.")


def test_no_token_is_asked_for_where_a_password_is_used(house: House, admin: Browser) -> None:
    connection = drafted(house, admin, writeback_options={"auth": "basic"})
    verdict_and_reason = outcome(admin, connection, "backend-token")
    assert verdict_and_reason == ("skipped", "The write-back uses a user name and password, no token.")


def test_no_token_is_asked_for_before_there_is_a_client(house: House, admin: Browser) -> None:
    connection = drafted(house, admin, backend_client_id="")
    found = verdict(admin, connection, "backend-token")
    assert (found["verdict"], found["found"]) == ("skipped", "There is no client ID yet.")
    assert "Register the backend client" in found["remedy"]


@pytest.mark.parametrize(
    ("seconds", "expected", "words"),
    [
        (0, "ok", "the same time"),
        (59, "ok", "59 seconds behind"),
        (-59, "ok", "59 seconds ahead"),
        (60, "warning", "60 seconds behind"),
        (-60, "warning", "60 seconds ahead"),
        (299, "warning", "299 seconds behind"),
        (300, "failed", "300 seconds behind"),
        (-300, "failed", "300 seconds ahead"),
        (None, "warning", "no time was given"),
    ],
)
@pytest.mark.parametrize("side", ["EHR", "Microsoft 365"])
def test_a_clock_that_is_off_is_noticed_on_either_side(
    house: House, admin: Browser, side: str, seconds: int | None, expected: str, words: str
) -> None:
    connection = drafted(house, admin)
    house.serve_outside()
    host = host_of(house.base if side == "EHR" else house.settings.login_url)
    house.ehr.ahead[host] = seconds
    found = verdict(admin, connection, SKEW)
    assert found["verdict"] == expected
    assert f"{side}: " in found["found"]
    assert words in found["found"]
    assert bool(found["remedy"]) is (expected != "ok")


def test_the_worse_of_two_clocks_decides(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.serve_outside()
    house.ehr.ahead[host_of(house.base)] = 400
    house.ehr.ahead[host_of(house.settings.login_url)] = 70
    assert outcome(admin, connection, SKEW)[0] == "failed"


def test_a_cached_answer_is_as_old_as_it_says(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.serve_outside()
    house.ehr.ahead[host_of(house.base)] = house.ehr.ahead[host_of(house.settings.login_url)] = -500
    house.ehr.headers["age"] = "500"
    assert outcome(admin, connection, SKEW)[0] == "ok"
    house.ehr.headers["age"] = "long"
    assert outcome(admin, connection, SKEW)[0] == "warning"


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 1 Jan 99999999999999999999 00:00:00 GMT"]
)
def test_a_date_beyond_all_dates_is_none(
    house: House, admin: Browser, monkeypatch: pytest.MonkeyPatch, date: str
) -> None:
    connection = drafted(house, admin)
    house.serve_outside()
    house.ehr.headers["age"] = "86000"
    monkeypatch.setattr(house.ehr, "_dated", lambda _: {"date": date})
    result, found = outcome(admin, connection, SKEW)
    assert (result, "EHR: no time was given" in found) == ("warning", True)


def test_the_time_is_asked_of_the_approved_hosts_alone(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.serve_outside()
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    verdict(admin, connection, "discovery")
    result, found = outcome(admin, connection, SKEW)
    assert (result, "EHR: no time was given" in found) == ("warning", True)
    assert not [url for url in house.ehr.asked if "evil.example" in url]
