"""The guides of the EHRs give the values that the portal would give, under the names that it gives them."""

from dataclasses import replace

import pytest

from config_function import fields
from config_function.kinds import KINDS
from config_function.records import Addresses, Record, Registration, records, registration
from shared.connection import Approved, Connection, EhrKind, Revision
from shared.ehr.catalogue import SHEETS
from shared.ehr.oracle import BEFORE
from tests.docs.reading import bold, code, read, rows, section
from tests.docs.said import is_said

GUIDES: dict[EhrKind, str] = {
    "epic": "docs/epic.md",
    "oracle": "docs/oracle-health.md",
    "fhir": "docs/smart-on-fhir.md",
}
GUIDED = pytest.mark.parametrize("kind", sorted(GUIDES))
OTHERS = ("docs/operations.md", "docs/troubleshooting.md")
HOST = Addresses("https://<host>", "https://<host>")
PLACE = {"epic": "<test>", "oracle": "<connection>", "fhir": "<connection>"}


def beginning(kind: EhrKind) -> tuple[Connection, Revision]:
    """A new connection of this kind, as the portal begins it, with group visits."""
    connection = Connection(PLACE[kind], "t", "emea", "test", kind, KINDS[kind].base_example, "", approved=1)
    empty = Revision(connection.id, 1, "draft", "Main hospital")
    return connection, replace(fields.apply(empty, fields.read(KINDS[kind].defaults)), group=True)


def sheet_of(kind: EhrKind) -> tuple[Registration, ...]:
    return registration(HOST, *beginning(kind))


def records_of(kind: EhrKind) -> tuple[Record, ...]:
    return records(HOST, Approved(*beginning(kind)))


@GUIDED
def test_a_guide_should_give_every_value_of_the_registration_sheet(kind: EhrKind) -> None:
    text = read(GUIDES[kind])
    for client in sheet_of(kind):
        values = (*client.redirect_uris, client.jwks_url, client.scopes, client.launch_url, *client.apis)
        missing = [value for value in values if value and f"`{value}`" not in text]
        # Epic's apps have no launch URL; under which name Epic lists its service is not public.
        allowed = {client.launch_url, "SetExternalConnectionStatus"} if kind == "epic" else set()
        assert set(missing) <= allowed, client.client


@GUIDED
def test_a_guide_should_give_no_other_scopes(kind: EhrKind) -> None:
    table = next(cells for cells in rows(read(GUIDES[kind])) if cells[0] in ("Scopes", "scope"))
    assert [code(cell) for cell in table[1:]] == [client.scopes for client in sheet_of(kind)]


def test_the_epic_guide_should_give_every_record_with_its_context_string() -> None:
    table = {row[0]: row[1:] for row in rows(section(read(GUIDES["epic"]), "5. Build the records"))}
    given = {record.name: (f"`{record.launch_url}`", f"`{record.context}`") for record in records_of("epic")}
    assert table == given
    for name, value in records_of("epic")[0].mnemonics:
        assert f"`{name}`" in read(GUIDES["epic"])
        if name == "PROTECTED":
            assert f"`{name}` = `{value}`" in read(GUIDES["epic"])


@pytest.mark.parametrize("kind", ["oracle", "fhir"])
def test_the_records_of_other_ehrs_should_open_what_the_guide_says(kind: EhrKind) -> None:
    text = read(GUIDES[kind])
    for record in records_of(kind):
        address, _, opens = record.launch_url.partition("?")
        assert f"`{address}`" in text
        assert not opens or kind == "fhir" or f"`?{opens}`" in text
        assert not record.context


@GUIDED
def test_a_guide_should_name_every_option_of_the_write_back_with_what_is_usual(kind: EhrKind) -> None:
    table = [row for row in rows(read(GUIDES[kind])) if row[0] in {one.label for one in SHEETS[kind].options}]
    # What is usual may be empty and said in words instead.
    given = {
        row[0]: code(row[1]) if row[1].startswith("`") and row[1].count("`") == 2 else "" for row in table
    }
    assert given == {one.label: one.default for one in SHEETS[kind].options}


def test_the_oracle_guide_should_give_the_moves_that_are_permitted() -> None:
    table = {row[0]: row[2] for row in rows(section(read(GUIDES["oracle"]), "6. What is written back"))}
    words = {"booked": "booked", "arrived": "arrived", "checked-in": "checked-in"}
    for option in SHEETS["oracle"].options:
        for target, _ in option.choices[1:]:
            before = [words[status] for status in words if status in BEFORE[target]]
            assert f"`{target}` from {' or '.join(before)}" in table[option.label]


@pytest.mark.parametrize("document", [*GUIDES.values(), *OTHERS])
def test_what_a_guide_prints_bold_should_be_a_name_of_the_portal(document: str) -> None:
    text = read(document)
    names = {words for words in bold(text) if not f"**{words}**".endswith(".**") or is_said(words)}
    assert len(names) > 5
    assert [words for words in names if not is_said(words)] == []
