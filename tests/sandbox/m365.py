"""A simulated Microsoft 365 on two free ports of this machine, an app with a certificate, and its webhook."""

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Flask, Response, request

from sandbox.addresses import Addresses
from sandbox.authority import Authority, ensure_authority
from sandbox.microsoft365 import Failures, World, create_app
from sandbox.microsoft365.cast import CLIENT_ID, SIERRA, VIDAL, Registration, default_registration
from sandbox.serving import Server, serve


@dataclass(frozen=True)
class Credential:
    """A self-signed certificate and its key, in PEM."""

    key: str
    certificate: str

    @property
    def public_der(self) -> str:
        """The certificate as Graph wants it: base64 of DER."""
        parsed = x509.load_pem_x509_certificate(self.certificate.encode())
        return base64.b64encode(parsed.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        """The key, loaded."""
        loaded = serialization.load_pem_private_key(self.key.encode(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        return loaded


def credential(bits: int = 2048) -> Credential:
    """A new one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Credential(pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode())


class Clock:
    """The real time plus whatever was added."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Cloud:
    """A running Microsoft 365 and a client's view of it."""

    addresses: Addresses
    world: World
    app: Credential
    clock: Clock
    session: requests.Session
    bundle: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> Failures:
        """Its failure modes."""
        return self.world.failures

    @property
    def tls(self) -> str:
        """Its base for servers."""
        return self.addresses.m365_tls_url

    @property
    def pages(self) -> str:
        """Its base for browsers."""
        return self.addresses.m365_url

    @property
    def redirect_uri(self) -> str:
        """The portal's registered callback."""
        return f"{self.addresses.app_url}/config/signin/callback"

    def msal(self, tenant: str = SIERRA, **certificate: Any) -> Any:
        """An MSAL client of the app; `certificate` replaces its credential."""
        return msal.ConfidentialClientApplication(
            CLIENT_ID,
            client_credential=certificate
            or {"private_key": self.app.key, "public_certificate": self.app.certificate},
            authority=f"{self.tls}/{tenant}",
            instance_discovery=False,
            http_client=self.session,
        )

    def token(self) -> str:
        """An app-only token for Graph, fetched once."""
        if "graph" not in self.tokens:
            answer = self.msal().acquire_token_for_client([f"{self.tls}/graph/.default"])
            self.tokens["graph"] = answer["access_token"]
        return self.tokens["graph"]

    def graph(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """A request to Graph; `path` starts at the version."""
        headers = {"Authorization": f"Bearer {self.token()}", **more.pop("headers", {})}
        return self.session.request(
            method, f"{self.tls}/graph{path}", json=body, headers=headers, timeout=15, **more
        )

    def meeting(self, external: str | None = None, organizer: str = VIDAL.oid, **body: Any) -> dict[str, Any]:
        """A meeting by createOrGet."""
        answer = self.graph(
            "POST",
            f"/v1.0/users/{organizer}/onlineMeetings/createOrGet",
            {"externalId": external or str(uuid.uuid4()), **body},
        )
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    def control(self, name: str, /, **body: Any) -> Any:
        """A control endpoint's answer."""
        answer = self.session.post(f"{self.tls}/sandbox/{name}", json=body, timeout=15)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self) -> None:
        """Wait until every notification was taken."""
        assert self.world.publisher.dispatcher.settle(10)


@contextmanager
def running(
    folder: Path, state: Path | None = None, change: Callable[[Registration], Registration] | None = None
) -> Iterator[Cloud]:
    """A Microsoft 365 for a while."""
    authority: Authority = ensure_authority(folder)
    addresses, app, clock = Addresses.free(), credential(), Clock()
    registration = default_registration(addresses, app.certificate)
    session = session_trusting(authority.bundle)
    world = World(
        addresses,
        clock,
        app.certificate,
        state_dir=state,
        outbound=session_trusting(authority.bundle),
        registration=change(registration) if change else registration,
        first_pause=0.05,
    )
    flask = create_app(world)
    plain = serve(flask, addresses.m365_http)
    tls = serve(flask, addresses.m365_tls, authority.server_context())
    try:
        yield Cloud(addresses, world, app, clock, session, authority.bundle)
    finally:
        plain.close()
        tls.close()
        world.close()


def session_trusting(bundle: Path) -> requests.Session:
    """A session that trusts the sandbox's authority, whatever the environment says."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(bundle)
    return session


class Webhook:
    """The app's two endpoints for Graph: answers handshakes and keeps what it is sent.

    `handshake` makes the answer to a handshake; `statuses` are answered to notifications before 202.
    """

    def __init__(self, authority: Authority) -> None:
        self.received: list[dict[str, Any]] = []
        self.lifecycle: list[dict[str, Any]] = []
        self.handshakes: list[str] = []
        self.statuses: list[int] = []
        self.handshake: Callable[[str], Response] = lambda token: Response(token, mimetype="text/plain")
        self._arrived = threading.Condition()
        flask = Flask("webhook")
        for path in ("/notifications", "/lifecycle"):
            flask.add_url_rule(path, path, self._answer, methods=["POST"])
        self.server: Server = serve(flask, 0, authority.server_context())
        self.url = f"https://localhost:{self.server.port}"

    def _answer(self) -> Response:
        if (token := request.args.get("validationToken")) is not None:
            self.handshakes.append(request.path)
            return self.handshake(token)
        if self.statuses:
            return Response(status=self.statuses.pop(0))
        with self._arrived:
            (self.received if request.path == "/notifications" else self.lifecycle).append(request.get_json())
            self._arrived.notify_all()
        return Response(status=202)

    def subscription(self, join_url: str, certificate: Credential | None, **other: Any) -> dict[str, Any]:
        """A request body for a subscription; None values of `other` leave a property out."""
        body: dict[str, Any] = {
            "changeType": "updated",
            "resource": resource_of(join_url),
            "notificationUrl": f"{self.url}/notifications?ctx=abc",
            "lifecycleNotificationUrl": f"{self.url}/lifecycle?ctx=abc",
            "expirationDateTime": in_minutes(120),
            "clientState": "a-secret",
            "includeResourceData": certificate is not None,
        }
        if certificate is not None:
            body |= {
                "encryptionCertificate": certificate.public_der,
                "encryptionCertificateId": "cert-1",
            }
        return {name: value for name, value in (body | other).items() if value is not None}


def resource_of(join_url: str) -> str:
    """The resource of a meeting's call events, encoded as documented."""
    return f"communications/onlineMeetings(joinWebUrl='{quote(join_url, safe='')}')/meetingCallEvents"


def in_minutes(minutes: float) -> str:
    """A moment from now as Graph is told it."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def params_of(location: str) -> dict[str, str]:
    """The query of a redirect."""
    return dict(parse_qsl(urlsplit(location).query))


def decoded(token: str) -> dict[str, Any]:
    """A JWT's claims, unverified."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
