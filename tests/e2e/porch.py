"""The real doors behind a real server for one browser; hospital, Microsoft 365 and Teams agree at once.

    with Porch() as porch: page.goto(porch.launch("patient"))

The world behind it is that of the launch tests: its clock, its failures and its visits are the test's to set.
"""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import azure.functions as func

from launch_patient.device_test import DeviceTest
from shared import edge
from shared.pages import Audience
from shared.web import Request, Response, html
from tests.launch.conftest import CONNECTION, World
from tests.launch.ehr import AUTHORIZE, BASE, query_of

TEAMS = "/teams"
_USERS = {"provider": "Practitioner/prac-vidal", "patient": "Patient/pat-1"}
_MEMBERS = {"patient": "pat-1", "sessionId": "880014417731", "epicUserId": "EMP-88101"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[func.HttpRequest], func.HttpResponse]


class _Visitor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        server = cast("_Server", self.server)
        request = func.HttpRequest(
            method=self.command,
            url=f"http://{self.headers['Host']}{self.path}",
            headers=dict(self.headers.items()),
            params=dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)),
            body=self.rfile.read(length),
        )
        answer = server.answer(request)
        body = answer.get_body()
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Porch:
    """``world``: what stands behind; ``requests``: every request's method and path, in order."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Visitor)
        self.url = f"http://localhost:{self._server.server_address[1]}"
        self.world = World(public=self.url)
        self.world.rooms.provider_url = f"{self.url}{TEAMS}?who=provider"
        self.world.rooms.patient_url = f"{self.url}{TEAMS}?who=patient"
        self.requests: list[str] = []
        self.members: dict[str, Any] = {}
        self.users = dict(_USERS)
        self.extra: dict[str, Callable[[Request], Response]] = {}
        """Further pages, by path."""
        self.devices: DeviceTest = self.world.device_test
        self._server.answer = self._answer
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def launch(self, side: str, **query: str) -> str:
        """The address that the EHR opens."""
        values = urlencode({"iss": BASE, "launch": "l-1", **query})
        return f"{self.url}/launch/{side}/{CONNECTION}?{values}"

    def count(self, path: str) -> int:
        """How often this path was asked for."""
        return sum(path in one for one in self.requests)

    def _answer(self, req: func.HttpRequest) -> func.HttpResponse:
        path = urlsplit(req.url).path
        self.requests.append(f"{req.method} {path}")
        handler, audience, route = self._handler(req.method, path)
        asked = func.HttpRequest(
            method=req.method,
            url=req.url,
            headers=dict(req.headers),
            params=dict(req.params),
            route_params=route,
            body=req.get_body(),
        )
        services = cast("Any", self.world.services)
        if audience is None:
            return edge.api(asked, handler, services=services)
        return edge.page(
            asked, lambda one: self._elsewhere(handler(one)), audience=audience, services=services
        )

    def _handler(
        self, method: str, path: str
    ) -> tuple[Callable[[Request], Response], Audience | None, dict[str, str]]:
        world, accounts = self.world, self.world.provider.accounts
        table: tuple[tuple[str, Callable[[Request], Response], Audience | None], ...] = (
            ("/healthz", lambda _: html("ok"), None),
            (
                TEAMS,
                lambda one: html(f"<!doctype html><title>Teams</title><h1>Teams for {one.query['who']}"),
                "staff",
            ),
            ("/config/static/(?P<name>[^/]+)", self._asset, None),
            ("/launch/patient/callback/(?P<connection>[^/]+)", world.patient.callback, "patient"),
            ("/launch/provider/callback/(?P<connection>[^/]+)", world.provider.callback, "staff"),
            ("/launch/provider/signin/callback", accounts.signed_in, "staff"),
            ("/launch/provider/signin/another", accounts.another, "staff"),
            (
                "/launch/provider/signin/confirm",
                accounts.confirm if method == "POST" else accounts.page,
                "staff",
            ),
            ("/launch/patient/(?P<connection>[^/]+)", world.patient.launch, "patient"),
            ("/launch/provider/(?P<connection>[^/]+)", world.provider.launch, "staff"),
            (
                "/launch/patient/(?P<connection>[^/]+)/wait/(?P<handle>[^/]+)",
                world.patient.waiting,
                "patient",
            ),
            (
                "/launch/provider/(?P<connection>[^/]+)/wait/(?P<handle>[^/]+)",
                world.provider.waiting,
                "staff",
            ),
            ("/launch/provider/(?P<connection>[^/]+)/account", accounts.account, "staff"),
            ("/launch/provider/(?P<connection>[^/]+)/visit/(?P<handle>[^/]+)", world.view.page, "staff"),
            ("/launch/provider/(?P<connection>[^/]+)/visit/(?P<handle>[^/]+)/state", world.view.state, None),
            (
                "/launch/patient/(?P<connection>[^/]+)/device-test",
                self.devices.report if method == "POST" else self.devices.page,
                None if method == "POST" else "patient",
            ),
            *((name, one, "staff") for name, one in self.extra.items()),
        )
        for pattern, handler, audience in table:
            found = re.fullmatch(pattern, path)
            if found is not None:
                return handler, audience, found.groupdict()
        return lambda _: html("not found", 404), None, {}

    def _asset(self, request: Request) -> Response:
        found = self.world.services.pages.assets.response(request.route["name"])
        return found or html("not found", 404)

    def _elsewhere(self, response: Response) -> Response:
        """Where the browser would leave for the hospital or Microsoft 365, their answer comes at once."""
        location = response.headers.get("Location", "")
        if location.startswith(AUTHORIZE):
            return response.with_headers(Location=self._agreed(location))
        if location.startswith("https://login.example/"):
            state = query_of(location)["state"]
            code = f"code-{len(self.world.entra.finished)}-{state}"
            url = f"/launch/provider/signin/callback?{urlencode({'code': code, 'state': state})}"
            return response.with_headers(Location=url)
        return response

    def _agreed(self, location: str) -> str:
        query = query_of(location)
        side = "provider" if query["client_id"] == "provider-client" else "patient"
        members = {**_MEMBERS, **self.members}
        return self.world.ehr.authorize(query, user=self.users[side], members=members)
