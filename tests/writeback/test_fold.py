from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.connection import Policy
from shared.context import ContextSeal
from shared.errors import SealBroken
from shared.graph.subscriptions import client_state
from shared.sealing import Sealer
from shared.visit.ledger import Ledger
from tests.graph.fakes import NOAH, OTHER_TENANT
from tests.writeback.house import DOCTOR_USER, PATIENT_USER, House, guest, home, nurse

pytestmark = pytest.mark.azurite


def people(house: House) -> list[tuple[str, str, str]]:
    return [(one.role, one.user, one.status) for one in house.adapter.held]


def test_patient_and_clinician_should_be_told_as_themselves(house: House) -> None:
    house.visit()
    house.sees(0, guest("p", lobby=True))
    house.sees(30, home("d"))
    house.sees(31, guest("p"))
    house.run()
    assert people(house) == [
        ("patient", PATIENT_USER, "connected"),
        ("provider", DOCTOR_USER, "connected"),
    ]
    assert house.adapter.said() == [("patient", "connected", 0), ("provider", "connected", 30)]
    house.sees(600, guest("p", out=True), home("d", out=True))
    house.run_for(60)
    assert sorted(people(house)[2:]) == [
        ("patient", PATIENT_USER, "disconnected"),
        ("provider", DOCTOR_USER, "disconnected"),
    ]
    assert [one.began for one in house.adapter.held if one.role == "patient"] == [None, house.begin]


def test_the_end_of_the_call_should_disconnect_everybody(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"), home("d"))
    house.sees(300, kind="callEnded")
    house.run_for(60)
    assert [(role, status) for role, _, status in people(house)].count(("patient", "disconnected")) == 1
    assert [(role, status) for role, _, status in people(house)].count(("provider", "disconnected")) == 1


def test_staff_who_did_not_launch_should_be_told_as_nobody(house: House) -> None:
    house.visit()
    house.sees(5, nurse("n"))
    house.run()
    assert house.adapter.held == []
    assert Ledger.from_document(house.row().roster).roster.participants["n"].home


def test_two_externals_should_be_told_apart_by_nothing(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"), guest("interpreter"))
    house.run_for(60)
    assert people(house) == [("unattributed", "", "connected")]


def test_a_second_external_should_never_be_taken_for_the_patient(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("interpreter"))
    house.run()
    house.sees(120, guest("p", out=True))
    house.run_for(60)
    told = people(house)
    assert ("patient", PATIENT_USER, "connected") in told
    assert ("patient", PATIENT_USER, "disconnected") not in told  # it may have been the other who left


def test_who_was_told_as_the_patient_should_leave_as_the_patient_when_nobody_is_left(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.run()
    house.sees(60, guest("interpreter"))
    house.sees(120, guest("p", out=True))
    house.sees(180, guest("interpreter", out=True))
    house.run_for(120)
    patient = [(one.status, one.user) for one in house.adapter.held if one.role == "patient"]
    assert patient == [("connected", PATIENT_USER), ("disconnected", PATIENT_USER)]
    somebody = [one.status for one in house.adapter.held if one.role == "unattributed"]
    assert somebody == ["connected", "disconnected"]


def test_an_external_without_a_patient_s_launch_should_be_unattributed(house: House) -> None:
    house.visit(house.doctor())
    house.sees(5, guest("p"))
    house.run()
    assert people(house) == [("unattributed", "", "connected")]


def test_a_clinician_of_another_account_should_not_count(house: House) -> None:
    house.visit(house.doctor(oid=NOAH), house.patient())
    house.sees(5, home("d"))
    house.run()
    assert people(house) == []


def test_the_same_notification_again_should_change_nothing(house: House) -> None:
    house.visit()
    text = house.text(house.item(house.event(5, guest("p"))))
    for _ in range(3):
        house.folding.fold(text)
    before = house.row()
    house.folding.fold(text)
    assert house.row().etag == before.etag
    house.run()
    assert len(house.adapter.calls) == 1


def _changed(**changes: Any) -> Callable[[House], dict[str, Any]]:
    return lambda house: house.item(house.event(5, guest("p")), **changes)


FOREIGN: dict[str, Callable[[House], dict[str, Any]]] = {
    "client state of nobody": _changed(clientState="x" * 43),
    "client state empty": _changed(clientState=""),
    "client state missing": _changed(clientState=None),
    "client state of another visit": lambda house: house.item(
        house.event(5, guest("p")),
        clientState=client_state(house.pseudonyms, house.connection, "another visit"),
    ),
    "another tenant": _changed(tenantId=OTHER_TENANT),
    "no tenant": _changed(tenantId=None),
    "another visit's subscription and state": lambda house: house.item(
        house.event(5, guest("p")),
        subscriptionId="sub-of-another-visit",
        clientState=client_state(house.pseudonyms, house.connection, "another visit"),
    ),
    "no subscription, no state": _changed(subscriptionId="", clientState=""),
    "event without time": lambda house: house.item({"id": "e", "eventType": "rosterUpdated"}),
    "delta without participant": lambda house: house.item(house.event(5, {"isInLobby": True})),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_this_visit_s_should_change_nothing(house: House, name: str) -> None:
    house.visit()
    before = house.row()
    house.folding.fold(house.text(FOREIGN[name](house)))
    assert house.row().etag == before.etag
    assert house.waiting() == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"v":2}', '{"v":1}', '{"v":1,"c":"x","item":{},"tokens":[]}']
)
def test_a_message_that_is_not_ours_should_change_nothing(house: House, text: str) -> None:
    house.visit()
    before = house.row()
    house.folding.fold(text)
    assert house.row().etag == before.etag


def test_a_visit_that_is_gone_should_be_left_alone(house: House) -> None:
    house.folding.fold(house.text(house.item(house.event(5, guest("p")))))
    assert house.waiting() == []


def test_a_connection_that_is_not_approved_any_more_should_be_left_alone(house: House) -> None:
    house.visit()
    house.approved = None
    house.folding.fold(house.text(house.item(house.event(5, guest("p")))))
    assert house.waiting() == []


def test_a_subscription_not_written_down_yet_should_make_the_message_come_again(house: House) -> None:
    house.visit(subscription_id="")
    text = house.text(house.item(house.event(5, guest("p"))))
    house.folding.fold(text)
    assert house.row().roster == {}
    house.region.visits.change(
        house.connection, house.row().key, lambda row: replace(row, subscription_id="sub-1")
    )
    house.run_for(3)
    assert people(house) == [("patient", PATIENT_USER, "connected")]


def test_a_former_subscription_of_the_visit_should_still_count(house: House) -> None:
    ledger = Ledger().replaced("sub-1")
    house.visit(subscription_id="sub-2", roster=ledger.document())
    house.sees(5, guest("p"))
    house.run()
    assert people(house) == [("patient", PATIENT_USER, "connected")]


def test_a_connection_without_writeback_should_queue_nothing_and_remember(house: House) -> None:
    assert house.approved is not None
    revision = replace(
        house.approved.revision, writeback=replace(house.approved.revision.writeback, adapter="none")
    )
    house.approved = replace(house.approved, revision=revision)
    house.visit()
    house.sees(5, guest("p"))
    assert house.waiting() == []
    assert len(Ledger.from_document(house.row().roster).told) == 1


def test_a_disconnect_should_wait_for_the_debounce_and_a_connect_for_nothing(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    house.sees(60, guest("p", out=True))
    assert [one.delay for one in house.waiting()] == [0, 15]


def test_only_who_has_just_come_should_be_told_at_once(house: House) -> None:
    """Graph may tell of an event a minute late (graph.md 3.1): nobody left before that has passed."""
    house.lateness = 60
    house.start()
    house.visit()
    house.sees(5, home("a"))
    assert [one.delay for one in house.waiting()] == [0]
    house.run()
    house.sees(100, home("a", out=True))
    assert [one.delay for one in house.waiting()] == [75]
    house.run_for(76)
    assert house.adapter.said()[-1] == ("provider", "disconnected", 100)
    # The event of a second device comes later than that: what was told is put right, but in no hurry.
    house.sees(50, home("b"))
    assert [one.delay for one in house.waiting()] == [225]
    house.sees(100, home("b", out=True))
    house.run_for(300)
    assert [status for _, status, _ in house.adapter.said()] == ["connected", "disconnected"]


def test_what_another_process_sealed_under_a_newer_key_should_come_again(house: House) -> None:
    house.visit()
    newer = ContextSeal(Sealer([b"s" * 32, b"n" * 32], house.clock))
    text = house.text(house.item(house.event(5, guest("p")))).replace(house.sealed, newer.seal(house.context))
    with pytest.raises(SealBroken):
        house.folding.fold(text)
    assert house.row().roster == {}


def test_a_policy_that_is_approved_during_a_visit_should_not_rewrite_what_was_told(house: House) -> None:
    house.visit(counts="lobby")
    house.sees(5, guest("p", lobby=True))
    house.sees(40, guest("p"))
    house.run()
    assert house.approved is not None
    strict = replace(house.approved.revision, number=2, policy=Policy(connected="meeting"))
    house.approved = replace(house.approved, revision=strict)
    house.sees(50, home("d"))
    house.run_for(100)
    assert house.adapter.said() == [("patient", "connected", 5), ("provider", "connected", 50)]
