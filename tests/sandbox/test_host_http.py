"""The HTTP trigger, over real sockets: what reaches a function and what leaves it."""

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.addresses import Addresses
from sandbox.authority import ensure_authority
from sandbox.ehr.hospital import EPIC, FHIR, ORACLE
from sandbox.host import Host, HostOptions, HostStartError
from sandbox.host.landing import landing_page

SAMPLE = Path(__file__).parent / "sample_app"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "host.jsonl"


@pytest.fixture(scope="module")
def host(journal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    authority = ensure_authority(tmp_path_factory.mktemp("authority"))
    options = HostOptions(
        tls=authority.server_context(), listen=False, journal=journal, pages=landing_page(Addresses())
    )
    with Host(SAMPLE, options) as running:
        running.bundle = authority.bundle  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def client(host: Host) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(host.bundle)  # type: ignore[attr-defined]
        yield session


def url(host: Host, target: str) -> str:
    return f"http://localhost:{host.http_port}{target}"


@pytest.mark.parametrize(
    ("method", "target", "function", "route"),
    [
        ("GET", "/items/5", "number", {"number": "5"}),
        ("GET", "/items/-5/", "number", {"number": "-5"}),
        ("GET", "/items/99999999999", "name", {"name": "99999999999"}),
        ("GET", "/items/five", "name", {"name": "five"}),
        ("PUT", "/items/5", "name", {"name": "5"}),
        ("GET", "/items/special", "special", {}),
        ("GET", "/ITEMS/Special", "special", {}),
        ("GET", "/items/a%20b%2Fc", "name", {"name": "a b%2Fc"}),
        ("GET", "/optional", "optional", {}),
        ("GET", "/optional/x", "optional", {"x": "x"}),
        ("GET", "/files/css/site.css", "files", {"rest": "css/site.css"}),
    ],
)
def test_a_path_should_reach_the_most_literal_function(
    host: Host, client: requests.Session, method: str, target: str, function: str, route: dict[str, str]
) -> None:
    answer = client.request(method, url(host, target)).json()
    assert (answer["function"], answer["route"]) == (function, route)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/items/5"),
        ("POST", "/items/special"),
        ("GET", "/items"),
        ("GET", "/items/5/6"),
        ("GET", "/no"),
    ],
)
def test_a_wrong_method_or_path_should_be_404(
    host: Host, client: requests.Session, method: str, target: str
) -> None:
    assert client.request(method, url(host, target)).status_code == 404


def test_the_root_should_be_the_apps_and_the_sandbox_page_the_hosts(
    host: Host, client: requests.Session
) -> None:
    assert client.get(url(host, "/")).text == "hello"
    page = client.get(url(host, "/sandbox/"))
    assert "Begin as" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert client.get(url(host, "/sandbox/static/landing.css")).status_code == 200
    for profile in (EPIC, FHIR, ORACLE):
        hospital = profile(Addresses())
        assert f"<code>{hospital.fhir_base}</code>" in page.text
        assert f'href="{hospital.browser_url}/registration"' in page.text


def test_headers_should_arrive_in_lower_case_and_repeated_ones_joined(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.http_port)
    connection.putrequest("GET", "/items/x")
    for value in ("one", "two"):
        connection.putheader("X-Many", value)
    connection.putheader("X_Smuggled", "no")
    connection.endheaders()
    headers = json.loads(connection.getresponse().read())["headers"]
    connection.close()
    assert headers["x-many"] == "one,two"
    assert all(name == name.lower() for name in headers)
    assert "no" not in headers.values()


def test_empty_query_values_should_be_dropped_and_repeated_ones_joined(
    host: Host, client: requests.Session
) -> None:
    answer = client.get(url(host, "/items/x?launch=&a=1&a=2&b=c%26d&flag")).json()
    assert answer["params"] == {"a": "1,2", "b": "c&d"}
    assert answer["url"].endswith("/items/x?launch=&a=1&a=2&b=c%26d&flag")


def test_a_body_should_arrive_only_with_a_content_length(host: Host, client: requests.Session) -> None:
    assert client.post(url(host, "/items/1"), data=b"text").json()["body"] == "text"
    assert client.post(url(host, "/items/1"), data=iter([b"te", b"xt"])).json()["body"] == ""


def test_cookies_should_leave_as_the_host_writes_them(host: Host, client: requests.Session) -> None:
    answer = client.get(url(host, "/cookies"))
    assert answer.raw.headers.getlist("Set-Cookie") == [
        "__Host-a=x%2By%2Fz%3D%3D; max-age=600; path=/; secure; samesite=lax; httponly",
        "gone=; expires=Thu, 01 Jan 1970 00:00:00 GMT; path=/",
    ]


def test_of_a_repeated_response_header_only_the_last_should_survive(
    host: Host, client: requests.Session
) -> None:
    assert client.get(url(host, "/cookies")).headers["X-Twice"] == "two"


def test_an_exception_should_be_an_empty_500_and_a_traceback_in_the_log_only(
    host: Host, client: requests.Session, journal: Path
) -> None:
    answer = client.get(url(host, "/boom?code=quetzal-code"))
    assert (answer.status_code, answer.content) == (500, b"")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    failed = [line for line in lines if line.get("function") == "boom" and line["level"] == "ERROR"]
    assert any("RuntimeError: secret inside" in line["message"] for line in failed)
    assert all(line["invocation"] for line in failed)
    assert "quetzal-code" not in journal.read_text()


def test_a_function_that_asks_for_a_key_should_be_out_of_reach(host: Host, client: requests.Session) -> None:
    assert client.get(url(host, "/keyed?code=guess")).status_code == 401


def test_the_same_app_should_answer_over_tls_for_localhost(host: Host, client: requests.Session) -> None:
    answer = client.get(f"https://localhost:{host.tls_port}/items/x").json()
    assert answer["url"] == f"https://localhost:{host.tls_port}/items/x"


def test_a_client_that_never_speaks_tls_should_not_hold_up_others(
    host: Host, client: requests.Session
) -> None:
    with socket.create_connection(("127.0.0.1", host.tls_port)):
        assert client.get(f"https://localhost:{host.tls_port}/", timeout=3).text == "hello"


def test_a_function_that_takes_too_long_should_be_given_up_on(caplog: pytest.LogCaptureFixture) -> None:
    with (
        Host(SAMPLE, HostOptions(listen=False, response_seconds=0.1)) as host,
        caplog.at_level(logging.ERROR),
    ):
        assert host.invoke_http("GET", "/slow?seconds=0.6")[0] == 504


def test_a_body_above_the_limit_should_be_413(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "4"}
    with Host(SAMPLE, HostOptions(listen=False, environ=environ)) as host:
        assert host.invoke_http("POST", "/items/1", body=b"1234")[0] == 200
        assert host.invoke_http("POST", "/items/1", body=b"12345")[0] == 413


def test_closing_should_let_a_running_request_finish() -> None:
    from concurrent.futures import ThreadPoolExecutor

    host = Host(SAMPLE, HostOptions(listen=False))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.get, url(host, "/slow?seconds=0.5"), timeout=5)
        while not host.busy:
            continue
        host.close()
        assert answer.result().text == "done"
    with pytest.raises(requests.ConnectionError):
        requests.get(url(host, "/"), timeout=2)


def test_two_hosts_should_run_side_by_side_and_leave_nothing_behind() -> None:
    import sys

    before = sys.modules.get("function_app")
    with (
        Host(SAMPLE, HostOptions(listen=False)) as first,
        Host(SAMPLE, HostOptions(listen=False)) as second,
    ):
        assert first.invoke_http("GET", "/")[2] == second.invoke_http("GET", "/")[2] == b"hello"
    assert sys.modules.get("function_app") is before
    assert sys.path.count(str(SAMPLE)) == (before is not None)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "Could not find top level function app"),
        ("import nowhere_at_all", "nowhere_at_all"),
        ("@app.route('admin/x')\ndef f(req: func.HttpRequest) -> str: return ''", "belongs to the platform"),
        ("@app.route('{x:regex(a)}')\ndef f(req: func.HttpRequest) -> str: return ''", "'regex'"),
        (
            "@app.timer_trigger(schedule='* * *', arg_name='t')\ndef f(t: func.TimerRequest) -> None: ...",
            "six fields",
        ),
        (
            "@app.blob_trigger(arg_name='b', path='x', connection='c')\ndef f(b): ...",
            "blobTrigger",
        ),
    ],
)
def test_an_app_that_cannot_be_served_should_say_why(tmp_path: Path, source: str, reason: str) -> None:
    head = (
        "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
    )
    (tmp_path / "function_app.py").write_text(head + source if source else "")
    (tmp_path / "host.json").write_text('{"extensions": {"http": {"routePrefix": ""}}}')
    with pytest.raises(HostStartError, match=reason):
        Host(tmp_path, HostOptions(environ={}))


def test_the_default_route_prefix_should_be_api(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text((SAMPLE / "function_app.py").read_text())
    (tmp_path / "greetings.py").write_text('GREETING = "hello"\n')
    with Host(tmp_path, HostOptions(listen=False)) as host:
        assert host.invoke_http("GET", "/api/items/x")[0] == 200
        assert host.invoke_http("GET", "/items/x")[0] == 404
