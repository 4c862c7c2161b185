"""What every adapter makes of the facts: one table for all of them, a row a fact."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.ehr.catalogue import SHEETS
from shared.ehr.port import DeviceAdapter, OutcomeAdapter
from shared.ehr.registry import Adapters
from shared.visit.outcome import Outcome
from tests.ehr.line import CONTEXT, Desk, adapters, approved, device, outcome, telling
from tests.fakes import FakeClock, MemorySecrets

DEVICE_PATH = "/api/epic/Telehealth/DeviceTest"
# With everything switched on that can be.
ALL: dict[str, dict[str, str]] = {
    "epic": {"device_path": DEVICE_PATH},
    "oracle": {"took_place": "fulfilled", "patient_no_show": "noshow", "provider_connected": "checked-in"},
    "fhir": {"outcome": "yes", "encounter_status": "yes"},
    "none": {},
}


@dataclass(frozen=True)
class Fact:
    """``calls``: how often each adapter writes, with everything switched on."""

    changes: dict[str, Any]
    calls: dict[str, int]


NOBODY = {"role": "unattributed", "user": ""}
STAFF = {"role": "provider", "user": "Practitioner/p-1"}
GROUP = {"context": replace(CONTEXT, group=True)}
FACTS = {
    "patient connects": Fact({}, {"epic": 1, "oracle": 1, "fhir": 1}),
    "patient leaves": Fact({"status": "disconnected"}, {"epic": 1, "oracle": 0, "fhir": 1}),
    "clinician connects": Fact(STAFF, {"epic": 1, "oracle": 1, "fhir": 2}),
    "clinician leaves": Fact(STAFF | {"status": "disconnected"}, {"epic": 1, "oracle": 0, "fhir": 1}),
    "somebody connects": Fact(NOBODY, {"epic": 0, "oracle": 0, "fhir": 1}),
    "somebody leaves": Fact(NOBODY | {"status": "disconnected"}, {"epic": 0, "oracle": 0, "fhir": 1}),
    "learned afterwards": Fact({"reconstructed": True}, {"epic": 1, "oracle": 1, "fhir": 1}),
    "clinician, afterwards": Fact(STAFF | {"reconstructed": True}, {"epic": 1, "oracle": 1, "fhir": 1}),
    "clinician of a group": Fact(STAFF | GROUP, {"epic": 1, "oracle": 0, "fhir": 1}),
}


@pytest.fixture(params=list(SHEETS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def registry(desk: Desk) -> Adapters:
    return adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))


@pytest.mark.parametrize("fact", FACTS.values(), ids=list(FACTS))
def test_a_fact_is_told_once_where_the_ehr_has_a_place_for_it(
    kind: str, registry: Adapters, desk: Desk, fact: Fact
) -> None:
    one = approved(kind, **ALL[kind])
    registry.of(one).tell(one, telling(**fact.changes))
    assert len(desk.told) == fact.calls.get(kind, 0)


def test_who_is_not_known_is_named_to_nobody(kind: str, registry: Adapters, desk: Desk) -> None:
    one = approved(kind, **ALL[kind])
    registry.of(one).tell(one, telling(role="unattributed", user="Patient/pat-1"))
    assert all("pat-1" not in f"{sent.url} {sent.form} {sent.json}" for sent in desk.told)


def test_what_was_learned_afterwards_says_so_where_there_is_a_word_for_it(
    kind: str, registry: Adapters, desk: Desk
) -> None:
    one = approved(kind)
    registry.of(one).tell(one, telling(reconstructed=True))
    assert ("reconstructed" in str(desk.told)) == (kind == "fhir")


def test_an_outcome_is_told_only_where_the_options_ask_for_it(kind: str, registry: Adapters) -> None:
    assert registry.outcome(approved(kind)) is None
    assert (registry.outcome(approved(kind, **ALL[kind])) is not None) == (kind in ("oracle", "fhir"))


def teller(registry: Adapters, kind: str) -> OutcomeAdapter:
    found = registry.outcome(approved(kind, **ALL[kind]))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("what", "oracle", "fhir"),
    [
        ("took-place", "fulfilled", "finished"),
        ("patient-no-show", "checked-in", "in-progress"),
        ("provider-no-show", "checked-in", "in-progress"),
        ("unknown", "checked-in", "in-progress"),
    ],
)
def test_an_outcome_moves_only_what_it_proves(
    registry: Adapters, desk: Desk, what: Outcome, oracle: str, fhir: str
) -> None:
    desk.appointment.set("checked-in")
    desk.encounter.set("in-progress")
    for kind in ("oracle", "fhir"):
        teller(registry, kind).tell_outcome(approved(kind, **ALL[kind]), outcome(outcome=what))
    assert desk.appointment.document["status"] == oracle
    assert desk.encounter.document["status"] == fhir


@pytest.mark.parametrize("kind", ["oracle", "fhir"])
def test_an_outcome_told_twice_is_one_effect(kind: str, registry: Adapters, desk: Desk) -> None:
    desk.appointment.set("checked-in")
    for _ in range(2):
        teller(registry, kind).tell_outcome(approved(kind, **ALL[kind]), outcome())
    effects = {(one.method, one.url, str(one.json)) for one in desk.told}
    assert len(effects) == (1 if kind == "oracle" else 2)
    assert (desk.appointment.version, desk.encounter.version) == ((3, 1) if kind == "oracle" else (2, 2))


def test_a_device_test_is_told_where_there_is_a_place_for_it(
    kind: str, registry: Adapters, desk: Desk
) -> None:
    one = approved(kind, **ALL[kind])
    found = registry.device(one)
    assert isinstance(found, DeviceAdapter) == (kind in ("epic", "fhir"))
    if found is not None:
        found.tell_device(one, device())
    assert len(desk.told) == (1 if found is not None else 0)


def test_what_is_told_shows_nobody() -> None:
    for one in (telling(), outcome(), device()):
        assert not any(name in repr(one) for name in ("pat-1", "appt-1", "enc-1", "880014417731"))
