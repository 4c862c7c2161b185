"""SetExternalConnectionStatus: the parameters, and every option of them."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ehr.epic_options import SHEET
from shared.errors import AnswerRefused, StatusRefused
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
