"""What is tried, for whom, for how long, and how the page shows it."""

import functools
import gettext
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from config_function import desk as desks
from config_function.checks import PROBES, Checks
from config_function.checks.verdict import said
from shared.errors import (
    AddressRefused,
    AnswerRefused,
    AntesalaError,
    Refusal,
    SealBroken,
    StatusRefused,
    Unreachable,
)
from shared.pages import Pages
from shared.secrets import SecretMissing
from shared.smart.token import TokenAnswer
from tests.config.checking import drafted, empty_region, outcome, path_of, verdict
from tests.config.house import ADMIN, ANALYST, CLINICIAN, POOL, READER, Browser, House, forget_rooms


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


def test_everything_works_in_a_sound_house(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.serve_outside()
    empty_region(house.stores)
    for probe in PROBES:
        found = verdict(admin, connection, probe.name)
        assert found["verdict"] == "ok", found
        assert found["tried"]
        assert found["tried"] != "Nothing"


def test_a_monitor_reads_what_can_be_checked_and_runs_each(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    listed = admin.call("GET", path_of(connection)).json()
    assert (listed["connection"], listed["revision"]) == (connection, 1)
    planned = [(one["probe"], one["person"]) for one in listed["checks"]]
    assert planned == [(probe.name, POOL if probe.of_person else "") for probe in PROBES]
    assert [one["label"] for one in listed["checks"]] == [probe.label for probe in PROBES]
    for probe, person in planned:
        assert verdict(admin, connection, probe, person)["probe"] == probe


class Loud(gettext.NullTranslations):
    """A language that is English, shouted."""

    def gettext(self, message: str) -> str:
        return f"!{message}!"


def test_labels_and_verdicts_are_said_in_the_readers_language(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.services.pages = Pages(catalogs=lambda _: Loud())
    forget_rooms()
    assert admin.call("GET", path_of(connection)).json()["checks"][0]["label"] == f"!{PROBES[0].label}!"
    found = verdict(admin, connection, "virtual-appointment")
    assert found["found"] == "!Teams gave one.!"
    house.microsoft.down = True
    failed = verdict(admin, connection, "graph-token")
    assert failed["found"] == "!The answer was 400 (invalid_client).!"
    assert failed["remedy"].startswith("!Give this app")


def test_probes_that_do_not_exist_or_name_nobody_are_refused(house: House, admin: Browser) -> None:
    path = path_of(drafted(house, admin))
    assert admin.call("POST", f"{path}/everything").status == 404
    assert admin.call("POST", f"{path}/access-policy", {"person": "../me"}).status == 422
    assert admin.call("POST", f"{path}/access-policy", {"person": 7}).status == 422
    assert admin.call("POST", f"{path}/access-policy", {"person": CLINICIAN}).status == 200


@pytest.mark.parametrize("probe", ["access-policy", "licence"])
def test_readers_try_organizers_and_nobody_else(house: House, admin: Browser, probe: str) -> None:
    path = f"{path_of(drafted(house, admin))}/{probe}"
    reader, approver = house.browser(READER), house.browser(ANALYST)
    assert reader.call("POST", path, {"person": POOL}).status == 200
    assert reader.call("POST", path, {"person": CLINICIAN}).status == 403
    assert approver.call("POST", path, {"person": CLINICIAN}).status == 200


@contextmanager
def impatient(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A portal that waits for next to nothing, and an EHR that answers only afterwards."""
    answered = threading.Event()

    def answer(*_: object, **__: object) -> TokenAnswer:
        answered.wait(10)
        return TokenAnswer("late")

    monkeypatch.setattr(desks, "Checks", functools.partial(Checks, seconds=0.05))
    house.services.tokens = SimpleNamespace(backend=answer)
    forget_rooms()
    try:
        yield
    finally:
        answered.set()


def test_no_verdict_is_waited_for_without_end(
    house: House, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = house.submitted(admin)
    with impatient(house, monkeypatch):
        found = verdict(admin, connection, "backend-token")
    assert (found["verdict"], found["found"]) == ("failed", "There was no answer.")
    assert found["tried"].startswith("Waited for")


def test_the_slow_checks_of_one_organization_keep_no_other_waiting(
    house: House, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = house.neighbour()
    slow, theirs = house.submitted(admin), drafted(other, neighbour := other.browser(ADMIN))
    with impatient(house, monkeypatch):
        outcomes = [outcome(admin, slow, "backend-token") for _ in range(14)]
        assert outcomes[:12] == [("failed", "There was no answer.")] * 12
        assert outcomes[12:] == [("skipped", "Too many checks run right now. Try again in a minute.")] * 2
        assert outcome(admin, slow, "graph-token")[0] == "skipped"
        assert outcome(neighbour, theirs, "graph-token")[0] == "ok"


def test_what_has_ended_counts_no_more(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    assert {outcome(admin, connection, "graph-token")[0] for _ in range(20)} == {"ok"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Refusal("endpoint-changed"), "other hosts"),
        (Refusal("wrong-organization"), "another organization"),
        (StatusRefused(401, "invalid_client"), "401 (invalid_client)"),
        (StatusRefused(503), "503"),
        (AddressRefused("x"), "points inside"),
        (Unreachable("x"), "no answer"),
        (AnswerRefused("x"), "expected form"),
        (SecretMissing("x"), "secret"),
        (SealBroken("x"), "could not be tried"),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Exception) else "",
)
def test_failures_are_said_without_a_word_of_the_other_side(error: AntesalaError, words: str) -> None:
    assert words in str(said(error))


def test_the_page_works_without_script(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    page = admin.post(f"/config/connections/{connection}/checks", {"probe": "access-policy", "person": POOL})
    assert page.status == 200
    assert "Teams made it." in page.text
    assert re.search(r'role="status"[^>]*>Application access policy: Visits Organizer 1: Works', page.text)


def test_the_page_shows_what_to_do_and_lines_to_copy(house: House, admin: Browser) -> None:
    page = f"/config/connections/{drafted(house, admin)}/checks"
    shown = admin.post(page, {"probe": "access-policy", "person": ADMIN}).text
    assert "Does not work" in shown
    assert "What to do:" in shown
    assert re.search(r'hidden data-copy="Connect-MicrosoftTeams\nNew-Cs', shown)


def rows(text: str, person: str) -> int:
    """How many rows of the page are for this person; the template's rows are for nobody."""
    return text.count(f'data-person="{person}"')


def test_a_clinician_is_found_and_tried_without_script(house: House, admin: Browser) -> None:
    page = f"/config/connections/{drafted(house, admin)}/checks"
    found = admin.get(f"{page}?q=Dr.").text
    assert "Dr. Elena Vidal" in found
    link = re.search(rf'href="({page}\?person={CLINICIAN})"', found)
    assert link
    assert rows(found, CLINICIAN) == 0
    named = admin.get(link[1]).text
    assert rows(named, CLINICIAN) == 2
    tried = admin.post(page, {"probe": "licence", "person": CLINICIAN}).text
    assert rows(tried, CLINICIAN) == 2
    assert "Teams is licensed." in tried


def test_the_search_for_a_clinician_says_what_it_does_not_find(house: House, admin: Browser) -> None:
    page = f"/config/connections/{drafted(house, admin)}/checks"
    assert "Nobody was found.</p>" in admin.get(f"{page}?q=Zz").text
    house.microsoft.down = True
    assert "does not answer right now. Try again in a minute.</p>" in admin.get(f"{page}?q=Dr.").text


def test_a_reader_gets_no_search_and_names_nobody(house: House, admin: Browser) -> None:
    page = f"/config/connections/{drafted(house, admin)}/checks"
    reader = house.browser(READER)
    shown = reader.get(f"{page}?q=Dr.").text
    assert 'role="search"' not in shown
    assert "Dr. Elena Vidal" not in shown
    assert house.microsoft.searched == []
    assert reader.get(f"{page}?person={CLINICIAN}").status == 403
    assert admin.get(f"{page}?person=nobody").status == 422


def test_an_organizer_who_is_named_gets_no_second_rows(house: House, admin: Browser) -> None:
    page = f"/config/connections/{drafted(house, admin)}/checks"
    assert rows(admin.get(f"{page}?person={POOL}").text, POOL) == 2


def test_the_script_is_loaded_by_this_page_alone(house: House, admin: Browser) -> None:
    connection = f"/config/connections/{drafted(house, admin)}"
    assert "checks.js" in admin.get(f"{connection}/checks").text
    assert "checks.js" not in admin.get(connection).text


def test_nobodys_name_is_in_an_answer(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    assert outcome(admin, connection, "licence", CLINICIAN)[0] == "ok"
    assert "Vidal" not in str(verdict(admin, connection, "licence", CLINICIAN))
