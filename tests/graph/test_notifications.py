import base64
import copy
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.padding import PKCS7

from shared.errors import AnswerRefused
from shared.graph.notifications import NotGenuine, Notifications, RosterChange
from shared.graph.subscriptions import client_state, is_client_state
from shared.oidc import KeySets
from shared.sealing import Pseudonyms
from shared.settings import Settings
from tests.graph.fakes import CLIENT_ID, ELENA, LOGIN, NOW, OTHER_TENANT, PUBLISHER, TENANT, FakeClock
from tests.graph.issuing import KeyServer, without

ISSUED = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": f"https://sts.windows.net/{TENANT}/",
    "aud": CLIENT_ID,
    "tid": TENANT,
    "appid": PUBLISHER,
    "ver": "1.0",
    "iat": ISSUED,
    "nbf": ISSUED,
    "exp": ISSUED + 3600,
}
EVENT: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.callevent",
    "id": "event-1",
    "eventType": "rosterUpdated",
    "eventDateTime": "2026-10-01T14:02:11.1234567Z",
    "participants@delta": [
        {
            "id": "p1",
            "isInLobby": True,
            "info": {"identity": {"guest": {"id": "g-1", "displayName": "Zephyrina Q"}}},
        }
    ],
}


class Certificates:
    """One key, under one id."""

    def __init__(self) -> None:
        self.key = generate_private_key(65537, 2048)

    def private_key(self, certificate_id: str) -> RSAPrivateKey | None:
        return self.key if certificate_id == "cert-1" else None


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="module")
def server() -> KeyServer:
    return KeyServer(f"{LOGIN}/common/discovery/keys")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def notifications(
    settings: Settings, server: KeyServer, certificates: Certificates, clock: FakeClock
) -> Notifications:
    return Notifications(settings, KeySets(cast("Any", server), clock), cast("Any", certificates), clock)


def text64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def encrypted(event: Any, key: RSAPrivateKey, secret: bytes | None = None, sha: Any = None) -> dict[str, Any]:
    """Graph's side of graph.md 3.6, written from the sheet."""
    secret = secret or os.urandom(32)
    sha = sha or SHA1()  # noqa: S303 - as Graph does
    padder = PKCS7(128).padder()
    padded = padder.update(json.dumps(event).encode()) + padder.finalize()
    encryptor = Cipher(AES(secret), CBC(secret[:16])).encryptor()
    data = encryptor.update(padded) + encryptor.finalize()
    oaep = padding.OAEP(mgf=padding.MGF1(sha), algorithm=sha, label=None)
    return {
        "data": text64(data),
        "dataSignature": text64(hmac.digest(secret, data, hashlib.sha256)),
        "dataKey": text64(key.public_key().encrypt(secret, oaep)),
        "encryptionCertificateId": "cert-1",
        "encryptionCertificateThumbprint": "unused",
    }


def item(certificates: Certificates, event: Any = EVENT) -> dict[str, Any]:
    return {
        "subscriptionId": "sub-1",
        "clientState": "state",
        "tenantId": TENANT,
        "encryptedContent": encrypted(event, certificates.key),
    }


def test_what_graph_encrypts_is_read_back(notifications: Notifications, certificates: Certificates) -> None:
    assert notifications.decrypt(item(certificates)) == EVENT


def test_the_item_s_keys_may_have_other_capitals(
    notifications: Notifications, certificates: Certificates
) -> None:
    shown = item(certificates)
    content = {name[0].upper() + name[1:]: value for name, value in shown["encryptedContent"].items()}
    assert notifications.decrypt({"EncryptedContent": content}) == EVENT


Forgery = Callable[[dict[str, Any], RSAPrivateKey], None]


def _flip(name: str) -> Forgery:
    def forge(content: dict[str, Any], key: RSAPrivateKey) -> None:
        value = bytearray(base64.b64decode(content[name]))
        value[len(value) // 2] ^= 1
        content[name] = text64(bytes(value))

    return forge


def _own_signature(content: dict[str, Any], key: RSAPrivateKey) -> None:
    data = base64.b64decode(content["data"])
    content["dataSignature"] = text64(hmac.digest(b"a key of the attacker's", data, hashlib.sha256))


def _short_key(content: dict[str, Any], key: RSAPrivateKey) -> None:
    content.update(encrypted(EVENT, key, secret=os.urandom(16)))


def _other_hash(content: dict[str, Any], key: RSAPrivateKey) -> None:
    content.update(encrypted(EVENT, key, sha=SHA256()))


def _other_recipient(content: dict[str, Any], key: RSAPrivateKey) -> None:
    content.update(encrypted(EVENT, generate_private_key(65537, 2048)))


def _no_object(content: dict[str, Any], key: RSAPrivateKey) -> None:
    content.update(encrypted(["a list"], key))


def _set(name: str, value: Any) -> Forgery:
    def forge(content: dict[str, Any], key: RSAPrivateKey) -> None:
        content[name] = value

    return forge


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (_flip("data"), "signature"),  # to turn bits of the event
        (_flip("dataSignature"), "signature"),
        (_flip("dataKey"), "signature"),
        (_own_signature, "signature"),
        (_other_recipient, "signature"),
        (_short_key, "signature"),
        (_other_hash, "signature"),
        (_set("encryptionCertificateId", "cert-2"), "certificate"),  # to have another key tried
        (_set("encryptionCertificateId", None), "certificate"),
        (_set("data", ""), "shape"),
        (_set("data", "not base64!"), "shape"),
        (_set("data", 7), "shape"),
        (_no_object, "shape"),
    ],
)
def test_a_forged_content_is_refused(
    notifications: Notifications, certificates: Certificates, forge: Forgery, why: str
) -> None:
    shown = item(certificates)
    forge(shown["encryptedContent"], certificates.key)
    with pytest.raises(NotGenuine) as refused:
        notifications.decrypt(shown)
    assert refused.value.why == why


def test_an_item_without_content_is_refused(notifications: Notifications) -> None:
    with pytest.raises(NotGenuine, match="shape"):
        notifications.decrypt({"encryptedContent": "text"})


def test_a_bad_padding_behind_a_good_signature_is_refused(
    notifications: Notifications, certificates: Certificates
) -> None:
    secret = os.urandom(32)
    shown = item(certificates)
    content = encrypted(EVENT, certificates.key, secret)
    data = os.urandom(32)
    content |= {"data": text64(data), "dataSignature": text64(hmac.digest(secret, data, hashlib.sha256))}
    shown["encryptedContent"] = content
    with pytest.raises(NotGenuine, match="shape"):
        notifications.decrypt(shown)


def test_graph_s_own_token_passes(notifications: Notifications, server: KeyServer) -> None:
    notifications.authentic({"tenantId": TENANT}, [server.token(CLAIMS)])
    notifications.authentic(
        {"TenantId": TENANT}, [server.token({**without(CLAIMS, "appid"), "azp": PUBLISHER})]
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"appid": "11111111-1111-4111-8111-111111111111"}, "publisher"),  # any app's token for us would do
        ({"appid": None, "azp": None}, "publisher"),
        ({"aud": "11111111-1111-4111-8111-111111111111"}, "token"),
        ({"iss": f"{LOGIN}/{TENANT}/v2.0"}, "token"),
        ({"iss": f"https://sts.windows.net/{OTHER_TENANT}/"}, "token"),
        ({"exp": ISSUED - 61}, "token"),
        ({"nbf": ISSUED + 600, "iat": ISSUED + 600}, "token"),
        ({"tid": OTHER_TENANT, "iss": f"https://sts.windows.net/{OTHER_TENANT}/"}, "tenant"),
        ({"tid": "9" * 8 + TENANT[8:], "iss": f"https://sts.windows.net/{'9' * 8 + TENANT[8:]}/"}, "tenant"),
    ],
)
def test_a_token_that_does_not_prove_graph_is_refused(
    notifications: Notifications, server: KeyServer, changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(NotGenuine) as refused:
        notifications.authentic({"tenantId": TENANT}, [server.token({**CLAIMS, **changed})])
    assert refused.value.why == why


def test_a_tenant_that_is_not_served_is_refused_even_with_graph_s_own_token(
    notifications: Notifications, server: KeyServer
) -> None:
    stranger = "99999999-0000-4000-8000-000000000000"
    token = server.token({**CLAIMS, "tid": stranger, "iss": f"https://sts.windows.net/{stranger}/"})
    with pytest.raises(NotGenuine, match="tenant"):
        notifications.authentic({"tenantId": stranger}, [token])


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512"])
def test_a_token_in_another_algorithm_is_refused(
    notifications: Notifications, server: KeyServer, alg: str
) -> None:
    with pytest.raises(NotGenuine, match="token"):
        notifications.authentic({"tenantId": TENANT}, [server.token(CLAIMS, alg=alg)])


def test_a_token_by_a_stranger_s_key_is_refused(notifications: Notifications, server: KeyServer) -> None:
    with pytest.raises(NotGenuine, match="token"):
        notifications.authentic({"tenantId": TENANT}, [server.token(CLAIMS, key=server.stranger)])


def test_every_token_must_be_good_and_one_must_cover_the_tenant(
    notifications: Notifications, server: KeyServer
) -> None:
    good = server.token(CLAIMS)
    other = server.token({**CLAIMS, "tid": OTHER_TENANT, "iss": f"https://sts.windows.net/{OTHER_TENANT}/"})
    notifications.authentic({"tenantId": TENANT}, [other, good])
    for tokens, why in (
        ([], "no-token"),
        ([good, "x.y.z"], "token"),
        ([other], "tenant"),
        ([good] * 51, "no-token"),
    ):
        with pytest.raises(NotGenuine, match=why):
            notifications.authentic({"tenantId": TENANT}, tokens)
    with pytest.raises(NotGenuine, match="tenant"):
        notifications.authentic({}, [good])


def test_a_notification_that_waited_in_the_queue_is_judged_as_of_its_arrival(
    notifications: Notifications, server: KeyServer, clock: FakeClock
) -> None:
    token = server.token(CLAIMS)
    clock.move(hours=20)
    with pytest.raises(NotGenuine, match="token"):
        notifications.authentic({"tenantId": TENANT}, [token])
    notifications.authentic({"tenantId": TENANT}, [token], NOW + timedelta(minutes=5))
    with pytest.raises(NotGenuine, match="token"):
        notifications.authentic({"tenantId": TENANT}, [token], NOW + timedelta(hours=2))


def test_an_item_must_be_of_the_visit_s_own_subscription(notifications: Notifications) -> None:
    pseudonyms = Pseudonyms([b"k" * 32])
    state = client_state(pseudonyms, "a", "visit")

    def is_state(shown: str) -> bool:
        return is_client_state(pseudonyms, "a", "visit", shown)

    good = {"subscriptionId": "sub-1", "tenantId": TENANT, "clientState": state}
    notifications.belongs(good, tenant=TENANT, subscription="sub-1", is_state=is_state)
    rotated = Pseudonyms([b"k" * 32, b"n" * 32])
    assert is_client_state(rotated, "a", "visit", state)
    for changed, why in (
        ({"subscriptionId": "sub-2"}, "subscription"),
        ({"subscriptionId": None}, "subscription"),
        ({"tenantId": OTHER_TENANT}, "tenant"),
        ({"clientState": client_state(pseudonyms, "a", "other")}, "client-state"),
        ({"clientState": None}, "client-state"),
        ({"clientState": "é\udcff"}, "client-state"),
    ):
        with pytest.raises(NotGenuine) as refused:
            notifications.belongs({**good, **changed}, tenant=TENANT, subscription="sub-1", is_state=is_state)
        assert refused.value.why == why
    with pytest.raises(NotGenuine, match="subscription"):
        notifications.belongs(
            {**good, "subscriptionId": ""}, tenant=TENANT, subscription="", is_state=is_state
        )


def test_an_event_says_who_waits(notifications: Notifications) -> None:
    event = notifications.event(EVENT, TENANT)
    assert (event.id, event.kind) == ("event-1", "rosterUpdated")
    assert event.at == datetime(2026, 10, 1, 14, 2, 11, 123456, UTC)
    assert event.changes == (RosterChange("p1", "waiting", "external", "", "g-1"),)
    assert "Zephyrina" not in repr(event)


def pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: pascal(member) for name, member in value.items()}
    return [pascal(member) for member in value] if isinstance(value, list) else value


def test_an_event_may_be_written_in_pascal_case(notifications: Notifications) -> None:
    shown = copy.deepcopy(EVENT)
    shown["callEventType"] = shown.pop("eventType")
    assert notifications.event(pascal(shown), TENANT) == notifications.event(EVENT, TENANT)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"isInLobby": False, "info": {"identity": {"user": {"id": ELENA.upper(), "tenantId": TENANT}}}},
         ("in", "home", ELENA, "")),
        ({"isInLobby": False, "info": {"identity": {"user": {"id": ELENA, "tenantId": OTHER_TENANT}}}},
         ("in", "external", "", ELENA)),
        ({"isInLobby": False, "info": {"identity": {"user": {"id": ELENA}}}}, ("in", "external", "", ELENA)),
        ({"isInLobby": True, "removedState": {"reason": "left"},
          "info": {"identity": {"azureCommunicationServicesUser": {"id": "8:acs:x_y"}}}},
         ("out", "external", "", "8:acs:x_y")),
        ({"info": {"identity": {"phone": {"id": "+15550142"}}}}, ("in", "external", "", "")),
        ({"info": {"identity": {"encrypted": {"id": "e"}}}}, ("in", "external", "", "")),
        ({"isInLobby": "true", "info": None}, ("in", "external", "", "")),
        ({"removedState": None, "isInLobby": True}, ("waiting", "external", "", "")),
    ],
)  # fmt: skip
def test_an_identity_is_home_or_external(
    notifications: Notifications, delta: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    (change,) = notifications.event({**EVENT, "participants@delta": [{"id": "p", **delta}]}, TENANT).changes
    assert (change.state, change.identity_kind, change.oid, change.identity) == expected


@pytest.mark.parametrize("kind", ["transcriptionStateUpdated", "", None, 7])
def test_an_unknown_kind_is_let_pass(notifications: Notifications, kind: Any) -> None:
    event = notifications.event({**without(EVENT, "participants@delta"), "eventType": kind}, TENANT)
    assert (event.kind, event.changes) == ("other", ())


@pytest.mark.parametrize(
    "changed",
    [
        {"id": ""},
        {"eventDateTime": "yesterday"},
        {"eventDateTime": "2026-10-01T14:02:11"},
        {"participants@delta": [{}]},
    ],
)
def test_an_event_without_what_every_event_has_is_refused(
    notifications: Notifications, changed: dict[str, Any]
) -> None:
    with pytest.raises(AnswerRefused):
        notifications.event({**EVENT, **changed}, TENANT)
