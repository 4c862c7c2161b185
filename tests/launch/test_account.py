"""The clinician's one-time link to Microsoft 365, the shared workstation, and the page that unlinks."""

import re
from dataclasses import replace
from typing import Any

import pytest

from shared.connection import UserSource
from shared.errors import Refusal
from tests.launch import microsoft
from tests.launch.conftest import CONNECTION, PUBLIC, World, revision
from tests.launch.ehr import BASE, query_of

NAMED = {
    "Practitioner/prac-vidal": {
        "resourceType": "Practitioner",
        "id": "prac-vidal",
        "name": [{"use": "official", "prefix": ["Dr."], "given": ["Elena"], "family": "Vidal<b>"}],
    }
}
ACCOUNT = f"/launch/provider/{CONNECTION}/account"


def teams(text: str) -> bool:
    return 'content="0;url=https://teams.example/provider"' in text


def test_a_new_clinician_is_asked_once_with_both_names_and_goes_in(world: World) -> None:
    world.ehr.resources = NAMED
    first = world.launch()
    assert first.location == f"https://login.example/{microsoft.TENANT}?state=entra-state-1"
    assert world.entra.begun == [
        (microsoft.TENANT, f"{PUBLIC}/launch/provider/signin/callback", "select_account")
    ]
    page = world.sign_in()
    assert "EHR user Dr. Elena Vidal&lt;b&gt; will use Teams as Dr. Elena Vidal." in page.text
    assert not world.rooms.opened
    assert not world.stores.region.ehr_users.rows
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert teams(world.press(page).text)
    (link,) = world.stores.region.ehr_users.rows.values()
    assert (link.ehr_user, link.oid) == ("EMP-88101", microsoft.VIDAL)
    assert "sub-of" not in link.sub_mac
    ((_, launcher),) = world.rooms.opened
    assert (launcher.side, launcher.ehr_user, launcher.oid) == ("provider", "EMP-88101", microsoft.VIDAL)
    assert world.stores.region.audit.rows == [(microsoft.TENANT, microsoft.VIDAL, "ehr-user-linked")]
    assert world.outcomes == ["ok"]


def test_a_known_clinician_goes_straight_to_teams(world: World) -> None:
    world.linked()
    shown = world.launch()
    assert (shown.status, shown.location) == (303, "https://teams.example/provider")
    assert len(world.entra.begun) == 1


def test_the_ehrs_name_may_be_missing(world: World) -> None:
    world.launch()
    assert "EHR user EMP-88101 will use Teams as" in world.sign_in().text


def test_names_are_not_kept(world: World) -> None:
    world.ehr.resources = NAMED
    world.launch()
    world.press(world.sign_in())
    assert "Elena" not in repr(world.stores)


def test_every_page_survives_reload_and_back(world: World) -> None:
    url = world.agreed(world.leg1().location, "Practitioner/prac-vidal")
    to_microsoft = world.leg2(url)
    assert world.leg2(url).location == to_microsoft.location, "back from Microsoft 365 repeats the redirect"
    page = world.sign_in()
    assert world.page(page.location).text == page.text
    assert world.sign_in().text == page.text, "a reload of the sign-in's answer trades no second code"
    world.press(page)
    for again in (world.leg2(url), world.page(page.location), world.sign_in()):
        assert again.location == "https://teams.example/provider"
    assert len(world.rooms.opened) == 1


def test_two_tabs_do_not_mix(world: World) -> None:
    world.launch(members={"sessionId": "111"})
    world.launch(members={"sessionId": "222"})
    second = world.sign_in("code-b", "entra-state-2")
    first = world.sign_in("code-a", "entra-state-1")
    world.press(second)
    world.press(first)
    assert [context.visit_id for context, _ in world.rooms.opened] == ["222", "111"]
    assert len(world.stores.region.ehr_users.rows) == 1


def test_two_tabs_with_two_accounts_should_not_overwrite_the_link(world: World) -> None:
    world.launch()
    world.launch()
    one = world.sign_in("code-a", "entra-state-1")
    world.entra.account = microsoft.account(microsoft.LINDQVIST)
    other = world.sign_in("code-b", "entra-state-2")
    world.press(one)
    assert world.press(other).reason == "state-conflict"
    (link,) = world.stores.region.ehr_users.rows.values()
    assert link.oid == microsoft.VIDAL


@pytest.mark.parametrize(
    ("account", "refusal", "reason"),
    [
        (microsoft.account(tenant=microsoft.FOREIGN), None, "wrong-organization"),
        (microsoft.account(guest=True), None, "account-unusable"),
        (None, Refusal("wrong-organization"), "wrong-organization"),
        (None, Refusal("sign-in-failed", "access_denied"), "sign-in-failed"),
    ],
)
def test_a_wrong_account_links_nothing_and_another_may_be_chosen(
    world: World, account: Any, refusal: Refusal | None, reason: str
) -> None:
    world.entra.account, world.entra.refusal = account, refusal
    world.launch()
    page = world.sign_in()
    assert reason in page.text
    assert world.outcomes == [reason]
    assert world.press(page).reason == "sign-in-expired", "a refused account cannot be confirmed"
    assert not world.stores.region.ehr_users.rows
    world.entra.account, world.entra.refusal = microsoft.account(), None
    another = re.search(r'href="(/launch/provider/signin/another[^"]+)"', page.text)
    assert another
    again = world.browser.open(world.provider.accounts.another, another[1])
    assert again.location.endswith("entra-state-2")
    assert teams(world.press(world.sign_in("entra-code-2")).text)


def test_another_account_may_be_chosen_before_confirming(world: World) -> None:
    world.launch()
    page = world.sign_in()
    handle = query_of(page.location)["handle"]
    world.entra.account = microsoft.account(microsoft.LINDQVIST)
    world.browser.open(world.provider.accounts.another, f"/launch/provider/signin/another?handle={handle}")
    assert world.press(page).reason == "sign-in-expired", "the old page links nobody any more"
    world.press(world.sign_in("entra-code-2"))
    (link,) = world.stores.region.ehr_users.rows.values()
    assert link.oid == microsoft.LINDQVIST


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": PUBLIC, "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_site_should_link_nobody(world: World, headers: dict[str, str]) -> None:
    world.launch()
    page = world.sign_in()
    assert world.press(page, headers).reason == "cross-site"
    assert not world.stores.region.ehr_users.rows
    assert not world.rooms.opened


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": PUBLIC},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_a_form_of_our_own_is_known_by_either_header(world: World, headers: dict[str, str]) -> None:
    world.launch()
    assert teams(world.press(world.sign_in(), headers).text)


def test_the_sign_in_should_end_after_ten_minutes(world: World) -> None:
    world.launch()
    world.clock.pass_by(minutes=10, seconds=1)
    assert world.sign_in().reason == "sign-in-expired"
    assert not world.browser.named("pending")


def test_a_sign_in_of_another_browser_should_link_nobody(world: World) -> None:
    world.launch()
    world.browser.cookies.clear()
    assert world.sign_in().reason == "sign-in-expired"
    assert not world.entra.finished


def test_another_ehr_account_behind_the_same_id_should_open_nothing(world: World) -> None:
    world.linked()
    world.rooms.opened.clear()
    world.ehr.failures.claims = {"sub": "somebody-else"}
    assert world.launch().reason == "ehr-user-changed"
    assert not world.rooms.opened
    assert world.outcomes[-1] == "ehr-user-changed"


def test_a_link_made_with_an_id_token_should_not_work_without_one(world: World) -> None:
    world.linked()
    world.ehr.failures.id_token = ""
    assert world.launch().reason == "identity-missing"


def test_a_clinician_is_named_by_fhir_user_where_that_was_approved(world: World) -> None:
    world.use(revision(user_source=UserSource()))
    world.launch(members={"epicUserId": "ignored"})
    world.press(world.sign_in())
    assert [user for _, user in world.stores.region.ehr_users.rows] == ["Practitioner/prac-vidal"]


def test_a_revision_approved_while_signing_in_should_end_it_before_linking(world: World) -> None:
    world.launch()
    page = world.sign_in()
    world.use(replace(revision(), number=2))
    assert world.press(page).reason == "flow-expired"
    assert not world.stores.region.ehr_users.rows


def lindqvist(world: World) -> Any:
    members = {"epicUserId": "EMP-88102"}
    return world.launch(user="Practitioner/prac-lindqvist", members=members)


def _both_linked(world: World) -> None:
    world.linked()
    world.entra.account = microsoft.account(microsoft.LINDQVIST)
    lindqvist(world)
    world.press(world.sign_in("entra-code-2"))
    world.rooms.opened.clear()


def test_on_a_shared_workstation_one_page_asks_before_teams(world: World) -> None:
    _both_linked(world)
    page = world.page(world.launch().location)
    assert "Continue as Dr. Elena Vidal" in page.text
    assert not world.rooms.opened
    assert teams(world.press(page).text)
    assert world.launch().location == "https://teams.example/provider", "asked once, not every time"


def test_the_page_asks_without_a_name_when_the_directory_is_down(world: World) -> None:
    _both_linked(world)
    world.people.down = True
    page = world.page(world.launch().location)
    assert "Continue with your own account" in page.text
    assert teams(world.press(page).text)


def test_one_unlinks_after_signing_in_to_microsoft_365(world: World) -> None:
    world.linked()
    route = {"connection": CONNECTION}
    first = world.browser.open(world.provider.accounts.account, ACCOUNT, route=route)
    assert first.location.startswith("https://login.example/")
    state = f"/launch/provider/signin/callback?code=c-9&state=entra-state-{len(world.entra.begun)}"
    back = world.browser.open(world.provider.accounts.signed_in, state)
    assert back.location == ACCOUNT
    page = world.browser.open(world.provider.accounts.account, ACCOUNT, route=route)
    assert "EMP-88101" in page.text
    assert "Dr. Elena Vidal" in page.text

    def post(user: str, origin: str = PUBLIC) -> Any:
        return world.browser.open(
            world.provider.accounts.account,
            ACCOUNT,
            method="POST",
            form={"ehr_user": user},
            headers={"origin": origin},
            route=route,
        )

    assert post("EMP-88101", "https://evil.example").reason == "cross-site"
    assert post("EMP-00000").reason == "not-found"
    assert post("EMP-88101").location == ACCOUNT
    assert not world.stores.region.ehr_users.rows
    assert world.stores.region.audit.rows[-1] == (microsoft.TENANT, microsoft.VIDAL, "ehr-user-unlinked")


def test_nobody_unlinks_somebody_else(world: World) -> None:
    _both_linked(world)
    route = {"connection": CONNECTION}
    world.browser.open(world.provider.accounts.account, ACCOUNT, route=route)
    number = len(world.entra.begun)
    url = f"/launch/provider/signin/callback?code=c-9&state=entra-state-{number}"
    world.browser.open(world.provider.accounts.signed_in, url)
    page = world.browser.open(world.provider.accounts.account, ACCOUNT, route=route)
    assert "EMP-88102" in page.text
    assert "EMP-88101" not in page.text
    shown = world.browser.open(
        world.provider.accounts.account,
        ACCOUNT,
        method="POST",
        form={"ehr_user": "EMP-88101"},
        headers={"origin": PUBLIC},
        route=route,
    )
    assert shown.reason == "not-found"
    assert len(world.stores.region.ehr_users.rows) == 2


def test_a_foreign_account_should_not_see_the_page_that_unlinks(world: World) -> None:
    world.linked()
    world.entra.account = microsoft.account(tenant=microsoft.FOREIGN)
    route = {"connection": CONNECTION}
    world.browser.open(world.provider.accounts.account, ACCOUNT, route=route)
    url = "/launch/provider/signin/callback?code=c-9&state=entra-state-2"
    assert world.browser.open(world.provider.accounts.signed_in, url).reason == "wrong-organization"


def test_the_word_in_the_records_address_chooses_the_view_and_nothing_else(world: World) -> None:
    world.linked()
    world.rooms.opened.clear()
    shown = world.launch(query=f"iss={BASE}&launch=l&open=view")
    assert re.fullmatch(rf"/launch/provider/{CONNECTION}/visit/[A-Za-z0-9_-]{{32}}", shown.location)
    assert not world.rooms.opened
