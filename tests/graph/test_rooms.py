import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.clock import timestamp
from shared.connection import Approved, Connection, Policy, Revision
from shared.context import ContextSeal, VisitContext
from shared.errors import Refusal
from shared.graph.meetings import OnlineMeetings
from shared.graph.service import Graph
from shared.graph.subscriptions import Subscriptions, client_state
from shared.keys import GraphCertificate
from shared.meeting import Launcher, Room, Rooms
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store.visits import Visit
from tests.graph.fakes import (
    ELENA,
    NOAH,
    NOW,
    POLICY_TEXT,
    POOL,
    TENANT,
    FakeClock,
    FakeEntra,
    FakeEntropy,
    FakeGraph,
    MemoryStores,
    graph_error,
)

CONNECTION = "aabcdefgh2345672"
VISIT_ID = "880014417731"
PATIENT_ID = "WPR-5519902"
KEYS = [b"k" * 32]
FORBIDDEN = graph_error(403, "Forbidden", POLICY_TEXT)


@dataclass
class House:
    """Rooms over a fake Graph and memory storage."""

    rooms: Rooms
    graph: FakeGraph
    stores: MemoryStores
    clock: FakeClock
    sealer: Sealer
    contexts: ContextSeal
    pseudonyms: Pseudonyms

    def context(self, **values: Any) -> VisitContext:
        key = self.pseudonyms.visit_keys(CONNECTION, "session", VISIT_ID)[0]
        given = VisitContext(connection=CONNECTION, visit_key=key, kind="session", visit_id=VISIT_ID)
        return replace(given, **values)

    def open(self, launcher: Launcher, approved: Approved | None = None, **context: Any) -> Room:
        return self.rooms.open(approved or approved_with(), self.context(**context), launcher)

    @property
    def row(self) -> Visit:
        (row,) = self.stores.store.visits.rows.values()
        return row

    @property
    def asked(self) -> list[str]:
        return [f"{sent.method} {sent.path.rsplit('/', 1)[1]}" for sent in self.graph.sent]


class OneCertificate:
    def newest(self) -> GraphCertificate:
        return GraphCertificate(id="cert-1", der_base64="MIIB")


def approved_with(pool: tuple[str, ...] = POOL, policy: Policy | None = None) -> Approved:
    connection = Connection(
        CONNECTION, TENANT, "americas", "test", "epic", "https://ehr.example/fhir", timestamp(NOW), 3, 3
    )
    revision = Revision(CONNECTION, 3, "approved", "Test", organizers=pool, policy=policy or Policy())
    return Approved(connection, revision)


@pytest.fixture(name="house")
def house_of_rooms(settings: Settings) -> Iterator[House]:
    clock, fake, stores = FakeClock(), FakeGraph(), MemoryStores()
    sealer, pseudonyms = Sealer(KEYS, clock), Pseudonyms(KEYS)
    contexts = ContextSeal(sealer)
    graph = Graph(settings, cast("Any", fake), cast("Any", FakeEntra()), FakeEntropy())
    rooms = Rooms(
        cast("Any", stores),
        OnlineMeetings(graph, settings),
        Subscriptions(graph, cast("Any", OneCertificate()), settings),
        contexts,
        sealer,
        pseudonyms,
        clock,
        FakeEntropy(),
        budget=0.4,
        threads=16,
    )
    yield House(rooms, fake, stores, clock, sealer, contexts, pseudonyms)
    rooms.close()


PROVIDER = Launcher("provider", "EMP-88101", ELENA)
PATIENT = Launcher("patient", PATIENT_ID)


def test_a_patient_who_is_first_gets_a_link_only_after_the_lobby_was_closed(house: House) -> None:
    room = house.open(PATIENT)
    assert house.asked[:2] == ["POST createOrGet", f"PATCH {house.asked[1].split(' ')[1]}"]
    assert sorted(house.asked[2:]) == ["GET getVirtualAppointmentJoinWebUrl", "POST subscriptions"]
    assert room.patient_url.startswith("https://visit.teams.microsoft.com/")
    assert room.provider_url.startswith("https://teams.microsoft.com/l/meetup-join/19%3a")
    assert room.live
    assert house.row.organizer in POOL
    assert house.row.organizer_from == "pool"
    assert house.row.policy_applied


def test_a_new_meeting_is_told_the_whole_policy(house: House) -> None:
    house.open(PATIENT, approved_with(policy=Policy(lobby="organizationExcludingGuests", chat="disabled")))
    (patch,) = house.graph.asked("PATCH", "")
    assert patch.body == {
        "lobbyBypassSettings": {"scope": "organizationExcludingGuests", "isDialInBypassEnabled": False},
        "allowedPresenters": "organization",
        "allowMeetingChat": "disabled",
        "recordAutomatically": False,
        "allowRecording": False,
        "allowTranscription": False,
    }
    assert patch.headers["Prefer"] == "include-unknown-enum-members"


@pytest.mark.parametrize("failure", [graph_error(503, "ServiceUnavailable"), graph_error(400, "BadRequest")])
def test_nobody_is_let_in_when_the_policy_could_not_be_applied(house: House, failure: Any) -> None:
    house.graph.failures.patch = failure
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT)
    assert not house.row.meeting_id
    assert not house.row.patient_url
    assert not house.graph.asked("POST", "/beta/subscriptions")


def test_nobody_is_let_in_when_graph_says_yes_but_keeps_the_lobby_open(house: House) -> None:
    house.graph.failures.keeps_lobby = True
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT)
    assert not house.row.join_url


def test_an_existing_meeting_is_corrected_only_where_it_differs(house: House) -> None:
    house.open(PROVIDER)
    meeting = house.graph.meeting(house.row.meeting_id)
    meeting["allowMeetingChat"] = "enabled"
    house.stores.store.visits.rows.clear()
    house.graph.sent.clear()
    house.open(PROVIDER)
    (patch,) = house.graph.asked("PATCH", "")
    assert patch.body == {"allowMeetingChat": "limited"}


def test_an_existing_meeting_as_it_should_be_is_not_touched(house: House) -> None:
    times: dict[str, Any] = {"starts": NOW, "ends": NOW + timedelta(minutes=30)}
    house.open(PROVIDER, **times)
    house.stores.store.visits.rows.clear()
    house.graph.sent.clear()
    house.open(PROVIDER, **times)
    assert house.asked[0] == "POST createOrGet"
    assert not house.graph.asked("PATCH", "")


def test_the_launching_provider_organizes(house: House) -> None:
    house.open(PROVIDER)
    assert (house.row.organizer, house.row.organizer_from) == (ELENA, "launcher")
    assert house.graph.sent[0].path == f"/v1.0/users/{ELENA}/onlineMeetings/createOrGet"


def test_an_organizer_without_a_policy_is_replaced_by_one_of_the_pool(house: House) -> None:
    house.graph.failures.organizers[ELENA] = FORBIDDEN
    room = house.open(PROVIDER)
    assert room.visit.organizer in POOL
    assert (room.visit.organizer_from, room.visit.policy_applied) == ("pool", True)


def test_an_organizer_is_not_replaced_once_a_meeting_is_written_down(house: House) -> None:
    house.open(PROVIDER)
    house.graph.failures.organizers[ELENA] = FORBIDDEN
    assert house.open(PATIENT).visit.organizer == ELENA


def test_a_pool_organizer_that_fails_gives_way_to_the_launching_provider(house: House) -> None:
    house.graph.failures.organizers |= dict.fromkeys(POOL, FORBIDDEN)
    with pytest.raises(Refusal, match="access-policy-missing"):
        house.open(PATIENT)
    assert house.open(PROVIDER).visit.organizer == ELENA
    assert house.open(PATIENT).visit.organizer == ELENA


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (FORBIDDEN, "access-policy-missing"),
        (graph_error(403, "Unauthorized", "App x is not authorized to Create meeting on behalf of user y."),
         "access-policy-missing"),
        (graph_error(403, "Forbidden", "Missing role permissions on the request."), "meeting-unavailable"),
        (graph_error(404, "UnknownError", ""), "meeting-unavailable"),
        (graph_error(429, "TooManyRequests", "", retry_after="1.5"), "meeting-unavailable"),
        (graph_error(503, "ServiceUnavailable"), "meeting-unavailable"),
    ],
)  # fmt: skip
def test_what_graph_refuses_has_its_reason(house: House, failure: Any, code: str) -> None:
    house.graph.failures.organizers |= dict.fromkeys((ELENA, *POOL), failure)
    with pytest.raises(Refusal) as refused:
        house.open(PROVIDER)
    assert refused.value.reason.code == code
    assert not house.row.meeting_id


def test_an_outage_is_no_reason_to_change_the_organizer(house: House) -> None:
    house.graph.failures.down = True
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PROVIDER)
    assert house.row.organizer == ELENA
    assert len(house.graph.asked("POST", "createOrGet")) == 1


def test_a_hiccup_of_graph_is_no_reason_either(house: House) -> None:
    house.graph.failures.organizers[ELENA] = graph_error(503, "ServiceUnavailable")
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PROVIDER)
    del house.graph.failures.organizers[ELENA]
    assert house.open(PROVIDER).visit.organizer == ELENA


def test_a_patient_first_without_a_pool_is_refused_and_leaves_nothing(house: House) -> None:
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PATIENT, approved_with(pool=()))
    assert not house.stores.store.visits.rows
    assert not house.stores.store.tend.sent


def test_a_join_link_to_elsewhere_is_never_followed(house: House) -> None:
    house.graph.failures.join_host = "teams.microsoft.com.evil.example"
    with pytest.raises(Refusal, match="meeting-unavailable"):
        house.open(PROVIDER)


def test_a_slow_subscription_does_not_hold_up_the_visit(house: House) -> None:
    answering = house.graph.failures.subscription_after = threading.Event()
    begun = time.monotonic()
    room = house.open(PROVIDER)
    assert time.monotonic() - begun >= 0.4
    assert not room.live
    assert (house.row.live, house.row.subscription_id) == ("live-unavailable", "")
    answering.set()
    house.rooms.close()
    assert house.row.subscription_id == "sub-1"
    (row,) = house.stores.store.visits.rows.values()
    assert row.live == "live", "from now on; a call that had begun before is known from the reports"


@pytest.mark.parametrize(
    ("failure", "live"),
    [
        (graph_error(409, "Conflict"), "live"),
        (graph_error(403, "Forbidden", "limit"), "live-unavailable"),
        (graph_error(400, "ValidationError"), "live-unavailable"),
    ],
)
def test_a_visit_starts_whatever_becomes_of_its_subscription(house: House, failure: Any, live: str) -> None:
    house.graph.failures.subscription = failure
    assert house.open(PATIENT).patient_url
    assert house.row.live == live


def test_the_patient_takes_the_meeting_s_own_link_where_there_is_no_browser_link(house: House) -> None:
    house.graph.failures.virtual = graph_error(403, "Forbidden")
    room = house.open(PATIENT)
    assert room.patient_url == room.provider_url
    assert house.row.patient_url == ""
    house.graph.failures.virtual = None
    assert house.open(PATIENT).patient_url.startswith("https://visit.teams.microsoft.com/")


def test_the_subscription_names_the_visit_only_sealed(house: House) -> None:
    house.open(PATIENT, patient="eZephPat77309415", appointment="eApptZeph4417731")
    (made,) = house.graph.asked("POST", "/beta/subscriptions")
    assert made.body["resource"].startswith("communications/onlineMeetings(joinWebUrl='https%3A%2F%2Fteams.")
    assert "%253ameeting" in made.body["resource"]
    assert made.body["clientState"] == client_state(house.pseudonyms, CONNECTION, house.row.key)
    url, _, sealed = made.body["notificationUrl"].partition("?c=")
    assert url == "https://app.example/attendance/notifications"
    assert made.body["lifecycleNotificationUrl"] == f"https://app.example/attendance/lifecycle?c={sealed}"
    assert house.contexts.open(sealed).visit_id == VISIT_ID
    for sent in house.graph.sent:
        for secret in (VISIT_ID, PATIENT_ID, "eZephPat77309415", "eApptZeph4417731", "EMP-88101"):
            assert secret not in sent.text


def test_a_visit_that_stands_needs_no_call_and_no_write(house: House) -> None:
    for launcher in (PROVIDER, PATIENT):
        house.open(launcher)
    house.graph.sent.clear()
    house.stores.store.visits.counted.clear()
    rooms = [house.open(launcher) for launcher in (PROVIDER, PATIENT)]
    assert house.graph.sent == []
    assert house.stores.store.visits.counted == {"get": 2}
    assert rooms[0].provider_url == house.row.join_url
    assert rooms[1].patient_url == house.row.patient_url


def test_every_person_is_written_down_once_and_the_patient_sealed(house: House) -> None:
    for launcher in (PROVIDER, PATIENT, PROVIDER, PATIENT, Launcher("patient", "WPR-5519904")):
        house.open(launcher)
    provider, patient, parent = house.row.persons
    assert (provider.side, provider.user, provider.oid) == ("provider", "EMP-88101", ELENA)
    assert (patient.side, house.sealer.open("person", patient.user)) == ("patient", PATIENT_ID)
    assert house.sealer.open("person", parent.user) == "WPR-5519904"
    assert PATIENT_ID not in repr(house.row)


def test_a_visit_becomes_a_group_when_somebody_comes_by_a_groups_record(house: House) -> None:
    found = []
    for launcher, group in ((PROVIDER, False), (PATIENT, True), (PROVIDER, False)):
        house.open(launcher, group=group)
        found.append(house.row.group)
    assert found == [False, True, True]


def test_eight_launches_at_once_end_in_one_meeting_and_one_subscription(house: House) -> None:
    with ThreadPoolExecutor(8) as crowd:
        rooms = list(crowd.map(house.open, [PROVIDER, PATIENT] * 4))
    assert len(house.graph.meetings) == 1
    assert len(house.graph.subscriptions) == 1
    assert len(house.stores.store.tend.sent) == 1
    assert {room.provider_url for room in rooms} == {house.row.join_url}
    assert len(house.row.persons) == 2
    assert house.row.live == "live"
    assert house.row.subscription_id == "sub-1"
    assert house.row.tended


def test_launches_at_once_agree_on_a_meeting_even_if_graph_makes_several(house: House) -> None:
    house.graph.failures.forks = True
    with ThreadPoolExecutor(8) as crowd:
        rooms = list(
            crowd.map(house.open, [PROVIDER, PATIENT, Launcher("provider", "EMP-88102", NOAH), PATIENT] * 2)
        )
    assert len(house.graph.meetings) > 1
    assert {room.provider_url for room in rooms} == {house.row.join_url}
    assert len(house.graph.subscriptions) == 1
    assert len(house.row.persons) == 3


def test_tend_is_queued_once_and_holds_what_the_ehr_needs(house: House) -> None:
    starts = NOW + timedelta(minutes=10)
    house.open(PATIENT, appointment="eApptZeph4417731", starts=starts, ends=starts + timedelta(minutes=30))
    house.open(PROVIDER)
    ((text, delay),) = house.stores.store.tend.sent
    message = json.loads(text)
    assert (message["v"], message["kind"], delay) == (1, "tend", 60)
    sealed = house.sealer.open("message", message["sealed"])
    assert (sealed["connection"], sealed["visit"]) == (CONNECTION, house.row.key)
    assert sealed["starts"] == timestamp(starts)
    assert house.contexts.open(sealed["c"]).appointment == "eApptZeph4417731"
    assert PATIENT_ID not in json.dumps(sealed)


def test_a_visit_starts_without_its_queue_and_a_later_launch_makes_up_for_it(house: House) -> None:
    house.stores.store.tend.down = True
    assert house.open(PROVIDER).provider_url
    before = house.row
    assert not before.tended
    house.stores.store.tend.down = False
    house.clock.move(seconds=31)
    house.open(PATIENT)
    assert len(house.stores.store.tend.sent) == 1
    assert house.row.tended
    house.open(PROVIDER)
    assert len(house.stores.store.tend.sent) == 1


def test_who_comes_back_after_the_end_opens_the_visit_again(house: House) -> None:
    house.open(PROVIDER)
    visits = house.stores.store.visits
    visits.change(CONNECTION, house.row.key, lambda row: replace(row, closed_at=timestamp(NOW)))
    house.graph.subscriptions.clear()
    assert house.open(PATIENT).live
    assert house.row.closed_at == ""
    assert len(house.stores.store.tend.sent) == 2
    assert len(house.graph.asked("POST", "createOrGet")) == 1


def test_a_visit_keeps_the_key_it_was_made_with_when_keys_rotate(house: House) -> None:
    house.open(PROVIDER)
    old = house.row.key
    rotated = Pseudonyms([*KEYS, b"n" * 32])
    house.rooms._pseudonyms = rotated
    newest = rotated.visit_keys(CONNECTION, "session", VISIT_ID)[0]
    assert newest != old
    assert house.open(PATIENT, visit_key=newest).visit.key == old
