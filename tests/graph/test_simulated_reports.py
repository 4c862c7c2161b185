"""Visits whose notifications were lost, against the simulation: their record is what its reports say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.graph.reports import Report, Reports
from shared.visit.attribution import Launch
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, due, picture
from shared.visit.outcome import outcome
from tests.graph import test_simulated_graph as simulated
from tests.graph.fakes import ELENA, TENANT
from tests.graph.test_simulated_graph import PATIENT, PROVIDER, House, approved
from writeback_function.fold import with_event
from writeback_function.reconciling import reconciled

pytestmark = pytest.mark.sandbox

folder, cloud, house = simulated.folder, simulated.cloud, simulated.house


def visit(house: House, name: str, **failures: Any) -> list[Report]:
    """Both come, the patient is admitted; the doctor leaves and comes back, then both leave."""
    context = house.context(name)
    house.rooms.open(approved(), context, PATIENT)
    room = house.rooms.open(approved(), context, PROVIDER)
    house.fail(**failures)
    world = house.cloud.world
    meeting, elena = world.meetings.get(room.visit.meeting_id), world.directory.by_oid(TENANT, ELENA)

    def later(seconds: float) -> None:
        house.cloud.clock.ahead += timedelta(seconds=seconds)

    patient = world.calls.join(meeting, None, "Zephyrina Quillfeather")
    later(30)
    doctor = world.calls.join(meeting, elena, "Dr. Elena Vidal")
    world.calls.admit(patient.id)
    later(300)
    world.calls.leave(doctor.id)
    later(120)
    doctor = world.calls.join(meeting, elena, "Dr. Elena Vidal")
    later(300)
    world.calls.leave(patient.id)
    world.calls.leave(doctor.id)
    house.cloud.settle()
    reports: tuple[Report, ...] = ()
    for _ in range(3):
        reports = Reports(house.graph).of_meeting(TENANT, room.visit.organizer, meeting.id)
    return list(reports)


def launches(house: House) -> list[Launch]:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return [Launch("patient", PATIENT.ehr_user, at), Launch("provider", PROVIDER.ehr_user, at, ELENA)]


def told(house: House, reports: list[Report]) -> list[Operation]:
    """What an EHR is told: by the notifications that came, then by the reports."""
    ledger = Ledger()
    with house.webhook.arrived:
        items = [item for item, _ in house.webhook.items]
    for item in items:
        # Not asked whether it is genuine: the simulation's clock is ahead of ours here.
        event = house.notifications.event(house.notifications.decrypt(item), TENANT)
        ledger = with_event(ledger, event)
    known: tuple[Operation, ...] = ()
    for roster in (ledger.roster, reconciled(ledger.roster, reports, over=True)):
        view = picture(roster, launches(house), group=False, connected="meeting")
        known += due(view, known, 15_000_000)
    assert outcome(view, roster, complete=bool(reports)) == ("took-place" if reports else "unknown")
    return sorted(known, key=lambda one: (one.subject, one.at))


WANTED = [
    ("clinician:EMP-88101", "connected"),
    ("clinician:EMP-88101", "disconnected"),
    ("clinician:EMP-88101", "connected"),
    ("clinician:EMP-88101", "disconnected"),
    ("patient", "connected"),
    ("patient", "disconnected"),
]


@pytest.mark.parametrize(
    "failures",
    [
        {},
        {"notifications_off": True},
        {"drop_every": 2},
        {"drop_every": 3},
        {"drop_every": 3, "no_call_ended": True, "duplicate": True},
        {"drop_every": 4, "shuffle": True},
        {"report_polls_empty": 2, "notifications_off": True},
    ],
)
def test_the_record_should_be_whole_whatever_notifications_were_lost(
    house: House, failures: dict[str, Any]
) -> None:
    name = f"lost {sorted(failures.items())}"
    reports = visit(house, name, **failures)
    found = told(house, reports)
    assert [(one.subject, one.status) for one in found] == WANTED
    spans = [(one.at, other.at) for one, other in zip(found[::2], found[1::2], strict=True)]
    lengths = [round((end - start) / 1_000_000) for start, end in spans]
    assert [abs(one - other) <= 2 for one, other in zip(lengths, [300, 300, 720], strict=True)] == [True] * 3
    assert not failures.get("notifications_off") or all(one.reconstructed for one in found)


def test_no_report_and_no_notification_should_be_unknown(house: House) -> None:
    reports = visit(house, "silent", report_polls_empty=3, notifications_off=True)
    assert reports == []
    assert told(house, reports) == []


def test_meetings_that_graph_forks_should_have_their_reports_in_the_one_that_was_written_down(
    house: House,
) -> None:
    reports = visit(house, "forked reports", create_or_get_forks=1, notifications_off=True)
    assert [(one.subject, one.status) for one in told(house, reports)] == WANTED


def test_a_quota_should_leave_a_visit_that_its_reports_make_whole(house: House) -> None:
    house.fail(subscription_quota=True)
    reports = visit(house, "quota", subscription_quota=True)
    assert not house.webhook.items
    row = next(iter(house.stores.store.visits.rows.values()))
    assert replace(row, etag="").live == "live-unavailable"
    assert [(one.subject, one.status) for one in told(house, reports)] == WANTED
