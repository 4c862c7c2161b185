"""A hospital around the portal: real routes, rules, pages and storage; people, EHR, Microsoft 365 are fakes.

``Browser`` speaks to the blueprint's own functions through the Functions types, keeps cookies as a browser
does, and says which page its requests come from.
"""

import copy
import json
import re
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import azure.functions as func

from config_function import blueprint
from config_function.field_rules import STEPS
from sandbox.keys import signing_keys
from shared.clock import SystemEntropy
from shared.connection import Approved, Connection, Revision
from shared.entra import Account, ApiCaller, SignIn
from shared.errors import AddressRefused, Refusal, StatusRefused, Unreachable
from shared.graph.licences import TEAMS_PLANS, ServicePlan
from shared.graph.meetings import OnlineMeeting
from shared.graph.people import Somebody
from shared.graph.service import GraphRefused
from shared.key_review import KeyReview
from shared.keys import SigningKeys, signing_keys_name
from shared.launch import Finished
from shared.outbound import Answer
from shared.pages import Pages
from shared.sealing import Sealer
from shared.settings import Settings
from shared.smart.discovery import Discovery
from shared.smart.id_token import Identity, IdTokens
from shared.smart.token import TokenAnswer
from shared.store import Stores
from shared.web import Cookie, Request, Response, redirect
from tests.fakes import FakeClock, MemorySecrets
from tests.keys.making import sound

PUBLIC = "http://localhost:7071"
BASE = "https://ehr.sierra.example/fhir"
ADMIN = "11111111-aaaa-4aaa-8aaa-000000000001"
ANALYST = "11111111-aaaa-4aaa-8aaa-000000000002"
CLINICIAN = "11111111-aaaa-4aaa-8aaa-000000000003"
POOL = "11111111-aaaa-4aaa-8aaa-000000000005"
READER = "11111111-aaaa-4aaa-8aaa-000000000007"
NAMES = {
    ADMIN: "Marisol Ibarra",
    ANALYST: "Tomas Quiroga",
    CLINICIAN: "Dr. Elena Vidal",
    POOL: "Visits Organizer 1",
    READER: "Renata Solis",
}
ROLES = {ADMIN: frozenset({"Connector.Admin"}), READER: frozenset({"Connector.Reader"})}


@dataclass
class Ehr:
    """What the hospital's FHIR server says, by address; a missing address does not answer.

    ``ahead``: by how many seconds a host's clock is ahead of ours, None where it sends no date.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ahead: dict[str, int | None] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    inside: set[str] = field(default_factory=lambda: {"10.0.0.8", "inside.sierra.example"})

    def serve(self, base: str, version: str = "4.0.1", host: str = "", issuer: str = "") -> None:
        auth = host or f"https://{urlsplit(base).netloc}/oauth2"
        self.pages[f"{base}/metadata"] = {"resourceType": "CapabilityStatement", "fhirVersion": version}
        self.pages[f"{base}/.well-known/smart-configuration"] = {
            "issuer": issuer or base,
            "jwks_uri": f"{auth}/keys",
            "authorization_endpoint": f"{auth}/authorize",
            "token_endpoint": f"{auth}/token",
            "capabilities": ["launch-ehr", "permission-v2"],
        }

    def send(self, method: str, url: str, **sent: Any) -> Answer:
        self.asked.append(url)
        host = urlsplit(url).hostname or ""
        if host in self.inside:
            raise AddressRefused(host)
        if "validationToken" in (sent.get("query") or {}) and url in self.pages:
            return self.pages[url](sent["query"]["validationToken"])  # type: ignore[no-any-return]
        found = self.pages.get(url)
        if found is None and not any(urlsplit(known).netloc == urlsplit(url).netloc for known in self.pages):
            raise Unreachable("ehr")
        headers, now = {**self.headers, **self._dated(host)}, self.clock.now()
        if found is None:
            return Answer(404, headers, b"", now)
        if isinstance(found, Answer):
            return found
        return Answer(200, headers, found if isinstance(found, bytes) else json.dumps(found).encode(), now)

    def _dated(self, host: str) -> dict[str, str]:
        ahead = self.ahead.get(host, 0)
        if ahead is None:
            return {}
        moment: datetime = self.clock.now() + timedelta(seconds=ahead)
        return {"date": format_datetime(moment, usegmt=True)}


@dataclass
class Microsoft:
    """Sign-in, tokens and directory of one tenant."""

    tenant: str
    person: str = ADMIN
    guest: bool = False
    wids: frozenset[str] = frozenset()
    silent: bool = True
    prompts: list[str | None] = field(default_factory=list)
    callers: dict[str, ApiCaller] = field(default_factory=dict)
    down: bool = False
    searched: list[str] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)
    plans: list[ServicePlan] = field(
        default_factory=lambda: [ServicePlan(next(iter(TEAMS_PLANS)), "Success")]
    )
    browser_link: str | None = "https://visit.teams.microsoft.com/v"
    read: list[tuple[str, ...]] = field(default_factory=list)

    def begin(self, tenant: str | None, redirect_uri: str, *, prompt: str | None = None) -> SignIn:
        self.prompts.append(prompt)
        state = uuid.uuid4().hex
        return SignIn(f"https://login.example/authorize?state={state}", {"state": state})

    def finish(self, flow: Mapping[str, Any], query: Mapping[str, str]) -> Account:
        if query.get("code") != "good" or query.get("state") != flow["state"]:
            raise Refusal("sign-in-failed")
        roles = ROLES.get(self.person, frozenset())
        name = NAMES.get(self.person, "Somebody")
        return Account(self.tenant, self.person, name, "", roles, self.wids, self.guest)

    def verify_api_token(self, bearer: str) -> ApiCaller:
        if bearer not in self.callers:
            raise Refusal("not-signed-in")
        return self.callers[bearer]

    def app_token(self, tenant: str) -> str:
        if self.down:
            raise StatusRefused(400, "invalid_client")
        return "token"

    def get(self, tenant: str, oid: str) -> Somebody | None:
        if self.down:
            raise Unreachable("graph")
        name = NAMES.get(oid)
        return Somebody(oid, name, f"{name.split()[-1].lower()}@sierra.example") if name else None

    def several(self, tenant: str, oids: Sequence[str]) -> dict[str, Somebody]:
        self.read.append(tuple(oids))
        return {oid: somebody for oid in oids if (somebody := self.get(tenant, oid))}

    def search(self, tenant: str, text: str, limit: int = 20) -> list[Somebody]:
        self.searched.append(text)
        found = [oid for oid, name in NAMES.items() if name.lower().startswith(text.lower())]
        return [somebody for oid in found if (somebody := self.get(tenant, oid))]

    def create_or_get(self, tenant: str, organizer: str, external_id: str) -> OnlineMeeting:
        self._refuse("create_or_get")
        if organizer == ADMIN:
            raise GraphRefused(403, "Forbidden", "No application access policy found for this app")
        return OnlineMeeting(f"meeting of {organizer}", "https://teams.microsoft.com/m", False, {})

    def virtual_join_url(self, tenant: str, organizer: str, meeting_id: str) -> str | None:
        self._refuse("virtual_join_url")
        assert meeting_id == f"meeting of {organizer}"
        return self.browser_link

    def service_plans(self, tenant: str, oid: str) -> list[ServicePlan]:
        self._refuse("service_plans")
        return self.plans

    def _refuse(self, operation: str) -> None:
        if operation in self.refusals:
            raise self.refusals[operation]


@dataclass
class Flow:
    """The approver's EHR sign-in; who signs in is an attribute."""

    user_type: str = "Practitioner"
    begun: list[tuple[Connection, Revision, dict[str, str]]] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    redirect_uri: str = ""

    def begin_approval(
        self,
        request: Request,
        connection: Connection,
        revision: Revision,
        redirect_uri: str,
        extra: dict[str, str],
    ) -> Response:
        self.begun.append((connection, revision, extra))
        self.redirect_uri = redirect_uri
        return redirect("https://ehr.sierra.example/oauth2/authorize?state=s")

    def finish(self, request: Request, redirect_uri: str) -> Finished:
        if not self.begun or redirect_uri != self.redirect_uri:
            raise Refusal("flow-unknown")
        connection, revision, extra = self.begun[-1]
        identity = Identity("sub", self.user_type, "id-1")
        clear = Cookie("__Host-flow-s", "", 0)
        token = TokenAnswer("thrown away")
        return Finished(
            "approval", connection, revision, BASE, {**extra, **self.extra}, token, identity, clear
        )


@dataclass
class Page:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    def json(self) -> Any:
        return json.loads(self.text)

    def value(self, name: str) -> str:
        """A hidden field's value."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name}"
        return found[1]


class House:
    """One tenant of its own on the real storage, with its fakes at hand."""

    def __init__(self, settings: Settings, stores: Stores, clock: FakeClock) -> None:
        self.tenant = str(uuid.uuid4())
        self.settings = replace(settings, tenants=frozenset({self.tenant}))
        self.clock = clock
        self.stores = stores
        self.ehr = Ehr(clock)
        self.microsoft = Microsoft(self.tenant)
        self.flow = Flow()
        self.secrets = MemorySecrets()
        self.vault = MemorySecrets()
        self.vault.secrets.update(sound(clock.now()).secrets)
        self.vault.secrets[signing_keys_name()] = key_set("alone")
        self.base = f"https://ehr-{uuid.uuid4().hex[:8]}.sierra.example/interconnect/api/FHIR/R4"
        self.ehr.serve(self.base)
        sealer = Sealer([urlsafe_b64encode(b"k" * 24)], clock)
        self.services = SimpleNamespace(
            settings=self.settings,
            clock=clock,
            entropy=SystemEntropy(),
            secrets=self.secrets,
            sealer=sealer,
            keys=SigningKeys(self.vault, clock, self.settings.tenants),
            key_review=self._review(self.settings.tenants),
            outbound=self.ehr,
            stores=stores,
            pages=Pages(),
            discovery=Discovery(self.ehr, clock),  # type: ignore[arg-type]
            tokens=SimpleNamespace(backend=lambda *_, **__: TokenAnswer("t")),
            id_tokens=IdTokens(None, self.ehr, clock),  # type: ignore[arg-type]
            flow=self.flow,
            entra=self.microsoft,
            meetings=self.microsoft,
            people=self.microsoft,
            licences=self.microsoft,
        )

    def browser(self, person: str = "") -> "Browser":
        """A browser, signed in as this person where one is named."""
        browser = Browser()
        if person:
            browser.sign_in(self, person)
        return browser

    def serve_outside(self) -> None:
        """Makes our own addresses and Microsoft's login answer to those outside."""
        server, kind = self.settings.server_url, {"content-type": "text/plain; charset=utf-8"}
        for connection in self.connections():
            self.ehr.pages[f"{server}/config/jwks/{connection.id}"] = self.services.keys.jwks(self.tenant)
        for name in ("notifications", "lifecycle"):
            self.ehr.pages[f"{server}/attendance/{name}"] = lambda token: Answer(200, kind, token.encode())
        login = f"{self.settings.login_url}/{self.tenant}/v2.0/.well-known/openid-configuration"
        self.ehr.pages[login] = {}

    def neighbour(self) -> "House":
        """A second organization of the same deployment: one app, storage, vault and EHR network for both.

        Its people have the same object ids, so that nothing but the tenant can tell them apart.
        """
        other = copy.copy(self)
        other.tenant = str(uuid.uuid4())
        other.base = f"https://ehr-{uuid.uuid4().hex[:8]}.cascade.example/interconnect/api/FHIR/R4"
        self.ehr.serve(other.base)
        for name, house in (("first", self), ("second", other)):
            self.vault.secrets[signing_keys_name(house.tenant)] = key_set(name)
        self.list_tenants(self.tenant, other.tenant)
        other.settings = self.settings
        return other

    def list_tenants(self, *tenants: str) -> None:
        """The operator lists these organizations and starts the app anew."""
        self.settings = replace(self.settings, tenants=frozenset(tenants))
        self.services.settings = self.settings
        self.services.keys = SigningKeys(self.vault, self.clock, tenants)
        self.services.key_review = self._review(tenants)
        forget_rooms()

    def _review(self, tenants: Collection[str]) -> KeyReview:
        return KeyReview(self.vault, self.clock, tenants, sandbox=False)

    def connections(self) -> Iterator[Connection]:
        for store in self.stores.all():
            yield from (connection for connection, *_ in store.connections.of_tenant(self.tenant))

    def approved(self, connection: str) -> Approved | None:
        return self.stores.of(connection).connections.approved(connection)

    def begun(self, browser: "Browser", kind: str = "epic", **settings: str) -> str:
        """A connection entered through the forms, with everything decided; its id."""
        page = browser.post("/config/connections/new", beginning(self.base, kind=kind))
        assert page.status == 303, page.text
        connection = page.location.split("/")[3]
        for step in STEPS:
            browser.save(
                connection, step, SETTINGS[step] | {k: v for k, v in settings.items() if step == "ehr"}
            )
        return connection

    def submitted(self, browser: "Browser", kind: str = "epic") -> str:
        connection = self.begun(browser, kind)
        version = browser.get(f"/config/connections/{connection}").value("version")
        page = browser.post(f"/config/connections/{connection}/submit", {"version": version})
        assert page.status == 303, page.text
        return connection

    def in_service(self, admin: "Browser", kind: str = "epic") -> str:
        """A connection approved by the analyst in a browser of their own."""
        connection = self.submitted(admin, kind)
        self.approve(self.browser(ANALYST), connection)
        return connection

    def approve(self, browser: "Browser", connection: str) -> Page:
        assert browser.post(f"/config/connections/{connection}/ehr", {}).status == 200
        assert browser.get(f"/config/ehr/callback/{connection}?state=s&code=c").status == 303
        number = browser.get(f"/config/connections/{connection}").value("number")
        return browser.post(f"/config/connections/{connection}/approve", {"number": number})


@cache
def key_set(name: str) -> str:
    """Signing keys; the same name, the same keys: making them takes a tenth of a second."""
    return signing_keys()


SETTINGS: dict[str, dict[str, str]] = {
    "ehr": {
        "provider_client_id": "provider-1",
        "patient_client_id": "patient-1",
    },
    "writeback": {"backend_client_id": "backend-1"},
    "people": {"approver": ANALYST, "organizers": f",{POOL}"},
    "visits": {"time_zone": "America/Chicago"},
}


def beginning(base: str, **changes: str) -> dict[str, str]:
    """The first form, filled in."""
    return {
        "environment": "test",
        "kind": "epic",
        "region": "americas",
        "name": "Sierra test",
        "fhir_base": base,
        **changes,
    }


class Browser:
    """Cookies, an origin, and the portal's own routes."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}
        self.site = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}

    def sign_in(self, house: House, person: str) -> Page:
        house.microsoft.tenant, house.microsoft.person = house.tenant, person
        self.get("/config/signin")
        state = next(name for name in self.cookies if name.startswith("__Host-portal-signin-"))
        return self.get(f"/config/signin/callback?code=good&state={state.rpartition('-')[2]}")

    def get(self, url: str, **headers: str) -> Page:
        return self.send("GET", url, headers=headers)

    def post(self, url: str, form: Mapping[str, str], **headers: str) -> Page:
        encoded = urlencode(form).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.send("POST", url, encoded, {**kind, **self.site, **headers})

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> Page:
        """The JSON API, on the session."""
        sent = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"content-type": "application/json"} if sent else {}
        return self.send(method, url, sent, {**kind, **self.site, **named})

    def save(self, connection: str, step: str, form: Mapping[str, str]) -> Page:
        path = f"/config/connections/{connection}/edit/{step}"
        version = self.get(path).value("version")
        page = self.post(path, {"version": version, "action": "save", **form})
        assert page.status == 303, page.text
        return page

    def send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Page:
        parts = urlsplit(url)
        found = route(method, parts.path)
        assert found, f"no route for {method} {quote(parts.path)}"
        function, values = found
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = func.HttpRequest(
            method=method,
            url=f"{PUBLIC}{url}",
            headers={**(headers or {}), **({"cookie": cookies} if cookies else {})},
            params=dict(parse_qsl(parts.query)),
            route_params=values,
            body=body,
        )
        answer = function(request)
        self._keep(answer.headers.get_all("Set-Cookie") or [])
        kept = {name.lower(): value for name, value in answer.headers.items()}
        return Page(answer.status_code, answer.get_body().decode("utf-8", "replace"), kept)

    def _keep(self, cookies: list[str]) -> None:
        for cookie in cookies:
            pair, _, attributes = cookie.partition(";")
            name, _, value = pair.partition("=")
            assert {"Path=/", "Secure", "HttpOnly"} <= {part.strip() for part in attributes.split(";")}
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def forget_rooms() -> None:
    """What the blueprint built from the services is built anew at the next request."""
    for built in vars(blueprint).values():
        if hasattr(built, "cache_clear"):
            built.cache_clear()


def routes() -> list[tuple[str, str, Any]]:
    """Every (method, template, function) of the portal's blueprint."""
    found = []
    for builder in blueprint.bp._function_builders:
        made = builder._function
        trigger: Any = made.get_trigger()
        found += [(method.value, trigger.route, made.get_user_function()) for method in trigger.methods]
    return found


def route(method: str, path: str) -> tuple[Any, dict[str, str]] | None:
    """The function that the Functions host would call, with its route values; None where there is none."""
    # More literal templates first, as the Functions host does.
    for wanted, template, function in sorted(routes(), key=lambda row: (row[1].count("{"), -len(row[1]))):
        pattern = re.sub(r"\{(\w+)[^}]*\}", r"(?P<\1>[^/]+)", template.replace("{ignored:maxlength(0)?}", ""))
        fit = re.fullmatch(f"/{pattern}/?" if pattern else "/", path)
        if fit and wanted == method:
            return function, fit.groupdict()
    return None
