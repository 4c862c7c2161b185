"""Every field's length and characters, by the table; what is refused is named and kept."""

from typing import Any

import pytest

from config_function import fields
from config_function.field_rules import OBJECT_ID, RULES
from shared.connection import Revision
from shared.errors import FieldRefusal
from tests.config.house import ADMIN, ANALYST, House

EMPTY = Revision("a" * 16, 1, "draft", "Sierra")
PERSON = "11111111-aaaa-4aaa-8aaa-000000000001"

REFUSED: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "x" * 81),
    ("name", "<script>alert(1)</script>"),
    ("name", "two\nlines"),
    ("name", "\u2028"),
    ("name", 7),
    ("provider_client_id", "with space"),
    ("provider_client_id", "x" * 121),
    ("provider_client_id", "a\r\nSet-Cookie: b"),
    ("patient_client_id", "<b>"),
    ("backend_client_id", "\u00e4"),
    ("provider_auth", "anything"),
    ("backend_auth", "none"),
    ("provider_alg", "none"),
    ("provider_alg", "HS256"),
    ("provider_secret", "with space"),
    ("provider_secret", "x" * 257),
    ("visit_kind", "patient"),
    ("visit_key", "a b"),
    ("visit_key", "x" * 65),
    ("provider_user_key", "a=b"),
    ("patient_user_key", "%CSN%"),
    ("group", "maybe"),
    ("group", 1),
    ("issuers", ["http://ehr.sierra.example/DSTU2"]),
    ("issuers", ["https://user@ehr.sierra.example/"]),
    ("issuers", ["https://ehr.sierra.example/?a=b"]),
    ("frames", "http://ehr.sierra.example"),
    ("frames", "https://ehr.sierra.example/path"),
    ("frames", "https://*.sierra.example"),
    ("frames", "https://ehr.sierra.example; script-src *"),
    ("frames", "\n".join(f"https://ehr-{n}.sierra.example" for n in range(11))),
    ("issuers", "\n".join(f"https://ehr.sierra.example/{n}" for n in range(5))),
    ("adapter", "shell"),
    ("adapter", "Oracle"),
    ("writeback_options", "method=GET"),
    ("writeback_options", ["method"]),
    ("writeback_options", {f"a{n}": "b" for n in range(21)}),
    ("approver", "marisol@sierra.example"),
    ("approver", PERSON.upper()),
    ("organizers", [PERSON, "nobody"]),
    ("organizers", [f"11111111-aaaa-4aaa-8aaa-0000000000{n:02d}" for n in range(21)]),
    ("lobby", "everyone"),
    ("presenters", "everyone"),
    ("chat", ""),
    ("connected", "never"),
    ("window", "on"),
    ("opens_before", "1441"),
    ("opens_before", "-1"),
    ("opens_before", True),
    ("opens_before", 1.5),
    ("closes_after", "4"),
    ("closes_after", "1e3"),
    ("closes_after", "\u0663"),
    ("time_zone", "Nowhere/Else"),
    ("time_zone", "../../etc/passwd"),
    ("time_zone", ""),
    ("no_such_setting", "x"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=lambda part: str(part)[:30])
def test_a_value_that_breaks_its_rule_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(FieldRefusal) as refused:
        fields.read({name: value, "chat": "limited"} if name != "chat" else {name: value})
    assert set(refused.value.fields) == {name}


def test_every_field_has_a_row_that_refuses_something() -> None:
    tried = {name for name, _ in REFUSED}
    same_shape = {
        "patient_auth",
        "patient_alg",
        "backend_alg",
        "patient_secret",
        "backend_secret",
        "departments",
    }
    assert {rule.name for rule in RULES} - tried == same_shape


def test_what_a_form_shows_is_read_back_as_the_same() -> None:
    rich = fields.apply(
        EMPTY,
        fields.read(
            {
                "issuers": "https://a.example/DSTU2/\r\nhttps://a.example/R4",
                "organizers": [PERSON, PERSON],
                "window": "no,yes",
                "opens_before": "15",
            }
        ),
    )
    assert rich.issuers == ("https://a.example/DSTU2", "https://a.example/R4")
    assert rich.organizers == (PERSON,)
    for rule in RULES:
        if rule.path and rule.shape != "options":
            value = fields.get(rich, rule)
            assert fields.apply(EMPTY, fields.read({rule.name: fields.typed(rule, value)})) == fields.apply(
                EMPTY, {rule.name: value}
            )


def test_all_faults_are_named_at_once_and_what_was_typed_is_kept(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}/edit/visits"
    version = admin.get(path).value("version")
    page = admin.post(path, {"version": version, "opens_before": "soon", "closes_after": "1", "chat": "off?"})
    assert page.status == 422
    assert page.text.count('aria-invalid="true"') == 3
    assert 'value="soon"' in page.text


def test_script_in_any_text_is_shown_as_text(house: House) -> None:
    admin = house.browser(ADMIN)
    page = admin.post("/config/connections/new", {"name": "<script>x</script>", "fhir_base": '"><script>y'})
    assert page.status == 422
    assert "<script>x" not in page.text
    assert "<script>y" not in page.text


@pytest.mark.smart(23)
def test_a_secret_goes_to_the_vault_and_never_comes_back(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    admin.save(connection, "ehr", {"provider_auth": "client_secret_basic", "provider_secret": "s3cret-value"})
    [(name, kept)] = house.secrets.secrets.items()
    assert kept == "s3cret-value"
    assert name.startswith(f"ehr-{connection}-provider-")
    for path in (f"/config/connections/{connection}/edit/ehr", f"/config/api/connections/{connection}"):
        assert "s3cret-value" not in admin.get(path).text
    # Saved again without typing it, it stays; the next secret gets a name of its own.
    admin.save(connection, "ehr", {"name": "Renamed", "provider_secret": ""})
    revision = house.stores.of(connection).connections.revision(connection, 1)
    assert revision is not None
    assert revision.provider.secret_name == name
    admin.save(connection, "ehr", {"provider_secret": "another"})
    assert len(house.secrets.secrets) == 2


def test_two_people_saving_at_once_lose_nothing(house: House) -> None:
    admin, approver = house.browser(ADMIN), None
    connection = house.begun(admin)
    approver = house.browser(ANALYST)
    path = f"/config/connections/{connection}/edit/visits"
    mine, theirs = admin.get(path).value("version"), approver.get(path).value("version")
    assert approver.post(path, {"version": theirs, "time_zone": "Europe/Madrid"}).status == 303
    late = admin.post(path, {"version": mine, "time_zone": "Asia/Tokyo"})
    assert late.status == 409
    assert 'value="Asia/Tokyo"' in late.text
    assert '<strong><span translate="no">Europe/Madrid</span></strong>' in late.text
    again = admin.post(path, {"version": late.value("version"), "time_zone": "Asia/Tokyo"})
    assert again.status == 303


def test_other_forms_of_the_base_must_be_on_its_own_server(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}/edit/ehr"
    version = admin.get(path).value("version")
    for foreign in ("https://evil.example/fhir", "https://[evil"):
        assert admin.post(path, {"version": version, "issuers": foreign}).status == 422
    admin.save(connection, "ehr", {"issuers": house.base.replace("/R4", "/DSTU2")})


def test_an_object_id_is_lower_case_as_graph_writes_it() -> None:
    import re

    assert re.fullmatch(OBJECT_ID, PERSON)


def test_a_refused_change_leaves_no_secret_in_the_vault(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    one = f"/config/api/connections/{connection}"
    secret = {"provider_auth": "client_secret_basic", "provider_secret": "hidden-word"}
    version = admin.call("GET", one).headers["etag"]
    for wrong in ({"visit_kind": "encounter"}, {"issuers": ["https://elsewhere.example/R4"]}, {"chat": "?"}):
        answer = admin.call("PUT", one, {"settings": {**secret, **wrong}}, if_match=version)
        assert answer.status == 422, wrong
    assert admin.call("PUT", one, {"settings": secret}, if_match='"stale"').status == 409
    assert house.secrets.secrets == {}
    assert admin.call("PUT", one, {"settings": secret}, if_match=version).status == 200
    assert list(house.secrets.secrets.values()) == ["hidden-word"]


def test_a_form_asks_the_directory_once_whatever_was_typed_for_people(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}/edit/people"
    version = admin.get(path).value("version")
    asked: list[list[str]] = []

    def several(_: str, oids: list[str]) -> dict[str, Any]:
        asked.append(oids)
        return {}

    monkeypatch.setattr(house.microsoft, "several", several)
    monkeypatch.setattr(house.microsoft, "get", lambda _, oid: asked.append([oid]))
    words = ",".join(f"{number:x}" for number in range(3000))
    oids = [f"11111111-aaaa-4aaa-8aaa-{number:012x}" for number in range(100, 500)]
    typed = {"approver": f"x,{oids[0]},{oids[1]}", "organizers": f"{words},{','.join(oids[2:])}"}
    assert admin.post(path, {"version": version, "action": "search", **typed}).status == 200
    # The approver that is saved, the one that was typed, and as many organizers as there may be.
    assert asked == [[ANALYST, oids[0], *oids[2:22]]]
