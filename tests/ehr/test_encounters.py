"""Encounters and outcomes of a FHIR server: only where options ask for it, never over a person's word."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ehr.outcome_event import outcome_event
from shared.ehr.port import Telling
from shared.ehr.registry import Adapters
from shared.ehr.scopes import backend_scope
from shared.errors import AnswerRefused, StatusRefused
from tests.ehr.line import AT, CONTEXT, OPERATION, Desk, adapters, answer, approved, kept, outcome, telling
from tests.fakes import FakeClock, MemorySecrets

URL = "https://ehr.test/fhir/Encounter/enc-1"
PROVIDER = telling(role="provider", user="Practitioner/p-1")
STATUSES = ["planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled"]
STATUSES += ["entered-in-error", "unknown", ""]
BEFORE = {"planned", "arrived", "triaged"}
PUT = {"type": "Encounter", "interaction": [{"code": "read"}, {"code": "update"}]}


def registry(desk: Desk) -> Adapters:
    return adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))


def tell(desk: Desk, one: Telling = PROVIDER, **options: str) -> None:
    connection = approved("fhir", **({"encounter_status": "yes"} | options))
    registry(desk).of(connection).tell(connection, one)


def tell_outcome(desk: Desk, **changes: Any) -> None:
    connection = approved("fhir", encounter_status="yes")
    found = registry(desk).outcome(connection)
    assert found is not None
    found.tell_outcome(connection, outcome(**changes))


def test_the_usual_is_to_leave_encounters_alone() -> None:
    desk = Desk()
    tell(desk, encounter_status="")
    assert (desk.encounter.version, len(desk.told), desk.reads) == (1, 1, [])


@pytest.mark.parametrize("before", STATUSES)
def test_a_clinician_begins_what_was_only_planned(before: str) -> None:
    desk = Desk(encounter=kept("Encounter", "enc-1", before))
    tell(desk)
    assert desk.encounter.document["status"] == ("in-progress" if before in BEFORE else before)


@pytest.mark.parametrize("before", STATUSES)
def test_a_visit_that_took_place_ends_what_has_begun(before: str) -> None:
    desk = Desk(encounter=kept("Encounter", "enc-1", before))
    tell_outcome(desk)
    ends = before in BEFORE | {"in-progress"}
    assert desk.encounter.document["status"] == ("finished" if ends else before)
    assert all("AuditEvent" not in sent.url for sent in desk.told)


def test_the_event_comes_first_and_the_status_under_its_version() -> None:
    desk = Desk()
    tell(desk)
    event, patch = desk.told
    assert event.url.endswith(f"/AuditEvent/{OPERATION}")
    assert (patch.method, patch.url, patch.headers["If-Match"]) == ("PATCH", URL, 'W/"1"')
    assert patch.json == [
        {"op": "test", "path": "/status", "value": "planned"},
        {"op": "replace", "path": "/status", "value": "in-progress"},
    ]


def test_a_server_without_patch_gets_the_whole_encounter_as_it_was() -> None:
    desk = Desk(encounters=PUT)
    before = desk.encounter.document
    tell(desk)
    put = desk.told[1]
    assert (put.method, put.url, put.headers["If-Match"]) == ("PUT", URL, 'W/"1"')
    assert put.json == before | {"status": "in-progress"}
    assert put.headers["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize("declared", [None, {"type": "Encounter", "interaction": [{"code": "read"}]}])
def test_a_server_that_lets_nobody_change_encounters_is_not_asked_to(declared: dict[str, Any] | None) -> None:
    desk = Desk(encounters=declared)
    tell(desk)
    assert len(desk.told) == 1
    assert not desk.reads
    # Where there is nothing else to tell, that is a refusal.
    with pytest.raises(AnswerRefused):
        tell_outcome(desk)
    assert len(desk.told) == 1


@pytest.mark.parametrize("declared", [PUT, Desk().encounters], ids=["put", "patch"])
def test_a_person_who_was_faster_stays_right(declared: dict[str, Any]) -> None:
    desk = Desk(encounters=declared)
    desk.meanwhile = [lambda: desk.encounter.set("cancelled")]
    tell(desk)
    assert desk.encounter.document["status"] == "cancelled"
    assert len(desk.reads) == 2


@pytest.mark.parametrize(
    "one",
    [
        telling(),
        replace(PROVIDER, status="disconnected"),
        replace(PROVIDER, reconstructed=True),
        telling(role="unattributed", user=""),
        replace(PROVIDER, context=replace(CONTEXT, encounter="")),
        replace(PROVIDER, context=replace(CONTEXT, group=True)),
    ],
    ids=["patient", "leaves", "afterwards", "somebody", "no encounter", "group"],
)
def test_only_a_clinician_who_connects_to_one_encounter_begins_it(one: Telling) -> None:
    desk = Desk()
    tell(desk, one)
    assert (len(desk.told), desk.encounter.version) == (1, 1)


def test_a_visit_that_is_an_encounter_is_that_encounter() -> None:
    desk = Desk()
    context = replace(CONTEXT, kind="encounter", visit_id="enc-1", encounter="", appointment="")
    tell(desk, replace(PROVIDER, context=context))
    assert desk.encounter.document["status"] == "in-progress"


def test_a_locked_encounter_is_tried_again_and_the_event_stays_one() -> None:
    desk = Desk(answers=[answer(200), answer(423, retry_after="3")])
    with pytest.raises(StatusRefused) as refused:
        tell(desk)
    assert (refused.value.transient, refused.value.retry_after) == (True, 3.0)
    tell(desk)
    first, _, second, _ = desk.told
    assert (first.method, first.url, first.json) == (second.method, second.url, second.json)
    assert desk.encounter.document["status"] == "in-progress"


def test_the_client_asks_for_what_the_options_need_unless_it_is_told_what_to_ask_for() -> None:
    plain = backend_scope(approved("fhir").revision.writeback)
    more = backend_scope(approved("fhir", encounter_status="yes").revision.writeback)
    assert plain == "system/AuditEvent.write"
    assert more == "system/AuditEvent.write system/Encounter.read system/Encounter.write"
    own = approved("fhir", encounter_status="yes", scope="system/*.cruds").revision.writeback
    assert backend_scope(own) == "system/*.cruds"


@pytest.mark.parametrize("with_id", [True, False])
@pytest.mark.parametrize("what", ["took-place", "patient-no-show", "provider-no-show", "unknown"])
@pytest.mark.parametrize("known", [True, False])
def test_every_outcome_is_a_valid_event_that_names_nobody(what: Any, with_id: bool, known: bool) -> None:
    from fhir.resources.R4B.auditevent import AuditEvent

    from sandbox.ehr.audit import _check_codes, _empty_members

    one = outcome(outcome=what)
    if not known:
        bare = replace(CONTEXT, appointment="", encounter="", patient="")
        one = replace(one, began=None, ended=None, context=bare)
    event = outcome_event(one, AT, with_id=with_id)
    AuditEvent.model_validate(event)
    _check_codes(event)
    assert not list(_empty_members(event, "AuditEvent"))
    assert ("id" in event, "period" in event) == (with_id, known)
    assert [one["code"] for one in event["subtype"]] == ["visit-outcome", f"visit-outcome-{what}"]
    assert event.get("outcome") == {"took-place": "0", "unknown": None}.get(what, "4")
    assert "pat-1" not in str(event)


def test_an_outcome_is_the_same_at_every_attempt() -> None:
    timed = outcome(began=None, ended=None, context=replace(CONTEXT, ends=AT))
    clock = FakeClock()
    for one in (outcome(), timed):
        first = outcome_event(one, clock.now(), with_id=True)
        clock.advance(3600)
        assert outcome_event(one, clock.now(), with_id=True) == first
