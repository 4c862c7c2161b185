"""All of the Microsoft 365 rooms, over TLS, against the sandbox's strict simulation of it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask, Response, request

from sandbox.authority import ensure_authority
from sandbox.keys import ensure_keys
from sandbox.microsoft365 import Failures
from sandbox.serving import serve
from shared.clock import SystemClock, SystemEntropy
from shared.connection import Approved, Connection, Policy, Revision
from shared.context import ContextSeal, VisitContext
from shared.entra import Account, Entra
from shared.errors import OutsideError, Refusal, StatusRefused
from shared.graph.licences import TEAMS_PLANS, Licences
from shared.graph.meetings import OnlineMeetings
from shared.graph.notifications import CallEvent, NotGenuine, Notifications
from shared.graph.people import People, Somebody
from shared.graph.reports import Reports
from shared.graph.service import Graph
from shared.graph.subscriptions import Subscriptions, is_client_state, until
from shared.keys import GraphCertificates, symmetric_keys
from shared.meeting import Launcher, Rooms
from shared.oidc import KeySets
from shared.outbound import Outbound
from shared.sealing import Pseudonyms, Sealer
from shared.secrets import FileSecrets
from shared.settings import Settings
from tests.graph.fakes import CLIENT_ID, ELENA, NOAH, POOL, TENANT, MemoryStores
from tests.sandbox.m365 import Cloud, running

pytestmark = pytest.mark.sandbox

CONNECTION = "aabcdefgh2345672"
PROVIDER = Launcher("provider", "EMP-88101", ELENA)
PATIENT = Launcher("patient", "WPR-5519902")


class AppWebhook:
    """The two addresses that Graph is given: the handshake answered, notifications kept."""

    def __init__(self, folder: Path) -> None:
        self.items: list[tuple[dict[str, Any], list[str]]] = []
        self.contexts: list[str] = []
        self.arrived = threading.Condition()
        flask = Flask("app")
        for path in ("/attendance/notifications", "/attendance/lifecycle"):
            flask.add_url_rule(path, path, self._answer, methods=["POST"])
        self.server = serve(flask, 0, ensure_authority(folder).server_context())
        self.url = f"https://localhost:{self.server.port}"

    def _answer(self) -> Response:
        if (token := request.args.get("validationToken")) is not None:
            return Response(token, mimetype="text/plain")
        body = request.get_json()
        with self.arrived:
            self.contexts.append(request.args["c"])
            self.items += [(item, body.get("validationTokens", [])) for item in body["value"]]
            self.arrived.notify_all()
        return Response(status=202)

    def wait(self, count: int) -> list[tuple[dict[str, Any], list[str]]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.items) >= count, 10), self.items
            return list(self.items)


@dataclass
class House:
    """The product's rooms, wired as in production, over a running simulation."""

    cloud: Cloud
    webhook: AppWebhook
    settings: Settings
    entra: Entra
    graph: Graph
    meetings: OnlineMeetings
    subscriptions: Subscriptions
    notifications: Notifications
    stores: MemoryStores
    pseudonyms: Pseudonyms
    contexts: ContextSeal
    rooms: Rooms

    def context(self, visit_id: str, **values: Any) -> VisitContext:
        key = self.pseudonyms.visit_keys(CONNECTION, "session", visit_id)[0]
        return VisitContext(connection=CONNECTION, visit_key=key, kind="session", visit_id=visit_id, **values)

    def requests(self, end: str) -> list[Any]:
        return [seen for seen in self.cloud.world.recorder.requests if urlsplit(seen.url).path.endswith(end)]

    def fail(self, **failures: Any) -> None:
        for name, value in failures.items():
            setattr(self.cloud.failures, name, value)

    def event(self, item: dict[str, Any], tokens: list[str]) -> CallEvent:
        """What fold does with one item."""
        visit = self.stores.store.visits.rows[
            CONNECTION, self.contexts.open(self.webhook.contexts[0]).visit_key
        ]
        self.notifications.authentic(item, tokens, datetime.now(UTC))
        self.notifications.belongs(
            item,
            tenant=TENANT,
            subscription=visit.subscription_id,
            is_state=lambda shown: is_client_state(self.pseudonyms, CONNECTION, visit.key, shown),
        )
        return self.notifications.event(self.notifications.decrypt(item), TENANT)


def approved(policy: Policy | None = None) -> Approved:
    connection = Connection(CONNECTION, TENANT, "americas", "test", "epic", "https://ehr.example", "", 1, 1)
    revision = Revision(CONNECTION, 1, "approved", "T", organizers=POOL, policy=policy or Policy())
    return Approved(connection, revision)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def cloud(folder: Path) -> Iterator[Cloud]:
    with running(folder) as cloud:
        (folder / "secrets").mkdir()
        (folder / "secrets" / "graph-client").write_text(cloud.app.key + cloud.app.certificate)
        ensure_keys(folder / "secrets")
        yield cloud


def settings_of(cloud: Cloud, folder: Path, server_url: str) -> Settings:
    storage = {"AntesalaAmericas": "AccountName=unused"}
    return Settings.from_environ(
        {
            "ANTESALA_ENVIRONMENT": "sandbox",
            "ANTESALA_PUBLIC_URL": cloud.addresses.app_url,
            "ANTESALA_SERVER_URL": server_url,
            "ANTESALA_REGIONS": "americas",
            "ANTESALA_TENANTS": TENANT,
            "ANTESALA_CLIENT_ID": CLIENT_ID,
            "ANTESALA_LOGIN_URL": cloud.tls,
            "ANTESALA_GRAPH_URL": f"{cloud.tls}/graph",
            "ANTESALA_TEAMS_HOSTS": urlsplit(cloud.pages).netloc,
            "ANTESALA_SECRETS_DIR": str(folder / "secrets"),
            "ANTESALA_CA_BUNDLE": str(cloud.bundle),
            "ANTESALA_PRIVATE_HOSTS": "localhost",
            **storage,
        }
    )


def _cure(cloud: Cloud) -> None:
    for member in fields(Failures):
        setattr(cloud.failures, member.name, getattr(Failures(), member.name))


@pytest.fixture
def house(cloud: Cloud, folder: Path) -> Iterator[House]:
    clock, webhook = SystemClock(), AppWebhook(folder)
    settings = settings_of(cloud, folder, webhook.url)
    secrets = FileSecrets(folder / "secrets")
    outbound = Outbound.from_settings(settings, clock)
    keysets, certificates = KeySets(outbound, clock), GraphCertificates(secrets, clock)
    sealer = Sealer(symmetric_keys(secrets, "sealing-keys"), clock)
    pseudonyms = Pseudonyms(symmetric_keys(secrets, "visit-keys"))
    contexts, stores = ContextSeal(sealer), MemoryStores()
    entra = Entra(settings, outbound, keysets, secrets)
    graph = Graph(settings, outbound, entra, SystemEntropy())
    meetings, subscriptions = OnlineMeetings(graph, settings), Subscriptions(graph, certificates, settings)
    rooms = Rooms(
        cast("Any", stores),
        meetings,
        subscriptions,
        contexts,
        sealer,
        pseudonyms,
        clock,
        SystemEntropy(),
        budget=2.5,
        threads=16,
    )
    cloud.world.recorder.forget()
    _cure(cloud)
    yield House(
        cloud,
        webhook,
        settings,
        entra,
        graph,
        meetings,
        subscriptions,
        Notifications(settings, keysets, certificates, clock),
        stores,
        pseudonyms,
        contexts,
        rooms,
    )
    rooms.close()
    outbound.close()
    webhook.server.close()
    _cure(cloud)
    cloud.clock.ahead = timedelta()


# -- tokens and sign-in


def test_one_token_serves_everybody_who_starts_at_once(house: House) -> None:
    with ThreadPoolExecutor(8) as crowd:
        tokens = set(crowd.map(house.entra.app_token, [TENANT] * 8))
    assert len(tokens) == 1
    assert len(house.requests("/oauth2/v2.0/token")) == 1


def test_a_cured_misconfiguration_is_cured_at_once(house: House) -> None:
    house.cloud.failures.token_error = "invalid_client"
    with pytest.raises(StatusRefused) as refused:
        house.entra.app_token(TENANT)
    assert not refused.value.transient
    assert refused.value.code.startswith("invalid_client AADSTS")
    house.cloud.failures.token_error = ""
    assert house.entra.app_token(TENANT)


def test_a_sign_in_service_that_is_down_is_transient(house: House) -> None:
    house.cloud.failures.token_down = True
    with pytest.raises(OutsideError) as failed:
        house.entra.app_token(TENANT)
    assert failed.value.transient


def test_a_tenant_that_is_not_served_gets_no_token(house: House) -> None:
    with pytest.raises(Refusal, match="wrong-organization"):
        house.entra.app_token("0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2")


def test_a_token_that_graph_no_longer_takes_is_replaced_once(house: House) -> None:
    first = house.entra.app_token(TENANT)
    keyring = house.cloud.world.keyring
    keyring.rotate()
    del keyring._keys[0]
    people = People(house.graph)
    assert people.get(TENANT, ELENA) == Somebody(ELENA, "Dr. Elena Vidal", "elena.vidal@sierra.example")
    assert house.entra.app_token(TENANT) != first
    assert len(house.requests(f"/users/{ELENA}")) == 2


def test_several_people_are_read_and_strangers_left_out(house: House) -> None:
    found = People(house.graph).several(TENANT, [ELENA, "22222222-bbbb-4bbb-8bbb-000000000009"])
    assert found == {ELENA: Somebody(ELENA, "Dr. Elena Vidal", "elena.vidal@sierra.example")}


def sign_in(house: House, oid: str, tenant: str | None = TENANT, **changed: Any) -> Account:
    started = house.entra.begin(tenant, house.cloud.redirect_uri)
    answer = house.cloud.session.post(started.url, data={"account": oid}, allow_redirects=False, timeout=10)
    assert answer.status_code in (302, 303), answer.text
    query = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    return house.entra.finish(started.flow, {**query, **changed})


def test_somebody_signs_in(house: House) -> None:
    account = sign_in(house, "11111111-aaaa-4aaa-8aaa-000000000001")
    assert (account.tid, account.name, account.guest) == (TENANT, "Marisol Ibarra", False)
    assert account.roles == {"Connector.Admin"}
    assert sign_in(house, ELENA, tenant=None).roles == frozenset()


def test_a_sign_in_asks_for_what_it_should(house: House) -> None:
    started = house.entra.begin(TENANT, house.cloud.redirect_uri, login_hint="elena.vidal@sierra.example")
    query = dict(parse_qsl(urlsplit(started.url).query))
    assert (query["prompt"], query["response_mode"], query["state"]) == (
        "select_account",
        "query",
        started.state,
    )
    assert query["code_challenge_method"] == "S256"
    assert set(query["scope"].split()) == {"openid", "profile"}
    assert started.flow["code_verifier"] not in repr(started)


@pytest.mark.parametrize(
    ("failures", "changed"),
    [
        ({"wrong_nonce": True}, {}),
        ({"id_token_signature": "stranger"}, {}),
        ({"token_error": "invalid_grant"}, {}),
        ({}, {"state": "somebody else's"}),
        ({}, {"code": "somebody else's"}),
        ({}, {"code": "", "error": "access_denied"}),
        ({}, {"code": ""}),
    ],
)
def test_a_sign_in_that_went_wrong_is_refused(
    house: House, failures: dict[str, Any], changed: dict[str, str]
) -> None:
    house.fail(**failures)
    with pytest.raises(Refusal) as refused:
        sign_in(house, ELENA, **changed)
    assert refused.value.reason.code == "sign-in-failed"


def test_a_guest_is_recognised(house: House) -> None:
    house.cloud.failures.outsider_is_guest = True
    assert sign_in(house, "22222222-bbbb-4bbb-8bbb-000000000001").guest


# -- a visit


def test_a_visit_from_the_patient_s_first_click_to_its_report(house: House) -> None:
    starts = datetime.now(UTC).replace(microsecond=0)
    context = house.context("880014417731", starts=starts, ends=starts + timedelta(minutes=30))
    room = house.rooms.open(approved(), context, PATIENT)
    again = house.rooms.open(approved(), context, PROVIDER)
    assert room.live
    assert again.provider_url == room.visit.join_url
    meeting = house.cloud.world.meetings.get(room.visit.meeting_id)
    assert meeting.body["lobbyBypassSettings"] == {"scope": "organization", "isDialInBypassEnabled": False}
    assert meeting.body["allowedPresenters"] == "organization"
    assert (meeting.body["subject"], meeting.external_id) == ("Video visit", context.visit_key)

    calls, directory = house.cloud.world.calls, house.cloud.world.directory
    patient = calls.join(meeting, None, "Zephyrina Quillfeather")
    doctor = calls.join(meeting, directory.by_oid(TENANT, ELENA), "Dr. Elena Vidal")
    calls.admit(patient.id)
    calls.leave(patient.id)
    calls.leave(doctor.id)
    house.cloud.settle()
    events = [house.event(item, tokens) for item, tokens in house.webhook.wait(6)]
    changes = [change for event in sorted(events, key=lambda event: event.at) for change in event.changes]
    external = [change.state for change in changes if change.identity_kind == "external"]
    home = [(change.state, change.oid) for change in changes if change.identity_kind == "home"]
    assert external == ["waiting", "in", "out"]
    assert home == [("in", ELENA), ("out", ELENA)]
    assert {house.contexts.open(sealed).visit_id for sealed in house.webhook.contexts} == {"880014417731"}

    (report,) = Reports(house.graph).of_meeting(TENANT, room.visit.organizer, room.visit.meeting_id)
    assert {record.identity_kind for record in report.records} == {"home", "external"}
    assert "Zephyrina" not in repr(report)


@pytest.mark.parametrize(
    "failures",
    [
        {"wrong_publisher": True},
        {"wrong_audience": True},
        {"foreign_tid": True},
        {"expired_validation_token": True},
        {"validation_algorithm": "none"},
        {"validation_algorithm": "HS256"},
        {"validation_algorithm": "stranger"},
        {"no_validation_tokens": True},
        {"bad_hmac": True},
        {"wrong_client_state": True},
        {"wrong_tenant": True},
    ],
)
def test_a_notification_that_is_not_graph_s_is_refused(house: House, failures: dict[str, Any]) -> None:
    room = house.rooms.open(approved(), house.context(f"forged {failures}"), PROVIDER)
    house.fail(**failures)
    meeting = house.cloud.world.meetings.get(room.visit.meeting_id)
    house.cloud.world.calls.join(meeting, house.cloud.world.directory.by_oid(TENANT, ELENA), "E")
    house.cloud.settle()
    for item, tokens in house.webhook.wait(1):
        with pytest.raises(NotGenuine):
            house.event(item, tokens)


@pytest.mark.parametrize(
    "failures",
    [
        {"camel_case": True},
        {"event_type_name": "callEventType", "duplicate": True},
        {"unknown_event_type": True, "external_identity": "acs"},
        {"external_identity": "phone"},
    ],
)
def test_every_spelling_of_a_notification_is_read(house: House, failures: dict[str, Any]) -> None:
    room = house.rooms.open(approved(), house.context(f"spelled {failures}"), PROVIDER)
    house.fail(**failures)
    house.cloud.world.calls.join(house.cloud.world.meetings.get(room.visit.meeting_id), None, "Zephyrina")
    house.cloud.settle()
    events = [house.event(item, tokens) for item, tokens in house.webhook.wait(2)]
    states = {(change.state, change.identity_kind) for event in events for change in event.changes}
    assert states == {("waiting", "external")}
    assert not any("+" in change.identity for event in events for change in event.changes)


def test_eight_launches_at_once_share_one_meeting_and_one_subscription(house: House) -> None:
    context = house.context("crowd")
    with ThreadPoolExecutor(8) as crowd:
        rooms = list(
            crowd.map(lambda who: house.rooms.open(approved(), context, who), [PROVIDER, PATIENT] * 4)
        )
    (row,) = house.stores.store.visits.rows.values()
    assert {room.provider_url for room in rooms} == {row.join_url}
    assert len([one for one in house.cloud.world.meetings if one.external_id == context.visit_key]) == 1
    assert len(house.cloud.world.subscriptions.of_meeting(row.meeting_id)) == 1
    assert len(row.persons) == 2
    assert row.subscription_id


def test_a_meeting_that_graph_forks_is_still_one(house: House) -> None:
    house.cloud.failures.create_or_get_forks = 1
    context = house.context("forked")
    first = house.rooms.open(approved(), context, PATIENT)
    second = house.rooms.open(approved(), context, PROVIDER)
    assert first.visit.join_url == second.provider_url


def test_a_meeting_that_was_made_though_graph_said_503_is_found_again(house: House) -> None:
    house.cloud.failures.fails_after_create = 1
    context = house.context("made anyway")
    assert house.rooms.open(approved(), context, PROVIDER).provider_url
    assert len([one for one in house.cloud.world.meetings if one.external_id == context.visit_key]) == 1


def test_an_organizer_without_the_access_policy_is_replaced(house: House) -> None:
    house.cloud.failures.no_policy_for = [ELENA]
    assert house.rooms.open(approved(), house.context("no policy for one"), PROVIDER).visit.organizer in POOL


def test_without_any_access_policy_there_is_no_room(house: House) -> None:
    house.cloud.failures.no_policy = True
    with pytest.raises(Refusal) as refused:
        house.rooms.open(approved(), house.context("no policy"), PROVIDER)
    assert refused.value.reason.code == "access-policy-missing"


@pytest.mark.parametrize(
    "failures",
    [
        {"delays": {"subscription": 1.5}},
        {"subscription_quota": True},
        {"throttle": 9, "throttle_operation": "subscription"},
    ],
)
def test_a_visit_starts_without_call_events(house: House, failures: dict[str, Any]) -> None:
    house.fail(**failures)
    house.rooms._linking._budget = 0.5
    room = house.rooms.open(approved(), house.context(f"quiet {failures}"), PATIENT)
    assert not room.live
    assert room.patient_url


def test_the_patient_has_a_link_where_virtual_appointments_are_not_available(house: House) -> None:
    house.cloud.failures.virtual_appointment_unavailable = True
    room = house.rooms.open(approved(), house.context("no virtual appointment"), PATIENT)
    assert room.patient_url == room.visit.join_url


@pytest.mark.parametrize("lobby", ["organizer", "invited", "organizationExcludingGuests"])
def test_every_lobby_policy_is_applied_and_recognised(house: House, lobby: Any) -> None:
    policy = approved(Policy(lobby=lobby))
    context = house.context(f"lobby {lobby}")
    room = house.rooms.open(policy, context, PROVIDER)
    meeting = house.cloud.world.meetings.get(room.visit.meeting_id)
    assert meeting.body["lobbyBypassSettings"]["scope"] == lobby
    house.stores.store.visits.rows.clear()
    house.rooms.open(policy, context, PROVIDER)
    patches = [one for one in house.cloud.world.recorder.requests if one.method == "PATCH"]
    assert len(patches) == 1


def test_a_moved_visit_moves_its_meeting(house: House) -> None:
    starts = datetime.now(UTC).replace(microsecond=0)
    context = house.context("moved", starts=starts, ends=starts + timedelta(minutes=20))
    house.rooms.open(approved(), context, PROVIDER)
    house.stores.store.visits.rows.clear()
    later = starts + timedelta(hours=1)
    room = house.rooms.open(
        approved(), replace(context, starts=later, ends=later + timedelta(minutes=20)), PROVIDER
    )
    shown = house.cloud.world.meetings.get(room.visit.meeting_id).body["startDateTime"]
    assert datetime.fromisoformat(shown) == later


# -- subscriptions and people


def test_a_subscription_is_renewed_found_and_ended(house: House) -> None:
    room = house.rooms.open(approved(), house.context("renewed"), PROVIDER)
    visit, subscriptions = room.visit, house.subscriptions
    assert subscriptions.create(TENANT, visit.join_url, "ctx", "state", until(datetime.now(UTC))) is None
    found = subscriptions.find(TENANT, visit.join_url)
    assert found is not None
    assert found.id == visit.subscription_id
    wanted = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=48)
    renewed = subscriptions.renew(TENANT, visit.subscription_id, wanted)
    assert renewed is not None
    assert renewed.expires == wanted
    assert subscriptions.reauthorize(TENANT, visit.subscription_id)
    assert subscriptions.delete(TENANT, visit.subscription_id)
    assert not subscriptions.delete(TENANT, visit.subscription_id)
    assert not subscriptions.reauthorize(TENANT, visit.subscription_id)
    assert subscriptions.renew(TENANT, visit.subscription_id, wanted) is None
    assert subscriptions.find(TENANT, visit.join_url) is None


def test_people_are_found_by_what_they_are_called(house: House) -> None:
    people = People(house.graph)
    assert {one.oid for one in people.search(TENANT, "dr. ")} >= {ELENA, NOAH}
    assert [one.oid for one in people.search(TENANT, "noah.lind")] == [NOAH]
    assert people.search(TENANT, "O'Hara or 1 eq 1") == []
    assert people.search(TENANT, "  ") == []
    assert people.get(TENANT, "11111111-aaaa-4aaa-8aaa-00000000ffff") is None


def test_a_licence_for_teams_is_found(house: House) -> None:
    plans = Licences(house.graph).service_plans(TENANT, ELENA)
    assert [plan.state for plan in plans if plan.id in TEAMS_PLANS] == ["Success"]
