"""One hospital, one browser, one Microsoft 365, and the real doors between them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from launch_patient.device_test import DeviceTest
from launch_patient.launch import PatientDoor
from launch_provider.launch import ProviderDoor
from launch_provider.visit_view import VisitView
from shared.clock import SystemEntropy
from shared.connection import Client, Connection, Endpoints, Revision, UserSource, VisitSource
from shared.context import ContextSeal
from shared.errors import Refusal
from shared.keys import SigningKeys, signing_keys_name
from shared.launch import SmartFlow
from shared.oidc import KeySets
from shared.pages import Pages
from shared.sealing import KeyRing, Pseudonyms, Sealer
from shared.secrets import SecretMissing
from shared.smart.discovery import Discovery
from shared.smart.id_token import IdTokens
from shared.smart.token import Tokens
from shared.web import Request, Response
from tests.launch import microsoft
from tests.launch.ehr import AUTHORIZE, BASE, ISSUER, JWKS, SECRET, TOKEN, Ehr, query_of, signing_key
from tests.launch.rows import Stores

PUBLIC = "https://antesala.example"
CONNECTION = "abcdefghijklmnop"
ENDPOINTS = Endpoints(ISSUER, AUTHORIZE, TOKEN, JWKS)
PAGES = Pages()


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_by(self, **span: float) -> None:
        self.moment += timedelta(**span)


class _Secrets:
    """The one key set: under the only organization's name, and under that of the tests' own."""

    def __init__(self) -> None:
        self.names = {signing_keys_name(), signing_keys_name(microsoft.TENANT)}
        self.reads: list[str] = []

    def read(self, name: str) -> str:
        self.reads.append(name)
        if name == "client-secret":
            return SECRET
        if name not in self.names:
            raise SecretMissing(name)
        return _signing_keys()

    def write(self, name: str, value: str) -> None:
        raise AssertionError


@cache
def _signing_keys() -> str:
    import json

    def pem(key: Any) -> str:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return str(key.private_bytes(*form).decode())

    keys = (("rs-1", "RS384", signing_key("app")), ("es-1", "ES384", ec.generate_private_key(ec.SECP384R1())))
    rows = [{"kid": kid, "alg": alg, "private_key": pem(key), "state": "current"} for kid, alg, key in keys]
    return json.dumps(rows)


@cache
def own_keys() -> SigningKeys:
    """The same for many worlds: to parse an RSA key takes longer than a launch."""
    return SigningKeys(_Secrets(), Clock(), {microsoft.TENANT})


def connection() -> Connection:
    return Connection(
        id=CONNECTION,
        tenant=microsoft.TENANT,
        region="americas",
        environment="test",
        kind="epic",
        fhir_base=BASE,
        created_at="2030-01-01T00:00:00.000Z",
        approved=1,
    )


def revision(**changes: Any) -> Revision:
    known = Revision(
        connection=CONNECTION,
        number=1,
        state="approved",
        name="Sierra",
        provider=Client("provider-client"),
        patient=Client("patient-client", alg="ES384"),
        user_source=UserSource("epicUserId", "epicUserId"),
        endpoints=ENDPOINTS,
    )
    return replace(known, **changes)


BY_APPOINTMENT: dict[str, Any] = {
    "visit_source": VisitSource("appointment", ""),
    "user_source": UserSource(),
}


def callback_route(url: str) -> dict[str, str]:
    """What the host finds in the path of an answer's address."""
    return {"connection": urlsplit(url).path.rpartition("/")[2]}


@dataclass
class Shown:
    """What the browser shows: a response, or the reason why not."""

    status: int
    reason: str = ""
    location: str = ""
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None


class Browser:
    """Keeps cookies as a browser does, and calls a door with them."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def open(
        self,
        handler: Callable[[Request], Response],
        url: str,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        route: dict[str, str] | None = None,
    ) -> Shown:
        request = Request(
            method=method,
            path=urlsplit(url).path,
            query={name: value for name, value in query_of(url).items() if value} if "?" in url else {},
            form=form or {},
            headers=headers or {},
            cookies=dict(self.cookies),
            route=route or {},
        )
        try:
            response = handler(request)
        except Refusal as refusal:
            self._keep(refusal.cookies)
            return Shown(refusal.reason.status, refusal.reason.code)
        self._keep(response.cookies)
        body = response.body.decode()
        return Shown(
            response.status, "", response.headers.get("Location", ""), body, dict(response.headers), body
        )

    def _keep(self, cookies: tuple[Any, ...]) -> None:
        for cookie in cookies:
            assert cookie.name.startswith("__Host-")
            assert len(cookie.value) < 3800, "browsers drop cookies over 4 kB"
            if cookie.max_age:
                self.cookies[cookie.name] = cookie.value
            else:
                self.cookies.pop(cookie.name, None)

    def named(self, prefix: str) -> list[str]:
        return [name for name in self.cookies if name.startswith(f"__Host-{prefix}-")]


class World:
    """Everything together; ``launch`` walks both legs."""

    def __init__(
        self,
        *neighbours: str,
        public: str = PUBLIC,
        keys: SigningKeys | None = None,
        sealing: KeyRing | None = None,
        visits: KeyRing | None = None,
    ) -> None:
        """``neighbours``: further organizations that the operator lists; each then needs keys of its own.

        ``keys``: those of the app, where nothing depends on when they are read. ``sealing``, ``visits``: its
        other keys, where they change.
        """
        self.sealing, self.visits = sealing or [b"s" * 32], visits or [b"v" * 32]
        self.public = public
        self.tenants = {microsoft.TENANT, *neighbours}
        self.secrets = _Secrets()
        self.clock = Clock()
        self.entropy = SystemEntropy()
        self.stores = Stores()
        self.entra, self.people, self.rooms = microsoft.Entra(), microsoft.People(), microsoft.Rooms()
        self.entra.account = microsoft.account()
        self.keys = keys or SigningKeys(self.secrets, self.clock, self.tenants)
        self.ehr = Ehr(self.clock, self.keys.jwks(microsoft.TENANT), public, CONNECTION)
        self.browser = Browser()
        self.services = self._services(self.keys)
        self.provider = ProviderDoor(cast("Any", self.services))
        self.patient = PatientDoor(cast("Any", self.services))
        self.view = VisitView(cast("Any", self.services))
        self.device_test = DeviceTest(cast("Any", self.services))
        self.use(revision())

    def _services(self, keys: SigningKeys) -> SimpleNamespace:
        clock, outbound = self.clock, cast("Any", self.ehr)
        sealer, keysets = Sealer(self.sealing, clock), KeySets(outbound, clock)
        pages = PAGES
        discovery = Discovery(outbound, clock)
        flow = SmartFlow(
            sealer=sealer,
            stores=cast("Any", self.stores),
            discovery=discovery,
            tokens=Tokens(outbound, keys, self.secrets, clock, self.entropy),
            id_tokens=IdTokens(keysets, outbound, clock),
            pages=pages,
            clock=clock,
            entropy=self.entropy,
            tenants=self.tenants,
        )
        return SimpleNamespace(
            settings=SimpleNamespace(public_url=self.public, tenants=self.tenants),
            clock=clock,
            entropy=self.entropy,
            sealer=sealer,
            pseudonyms=Pseudonyms(self.visits),
            contexts=ContextSeal(sealer),
            outbound=outbound,
            stores=self.stores,
            discovery=discovery,
            flow=flow,
            entra=self.entra,
            people=self.people,
            rooms=self.rooms,
            pages=pages,
            tokens=None,
        )

    def use(self, settings: Revision, head: Connection | None = None) -> None:
        self.stores.region.connections.rows[CONNECTION] = (head or connection(), settings)

    @property
    def outcomes(self) -> list[str]:
        return [code for _, code, _ in self.stores.region.launches.rows]

    def leg1(self, side: str = "provider", query: str = "", **options: Any) -> Shown:
        door = self.provider if side == "provider" else self.patient
        url = f"/launch/{side}/{CONNECTION}?{query or f'iss={BASE}&launch=l-1'}"
        return self.browser.open(door.launch, url, route={"connection": CONNECTION}, **options)

    def agreed(self, location: str, user: str, members: dict[str, Any] | None = None) -> str:
        known = {"patient": "pat-1", "sessionId": "880014417731", "epicUserId": "EMP-88101"}
        return self.ehr.authorize(query_of(location), user=user, members={**known, **(members or {})})

    def leg2(self, url: str, side: str = "provider") -> Shown:
        door = self.provider if side == "provider" else self.patient
        return self.browser.open(door.callback, url, route=callback_route(url))

    def launch(
        self, side: str = "provider", user: str = "", members: dict[str, Any] | None = None, query: str = ""
    ) -> Shown:
        first = self.leg1(side, query)
        assert first.status == 303, first
        who = user or ("Practitioner/prac-vidal" if side == "provider" else "Patient/pat-1")
        return self.leg2(self.agreed(first.location, who, members), side)

    def linked(self) -> Shown:
        """The first launch of Dr. Vidal, through the link to the end."""
        self.launch()
        page = self.sign_in()
        return self.press(page)

    def sign_in(self, code: str = "entra-code-1", state: str = "") -> Shown:
        """Microsoft 365 answers; the page after it."""
        number = len(self.entra.begun)
        url = f"/launch/provider/signin/callback?code={code}&state={state or f'entra-state-{number}'}"
        answered = self.browser.open(self.provider.accounts.signed_in, url)
        return self.page(answered.location) if answered.location else answered

    def page(self, location: str) -> Shown:
        shown = self.browser.open(self.provider.accounts.page, location)
        return replace(shown, location=location) if not shown.location else shown

    def press(self, page: Shown, headers: dict[str, str] | None = None) -> Shown:
        handle = query_of(page.location)["handle"]
        return self.browser.open(
            self.provider.accounts.confirm,
            "/launch/provider/signin/confirm",
            method="POST",
            form={"handle": handle},
            headers={"origin": PUBLIC, "sec-fetch-site": "same-origin"} if headers is None else headers,
        )


@pytest.fixture
def world() -> World:
    return World(keys=own_keys())
