"""Oracle Health appointments: moved under their version, a step at a time, never over a person's word."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.ehr.oracle import BEFORE
from shared.ehr.oracle_options import NOTHING, SHEET
from shared.ehr.port import Telling
from shared.ehr.status_moves import TRIES
from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Answer
from tests.ehr.line import CONTEXT, Desk, Sent, adapters, answer, approved, kept, outcome, telling
from tests.fakes import FakeClock, MemorySecrets

URL = "https://ehr.test/r4/tenant/Appointment/appt-1"
# Oracle's published list (reference ehr.md 3.2), without what only people do (booked, cancelled).
PERMITTED = {
    ("booked", "arrived"),
    ("booked", "checked-in"),
    ("arrived", "checked-in"),
    ("checked-in", "fulfilled"),
}
STATUSES = [
    *("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled", "cancelled", "noshow"),
    *("entered-in-error", "waitlist", "", "Booked"),
]
PROVIDER = telling(role="provider", user="Practitioner/p-1")


def tell(desk: Desk, one: Telling | None = None, clock: FakeClock | None = None, **options: str) -> None:
    connection = approved("oracle", **options)
    registry = adapters(desk, clock or FakeClock(), MemorySecrets(backend_secret="s3cret"))
    registry.of(connection).tell(connection, one or telling())


def tell_outcome(desk: Desk, what: Any, **options: str) -> None:
    connection = approved("oracle", **options)
    found = adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret")).outcome(connection)
    assert found is not None
    found.tell_outcome(connection, outcome(outcome=what))


def status(desk: Desk) -> str:
    return str(desk.appointment.document["status"])


def test_the_status_is_patched_under_the_version_that_was_read() -> None:
    desk = Desk()
    tell(desk)
    (read,), (sent,) = desk.reads, desk.told
    assert (read.method, read.url, sent.method, sent.url) == ("GET", URL, "PATCH", URL)
    assert sent.headers["If-Match"] == 'W/"1"'
    assert sent.headers["Content-Type"] == "application/json-patch+json"
    assert sent.json == [{"op": "replace", "path": "/status", "value": "arrived"}]
    assert (sent.form, sent.query, status(desk)) == (None, None, "arrived")


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("target", ["arrived", "checked-in"])
def test_a_connect_moves_only_what_comes_before(before: str, target: str) -> None:
    desk = Desk(appointment=kept("Appointment", "appt-1", before))
    tell(desk, patient_connected=target)
    assert status(desk) == (target if (before, target) in PERMITTED else before)
    assert len(desk.told) == ((before, target) in PERMITTED)


@pytest.mark.parametrize("before", STATUSES)
def test_a_leaving_clinician_and_the_outcome_move_only_what_comes_before(before: str) -> None:
    leaves = replace(PROVIDER, status="disconnected")
    moved = "fulfilled" if before == "checked-in" else before
    desk = Desk(appointment=kept("Appointment", "appt-1", before))
    tell(desk, leaves)
    assert status(desk) == before
    tell(desk, leaves, provider_disconnected="fulfilled")
    assert status(desk) == moved
    desk.appointment = kept("Appointment", "appt-1", before)
    tell_outcome(desk, "took-place", took_place="fulfilled")
    assert status(desk) == moved
    desk.appointment = kept("Appointment", "appt-1", before)
    tell_outcome(desk, "patient-no-show", patient_no_show="noshow")
    assert status(desk) == ("noshow" if before == "booked" else before)


def test_no_move_is_offered_that_is_not_in_the_table() -> None:
    offered = {code for option in SHEET.options for code, _ in option.choices} - {NOTHING}
    assert offered == set(BEFORE)
    pairs = {(before, target) for target, found in BEFORE.items() for before in found}
    assert pairs - PERMITTED == {("booked", "noshow")}


def test_where_nothing_is_to_be_moved_nobody_is_called() -> None:
    desk = Desk()
    tell(desk, PROVIDER)
    tell(desk, patient_connected=NOTHING)
    tell(desk, telling(status="disconnected"))
    assert not desk.told + desk.reads + desk.tokens


def test_an_option_of_another_version_moves_nothing() -> None:
    desk = Desk()
    with pytest.raises(AnswerRefused):
        tell(desk, patient_connected="cancelled")
    assert not desk.told + desk.reads


def test_a_lost_race_is_judged_again() -> None:
    """Somebody checked the patient in between our reading and our writing: that stays."""
    desk = Desk()
    desk.meanwhile = [lambda: desk.appointment.set("checked-in")]
    tell(desk)
    assert (status(desk), len(desk.reads), len(desk.told)) == ("checked-in", 2, 1)


@pytest.mark.parametrize("raced", [409, 412])
def test_a_race_that_changed_nothing_of_ours_is_run_again(raced: int) -> None:
    desk = Desk(answers=[answer(raced)])
    desk.meanwhile = [lambda: desk.appointment.set("booked")]
    tell(desk)
    assert status(desk) == "arrived"
    assert [one.headers["If-Match"] for one in desk.told] == ['W/"1"', 'W/"2"']


@pytest.mark.parametrize("raced", [409, 412])
def test_races_end_and_later_may_help(raced: int) -> None:
    desk = Desk(answers=[answer(raced, retry_after="9") for _ in range(TRIES + 1)])
    with pytest.raises(StatusRefused) as refused:
        tell(desk)
    found = (refused.value.status, refused.value.transient, refused.value.retry_after)
    assert found == (raced, True, 9.0)
    assert len(desk.told) == TRIES == 3


def test_a_slow_race_is_left_to_a_later_attempt() -> None:
    """Whoever called holds a claim that expires."""
    desk, clock = Desk(answers=[answer(409)]), FakeClock()
    desk.meanwhile = [lambda: clock.advance(31)]
    with pytest.raises(StatusRefused) as refused:
        tell(desk, clock=clock)
    assert refused.value.transient
    assert len(desk.told) == 1


def test_a_refusal_for_good_says_why() -> None:
    document = {"issue": [{"severity": "error", "code": "business-rule", "diagnostics": "Patient/pat-1"}]}
    with pytest.raises(StatusRefused) as refused:
        tell(Desk(answers=[answer(422, document)]))
    assert (refused.value.transient, str(refused.value)) == (False, "status 422 business-rule")


@pytest.mark.parametrize(("code", "transient"), [(403, False), (404, False), (302, False), (503, True)])
def test_what_cannot_be_read_is_not_written(code: int, transient: bool) -> None:
    desk = Desk(read_answers=[answer(code, retry_after="5")])
    with pytest.raises(StatusRefused) as refused:
        tell(desk)
    assert (refused.value.transient, refused.value.retry_after) == (transient, 5.0)
    assert not desk.told


GOOD = {"resourceType": "Appointment", "id": "appt-1", "status": "booked"}


@pytest.mark.parametrize(
    "read",
    [
        answer(200, GOOD | {"id": "appt-2"}, etag='W/"1"'),
        answer(200, GOOD | {"resourceType": "Encounter"}, etag='W/"1"'),
        answer(200, GOOD),
        answer(200, GOOD, etag='W/"1"\r\nX-Forged: 1'),
        answer(200, GOOD, etag="*"),
        answer(200, GOOD | {"meta": {"versionId": '1", "*'}}),
        answer(200, GOOD | {"meta": ["1"]}),
        Answer(200, {"etag": 'W/"1"'}, b"x" * 1_000_001),
    ],
    ids=["another", "type", "no version", "forged", "any", "quotes", "meta", "endless"],
)
def test_what_is_not_the_appointment_under_a_version_is_not_written(read: Answer) -> None:
    desk = Desk(read_answers=[read])
    with pytest.raises(AnswerRefused) as refused:
        tell(desk)
    assert "appt" not in str(refused.value)
    assert not desk.told


@pytest.mark.parametrize("etag", ['W/"10-1"', '"10-1"'])
def test_the_version_goes_back_as_it_came(etag: str) -> None:
    desk = Desk(read_answers=[answer(200, GOOD, etag=etag)], answers=[answer(200)])
    tell(desk)
    assert desk.told[0].headers["If-Match"] == etag


def test_without_an_etag_the_version_of_the_resource_counts() -> None:
    desk = Desk(read_answers=[answer(200, GOOD | {"meta": {"versionId": "1"}})])
    tell(desk)
    assert desk.told[0].headers["If-Match"] == 'W/"1"'
    assert status(desk) == "arrived"


@pytest.mark.parametrize("odd", [None, 7, ["booked"], {"code": "booked"}])
def test_a_status_that_is_no_word_is_left_alone(odd: object) -> None:
    desk = Desk(read_answers=[answer(200, GOOD | {"status": odd}, etag='W/"1"')])
    tell(desk)
    assert not desk.told


Changes = dict[str, Any]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"kind": "appointment", "visit_id": "appt-1", "appointment": ""}, True),
        ({"kind": "encounter", "visit_id": "enc-1"}, True),
        ({"kind": "encounter", "visit_id": "enc-1", "appointment": ""}, False),
        ({"kind": "session", "visit_id": "appt-1", "appointment": ""}, False),
        ({"appointment": "../Patient/pat-1"}, False),
        ({"appointment": "appt-1?x=y"}, False),
        ({"appointment": "a" * 65}, False),
    ],
)
def test_only_an_appointment_that_the_launch_named_is_moved(changes: Changes, asked: bool) -> None:
    desk = Desk()
    one = telling(context=replace(CONTEXT, **changes))
    if asked:
        tell(desk, one)
    else:
        with pytest.raises(AnswerRefused) as refused:
            tell(desk, one)
        assert not any(name in str(refused.value) for name in ("appt-1", "enc-1", "pat-1", "aaaa"))
    assert [sent.url for sent in desk.told] == ([URL] if asked else [])
    assert bool(desk.reads) == asked


def test_a_human_word_stays_in_every_order_of_events() -> None:
    """Patient, clinician and outcome, with a clerk who cancels at any moment between them."""
    steps: list[Callable[[Desk], None]] = [
        tell,
        lambda desk: tell(desk, PROVIDER, provider_connected="checked-in"),
        lambda desk: tell_outcome(desk, "took-place", took_place="fulfilled"),
    ]
    for moment in range(len(steps)):
        desk = Desk()
        for number, step in enumerate(steps):
            if number == moment:
                desk.appointment.set("cancelled")
            step(desk)
        assert status(desk) == "cancelled"
    desk = Desk()
    for step in steps:
        step(desk)
    assert status(desk) == "fulfilled"


def test_what_is_sent_holds_no_person() -> None:
    desk = Desk()
    tell(desk)
    assert all("pat-1" not in shown(sent) for sent in (*desk.told, *desk.reads, *desk.tokens))


def shown(sent: Sent) -> str:
    return f"{sent.url} {sent.headers} {sent.form} {sent.json}"
