"""AuditEvents: valid in every variant, once each, and about nobody who is not known."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from shared.ehr.audit_event import audit_event
from shared.ehr.port import Telling
from shared.ehr.registry import Adapters
from shared.errors import AnswerRefused, OutsideError, StatusRefused, Unreachable
from shared.outbound import Answer
from tests.ehr.line import AT, OPERATION, Desk, adapters, answer, approved, late, telling
from tests.fakes import FakeClock, MemorySecrets

CREATE_ONLY = {"type": "AuditEvent", "interaction": [{"code": "create"}]}
CONDITIONAL = CREATE_ONLY | {"conditionalCreate": True, "searchParam": [{"name": "entity"}]}


def variants() -> list[Telling]:
    people = [("provider", "Practitioner/p-1"), ("provider", "88101"), ("patient", "Patient/pat-1")]
    people += [("patient", "WPR 1|2"), ("unattributed", "")]
    found = [
        telling(role=role, user=user, status=status, began=began, reconstructed=again)
        for (role, user), status, began, again in product(
            people, ("connected", "disconnected"), (None, AT - timedelta(minutes=9)), (False, True)
        )
    ]
    bare = replace(found[0].context, appointment="", encounter="", patient="")
    return found + [replace(one, context=bare) for one in found]


def registry(desk: Desk, clock: FakeClock | None = None) -> Adapters:
    return adapters(desk, clock or FakeClock(), MemorySecrets(backend_secret="s3cret"))


def tell(desk: Desk, one: Telling | None = None) -> None:
    connection = approved("fhir")
    registry(desk).of(connection).tell(connection, one or telling())


@pytest.mark.parametrize("with_id", [True, False])
def test_every_variant_is_valid_r4(with_id: bool) -> None:
    from fhir.resources.R4B.auditevent import AuditEvent

    from sandbox.ehr.audit import _check_codes, _empty_members

    for one in variants():
        event = audit_event(one, "urn:oid:1.2.3" if one.user == "88101" else "", with_id=with_id)
        AuditEvent.model_validate(event)
        _check_codes(event)
        assert not list(_empty_members(event, "AuditEvent"))
        assert ("id" in event) is with_id


def test_put_under_the_operations_id_where_ids_are_ours() -> None:
    desk = Desk()
    tell(desk)
    tell(desk)
    first, second = desk.told
    assert (first.method, first.url) == ("PUT", f"https://ehr.test/fhir/AuditEvent/{OPERATION}")
    assert first.headers["Content-Type"] == "application/fhir+json"
    assert first.json["id"] == OPERATION
    assert first.json == second.json


def test_conditional_create_where_the_server_says_so() -> None:
    desk = Desk(audit_event=CONDITIONAL)
    tell(desk)
    sent = desk.told[0]
    assert (sent.method, sent.url) == ("POST", "https://ehr.test/fhir/AuditEvent")
    wanted = f"entity:identifier=urn%3Aietf%3Arfc%3A3986%7Curn%3Auuid%3A{OPERATION}"
    assert sent.headers["If-None-Exist"] == wanted
    assert "id" not in sent.json
    assert sent.json["entity"][0]["what"]["identifier"]["value"] == f"urn:uuid:{OPERATION}"


@pytest.mark.parametrize("status", [200, 201, 409, 412])
def test_conditional_create_is_content_when_it_is_there(status: int) -> None:
    desk = Desk(audit_event=CONDITIONAL, answers=[answer(status)])
    tell(desk)
    assert len(desk.told) == 1


@pytest.mark.parametrize("declared", [None, CREATE_ONLY])
@pytest.mark.parametrize("status", [409, 412])
def test_elsewhere_a_conflict_is_a_refusal(status: int, declared: dict[str, Any] | None) -> None:
    desk = Desk(answers=[answer(status)])
    desk.audit_event = declared or desk.audit_event
    with pytest.raises(StatusRefused):
        tell(desk)


THERE = answer(200, {"resourceType": "AuditEvent", "id": OPERATION})
GONE = [404, 410, 403]


@pytest.mark.parametrize("status", [405, 409, 412])
def test_an_event_that_is_kept_and_not_to_be_changed_is_told(status: int) -> None:
    """The first PUT was kept, its answer got lost; the server changes no event."""
    desk = Desk(answers=[late(), answer(status)], event_answers=[THERE])
    with pytest.raises(Unreachable):
        tell(desk)
    tell(desk)
    (read,) = desk.reads
    assert (read.method, read.url) == ("GET", f"https://ehr.test/fhir/AuditEvent/{OPERATION}")
    assert read.headers["Accept"] == "application/fhir+json"
    assert len(desk.told) == 2


@pytest.mark.parametrize("status", [405, 409])
@pytest.mark.parametrize(
    "found",
    [
        *(answer(one) for one in GONE),
        answer(200, {"resourceType": "AuditEvent", "id": "another"}),
        answer(200, {"resourceType": "OperationOutcome", "id": OPERATION}),
    ],
    ids=[*map(str, GONE), "another", "type"],
)
def test_an_event_that_is_not_there_was_refused(found: Answer, status: int) -> None:
    with pytest.raises(StatusRefused) as refused:
        tell(Desk(answers=[answer(status)], event_answers=[found]))
    assert refused.value.status == status


@pytest.mark.parametrize("found", [answer(503), late(), answer(200), answer(429)])
def test_an_event_that_cannot_be_looked_for_now_is_looked_for_later(found: Answer | Exception) -> None:
    with pytest.raises(OutsideError) as refused:
        tell(Desk(answers=[answer(405)], event_answers=[found]))
    assert refused.value.transient


def test_only_a_refusal_that_may_mean_that_it_is_there_is_looked_into() -> None:
    desk = Desk(answers=[answer(403)], event_answers=[THERE])
    with pytest.raises(StatusRefused):
        tell(desk)
    assert not desk.reads


def test_no_condition_where_it_could_be_passed_over() -> None:
    desk = Desk(audit_event=CREATE_ONLY | {"conditionalCreate": True})
    tell(desk)
    assert "If-None-Exist" not in desk.told[0].headers


@pytest.mark.parametrize("declared", [None, {"type": "AuditEvent", "interaction": [{"code": "read"}]}])
def test_a_server_that_takes_none_is_told_nothing(declared: dict[str, Any] | None) -> None:
    desk = Desk(audit_event=declared)
    with pytest.raises(AnswerRefused):
        tell(desk)
    assert not desk.told


def test_metadata_is_asked_once_an_hour() -> None:
    desk, clock, connection = Desk(), FakeClock(), approved("fhir")
    one = registry(desk, clock)
    for _ in range(2):
        one.of(connection).tell(connection, telling())
    assert len(desk.metadata) == 1
    clock.advance(3601)
    one.of(connection).tell(connection, telling())
    assert len(desk.metadata) == 2


def test_the_period_of_a_disconnect_reaches_back_where_its_beginning_is_known() -> None:
    known = audit_event(telling(status="disconnected", began=AT - timedelta(minutes=1)), with_id=True)
    assert known["period"] == {"start": "2026-03-02T14:04:07.250Z", "end": "2026-03-02T14:05:07.250Z"}
    unknown = audit_event(telling(status="disconnected"), with_id=True)
    assert unknown["period"] == {"end": "2026-03-02T14:05:07.250Z"}


@pytest.mark.parametrize(("role", "user"), [("unattributed", ""), ("unattributed", "Patient/pat-1")])
def test_the_unattributed_are_nobody(role: str, user: str) -> None:
    assert "pat-1" not in str(audit_event(telling(role=role, user=user), with_id=True))


def test_a_clinicians_event_does_not_name_the_patient() -> None:
    event = audit_event(telling(role="provider", user="Practitioner/p-1"), with_id=True)
    assert event["agent"][0]["who"] == {"reference": "Practitioner/p-1"}
    assert "pat-1" not in str(event)


@pytest.mark.parametrize("user", ["WPR-1", "Practitioner/../Patient", "Device/x", "https://x.test/Patient/1"])
def test_what_is_no_reference_is_an_identifier(user: str) -> None:
    assert audit_event(telling(user=user), with_id=True)["agent"][0]["who"] == {"identifier": {"value": user}}


def test_a_refusal_keeps_the_issues_code_alone() -> None:
    outcome = {"issue": [{"severity": "error", "code": "invalid", "diagnostics": "Patient/pat-1"}]}
    with pytest.raises(StatusRefused) as refused:
        tell(Desk(answers=[answer(422, outcome)]))
    assert (refused.value.code, str(refused.value)) == ("invalid", "status 422 invalid")
