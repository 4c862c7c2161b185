"""The live look at a FHIR base: each wrong one gets the sentence that says what to change."""

from typing import Any

import pytest

from config_function.bases import Bases
from shared.errors import AnswerRefused
from shared.outbound import Answer
from shared.smart.discovery import Discovery
from tests.config.house import ADMIN, Ehr, House, beginning
from tests.fakes import FakeClock

HOME = "https://ehr.sierra.example"


def bases(**pages: Any) -> tuple[Bases, Ehr]:
    ehr = Ehr()
    ehr.serve(f"{HOME}/R4")
    ehr.serve(f"{HOME}/DSTU2", "1.0.2")
    ehr.serve(f"{HOME}/STU3", "3.0.2")
    ehr.serve(f"{HOME}/api/FHIR/R4")
    ehr.serve(f"{HOME}/other/DSTU2", "1.0.2")
    ehr.serve(f"{HOME}/oracle/dstu2/tenant", "1.0.2")
    ehr.serve(f"{HOME}/oracle/r4/tenant")
    ehr.pages |= {f"{HOME}{path}": page for path, page in pages.items()}
    return Bases(ehr, Discovery(ehr, FakeClock())), ehr  # type: ignore[arg-type]


WRONG = [
    ("", "Enter the FHIR base", ""),
    ("not an address", "without ? or #", ""),
    (f"{HOME}/R4?x=1", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/R4#x", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/R4/Patient/123?_format=json", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/R4/Practitioner", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/r4 ?x", "without ? or #", ""),
    ("https://user:pw@ehr.sierra.example/R4", "without ? or #", ""),
    ("https://" + "x" * 300, "without ? or #", ""),
    ("javascript:alert(1)", "without ? or #", ""),
    ("http://ehr.sierra.example/R4", "must begin with https", f"{HOME}/R4"),
    ("ehr.sierra.example/R4", "must begin with https", f"{HOME}/R4"),
    (f"{HOME}/R4/metadata", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/R4/.well-known/smart-configuration", "page below the base", f"{HOME}/R4"),
    (f"{HOME}/DSTU2", "DSTU2 base", f"{HOME}/R4"),
    (f"{HOME}/STU3/", "STU3 base", f"{HOME}/R4"),
    ("https://inside.sierra.example/fhir", "inside a private network", ""),
    ("https://10.0.0.8/fhir", "inside a private network", ""),
    ("https://nobody.example/fhir", "does not answer", ""),
    (f"{HOME}/api/FHIR", "answered 404", f"{HOME}/api/FHIR/R4"),
    # A sibling that does not answer is not offered.
    (f"{HOME}/other/DSTU2", "DSTU2 base", ""),
    (f"{HOME}/oracle/dstu2/tenant", "DSTU2 base", f"{HOME}/oracle/r4/tenant"),
]


@pytest.mark.parametrize(("typed", "says", "suggestion"), WRONG, ids=lambda part: str(part)[:40])
def test_a_wrong_base_gets_its_own_sentence(typed: str, says: str, suggestion: str) -> None:
    looked, _ = bases()
    report = looked.inspect(typed, "fhir")
    assert not report.usable
    assert says in str(report.fault)
    assert report.suggestion == suggestion


def test_a_right_base_is_kept_without_its_last_slash() -> None:
    looked, _ = bases()
    report = looked.inspect(f" {HOME}/R4/ ", "fhir")
    assert report.usable
    assert report.base == f"{HOME}/R4"
    assert [finding.verdict for finding in report.findings] == ["ok", "ok"]


def test_a_page_that_is_no_fhir_is_told_apart() -> None:
    looked, ehr = bases()
    ehr.pages[f"{HOME}/web/metadata"] = b"<html>"
    assert "not with FHIR metadata" in str(looked.inspect(f"{HOME}/web", "fhir").fault)
    ehr.pages[f"{HOME}/other/metadata"] = {"resourceType": "Patient"}
    assert "not with FHIR metadata" in str(looked.inspect(f"{HOME}/other", "fhir").fault)


def test_fhir_without_smart_cannot_be_used() -> None:
    looked, ehr = bases()
    ehr.pages[f"{HOME}/bare/metadata"] = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    assert "SMART sign-in endpoints" in str(looked.inspect(f"{HOME}/bare", "fhir").fault)


def test_a_look_at_a_base_that_fails_takes_nothing_from_those_who_launch_there() -> None:
    clock, ehr = FakeClock(), Ehr()
    ehr.serve(f"{HOME}/R4")
    discovery = Discovery(ehr, clock)  # type: ignore[arg-type]
    kept = discovery.get(f"{HOME}/R4")
    clock.advance(7_200)
    ehr.pages[f"{HOME}/R4/.well-known/smart-configuration"] = Answer(503)
    assert not Bases(ehr, discovery).inspect(f"{HOME}/R4", "fhir").usable  # type: ignore[arg-type]
    assert discovery.get(f"{HOME}/R4") == kept


def test_an_oversized_answer_is_cut_off() -> None:
    class Flood(Ehr):
        def send(self, method: str, url: str, **given: Any) -> Any:
            assert given["max_bytes"] <= 8_000_000
            raise AnswerRefused("too large")

    flood = Flood()
    report = Bases(flood, Discovery(flood, FakeClock())).inspect(f"{HOME}/R4", "fhir")  # type: ignore[arg-type]
    assert "not with FHIR metadata" in str(report.fault)


def test_one_base_is_connected_once_per_environment(house: House) -> None:
    admin = house.browser(ADMIN)
    house.begun(admin)
    assert "already connects this base" in admin.post("/config/connections/new", beginning(house.base)).text
    other = beginning(house.base, environment="production")
    assert admin.post("/config/connections/new", other).status == 303


@pytest.mark.parametrize(
    ("address", "environment", "warned"),
    [
        ("https://fhir-test.sierra.example/R4", "production", True),
        ("https://fhir.sierra.example/interconnect-nonprod/R4", "production", True),
        ("https://fhir-test.sierra.example/R4", "test", False),
        ("https://fhir-test.sierra.example/R4", "", False),
        # The letters alone are no word.
        ("https://latest.sierra.example/R4", "production", False),
    ],
)
def test_a_test_system_chosen_as_production_is_pointed_out(
    address: str, environment: str, warned: bool
) -> None:
    looked, ehr = bases()
    ehr.serve(address)
    report = looked.inspect(address, "fhir", environment)
    assert report.usable
    assert ("test system" in str(report.findings[-1].text)) is warned


@pytest.mark.parametrize(("path", "warned"), [("/interconnect/api/FHIR/R4", False), ("/fhir", True)])
def test_an_address_that_is_not_like_epics_is_pointed_out(path: str, warned: bool) -> None:
    looked, ehr = bases()
    ehr.serve(f"{HOME}{path}")
    report = looked.inspect(f"{HOME}{path}", "epic")
    assert report.usable
    assert ("another EHR" in str(report.findings[-1].text)) is warned
