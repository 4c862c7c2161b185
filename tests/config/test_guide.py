"""The guide is whole for every EHR, and what other pages link to is there."""

import re
from html import unescape

import pytest

from config_function.guide import CHAPTERS, MISTAKES
from config_function.kinds import KINDS
from config_function.wording import WORDING
from shared.connection import EhrKind
from shared.reasons import REASONS
from tests.config.house import ADMIN, ANALYST, READER, Browser, House, beginning

_LINK = re.compile(r'href="(/config/guide/\w+)?#([\w-]+)"')
_ID = re.compile(r'\bid="([^"]+)"')


def anchors(text: str) -> set[str]:
    """What a page may be entered at; each id once."""
    found = _ID.findall(text)
    assert len(found) == len(set(found))
    return set(found)


def pages_that_link(house: House, admin: Browser, kind: EhrKind) -> list[str]:
    """Overview, sheet and records of a connection in each state that it passes."""
    empty = admin.post(
        "/config/connections/new", beginning(house.base, kind=kind, environment="production")
    ).location.split("/")[3]
    connection = house.begun(admin, kind)
    path = f"/config/connections/{connection}"
    version = admin.get(path).value("version")
    seen = [admin.get(f"/config/connections/{empty}").text]
    seen += [admin.get(f"{path}{page}").text for page in ("", "/registration", "/records")]
    admin.post(f"{path}/submit", {"version": version})
    approver = house.browser(ANALYST)
    seen += [admin.get(path).text, approver.get(path).text]
    house.approve(approver, connection)
    seen += [admin.get(f"{path}{page}").text for page in ("", "/records")]
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_every_ehr_has_a_guide_with_every_chapter_and_mistake(house: House, kind: EhrKind) -> None:
    page = house.browser(ADMIN).get(f"/config/guide/{kind}")
    assert page.status == 200
    mistakes = (*MISTAKES, *WORDING[kind].mistakes)
    assert {chapter.name for chapter in CHAPTERS} <= anchors(page.text)
    assert {"context", "window", "troubleshooting", *(one.name for one in mistakes)} <= anchors(page.text)
    told = unescape(page.text)
    for sentence in WORDING[kind].sentences():
        assert sentence in told or sentence in WORDING[kind].attach.values(), sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_link_within_the_guide_leads_somewhere(house: House, kind: EhrKind) -> None:
    page = house.browser(ADMIN).get(f"/config/guide/{kind}").text
    wanted = {name for _, name in _LINK.findall(page)} - {"main"}
    assert {chapter.name for chapter in CHAPTERS} <= wanted
    assert wanted <= anchors(page)


@pytest.mark.parametrize("kind", KINDS)
def test_every_anchor_that_a_page_links_to_is_in_that_guide(house: House, kind: EhrKind) -> None:
    admin = house.browser(ADMIN)
    guide = anchors(admin.get(f"/config/guide/{kind}").text)
    wanted = set()
    for text in pages_that_link(house, admin, kind):
        for path, name in _LINK.findall(text):
            if path:
                assert path == f"/config/guide/{kind}"
                wanted.add(name)
    assert wanted >= {"register", "policy", "approve", "records", "check", "production", "troubleshooting"}
    assert wanted <= guide


def test_the_guide_names_the_apps_own_id_in_the_powershell_lines(house: House) -> None:
    page = unescape(house.browser(ADMIN).get("/config/guide/epic").text)
    assert f'New-CsApplicationAccessPolicy -Identity Antesala -AppIds "{house.settings.client_id}"' in page
    assert 'Grant-CsApplicationAccessPolicy -PolicyName Antesala -Identity "<object ID>"' in page


@pytest.mark.parametrize("person", [ADMIN, READER, ANALYST])
def test_whoever_is_signed_in_finds_the_guide_in_the_header(house: House, person: str) -> None:
    browser = house.browser(person)
    assert 'href="/config/guide"' in browser.get("/config/").text
    index = browser.get("/config/guide").text
    assert all(f'href="/config/guide/{kind}"' in index for kind in KINDS)


def test_nobody_reads_the_guide_without_a_session(house: House) -> None:
    for path in ("/config/guide", "/config/guide/epic"):
        assert house.browser().get(path).status in (302, 303)


def test_there_is_no_guide_for_an_unknown_ehr(house: House) -> None:
    assert house.browser(ADMIN).get("/config/guide/abacus").status == 404


def test_mistakes_name_reason_codes_that_exist_and_say_them_in_the_sign() -> None:
    every = [*MISTAKES, *(one for words in WORDING.values() for one in words.mistakes)]
    for mistake in every:
        assert set(mistake.codes) <= set(REASONS), mistake.name
        named = set(re.findall(r"[a-z]+(?:-[a-z]+)+", mistake.sign)) & set(REASONS)
        assert named <= set(mistake.codes), mistake.name


def test_the_records_page_tells_of_a_newer_revision_that_changes_them(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    path = f"/config/connections/{connection}/records"
    assert "would change these records" not in admin.get(path).text
    admin.save(connection, "visits", {"chat": "disabled"})
    assert "would change these records" not in admin.get(path).text
    admin.save(connection, "ehr", {"patient_client_id": "patient-2"})
    page = admin.get(path).text
    assert "Revision 2 is not approved yet and would change these records:" in page
    assert "<li>Patient: begin the visit</li>" in page
    assert "<li>Clinician: begin the visit</li>" not in page
    assert "patient-2" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_the_sheet_says_how_in_the_ehrs_own_words(house: House, kind: EhrKind) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin, kind)
    sheet = unescape(admin.get(f"/config/connections/{connection}/registration").text)
    assert KINDS[kind].registry in sheet
    assert all(step in sheet for step in WORDING[kind].register)
    assert all(audience in sheet for audience in list(WORDING[kind].audiences.values())[:2])


def test_a_newcomer_is_told_who_does_what_next_in_every_state(house: House) -> None:
    admin = house.browser(ADMIN)
    new = admin.post("/config/connections/new", beginning(house.base)).location.split("/")[3]
    draft = admin.get(f"/config/connections/{new}").text
    assert all(who in draft for who in ("EHR analyst", "Administrator", "Teams administrator"))
    assert f"/config/connections/{new}/registration" in draft
    reader = house.browser(READER).get(f"/config/connections/{new}").text
    assert "Still to be decided:" in reader
    assert f"/config/connections/{new}/edit" not in reader
