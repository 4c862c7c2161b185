"""A hospital around the portal: real routes, rules, pages and storage; people, EHR, Microsoft 365 are fakes.

``Browser`` speaks to the blueprint's own functions through the Functions types, keeps cookies as a browser
does, and says which page its requests come from.
"""

import json
import re
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import azure.functions as func

from config_function import blueprint
from shared.clock import SystemEntropy
from shared.connection import Approved, Connection, Revision
from shared.entra import Account, ApiCaller, SignIn
from shared.errors import AddressRefused, Refusal, StatusRefused, Unreachable
from shared.graph.people import Somebody
from shared.graph.service import GraphRefused
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
    """What the hospital's FHIR server says, by address; a missing address does not answer."""

    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

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

    def send(self, method: str, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        host = urlsplit(url).hostname or ""
        if host in ("10.0.0.8", "inside.sierra.example"):
            raise AddressRefused(host)
        found = self.pages.get(url)
        if found is None and not any(urlsplit(known).netloc == urlsplit(url).netloc for known in self.pages):
            raise Unreachable("ehr")
        if found is None:
            return Answer(404, {}, b"")
        return Answer(200, {}, found if isinstance(found, bytes) else json.dumps(found).encode())


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

    def search(self, tenant: str, text: str, limit: int = 20) -> list[Somebody]:
        found = [oid for oid, name in NAMES.items() if name.lower().startswith(text.lower())]
        return [somebody for oid in found if (somebody := self.get(tenant, oid))]

    def create_or_get(self, tenant: str, organizer: str, external_id: str) -> None:
        if organizer == ADMIN:
            raise GraphRefused(403, "Forbidden", "No application access policy found for this app")


@dataclass
class Flow:
    """The approver's EHR sign-in; who signs in is an attribute."""

    user_type: str = "Practitioner"
    begun: list[tuple[Connection, Revision, dict[str, str]]] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    def begin_approval(
        self,
        request: Request,
        connection: Connection,
        revision: Revision,
        redirect_uri: str,
        extra: dict[str, str],
    ) -> Response:
        self.begun.append((connection, revision, extra))
        return redirect("https://ehr.sierra.example/oauth2/authorize?state=s")

    def finish(self, request: Request, redirect_uri: str) -> Finished:
        if not self.begun:
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
        self.ehr = Ehr()
        self.microsoft = Microsoft(self.tenant)
        self.flow = Flow()
        self.secrets = MemorySecrets()
        self.base = f"https://ehr-{uuid.uuid4().hex[:8]}.sierra.example/fhir"
        self.ehr.serve(self.base)
        keys = SimpleNamespace(jwks=lambda: {"keys": [{"kty": "EC", "kid": "one"}]})
        sealer = Sealer([urlsafe_b64encode(b"k" * 24)], clock)
        self.services = SimpleNamespace(
            settings=self.settings,
            clock=clock,
            entropy=SystemEntropy(),
            secrets=self.secrets,
            sealer=sealer,
            keys=keys,
            outbound=self.ehr,
            stores=stores,
            pages=Pages(),
            discovery=Discovery(self.ehr, clock),  # type: ignore[arg-type]
            tokens=SimpleNamespace(backend=lambda *_: TokenAnswer("t")),
            id_tokens=IdTokens(None, self.ehr, clock),  # type: ignore[arg-type]
            flow=self.flow,
            entra=self.microsoft,
            meetings=self.microsoft,
            people=self.microsoft,
        )

    def browser(self, person: str = "") -> "Browser":
        """A browser, signed in as this person where one is named."""
        browser = Browser()
        if person:
            browser.sign_in(self, person)
        return browser

    def serve_own_keys(self) -> None:
        """Makes the portal's key set answer where the EHR would fetch it."""
        for connection in self.connections():
            url = f"{self.settings.server_url}/config/jwks/{connection.id}"
            self.ehr.pages[url] = self.services.keys.jwks()

    def connections(self) -> Iterator[Connection]:
        for store in self.stores.all():
            yield from store.connections.of_tenant(self.tenant)

    def approved(self, connection: str) -> Approved | None:
        return self.stores.of(connection).connections.approved(connection)

    def begun(self, browser: "Browser", kind: str = "epic", **settings: str) -> str:
        """A connection entered through the forms, with everything decided; its id."""
        page = browser.post("/config/connections/new", beginning(self.base, kind=kind))
        assert page.status == 303, page.text
        connection = page.location.split("/")[3]
        for step in ("ehr", "people", "visits"):
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
        assert browser.get(f"/config/connections/{connection}/ehr").status == 303
        assert browser.get("/config/ehr/callback?state=s&code=c").status == 303
        number = browser.get(f"/config/connections/{connection}").value("number")
        return browser.post(f"/config/connections/{connection}/approve", {"number": number})


SETTINGS: dict[str, dict[str, str]] = {
    "ehr": {
        "provider_client_id": "provider-1",
        "patient_client_id": "patient-1",
        "backend_client_id": "backend-1",
    },
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
        house.microsoft.person = person
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
        function, route = _route(method, parts.path)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = func.HttpRequest(
            method=method,
            url=f"{PUBLIC}{url}",
            headers={**(headers or {}), **({"cookie": cookies} if cookies else {})},
            params=dict(parse_qsl(parts.query)),
            route_params=route,
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
    for built in ("_portal", "_pages", "_editing", "_shell", "_approval", "_api"):
        getattr(blueprint, built).cache_clear()


def routes() -> list[tuple[str, str, Any]]:
    """Every (method, template, function) of the portal's blueprint."""
    found = []
    for builder in blueprint.bp._function_builders:
        made = builder._function
        trigger: Any = made.get_trigger()
        found += [(method.value, trigger.route, made.get_user_function()) for method in trigger.methods]
    return found


def _route(method: str, path: str) -> tuple[Any, dict[str, str]]:
    # More literal templates first, as the Functions host does.
    for wanted, template, function in sorted(routes(), key=lambda row: (row[1].count("{"), -len(row[1]))):
        pattern = re.sub(r"\{(\w+)[^}]*\}", r"(?P<\1>[^/]+)", template.replace("{ignored:maxlength(0)?}", ""))
        fit = re.fullmatch(f"/{pattern}/?" if pattern else "/", path)
        if fit and wanted == method:
            return function, fit.groupdict()
    raise AssertionError(f"no route for {method} {quote(path)}")
