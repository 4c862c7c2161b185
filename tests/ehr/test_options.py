"""The adapters' option tables: sound in themselves, and light enough to draw a form from."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from config_function.field_rules import OPTION_RULES, RULES
from shared.connection import Writeback
from shared.ehr.catalogue import SHEETS, WRITING
from shared.ehr.epic_options import interconnect_of
from shared.ehr.options import Option
from shared.ehr.scopes import backend_scope
from tests.ehr.line import Desk, adapters, approved
from tests.fakes import FakeClock, MemorySecrets

OPTIONS = [(code, option) for code, sheet in SHEETS.items() for option in sheet.options]
EPIC_BASE = "https://ehr.test/interconnect/api/FHIR/R4"


@pytest.mark.parametrize(("code", "option"), OPTIONS, ids=lambda part: getattr(part, "name", part))
def test_an_option_says_what_it_is_and_takes_its_own_default(code: str, option: Option) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", option.name)
    assert option.label
    assert option.hint.endswith(".")
    assert option.says.endswith(".")
    assert bool(option.pattern) != bool(option.choices)
    if option.choices:
        assert option.default in dict(option.choices)
    elif option.default:
        assert re.fullmatch(option.pattern, option.default)
        assert len(option.default) <= option.most


def test_every_adapter_of_the_catalogue_is_built_and_can_be_chosen() -> None:
    registry = adapters(Desk(), FakeClock(), MemorySecrets())
    one = approved("fhir")
    for code in SHEETS:
        revision = replace(one.revision, writeback=Writeback(code))
        assert registry.of(replace(one, revision=revision)).semantics in ("state", "event")
    choices = next(rule.choices for rule in RULES if rule.name == "adapter")
    assert choices == tuple((code, sheet.label) for code, sheet in SHEETS.items())
    assert set(SHEETS) - set(WRITING) == {"none"}


def test_every_adapter_that_writes_asks_for_a_scope() -> None:
    assert all(backend_scope(Writeback(code)) for code in WRITING)
    assert backend_scope(Writeback("epic", {"scope": "system/Other.read"})) == "system/Other.read"
    assert backend_scope(Writeback("none")) == backend_scope(Writeback("left-over")) == ""


def test_a_form_is_drawn_without_the_code_that_calls_out() -> None:
    code = "import sys, config_function.field_rules; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "shared.ehr.epic_options" in loaded
    adapters_own = {f"shared.ehr.{name}" for name in ("epic", "oracle", "fhir", "senders", "status_moves")}
    assert not loaded & ({"requests", "urllib3", "shared.outbound"} | adapters_own)


def test_the_fields_of_two_adapters_never_share_a_name() -> None:
    names = [rule.name for rule in RULES] + [r.name for rules in OPTION_RULES.values() for r in rules]
    assert len(names) == len(set(names))
    assert all("-" not in rule.name for rule in RULES)


@pytest.mark.parametrize(
    ("base", "found"),
    [
        (EPIC_BASE, "https://ehr.test/interconnect"),
        ("https://ehr.test/Interconnect/API/fhir", "https://ehr.test/Interconnect"),
        ("https://ehr.test/api/FHIR/DSTU2/", "https://ehr.test"),
        ("https://ehr.test/fhir", ""),
        ("https://ehr.test/api/FHIRE/R4", ""),
    ],
)
def test_where_the_status_service_lies_is_read_from_the_base(base: str, found: str) -> None:
    assert interconnect_of(base) == found


@pytest.mark.parametrize(
    ("given", "base", "wrong"),
    [
        ({}, EPIC_BASE, set()),
        ({"interconnect_base": "https://ehr.test/other"}, EPIC_BASE, set()),
        ({"interconnect_base": "https://elsewhere.test/interconnect"}, EPIC_BASE, {"interconnect_base"}),
        ({"interconnect_base": "https://ehr.test.evil.test/"}, EPIC_BASE, {"interconnect_base"}),
        ({"interconnect_base": "https://ehr.test:8443/"}, EPIC_BASE, {"interconnect_base"}),
        ({}, "https://ehr.test/fhir", {"interconnect_base"}),
        ({"interconnect_base": "https://ehr.test/x"}, "https://ehr.test/fhir", set()),
        ({"parameter_user": "VendorName"}, EPIC_BASE, {"parameter_user", "parameter_vendor"}),
        ({"status_connected": "2"}, EPIC_BASE, {"status_connected", "status_disconnected"}),
        ({"status_connected": "2", "status_disconnected": "1"}, EPIC_BASE, set()),
    ],
    ids=str,
)
def test_epic_options_must_fit_together_and_to_the_base(
    given: Mapping[str, str], base: str, wrong: set[str]
) -> None:
    assert set(SHEETS["epic"].check(given, base)) == wrong
