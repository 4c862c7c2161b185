"""A new organization lets the app in: consent by its administrator, in words, and believed by nobody."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from shared.errors import Refusal
from tests.config.house import ADMIN, PUBLIC, Browser, House, Page

TENANT = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"
GIVEN = "Microsoft 365 took your consent."


def begun(browser: Browser) -> str:
    """The state under which the browser went to Microsoft 365."""
    return parse_qs(urlsplit(browser.get("/config/organization/consent").location).query)["state"][0]


def back(browser: Browser, state: str, **query: str) -> Page:
    return browser.get(f"/config/organization/callback?{urlencode({'state': state, **query})}")


def test_the_page_is_open_and_names_three_steps(house: House) -> None:
    page = house.browser().get("/config/organization")
    assert page.status == 200
    assert len(re.findall("<h2>", page.text)) == 3
    assert 'href="/config/organization/consent"' in page.text
    assert 'href="/config/signin"' in page.text


def test_consent_is_asked_of_any_organization_for_everything_registered(house: House) -> None:
    browser = house.browser()
    away = urlsplit(browser.get("/config/organization/consent").location)
    assert f"{away.scheme}://{away.netloc}{away.path}" == (
        f"{house.settings.login_url}/organizations/v2.0/adminconsent"
    )
    query = parse_qs(away.query, strict_parsing=True)
    state = query.pop("state")[0]
    assert len(state) >= 43
    assert query == {
        "client_id": [house.settings.client_id],
        "scope": [f"{house.settings.graph_url}/.default"],
        "redirect_uri": [f"{PUBLIC}/config/organization/callback"],
    }
    assert list(browser.cookies) == [f"__Host-consent-{state}"]
    assert state not in browser.cookies[f"__Host-consent-{state}"]


def test_given_consent_leads_to_the_sign_in(house: House) -> None:
    browser = house.browser()
    page = back(browser, begun(browser), admin_consent="True", tenant=TENANT.upper(), scope="x")
    assert page.status == 200
    assert GIVEN in page.text
    assert f'data-copy="{TENANT}"' in page.text
    assert browser.cookies == {}


def test_the_answer_says_the_same_of_organizations_that_are_listed_and_that_are_not(house: House) -> None:
    """Anybody may write an address with somebody's tenant ID into it, to learn who is a customer here."""
    texts = []
    for tenant in (house.tenant, TENANT):
        browser = house.browser()
        page = back(browser, begun(browser), admin_consent="True", tenant=tenant)
        texts.append(page.text.replace(tenant, "-"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"error": "access_denied", "error_description": "AADSTS65004: User declined."}, "declined, or"),
        ({"error": "consent_required"}, "Ask such a person to open this page"),
        ({"error": "interaction_required"}, "Ask such a person to open this page"),
        ({"error": "unauthorized_client"}, "any organizational directory"),
        ({"error": "temporarily_unavailable"}, "in a few minutes"),
        ({"error": "server_error"}, "in a few minutes"),
        ({"error": "something_new"}, "Microsoft 365 reported an error"),
        # An error counts even beside the mark that every answer of this endpoint carries.
        ({"error": "access_denied", "admin_consent": "True", "tenant": TENANT}, "declined"),
        ({"admin_consent": "False"}, "were not given"),
        ({}, "were not given"),
    ],
    ids=str,
)
def test_what_went_wrong_is_said_in_plain_words(house: House, query: dict[str, str], words: str) -> None:
    browser = house.browser()
    page = back(browser, begun(browser), **query)
    assert page.status == 200
    assert words in page.text
    assert GIVEN not in page.text


@pytest.mark.parametrize(
    "query",
    [
        {"admin_consent": "True", "tenant": "Zephyrina-Quillfeather"},
        {"admin_consent": "True", "tenant": "<script>Zephyrina-Quillfeather</script>"},
        {"admin_consent": "True", "tenant": f"{TENANT}Zephyrina-Quillfeather"},
        {"error": "Zephyrina-Quillfeather"},
        {"error": "access_denied", "error_description": "Call Zephyrina-Quillfeather at AADSTS1"},
        {"error": "access_denied", "error_subcode": "Zephyrina-Quillfeather"},
    ],
    ids=str,
)
def test_nothing_of_a_strangers_text_is_shown(house: House, query: dict[str, str]) -> None:
    browser = house.browser()
    page = back(browser, begun(browser), **query)
    assert "Zephyrina" not in page.text
    assert "data-copy" not in page.text


def test_entras_own_number_is_shown_to_look_it_up(house: House) -> None:
    browser = house.browser()
    page = back(browser, begun(browser), error="access_denied", error_description="AADSTS65004: Declined.")
    assert "access_denied AADSTS65004" in page.text


@pytest.mark.parametrize("whose", ["none", "malformed", "another browser", "used", "late", "sign-in"])
def test_an_answer_that_this_browser_did_not_ask_for_shows_nothing_of_itself(
    house: House, whose: str
) -> None:
    browser = house.browser()
    state = begun(browser)
    if whose == "none":
        state = ""
    elif whose == "malformed":
        state = "a b/../c"
    elif whose == "another browser":
        state = begun(house.browser())
    elif whose == "used":
        back(browser, state, admin_consent="True")
    elif whose == "late":
        house.clock.advance(3_601)
    else:
        # A cookie of the sign-in under the name of one of ours.
        browser.get("/config/signin")
        (name,) = (one for one in browser.cookies if "portal-signin" in one)
        browser.cookies[f"__Host-consent-{state}"] = browser.cookies[name]
    page = back(browser, state, admin_consent="True", tenant=TENANT)
    assert page.status == 400
    assert GIVEN not in page.text
    assert TENANT not in page.text
    assert "start again with step 2" in page.text


def test_an_hour_is_enough_to_find_somebody_who_may_consent(house: House) -> None:
    browser = house.browser()
    state = begun(browser)
    house.clock.advance(3_590)
    assert GIVEN in back(browser, state, admin_consent="True").text


def test_consent_opens_no_session(house: House) -> None:
    browser = house.browser()
    back(browser, begun(browser), admin_consent="True", tenant=house.tenant)
    assert browser.get("/config/").location.startswith("/config/signin")


def test_who_is_of_no_listed_organization_is_led_to_the_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(*_: object) -> None:
        raise Refusal("wrong-organization")

    monkeypatch.setattr(house.microsoft, "finish", finish)
    browser = house.browser()
    state = browser.get("/config/signin").location.rpartition("=")[2]
    page = browser.get(f"/config/signin/callback?code=good&state={state}")
    assert page.status == 403
    assert 'href="/config/organization"' in page.text
    assert 'href="/config/signin"' in page.text


def test_the_signed_out_page_leads_to_it(house: House) -> None:
    admin = house.browser(ADMIN)
    page = admin.get(admin.post("/config/signout", {}).location)
    assert 'href="/config/organization"' in page.text
