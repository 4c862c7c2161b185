"""An Encounter that cannot be moved: its event is neither lost nor told twice because of it."""

from typing import Any

import pytest

from shared.ehr.registry import Adapters
from shared.errors import NoToken, OutsideError, StatusRefused, Unreachable
from shared.outbound import Answer
from tests.ehr.line import OPERATION, Desk, adapters, answer, approved, kept, late, outcome, telling
from tests.fakes import FakeClock, MemorySecrets

PROVIDER = telling(role="provider", user="Practitioner/p-1")
CREATE_ONLY = {"type": "AuditEvent", "interaction": [{"code": "create"}]}
CONDITIONAL = CREATE_ONLY | {"conditionalCreate": True, "searchParam": [{"name": "entity"}]}
BY_ID = Desk().audit_event
ONCE = pytest.mark.parametrize("declared", [BY_ID, CONDITIONAL], ids=["by id", "conditional"])
ANY = pytest.mark.parametrize(
    "declared", [BY_ID, CONDITIONAL, CREATE_ONLY], ids=["by id", "conditional", "plain"]
)
PASSING = [answer(423), answer(424), answer(503), answer(429), late()]
FOR_GOOD = [answer(401), answer(403), answer(404), answer(422), answer(200, {"resourceType": "Bundle"})]


def registry(desk: Desk) -> Adapters:
    return adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))


def tell(desk: Desk) -> None:
    connection = approved("fhir", encounter_status="yes")
    registry(desk).of(connection).tell(connection, PROVIDER)


def tell_outcome(desk: Desk, **options: str) -> None:
    connection = approved("fhir", encounter_status="yes", **options)
    found = registry(desk).outcome(connection)
    assert found is not None
    found.tell_outcome(connection, outcome())


def events(desk: Desk) -> list[str]:
    return [sent.method for sent in desk.told if "/AuditEvent" in sent.url]


def left(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    records = [vars(one) for one in caplog.records if getattr(one, "event", "") == "encounter-left"]
    names = ("levelname", "connection", "operation", "reason", "status")
    return [{name: one[name] for name in names} for one in records]


@ANY
@pytest.mark.parametrize("refusal", FOR_GOOD, ids=["401", "403", "404", "422", "bundle"])
def test_a_refusal_for_good_is_left_and_logged_and_the_event_is_told(
    declared: dict[str, Any], refusal: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    # A token that is refused is tried anew, once.
    desk = Desk(audit_event=declared, read_answers=[refusal] * (2 if refusal.status == 401 else 1))
    tell(desk)
    assert (len(events(desk)), desk.encounter.version) == (1, 1)
    (one,) = left(caplog)
    said = ("AnswerRefused", 0) if refusal.ok else ("StatusRefused", refusal.status)
    assert (one["reason"], one["status"], one["operation"]) == (*said, OPERATION)
    assert (one["levelname"], one["connection"]) == ("WARNING", "aabcdefghijklmno")
    assert not any(name in caplog.text for name in ("enc-1", "pat-1", "p-1", "880014417731"))


@ONCE
@pytest.mark.parametrize("failure", PASSING, ids=["423", "424", "503", "429", "late"])
def test_a_failure_in_passing_is_told_again_where_that_makes_no_second_event(
    declared: dict[str, Any], failure: Answer | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(audit_event=declared, read_answers=[failure])
    with pytest.raises(OutsideError) as refused:
        tell(desk)
    assert refused.value.transient
    tell(desk)
    assert desk.encounter.document["status"] == "in-progress"
    assert len({(sent.method, sent.url, str(sent.json)) for sent in desk.told}) == 2
    assert not left(caplog)


@pytest.mark.parametrize("failure", PASSING, ids=["423", "424", "503", "429", "late"])
def test_where_events_are_posted_plainly_it_is_tried_once_more_at_once(
    failure: Answer | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(audit_event=CREATE_ONLY, read_answers=[failure])
    tell(desk)
    assert (events(desk), desk.encounter.document["status"]) == (["POST"], "in-progress")
    assert not left(caplog)


@pytest.mark.parametrize("failure", PASSING, ids=["423", "424", "503", "429", "late"])
def test_where_events_are_posted_plainly_it_is_left_in_the_end_and_the_event_stays_one(
    failure: Answer | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(audit_event=CREATE_ONLY, read_answers=[failure] * 9)
    tell(desk)
    assert (events(desk), len(desk.reads), desk.encounter.version) == (["POST"], 2, 1)
    assert len(left(caplog)) == 1


def test_an_event_that_was_not_taken_moves_nothing() -> None:
    desk = Desk(audit_event=CREATE_ONLY, answers=[answer(503)])
    with pytest.raises(StatusRefused):
        tell(desk)
    assert not desk.reads


def test_a_token_that_is_lost_meanwhile_is_for_people_to_mend_and_not_left() -> None:
    desk = Desk(read_answers=[answer(401)])
    desk.token_answers = [answer(200, {"access_token": "t", "token_type": "bearer", "expires_in": 300})]
    desk.token_answers.append(answer(400, {"error": "invalid_client"}))
    with pytest.raises(NoToken):
        tell(desk)


@ANY
def test_the_event_of_an_outcome_does_not_depend_on_the_encounter_either(
    declared: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(audit_event=declared, read_answers=[answer(403)])
    tell_outcome(desk, outcome="yes")
    assert len(events(desk)) == len(left(caplog)) == 1


@pytest.mark.parametrize("failure", [answer(403), answer(423), late()])
def test_an_outcome_that_is_the_encounters_status_alone_is_told_or_refused(
    failure: Answer | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else was told, and nothing would be told twice."""
    desk = Desk(
        audit_event=CREATE_ONLY, encounter=kept("Encounter", "enc-1", "arrived"), read_answers=[failure]
    )
    with pytest.raises((StatusRefused, Unreachable)):
        tell_outcome(desk)
    assert (len(desk.reads), events(desk), left(caplog)) == (1, [], [])
    tell_outcome(desk)
    assert desk.encounter.document["status"] == "finished"
