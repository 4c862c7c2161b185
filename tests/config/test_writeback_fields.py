"""The step that says how the EHR is told: each adapter's options as fields, by form and by API."""

import re
from html import unescape
from typing import Any

import pytest

from config_function import fields, forms
from config_function.openapi import openapi
from shared.connection import Client, Revision, Writeback
from shared.ehr.catalogue import SHEETS
from shared.errors import FieldRefusal
from tests.config.house import ADMIN, Browser, House
from tests.config.test_api import made

REFUSED: list[tuple[str, str, Any]] = [
    ("epic", "user_system", "urn:oid:1"),
    ("epic", "Status_connected", "1"),
    ("epic", "status_connected", "1 2"),
    ("epic", "status_connected", "x" * 21),
    ("epic", "status_connected", 1),
    ("epic", "status_connected", None),
    ("epic", "type_patient", "1&ConnectionStatus=2"),
    ("epic", "parameter_user", "1st"),
    ("epic", "parameter_user", "a=b"),
    ("epic", "vendor_name", "<b>"),
    ("epic", "vendor_name", "two\nlines"),
    ("epic", "method", "DELETE"),
    ("epic", "method", "get"),
    ("epic", "auth", "Basic"),
    ("epic", "basic_user", "emp$1:x"),
    ("epic", "basic_user", "<b>"),
    ("epic", "interconnect_base", "http://ehr.test/"),
    ("epic", "interconnect_base", "https://user@ehr.test/"),
    ("epic", "interconnect_base", "https://ehr.test/?a=b"),
    ("epic", "interconnect_base", "https://[ehr"),
    ("epic", "path", "/a?b=c"),
    ("epic", "device_path", "/a?b=c"),
    ("epic", "device_works", "a b"),
    ("epic", "path", "//elsewhere.test/a"),
    ("epic", "path", "../a"),
    ("epic", "scope", "a  b"),
    ("epic", "scope", "a\tb"),
    ("epic", "scope", 'a"b'),
    ("epic", "scope", "x" * 201),
    ("oracle", "patient_connected", "fulfilled"),
    ("oracle", "patient_connected", "cancelled"),
    ("oracle", "provider_connected", "arrived"),
    ("oracle", "provider_disconnected", "noshow"),
    ("oracle", "took_place", "checked-in"),
    ("oracle", "patient_no_show", "fulfilled"),
    ("oracle", "method", "GET"),
    ("fhir", "outcome", "true"),
    ("fhir", "encounter_status", "finished"),
    ("fhir", "status_connected", "1"),
    ("fhir", "user_system", "no uri"),
    ("fhir", "user_system", "hospital"),
    ("fhir", "user_system", "urn:<b>"),
    ("none", "scope", "a"),
]


@pytest.mark.parametrize(("adapter", "name", "value"), REFUSED, ids=str)
def test_an_option_that_breaks_its_rule_is_refused_by_name(adapter: str, name: str, value: Any) -> None:
    for sent, saved in (({"adapter": adapter}, "none"), ({}, adapter)):
        with pytest.raises(FieldRefusal) as refused:
            fields.read({**sent, "writeback_options": {name: value}}, saved)
        assert set(refused.value.fields) == {f"writeback_options.{name}"}


def test_every_option_has_a_row_that_is_refused() -> None:
    tried = {(adapter, name) for adapter, name, _ in REFUSED}
    same_form = {
        "status_disconnected", "type_provider", "parameter_conference", "parameter_user_type",
        "parameter_vendor", "parameter_status", "parameter_device", "device_fails",
    }  # fmt: skip
    untried = {
        option.name
        for code, sheet in SHEETS.items()
        for option in sheet.options
        if (code, option.name) not in tried
    }
    assert untried == same_form | {"scope"}


def test_an_empty_option_sets_nothing() -> None:
    given = {"method": "", "status_connected": " ", "vendor_name": " Ours "}
    assert fields.read({"writeback_options": given}, "epic") == {"writeback_options": {"vendor_name": "Ours"}}


def test_another_adapter_begins_without_options() -> None:
    before = Revision("a" * 16, 1, "draft", "Sierra", writeback=Writeback("epic", {"scope": "a"}))
    assert fields.apply(before, {"adapter": "fhir"}).writeback == Writeback("fhir")
    assert fields.apply(before, {"adapter": "epic", "name": "New"}).writeback == before.writeback
    both = fields.apply(before, {"writeback_options": {"user_system": "urn:x"}, "adapter": "fhir"})
    assert both.writeback == Writeback("fhir", {"user_system": "urn:x"})


def saved(house: House, connection: str) -> Writeback:
    revision = house.stores.of(connection).connections.revision(connection, 1)
    assert revision is not None
    return revision.writeback


def posted(admin: Browser, connection: str, form: dict[str, str]) -> Any:
    path = f"/config/connections/{connection}/edit/writeback"
    return admin.post(path, {"version": admin.get(path).value("version"), **form})


def test_the_step_shows_every_option_of_every_adapter_with_what_is_usual(house: House) -> None:
    admin = house.browser(ADMIN)
    page = unescape(admin.get(f"/config/connections/{house.begun(admin)}/edit/writeback").text)
    for code, sheet in SHEETS.items():
        for option in sheet.options:
            assert re.search(rf'<label for="{code}-{option.name}">{option.label}</label>', page)
            assert option.hint in page
            usual = dict(option.choices).get(option.default, option.default)
            assert f"Usual: {usual}" in page or not usual
    assert "writeback.js" in page
    assert 'data-adapters="none" hidden' in page


def test_only_the_chosen_adapters_fields_are_read(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    form = {"epic-status_connected": "5", "epic-method": "GET", "fhir-user_system": "not read"}
    assert posted(admin, connection, {"adapter": "epic", **form}).status == 303
    assert saved(house, connection) == Writeback("epic", {"status_connected": "5", "method": "GET"})
    overview = admin.get(f"/config/connections/{connection}").text
    assert re.search(r"<dt>Status: connected</dt>\s*<dd><span translate=.no.>5", overview)
    assert "Status: disconnected" not in overview
    form["fhir-user_system"] = "urn:oid:1.2.3"
    assert posted(admin, connection, {"adapter": "fhir", **form}).status == 303
    assert saved(house, connection) == Writeback("fhir", {"user_system": "urn:oid:1.2.3"})


def test_a_wrong_option_is_marked_at_its_field_and_what_was_typed_stays(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    form = {"adapter": "epic", "epic-interconnect_base": "https://evil.example/x", "fhir-scope": "kept"}
    page = posted(admin, connection, form)
    assert page.status == 422
    assert '<a href="#epic-interconnect_base">Address before the path</a>' in page.text
    assert "on the FHIR base&#39;s own server" in page.text
    assert 'value="https://evil.example/x"' in page.text
    assert 'value="kept"' in page.text
    assert "<details open>" in page.text
    assert posted(admin, connection, {"epic-method": "DELETE"}).text.count('aria-invalid="true"') == 1
    assert saved(house, connection) == Writeback("epic")


def test_the_api_names_a_wrong_option_and_keeps_the_rest(house: House) -> None:
    admin = house.browser(ADMIN)
    document = made(house, admin)
    path = f"/config/api/connections/{document['id']}"

    def put(settings: dict[str, Any]) -> Any:
        return admin.call(
            "PUT", path, {"settings": settings}, if_match=admin.call("GET", path).headers["etag"]
        )

    options = {"status_connected": "1 2", "interconnect_base": "ftp://x", "surprise": "1"}
    refused = put({"writeback_options": options})
    assert refused.status == 422
    named = {error["field"] for error in refused.json()["errors"]}
    assert named == {f"writeback_options.{name}" for name in options}
    elsewhere = put({"writeback_options": {"interconnect_base": "https://evil.example"}})
    assert [error["field"] for error in elsewhere.json()["errors"]] == ["writeback_options.interconnect_base"]
    kept = put({"writeback_options": {"method": "GET"}}).json()["latest"]["settings"]
    assert kept["writeback_options"] == {"method": "GET"}
    assert put({"chat": "disabled"}).json()["latest"]["settings"]["writeback_options"] == {"method": "GET"}
    assert put({"adapter": "none"}).json()["latest"]["settings"]["writeback_options"] == {}


def test_without_write_back_no_client_is_asked_for(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    form = {"adapter": "none", "backend_client_id": "b", "backend_auth": "client_secret_basic"}
    assert posted(admin, connection, form).status == 303
    assert 'data-adapters="none"><p>' in admin.get(f"/config/connections/{connection}/edit/writeback").text
    assert "Still to be decided" not in admin.get(f"/config/connections/{connection}").text


def test_a_user_name_and_password_need_a_client_with_a_secret(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    assert posted(admin, connection, {"epic-auth": "basic", "epic-basic_user": "emp$1"}).status == 303
    page = admin.get(f"/config/connections/{connection}").text
    assert f'<a href="/config/connections/{connection}/edit/writeback#backend_auth">' in page
    form = {"epic-auth": "basic", "backend_auth": "client_secret_basic", "backend_secret": "s3cret-word"}
    assert posted(admin, connection, form).status == 303
    page = admin.get(f"/config/connections/{connection}").text
    assert "Still to be decided" not in page
    assert "s3cret-word" not in page


def test_a_base_that_does_not_show_the_way_must_be_completed_before_it_is_submitted(house: House) -> None:
    admin = house.browser(ADMIN)
    house.base = house.base.replace("/api/FHIR/R4", "/r4")
    house.ehr.serve(house.base)
    connection = house.begun(admin)
    page = admin.get(f"/config/connections/{connection}").text
    assert f'<a href="/config/connections/{connection}/edit/writeback#epic-interconnect_base">' in page
    home = house.base.removesuffix("/r4")
    assert posted(admin, connection, {"epic-interconnect_base": home}).status == 303
    assert "Still to be decided" not in admin.get(f"/config/connections/{connection}").text


def test_history_names_the_options_that_changed() -> None:
    before = Revision("a" * 16, 1, "draft", "Sierra", writeback=Writeback("epic", {"scope": "a"}))
    after = fields.apply(before, {"adapter": "fhir", "writeback_options": {"scope": "a"}, "name": "New"})
    changed = [(rule.name, old, new) for rule, old, new in forms.changes(before, after)]
    assert changed == [
        ("name", "Sierra", "New"),
        ("adapter", "Epic connection status", "FHIR AuditEvent"),
        ("epic-scope", "a", ""),
        ("fhir-scope", "", "a"),
    ]


def test_what_somebody_else_saved_stands_beneath_an_option(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}/edit/writeback"
    mine = admin.get(path).value("version")
    admin.save(connection, "writeback", {"adapter": "epic", "epic-status_connected": "7"})
    late = admin.post(path, {"version": mine, "adapter": "epic", "epic-status_connected": "5"})
    assert late.status == 409
    assert 'id="epic-status_connected" name="epic-status_connected" value="5"' in late.text
    assert '<strong><span translate="no">7</span></strong>' in late.text


def test_a_choice_that_is_gone_is_shown_and_refused(house: House) -> None:
    gone = Revision("a" * 16, 1, "draft", "Sierra", writeback=Writeback("gone"), backend=Client("b"))
    [group, *_] = forms.groups("writeback", gone)
    assert group.plain[0].value == "gone"
    admin = house.browser(ADMIN)
    page = posted(admin, house.begun(admin), {"adapter": "gone"})
    assert page.status == 422
    assert '<option value="gone" selected>gone</option>' in page.text


def test_the_openapi_document_describes_each_option() -> None:
    schemas = openapi("https://antesala.example")["components"]["schemas"]
    described = schemas["Settings"]["properties"]["writeback_options"]
    assert described["additionalProperties"] is False
    assert set(described["properties"]) == {
        option.name for sheet in SHEETS.values() for option in sheet.options
    }
    scope = described["properties"]["scope"]
    assert "Epic connection status" in scope["description"]
    assert "FHIR AuditEvent" in scope["description"]
    assert described["properties"]["method"]["enum"] == ["", "POST", "GET"]
    for sheet in SHEETS.values():
        for option in sheet.options:
            schema = described["properties"][option.name]
            assert not option.pattern or re.search(schema["pattern"], option.default)
