"""Subscriptions, notifications and attendance of the simulated Graph (graph.md section 10: 3, 4, 5, 7)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Response

from sandbox.authority import ensure_authority
from sandbox.microsoft365.cast import CLIENT_ID, FOREIGN, LINDQVIST, OUTSIDER, SIERRA, VIDAL
from tests.sandbox.m365 import Cloud, Credential, Webhook, credential, in_minutes, resource_of, running

MEETINGS = f"/v1.0/users/{VIDAL.oid}/onlineMeetings"
PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
ORGANIZATION = {"lobbyBypassSettings": {"scope": "organization"}, "allowedPresenters": "organization"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Cloud]:
    with running(folder) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    yield shared
    shared.settle()
    shared.session.put(f"{shared.tls}/sandbox/failures", json={})
    shared.tokens.clear()
    shared.clock.ahead = timedelta()


@pytest.fixture
def webhook(folder: Path) -> Iterator[Webhook]:
    made = Webhook(ensure_authority(folder))
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def certificate() -> Credential:
    return credential()


def closed_meeting(cloud: Cloud) -> dict[str, Any]:
    """A meeting with the lobby closed, as a careful client leaves it."""
    made = cloud.meeting()
    answer = cloud.graph("PATCH", f"{MEETINGS}/{quote(made['id'])}", ORGANIZATION)
    found: dict[str, Any] = answer.json()
    return found


def subscribed(cloud: Cloud, webhook: Webhook, certificate: Credential | None, url: str, **other: Any) -> Any:
    answer = cloud.graph("POST", "/beta/subscriptions", webhook.subscription(url, certificate, **other))
    assert answer.status_code == 201, answer.text
    return answer.json()


def opened(item: dict[str, Any], certificate: Credential) -> dict[str, Any]:
    """Verify and decrypt `encryptedContent` as the documentation says, by means of our own."""
    content = item["encryptedContent"]
    sha1 = hashes.SHA1()  # noqa: S303
    oaep = rsa_padding.OAEP(mgf=rsa_padding.MGF1(sha1), algorithm=sha1, label=None)
    key = certificate.private_key.decrypt(base64.b64decode(content["dataKey"]), oaep)
    data = base64.b64decode(content["data"])
    if base64.b64encode(hmac.digest(key, data, hashlib.sha256)).decode() != content["dataSignature"]:
        raise ValueError("the signature does not fit")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    plain = unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    said: dict[str, Any] = json.loads(plain)
    return said


def events(webhook: Webhook, certificate: Credential) -> list[dict[str, Any]]:
    return [opened(post["value"][0], certificate) for post in webhook.received]


def verified(cloud: Cloud, token: str) -> dict[str, Any]:
    """A validation token's claims, verified as graph.md 3.5 says."""
    metadata = cloud.session.get(f"{cloud.tls}/common/.well-known/openid-configuration").json()
    keys = {key["kid"]: key for key in cloud.session.get(metadata["jwks_uri"]).json()["keys"]}
    key = jwt.PyJWK(keys[jwt.get_unverified_header(token)["kid"]])
    claims: dict[str, Any] = jwt.decode(
        token, key.key, algorithms=["RS256"], audience=CLIENT_ID, issuer=f"https://sts.windows.net/{SIERRA}/"
    )
    assert claims["appid"] == PUBLISHER
    return claims


def test_a_subscription_should_need_both_handshakes(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    made = subscribed(cloud, webhook, certificate, cloud.meeting()["joinWebUrl"])
    assert webhook.handshakes == ["/notifications", "/lifecycle"]
    assert made["applicationId"] == CLIENT_ID
    assert made["encryptionCertificate"] is None


@pytest.mark.parametrize(
    "handshake",
    [
        lambda token: Response(quote(token), mimetype="text/plain"),
        lambda token: Response(token, mimetype="text/html"),
        lambda token: Response(json.dumps(token), mimetype="application/json"),
        lambda token: Response(token, status=202, mimetype="text/plain"),
        lambda token: Response("", mimetype="text/plain"),
    ],
    ids=["still escaped", "html", "json", "202", "empty"],
)
def test_a_wrong_handshake_should_make_no_subscription(
    cloud: Cloud, webhook: Webhook, handshake: Any
) -> None:
    webhook.handshake = handshake
    url = cloud.meeting()["joinWebUrl"]
    answer = cloud.graph("POST", "/beta/subscriptions", webhook.subscription(url, None))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ValidationError")


def test_an_unreachable_lifecycle_url_should_make_no_subscription(cloud: Cloud, webhook: Webhook) -> None:
    body = webhook.subscription(
        cloud.meeting()["joinWebUrl"], None, lifecycleNotificationUrl="https://localhost:9/lifecycle"
    )
    assert cloud.graph("POST", "/beta/subscriptions", body).status_code == 400
    assert webhook.handshakes == ["/notifications"]


def test_subscriptions_should_exist_on_beta_only_but_be_deleted_on_both(
    cloud: Cloud, webhook: Webhook
) -> None:
    body = webhook.subscription(cloud.meeting()["joinWebUrl"], None)
    assert cloud.graph("POST", "/v1.0/subscriptions", body).status_code == 400
    made = cloud.graph("POST", "/beta/subscriptions", body).json()
    assert cloud.graph("GET", f"/beta/subscriptions/{made['id']}").json()["id"] == made["id"]
    assert made["id"] in {each["id"] for each in cloud.graph("GET", "/beta/subscriptions").json()["value"]}
    assert cloud.graph("DELETE", f"/v1.0/subscriptions/{made['id']}").status_code == 204
    assert cloud.graph("GET", f"/beta/subscriptions/{made['id']}").status_code == 404


def test_a_second_subscription_of_a_meeting_should_conflict(cloud: Cloud, webhook: Webhook) -> None:
    body = webhook.subscription(cloud.meeting()["joinWebUrl"], None)
    answers = [cloud.graph("POST", "/beta/subscriptions", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]


@pytest.mark.parametrize(
    "other",
    [
        {"changeType": "created"},
        {"changeType": "updated,created"},
        {"resource": "communications/onlineMeetings/?$filter=JoinWebUrl eq 'x'"},
        {"resource": "RAW"},
        {"resource": "UNKNOWN"},
        {"notificationUrl": None},
        {"notificationUrl": "http://localhost/notifications"},
        {"lifecycleNotificationUrl": None},
        {"expirationDateTime": None},
        {"expirationDateTime": in_minutes(-1)},
        {"expirationDateTime": "TOO LATE"},
        {"expirationDateTime": "soon"},
        {"clientState": "x" * 129},
        {"includeResourceData": True},
        {"includeResourceData": True, "encryptionCertificate": "bm90", "encryptionCertificateId": "1"},
        {"includeResourceData": True, "encryptionCertificate": "PEM", "encryptionCertificateId": "1"},
        {"includeResourceData": True, "encryptionCertificate": "DER"},
        {"includeResourceData": True, "encryptionCertificate": "DER", "encryptionCertificateId": "x" * 129},
        {"id": "mine"},
        {"patient": "x"},
    ],
    ids=lambda other: "-".join(f"{name}={str(value)[:24]}" for name, value in other.items()),
)
def test_a_subscription_against_the_rules_should_be_refused(
    cloud: Cloud, webhook: Webhook, certificate: Credential, other: dict[str, Any]
) -> None:
    url = cloud.meeting()["joinWebUrl"]
    resources = {
        "RAW": f"communications/onlineMeetings(joinWebUrl='{url}')/meetingCallEvents",
        "UNKNOWN": resource_of(url + "x"),
    }
    # Now and not when the tests were gathered: a long run would have come within the limit.
    times = {"TOO LATE": in_minutes(4240)}
    certificates = {"PEM": certificate.certificate, "DER": certificate.public_der}
    for name, values in (
        ("resource", resources),
        ("encryptionCertificate", certificates),
        ("expirationDateTime", times),
    ):
        if name in other:
            other = {**other, name: values.get(other[name], other[name])}
    answer = cloud.graph("POST", "/beta/subscriptions", webhook.subscription(url, None, **other))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest"), answer.text
    assert webhook.handshakes == []


def test_a_certificate_should_be_rsa_of_2048_to_4096_bits(cloud: Cloud, webhook: Webhook) -> None:
    url = cloud.meeting()["joinWebUrl"]
    body = webhook.subscription(url, credential(1024))
    assert cloud.graph("POST", "/beta/subscriptions", body).status_code == 400


def test_a_short_subscription_should_do_without_lifecycle_and_last_45_minutes(
    cloud: Cloud, webhook: Webhook
) -> None:
    made = subscribed(
        cloud,
        webhook,
        None,
        cloud.meeting()["joinWebUrl"],
        lifecycleNotificationUrl=None,
        expirationDateTime=in_minutes(5),
    )
    assert in_minutes(44) < made["expirationDateTime"] < in_minutes(46)


def test_the_quota_and_a_missing_permission_should_be_403(cloud: Cloud, webhook: Webhook) -> None:
    body = webhook.subscription(cloud.meeting()["joinWebUrl"], None)
    cloud.failures.subscription_quota = True
    answer = cloud.graph("POST", "/beta/subscriptions", body)
    assert answer.status_code == 403
    assert "10000" in answer.json()["error"]["message"]
    cloud.session.put(
        f"{cloud.tls}/sandbox/failures", json={"missing_permissions": ["OnlineMeetings.ReadWrite.All"]}
    )
    cloud.tokens.clear()
    assert cloud.graph("POST", "/beta/subscriptions", body).status_code == 403


def test_a_renewal_should_move_the_expiry_and_the_certificate_together(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    meeting = closed_meeting(cloud)
    made = subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    path, newer = f"/beta/subscriptions/{made['id']}", credential()
    renewed = cloud.graph("PATCH", path, {"expirationDateTime": in_minutes(4000)})
    assert renewed.json()["expirationDateTime"] > made["expirationDateTime"]
    for refused in (
        {"expirationDateTime": in_minutes(5000)},
        {"encryptionCertificate": newer.public_der},
        {"lifecycleNotificationUrl": f"{webhook.url}/lifecycle"},
        {"resource": made["resource"]},
        {"clientState": "other"},
    ):
        assert cloud.graph("PATCH", path, refused).status_code == 400
    wanted = {"encryptionCertificate": newer.public_der, "encryptionCertificateId": "cert-2"}
    assert cloud.graph("PATCH", path, wanted).json()["encryptionCertificateId"] == "cert-2"
    cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.settle()
    assert events(webhook, newer)[0]["EventType"] == "callStarted"
    assert cloud.graph("POST", f"{path}/reauthorize").status_code == 204
    assert cloud.graph("PATCH", "/beta/subscriptions/none", wanted).status_code == 404


def test_a_lapsed_subscription_should_be_gone(cloud: Cloud, webhook: Webhook) -> None:
    meeting = closed_meeting(cloud)
    made = subscribed(cloud, webhook, None, meeting["joinWebUrl"])
    cloud.clock.ahead = timedelta(hours=3)
    cloud.tokens["graph"] = cloud.world.issuance.for_app("graph", SIERRA)
    assert cloud.graph("GET", f"/beta/subscriptions/{made['id']}").status_code == 404
    cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.settle()
    assert webhook.received == []


def test_a_whole_visit_should_be_told_in_sealed_pascal_case(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    meeting = closed_meeting(cloud)
    made = subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    patient = cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
    doctor = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    assert (patient["state"], doctor["state"]) == ("lobby", "in")
    assert cloud.control("admit", participant=patient["participant"])["state"] == "in"
    cloud.control("leave", participant=patient["participant"])
    cloud.control("leave", participant=doctor["participant"])
    cloud.settle()

    said = events(webhook, certificate)
    assert [each["EventType"] for each in said] == ["callStarted"] + ["rosterUpdated"] * 5 + ["callEnded"]
    deltas = [each["Participants@delta"][0] for each in said[1:-1]]
    assert [(each["Id"], each["IsInLobby"], "RemovedState" in each) for each in deltas] == [
        (patient["participant"], True, False),
        (doctor["participant"], False, False),
        (patient["participant"], False, False),
        (patient["participant"], False, True),
        (doctor["participant"], False, True),
    ]
    assert deltas[0]["Info"]["Identity"]["Guest"]["DisplayName"] == "A Guest"
    assert deltas[1]["Info"]["Identity"]["User"]["TenantId"] == SIERRA
    assert deltas[3]["RemovedState"]["Reason"] == "Participant has left the meeting call."

    item = webhook.received[0]["value"][0]
    assert (item["subscriptionId"], item["clientState"], item["tenantId"]) == (made["id"], "a-secret", SIERRA)
    assert item["resource"] == resource_of(meeting["joinWebUrl"])
    assert item["encryptedContent"]["encryptionCertificateId"] == "cert-1"
    parsed = x509.load_pem_x509_certificate(certificate.certificate.encode())
    thumbprint = parsed.fingerprint(hashes.SHA1()).hex()  # noqa: S303
    assert item["encryptedContent"]["encryptionCertificateThumbprint"].lower() == thumbprint
    claims = verified(cloud, webhook.received[0]["validationTokens"][0])
    assert (claims["tid"], claims["ver"]) == (SIERRA, "1.0")


def test_a_call_that_began_before_the_subscription_should_stay_silent(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    meeting = closed_meeting(cloud)
    doctor = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
    cloud.control("leave", participant=doctor["participant"])
    cloud.control("leave", url=meeting["joinWebUrl"])
    cloud.settle()
    assert webhook.received == []
    cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.settle()
    assert events(webhook, certificate)[0]["EventType"] == "callStarted"


def visit(cloud: Cloud, webhook: Webhook, certificate: Credential) -> dict[str, Any]:
    """Somebody comes and goes in a meeting of their own."""
    meeting = closed_meeting(cloud)
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    one = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.control("leave", participant=one["participant"])
    cloud.settle()
    return meeting


def test_an_untaken_notification_should_be_repeated(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    webhook.statuses = [500, 503, 404]
    visit(cloud, webhook, certificate)
    assert sorted(each["EventType"] for each in events(webhook, certificate)) == [
        "callEnded",
        "callStarted",
        "rosterUpdated",
        "rosterUpdated",
    ]


def test_notifications_should_be_spelled_as_documented_on_demand(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.camel_case, cloud.failures.event_type_name = True, "callEventType"
    visit(cloud, webhook, certificate)
    said = events(webhook, certificate)
    assert [each["callEventType"] for each in said][:2] == ["callStarted", "rosterUpdated"]
    assert said[1]["participants@delta"][0]["info"]["identity"]["user"]["id"] == VIDAL.oid


def test_duplicates_unknown_types_and_a_missing_end_should_be_played(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.duplicate = cloud.failures.unknown_event_type = cloud.failures.no_call_ended = True
    visit(cloud, webhook, certificate)
    said = events(webhook, certificate)
    kinds = [each["EventType"] for each in said]
    assert kinds[:3] == ["transcriptionStateUpdated", "callStarted", "callStarted"]
    assert said[1]["Id"] == said[2]["Id"]
    assert "callEnded" not in kinds


def test_losses_should_be_played(cloud: Cloud, webhook: Webhook, certificate: Credential) -> None:
    cloud.failures.drop_every = 2
    visit(cloud, webhook, certificate)
    assert len(webhook.received) == 2
    cloud.session.put(f"{cloud.tls}/sandbox/failures", json={"notifications_off": True})
    visit(cloud, webhook, certificate)
    assert len(webhook.received) == 2


def test_shuffled_events_should_come_out_of_order(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.shuffle = True
    meeting = closed_meeting(cloud)
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    for _ in range(4):
        cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.control("leave", url=meeting["joinWebUrl"])
    cloud.settle()
    times = [each["EventDateTime"] for each in events(webhook, certificate)]
    assert times != sorted(times)


def test_a_share_of_events_should_come_twice_and_of_calls_should_not_end(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.duplicate_share = cloud.failures.no_call_ended_share = 0.5
    for _ in range(6):
        visit(cloud, webhook, certificate)
    told = [each["Id"] for each in events(webhook, certificate)]
    kinds = {each["Id"]: each["EventType"] for each in events(webhook, certificate)}
    assert len(set(told)) < len(told) < 2 * len(set(told))
    assert 0 < list(kinds.values()).count("callEnded") < 6


def test_what_became_of_each_event_should_be_known(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.world.publisher.handovers.clear()
    cloud.failures.duplicate = True
    visit(cloud, webhook, certificate)
    known = list(cloud.world.publisher.handovers.values())
    assert {one.id for one in known} == {each["Id"] for each in events(webhook, certificate)}
    assert all((one.wanted, one.refused, len(one.taken)) == (2, 0, 2) for one in known)
    assert all(one.at <= moment for one in known for moment in one.taken)


def test_the_longest_hold_should_be_a_setting(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.shuffle, cloud.failures.shuffle_seconds = True, 0.0
    visit(cloud, webhook, certificate)
    times = [each["EventDateTime"] for each in events(webhook, certificate)]
    assert times == sorted(times)


def test_a_delay_should_be_played(cloud: Cloud, webhook: Webhook, certificate: Credential) -> None:
    cloud.failures.notification_delay = 0.4
    meeting = closed_meeting(cloud)
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    assert webhook.received == []
    cloud.settle()
    assert len(webhook.received) == 2


@pytest.mark.parametrize(
    "mode", ["wrong_publisher", "wrong_audience", "foreign_tid", "expired_validation_token"]
)
def test_a_forged_validation_token_should_not_verify(
    cloud: Cloud, webhook: Webhook, certificate: Credential, mode: str
) -> None:
    setattr(cloud.failures, mode, True)
    visit(cloud, webhook, certificate)
    token = webhook.received[0]["validationTokens"][0]
    with pytest.raises((jwt.InvalidTokenError, AssertionError)):
        verified(cloud, token)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "stranger"])
def test_a_validation_token_without_the_real_signature_should_not_verify(
    cloud: Cloud, webhook: Webhook, certificate: Credential, algorithm: str
) -> None:
    cloud.failures.validation_algorithm = algorithm
    visit(cloud, webhook, certificate)
    with pytest.raises(jwt.InvalidTokenError):
        verified(cloud, webhook.received[0]["validationTokens"][0])


def test_other_forgeries_of_a_notification_should_be_played(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    for mode in ("bad_hmac", "wrong_client_state", "no_validation_tokens", "wrong_tenant"):
        setattr(cloud.failures, mode, True)
    visit(cloud, webhook, certificate)
    post = webhook.received[0]
    assert "validationTokens" not in post
    assert post["value"][0]["clientState"] != "a-secret"
    assert post["value"][0]["tenantId"] == FOREIGN
    with pytest.raises(ValueError, match="signature"):
        opened(post["value"][0], certificate)


@pytest.mark.parametrize(
    ("kind", "key"), [("guest", "Guest"), ("acs", "AzureCommunicationServicesUser"), ("phone", "Phone")]
)
def test_outsiders_should_appear_in_every_kind_of_identity(
    cloud: Cloud, webhook: Webhook, certificate: Credential, kind: str, key: str
) -> None:
    cloud.failures.external_identity = kind
    meeting = closed_meeting(cloud)
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
    cloud.control("leave", url=meeting["joinWebUrl"])
    cloud.settle()
    identity = events(webhook, certificate)[1]["Participants@delta"][0]["Info"]["Identity"]
    assert list(identity) == [key]


def test_a_quiet_lobby_should_be_heard_of_when_somebody_is_in(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    cloud.failures.quiet_lobby = True
    meeting = closed_meeting(cloud)
    subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
    cloud.settle()
    assert webhook.received == []
    cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.settle()
    started, roster = events(webhook, certificate)
    assert started["EventType"] == "callStarted"
    assert [each["IsInLobby"] for each in roster["Participants@delta"]] == [True, False]


@pytest.mark.parametrize(
    ("scope", "foreigner", "colleague", "stranger"),
    [
        ("organizer", "lobby", "lobby", "lobby"),
        ("organization", "lobby", "in", "lobby"),
        ("organizationAndFederated", "in", "in", "lobby"),
        ("invited", "lobby", "lobby", "lobby"),
        ("everyone", "in", "in", "in"),
    ],
)
def test_the_lobby_should_obey_its_scope(
    cloud: Cloud, scope: str, foreigner: str, colleague: str, stranger: str
) -> None:
    made = cloud.meeting()
    cloud.graph("PATCH", f"{MEETINGS}/{quote(made['id'])}", {"lobbyBypassSettings": {"scope": scope}})
    url = made["joinWebUrl"]
    assert cloud.control("join", url=url, **{"as": OUTSIDER.oid})["state"] == foreigner
    assert cloud.control("join", url=url, **{"as": LINDQVIST.oid})["state"] == colleague
    assert cloud.control("join", url=url, name="A Guest")["state"] == stranger
    assert cloud.control("join", url=url, **{"as": VIDAL.oid})["state"] == "in"


def test_a_guest_of_the_tenant_should_pass_unless_guests_are_excluded(cloud: Cloud) -> None:
    cloud.failures.outsider_is_guest = True
    for scope, state in (("organization", "in"), ("organizationExcludingGuests", "lobby")):
        made = cloud.meeting()
        cloud.graph("PATCH", f"{MEETINGS}/{quote(made['id'])}", {"lobbyBypassSettings": {"scope": scope}})
        assert cloud.control("join", url=made["joinWebUrl"], **{"as": OUTSIDER.oid})["state"] == state


def admitted(cloud: Cloud, **body: Any) -> int:
    return cloud.session.post(f"{cloud.tls}/sandbox/admit", json=body).status_code


def test_only_who_may_should_admit(cloud: Cloud) -> None:
    meeting = closed_meeting(cloud)
    first, second = (cloud.control("join", url=meeting["joinWebUrl"], name=f"Guest {n}") for n in (1, 2))
    assert admitted(cloud, participant=first["participant"]) == 403
    colleague = cloud.control("join", url=meeting["joinWebUrl"], **{"as": LINDQVIST.oid})
    assert admitted(cloud, participant=first["participant"], by=colleague["participant"]) == 200
    assert admitted(cloud, participant=second["participant"], by=first["participant"]) == 403
    path = f"{MEETINGS}/{quote(meeting['id'])}"
    cloud.graph("PATCH", path, {"allowedLobbyAdmitters": "organizerAndCoOrganizers"})
    assert admitted(cloud, participant=second["participant"], by=colleague["participant"]) == 403
    doctor = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    assert admitted(cloud, participant=second["participant"], by=doctor["participant"]) == 200


def test_with_the_tenants_defaults_a_patient_should_walk_into_the_empty_room(cloud: Cloud) -> None:
    assert cloud.control("join", url=cloud.meeting()["joinWebUrl"], name="A Guest")["state"] == "in"


def test_an_organization_may_refuse_strangers(cloud: Cloud) -> None:
    cloud.failures.anonymous_join_off = True
    answer = cloud.session.post(
        f"{cloud.tls}/sandbox/join", json={"url": cloud.meeting()["joinWebUrl"], "name": "A Guest"}
    )
    assert answer.status_code == 403


def reports(cloud: Cloud, meeting: dict[str, Any], more: str = "", **params: str) -> Any:
    path = f"{MEETINGS}/{quote(meeting['id'])}/attendanceReports{more}"
    return cloud.graph("GET", path, params=params)


def test_each_session_should_leave_a_report(cloud: Cloud) -> None:
    meeting = closed_meeting(cloud)
    assert reports(cloud, meeting).json()["value"] == []
    for _ in range(2):
        doctor = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
        patient = cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
        cloud.control("admit", participant=patient["participant"])
        cloud.clock.ahead += timedelta(minutes=7)
        cloud.control("leave", participant=doctor["participant"])
        doctor = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
        cloud.clock.ahead += timedelta(minutes=1)
        cloud.control("leave", url=meeting["joinWebUrl"])
    cloud.failures.report_polls_empty = 1
    assert reports(cloud, meeting).json()["value"] == []
    listed = reports(cloud, meeting).json()["value"]
    assert len(listed) == 2
    assert listed[0]["meetingStartDateTime"] > listed[1]["meetingStartDateTime"]
    assert listed[0]["attendanceRecords"] == []
    assert "attendanceRecords" not in reports(cloud, meeting, f"/{listed[0]['id']}").json()
    asked = {"$expand": "attendanceRecords"}
    report = reports(cloud, meeting, f"/{listed[0]['id']}", **asked).json()
    staff, stranger = report["attendanceRecords"]
    assert (staff["identity"]["id"], staff["role"], len(staff["attendanceIntervals"])) == (
        VIDAL.oid,
        "Organizer",
        2,
    )
    assert 478 <= staff["totalAttendanceInSeconds"] <= 482
    assert (stranger["identity"]["id"], stranger["emailAddress"], stranger["role"]) == (None, "", "Attendee")
    records = reports(cloud, meeting, f"/{listed[0]['id']}/attendanceRecords").json()["value"]
    assert records == report["attendanceRecords"]


def test_a_wait_that_nobody_ended_should_leave_no_report(cloud: Cloud) -> None:
    meeting = closed_meeting(cloud)
    cloud.control("join", url=meeting["joinWebUrl"], name="A Guest")
    cloud.control("leave", url=meeting["joinWebUrl"])
    assert reports(cloud, meeting).json()["value"] == []


def test_reports_should_be_the_organizers_and_need_their_permission(cloud: Cloud) -> None:
    meeting = closed_meeting(cloud)
    other = f"/v1.0/users/{LINDQVIST.oid}/onlineMeetings/{quote(meeting['id'])}/attendanceReports"
    assert cloud.graph("GET", other).status_code == 404
    assert reports(cloud, meeting, "/none").status_code == 404
    cloud.failures.missing_permissions = ["OnlineMeetingArtifact.Read.All"]
    cloud.tokens.clear()
    assert reports(cloud, meeting).status_code == 403


def test_lifecycle_notifications_should_reach_their_own_url(
    cloud: Cloud, webhook: Webhook, certificate: Credential
) -> None:
    meeting = closed_meeting(cloud)
    made = subscribed(cloud, webhook, certificate, meeting["joinWebUrl"])
    cloud.control("lifecycle", subscription=made["id"], event="reauthorizationRequired", pause=True)
    cloud.settle()
    item = webhook.lifecycle[0]["value"][0]
    assert (item["lifecycleEvent"], item["clientState"]) == ("reauthorizationRequired", "a-secret")
    one = cloud.control("join", url=meeting["joinWebUrl"], **{"as": VIDAL.oid})
    cloud.settle()
    assert webhook.received == []
    cloud.graph("POST", f"/beta/subscriptions/{made['id']}/reauthorize")
    cloud.control("leave", participant=one["participant"])
    cloud.settle()
    assert [each["EventType"] for each in events(webhook, certificate)] == ["rosterUpdated", "callEnded"]
    cloud.control("lifecycle", url=meeting["joinWebUrl"], event="subscriptionRemoved")
    cloud.settle()
    assert webhook.lifecycle[-1]["value"][0]["lifecycleEvent"] == "subscriptionRemoved"
    assert cloud.graph("GET", f"/beta/subscriptions/{made['id']}").status_code == 404


def test_a_second_start_should_keep_subscriptions(
    folder: Path, tmp_path: Path, webhook: Webhook, certificate: Credential
) -> None:
    with running(folder, tmp_path) as first:
        meeting = closed_meeting(first)
        subscribed(first, webhook, certificate, meeting["joinWebUrl"])
    with running(folder, tmp_path) as second:
        found = second.world.meetings.get(meeting["id"])
        second.world.calls.join(found, VIDAL, VIDAL.name)
        second.settle()
    assert events(webhook, certificate)[0]["EventType"] == "callStarted"
