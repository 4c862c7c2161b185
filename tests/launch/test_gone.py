"""A linked account that was deleted or switched off: found out, unlinked, and linked anew by its owner."""

import pytest

from shared.errors import Refusal
from tests.launch import microsoft
from tests.launch.conftest import World

ORGANIZER = "oid-organizer"


@pytest.fixture
def deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Dr. Vidal is linked; then her account is deleted, and she gets another one."""
    world.linked()
    world.rooms.opened.clear()
    known = {name: text for name, text in microsoft.NAMES.items() if name != microsoft.VIDAL}
    monkeypatch.setattr(microsoft, "NAMES", {**known, "oid-new": "Dr. Elena Vidal"})
    world.entra.account = microsoft.account("oid-new")
    # In the name of an account that is gone no meeting can be made.
    world.rooms.organizer = ORGANIZER
    return world


def test_a_deleted_account_should_not_be_sent_to_teams(deleted: World) -> None:
    assert deleted.launch().location.startswith("https://login.example/")
    assert not deleted.stores.region.ehr_users.rows
    assert deleted.stores.region.audit.rows[-1] == (
        microsoft.TENANT,
        microsoft.VIDAL,
        "ehr-user-unlinked",
    )
    page = deleted.sign_in("code-new")
    assert "will use Teams as Dr. Elena Vidal" in page.text
    assert "teams.example/provider" in deleted.press(page).text
    (link,) = deleted.stores.region.ehr_users.rows.values()
    assert link.oid == "oid-new"


def test_on_a_shared_workstation_too(deleted: World) -> None:
    deleted.browser.cookies = {
        name: value for name, value in deleted.browser.cookies.items() if "last-opened" not in name
    }
    deleted.entra.account = microsoft.account(microsoft.LINDQVIST)
    deleted.launch(user="Practitioner/prac-lindqvist", members={"epicUserId": "EMP-88102"})
    deleted.press(deleted.sign_in("code-l"))
    asked = deleted.launch()
    assert "signin/confirm" in asked.location
    assert deleted.page(asked.location).location.startswith("https://login.example/")
    assert [user for _, user in deleted.stores.region.ehr_users.rows] == ["EMP-88102"]


def test_somebody_of_the_directory_goes_in_and_is_asked_for_once_an_hour(world: World) -> None:
    world.linked()
    assert not world.people.asked, "a meeting in one's own name needs no question"
    world.rooms.organizer = ORGANIZER
    for _ in range(3):
        assert world.launch().location == "https://teams.example/provider"
    assert len(world.people.asked) == 1
    world.clock.pass_by(hours=1)
    world.launch()
    assert len(world.people.asked) == 2


def test_a_silent_directory_keeps_nobody_out(world: World) -> None:
    world.linked()
    world.rooms.organizer, world.people.down = ORGANIZER, True
    assert world.launch().location == "https://teams.example/provider"
    assert world.stores.region.ehr_users.rows


def test_a_disabled_account_may_be_exchanged_for_another(world: World) -> None:
    world.entra.refusal = Refusal("account-unusable", "invalid_grant AADSTS50057")
    world.launch()
    page = world.sign_in()
    assert "account-unusable" in page.text
    assert "/launch/provider/signin/another" in page.text
    assert world.outcomes == ["account-unusable"]
