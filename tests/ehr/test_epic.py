"""SetExternalConnectionStatus: the parameters, and every option of them."""

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from shared.connection import Client
from shared.ehr.epic_options import SHEET
from shared.errors import AnswerRefused, NoToken, StatusRefused
from tests.ehr.line import Desk, adapters, answer, approved, telling
from tests.fakes import FakeClock, MemorySecrets

PATH = "/api/epic/2018/Telehealth/ContextLinking/SetExternalConnectionStatus"


def told(desk: Desk, options: dict[str, str] | None = None, **changes: Any) -> None:
    one = approved("epic", **(options or {}))
    registry = adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))
    registry.of(one).tell(one, telling(user="WPR-1", **changes))


@pytest.mark.parametrize(
    ("role", "status", "kind", "code"),
    [
        ("provider", "connected", "1", "1"),
        ("provider", "disconnected", "1", "2"),
        ("patient", "connected", "2", "1"),
        ("patient", "disconnected", "2", "2"),
    ],
)
def test_parameters(role: str, status: str, kind: str, code: str) -> None:
    desk = Desk()
    told(desk, role=role, status=status)
    sent = desk.told[0]
    assert (sent.method, sent.url, sent.query) == ("POST", f"https://ehr.test/interconnect{PATH}", None)
    assert sent.headers["Epic-Client-ID"] == "backend-1"
    assert sent.form == {
        "ConferenceID": "880014417731",
        "ExternalID": "WPR-1",
        "ExternalIDType": kind,
        "VendorName": "Antesala",
        "ConnectionStatus": code,
    }


def test_the_unattributed_are_not_told_as_a_person() -> None:
    desk = Desk()
    told(desk, role="unattributed")
    assert not desk.told
    assert not desk.tokens


def test_every_part_is_an_option() -> None:
    desk = Desk()
    options = {
        "interconnect_base": "https://ehr.test/other/",
        "path": "status/set",
        "method": "get",
        "parameter_conference": "A",
        "parameter_user": "B",
        "parameter_user_type": "C",
        "parameter_vendor": "D",
        "parameter_status": "E",
        "type_patient": "9",
        "status_connected": "yes",
        "vendor_name": "Ours",
    }
    told(desk, options)
    sent = desk.told[0]
    assert (sent.method, sent.url, sent.form) == ("GET", "https://ehr.test/other/status/set", None)
    assert sent.query == {"A": "880014417731", "B": "WPR-1", "C": "9", "D": "Ours", "E": "yes"}
    assert set(options) <= set(SHEET.values({}))


def test_a_base_that_does_not_show_the_way_and_a_strange_method_are_refused() -> None:
    desk = Desk()
    one = approved("epic")
    elsewhere = replace(one, connection=replace(one.connection, fhir_base="https://ehr.test/r4"))
    registry = adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))
    with pytest.raises(AnswerRefused):
        registry.of(elsewhere).tell(elsewhere, telling())
    with pytest.raises(AnswerRefused):
        told(desk, {"method": "DELETE"})
    assert not desk.told


def test_a_refusal_keeps_the_code_and_nothing_else() -> None:
    text = "An error occurred while executing the command: INVALID-EXTERNALID details: WPR-1 is unknown."
    with pytest.raises(StatusRefused) as refused:
        told(Desk(answers=[answer(400, {"ExceptionMessage": text})]))
    assert refused.value.code == "INVALID-EXTERNALID"
    assert "WPR-1" not in str(refused.value)


def test_no_token_should_go_to_a_host_that_nobody_approved() -> None:
    desk = Desk()
    with pytest.raises(AnswerRefused):
        told(desk, {"interconnect_base": "https://elsewhere.test/interconnect"})
    assert not desk.told


BASIC = {"auth": "basic", "basic_user": "emp$88101"}


def authorization(desk: Desk) -> str:
    kind, _, pair = desk.told[0].headers["Authorization"].partition(" ")
    assert kind == "Basic"
    return b64decode(pair).decode()


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_user_name_goes_with_the_backend_clients_secret_and_no_token(method: str) -> None:
    desk = Desk()
    told(desk, BASIC | {"method": method})
    assert authorization(desk) == "emp$88101:s3cret"
    assert desk.told[0].headers["Epic-Client-ID"] == "backend-1"
    assert ("s3cret" in f"{desk.told[0].url} {desk.told[0].form} {desk.told[0].query}") is False
    assert not desk.tokens


def test_a_call_with_a_password_has_its_limits() -> None:
    desk = Desk()
    told(desk, BASIC)
    assert 0 < desk.told[0].timeout <= 15


def test_the_client_id_is_the_user_name_where_none_is_set() -> None:
    desk = Desk()
    told(desk, {"auth": "basic"})
    assert authorization(desk) == "backend-1:s3cret"


def test_a_password_should_go_to_no_host_that_nobody_approved() -> None:
    desk = Desk()
    with pytest.raises(AnswerRefused):
        told(desk, BASIC | {"interconnect_base": "https://elsewhere.test/interconnect"})
    assert not desk.told


# A left-over secret of a client that authenticates with our keys is no password either: that is an option set
# wrong. A secret that is not stored yet is one that people will store: until then it is tried again.
@pytest.mark.parametrize(
    ("client", "kind"),
    [
        (Client("b", secret_name="backend-secret"), AnswerRefused),
        (Client("b", "client_secret_basic", secret_name="lost"), NoToken),
    ],
)
def test_without_a_secret_nothing_is_sent(client: Client, kind: type[AnswerRefused]) -> None:
    desk = Desk()
    one = approved("epic", **BASIC)
    one = replace(one, revision=replace(one.revision, backend=client))
    registry = adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))
    with pytest.raises(AnswerRefused) as refused:
        registry.of(one).tell(one, telling())
    assert type(refused.value) is kind
    assert not desk.told


@pytest.mark.parametrize(("status", "transient"), [(401, False), (307, False), (429, True), (503, True)])
def test_a_refused_password_is_not_tried_again_and_shown_to_nobody(
    status: int, transient: bool, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(answers=[answer(status, retry_after="7")])
    with caplog.at_level("DEBUG"), pytest.raises(StatusRefused) as refused:
        told(desk, BASIC)
    assert (refused.value.transient, refused.value.retry_after, len(desk.told)) == (transient, 7.0, 1)
    assert not any(word in f"{refused.value!r} {caplog.text}" for word in ("s3cret", "emp$", "WPR-1"))


def test_no_option_makes_epic_hear_what_a_visit_amounted_to() -> None:
    every = {option.name: option.default for option in SHEET.options if option.default}
    registry = adapters(Desk(), FakeClock(), MemorySecrets())
    assert registry.outcome(approved("epic", **every)) is None
