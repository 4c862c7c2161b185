"""Every sentence of every page is in a catalog, and every catalog is complete."""

import gettext
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from scripts import translations
from shared.pages import Pages
from shared.texts import LANGUAGES, Text, Together, catalog, say
from tests.config.house import ADMIN, ANALYST, NAMES, READER, Browser, House, beginning, forget_rooms

OPEN, CLOSE = "\u27e6", "\u27e7"
# Elements whose text is data or code, and attributes whose text people read or hear.
DATA = {"code", "pre", "time", "script", "style", "textarea"}
SAID = ("aria-label", "title", "placeholder", "alt")
VOID = {"input", "meta", "link", "img", "br", "hr"}
# What is the same in every language: names, numbers, codes, addresses and the marks between them.
SAME = re.compile(
    r"https?://\S+|\S+@\S+|[\w.-]+-[\w.%-]+|[a-z_]+=\S*|%[A-Z]+%|\d[\d:.-]*|UTC|R4|Antesala|English|Espa\u00f1ol"
    r"|\bEpic\b|\bSMART\b|RS384|ES384|[A-Z]{2,}|[\W_]+"
)


class Brackets(gettext.NullTranslations):
    """A language that says every message of the catalogs in brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message}{CLOSE}"

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)


class Reader(HTMLParser):
    """What a page says outside brackets, with where it stands."""

    def __init__(self, data: set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.bare: list[str] = []
        self._data = data
        self._quiet: list[bool] = []
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        for name in SAID:
            self._look(given.get(name, ""))
        if tag in VOID:
            return
        quiet = tag in DATA or given.get("translate") == "no" or "mono" in given.get("class", "").split()
        self._quiet.append(quiet or (bool(self._quiet) and self._quiet[-1]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self._quiet:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        if not (self._quiet and self._quiet[-1]):
            self._look(data)

    def _look(self, text: str) -> None:
        # Innermost first: a sentence may hold another one as a value.
        while (without := re.sub(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "", text)) != text:
            text = without
        for name in sorted(self._data, key=len, reverse=True):
            text = text.replace(name, " ")
        if left := SAME.sub(" ", text).strip():
            self.bare.append(left)


def bare(page: str, *data: str) -> list[str]:
    """The texts of a page that no catalog can translate."""
    reader = Reader({*NAMES.values(), *data})
    reader.feed(page)
    return reader.bare


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_message_is_translated(language: str) -> None:
    assert list(translations.faults(language, translations.template())) == []


def test_a_sentence_without_a_catalog_is_found() -> None:
    page = (
        f"<p>{OPEN}Good {OPEN}inner{CLOSE} day{CLOSE} Marisol Ibarra</p><p aria-label='Bad one'>Also bad</p>"
    )
    assert bare(page) == ["Bad one", "Also bad"]


@pytest.fixture
def bracketed(house: House) -> House:
    house.services.pages = Pages(catalogs=lambda _: Brackets())
    forget_rooms()
    return house


def states(house: House) -> Iterator[tuple[str, Browser, str]]:
    """A browser and a connection in each state, for administrator, approver and reader."""
    admin, approver, reader = (house.browser(person) for person in (ADMIN, ANALYST, READER))
    connection = admin.post("/config/connections/new", beginning(house.base)).location.split("/")[3]
    yield "empty draft", admin, connection
    house.base += "/2"
    house.ehr.serve(house.base)
    connection = house.begun(admin, kind="fhir")
    yield "draft", admin, connection
    yield "draft read", reader, connection
    house.base += "/3"
    house.ehr.serve(house.base)
    connection = house.submitted(admin)
    for who in (admin, approver, reader):
        yield "submitted", who, connection
    approver.post(f"/config/connections/{connection}/ehr", {})
    approver.get(f"/config/ehr/callback/{connection}?state=s&code=c")
    yield "verified", approver, connection
    approver.post(f"/config/connections/{connection}/reject", {"number": "1", "reason": "zzz"})
    yield "rejected", admin, connection
    house.base += "/4"
    house.ehr.serve(house.base)
    connection = house.in_service(admin)
    admin.save(connection, "visits", {"chat": "disabled"})
    for who in (admin, approver, reader):
        yield "in service with a newer draft", who, connection


PAGES = (
    "", "/edit/ehr", "/edit/writeback", "/edit/people", "/edit/visits", "/registration", "/records",
    "/checks", "/clinicians", "/launches", "/deadletters", "/history",
)  # fmt: skip


def test_every_page_of_a_connection_speaks_the_readers_language(bracketed: House) -> None:
    house = bracketed
    for state, browser, connection in states(house):
        for page in PAGES:
            shown = browser.get(f"/config/connections/{connection}{page}")
            assert bare(shown.text, "Sierra test", "zzz") == [], (state, page)


def test_every_other_page_speaks_the_readers_language(bracketed: House) -> None:
    house = bracketed
    admin = house.browser(ADMIN)
    pages = [house.browser().get("/config/signed-out"), house.browser().get("/config/organization")]
    pages += [
        admin.get(path) for path in ("/config/", "/config/connections/new", "/config/nothing/here/x")[:2]
    ]
    pages += [admin.get(f"/config/guide{tail}") for tail in ("", "/epic", "/oracle", "/fhir")]
    pages.append(admin.post("/config/connections/new", {}))
    pages.append(admin.get("/config/connections/" + "a" * 16))
    connection = house.begun(admin)
    pages += [admin.get("/config/"), admin.get(f"/config/connections/new?from={connection}")]
    wrong = {"version": "v", "action": "save", "visit_key": "<", "provider_client_id": "a b"}
    pages.append(admin.post(f"/config/connections/{connection}/edit/ehr", wrong))
    pages.append(admin.post(f"/config/connections/{connection}/edit/ehr", {"version": "v", "name": "Other"}))
    house.clock.advance(2 * 3600)
    pages.append(admin.post(f"/config/connections/{connection}/edit/ehr", {"name": "Late"}))
    for page in pages:
        assert bare(page.text, "Sierra test", "Other") == [], page.text[:400]


def test_problems_and_verdicts_speak_the_callers_language(bracketed: House) -> None:
    admin = bracketed.browser(ADMIN)
    problem = admin.call("POST", "/config/api/bases", {"fhir_base": 7}).json()
    assert [problem["title"][0], problem["detail"][0], problem["errors"][0]["detail"][0]] == [OPEN] * 3
    report = admin.call("POST", "/config/api/bases", {"fhir_base": "ehr.example/x"}).json()
    assert report["findings"][0]["text"].startswith(OPEN)


def test_the_browser_decides_until_the_reader_chooses(house: House) -> None:
    browser = house.browser()
    page = browser.get("/config/signed-out", **{"accept-language": "es-MX,es;q=0.9,en;q=0.5"})
    assert '<html lang="es">' in page.text
    assert '<html lang="en">' in browser.get("/config/signed-out", **{"accept-language": "fr, de"}).text
    chosen = browser.get("/config/language/es?return=/config/signed-out")
    assert chosen.location == "/config/signed-out"
    assert '<html lang="es">' in browser.get("/config/signed-out", **{"accept-language": "en"}).text
    assert browser.get("/config/language/es?return=https://evil.example").location == "/config/"
    assert browser.get("/config/language/xx").status == 404


def test_values_are_put_into_the_translated_sentence() -> None:
    inner = Text("%(name)s!", name="A")
    assert str(Text("%(who)s and %(n)s", who=inner, n=3)) == "A! and 3"
    assert str(Together(Text("One."), Text("Two."))) == "One. Two."
    assert str(Text("100 % sure")) == "100 % sure"
    # An empty message would be answered with a catalog's own header.
    assert say("", catalog("es").gettext) == ""
