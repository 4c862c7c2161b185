"""The sandbox's own web server, authority, keys and addresses."""

import base64
import http.client
import json
import ssl
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.addresses import Addresses
from sandbox.authority import ensure_authority
from sandbox.forwarding import forwarder
from sandbox.keys import ensure_keys, graph_client_certificate
from sandbox.serving import Server, serve


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    seen = {"body": body.decode(), "path": environ["PATH_INFO"], "scheme": environ["wsgi.url_scheme"]}
    headers = [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("200 OK", headers)
    return [json.dumps(seen).encode()]


@pytest.fixture
def session() -> Iterable[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def url(server: Server, path: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://localhost:{server.port}{path}"


def test_a_connection_should_serve_many_requests_even_if_bodies_stay_unread() -> None:
    def deaf(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    server = serve(deaf, 0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(3):
        connection.request("POST", "/", body=b"GET /smuggled HTTP/1.1\r\n\r\n")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
    connection.close()
    server.close()


def test_an_application_that_fails_should_answer_500_and_the_server_go_on(session: requests.Session) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("broken")

    server = serve(broken, 0)
    assert [session.get(url(server)).status_code for _ in range(2)] == [500, 500]
    server.close()


@pytest.mark.parametrize("length", ["-1", "ten", "99999999999"])
def test_a_length_that_is_none_should_be_refused(length: str) -> None:
    server = serve(echo, 0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    server.close()


def test_a_taken_port_should_be_an_error_at_once() -> None:
    server = serve(echo, 0)
    with pytest.raises(OSError, match="in use"):
        serve(echo, server.port)
    server.close()


def test_tls_should_be_trusted_through_the_bundle_only(tmp_path: Path, session: requests.Session) -> None:
    authority = ensure_authority(tmp_path)
    server = serve(echo, 0, authority.server_context())
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url(server, scheme="https"))
    session.verify = str(authority.bundle)
    assert session.get(url(server, "/%C3%A9", "https")).json()["scheme"] == "https"
    server.close()


def test_a_second_start_should_keep_authority_and_keys(tmp_path: Path) -> None:
    def snapshot() -> dict[str, bytes]:
        ensure_authority(tmp_path)
        ensure_keys(tmp_path / "secrets")
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert snapshot() == snapshot()


def test_the_keys_should_have_the_promised_forms_and_be_for_the_owner_only(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    for name in ("sealing-keys", "visit-keys"):
        (row,) = json.loads((tmp_path / name).read_text())
        assert len(base64.urlsafe_b64decode(row["key"])) == 32
    signing = json.loads((tmp_path / "ehr-signing-keys").read_text())
    assert {row["alg"]: row["state"] for row in signing} == {"RS384": "current", "ES384": "current"}
    for row in (*signing, *json.loads((tmp_path / "graph-certificates").read_text())):
        load_pem_private_key(row["private_key"].encode(), password=None)
    x509.load_pem_x509_certificate(graph_client_certificate(tmp_path).encode())
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_addresses_should_survive_the_environment_and_refuse_what_is_no_port() -> None:
    addresses = Addresses.free()
    assert len(set(astuple(addresses))) == len(astuple(addresses))
    assert Addresses.from_environ(addresses.environ()) == addresses
    assert Addresses.from_environ({}) == Addresses()
    with pytest.raises(ValueError, match="SANDBOX_EPIC_PORT"):
        Addresses.from_environ({"SANDBOX_EPIC_PORT": "70000"})


def test_the_forwarder_should_pass_requests_and_answers_unchanged(
    tmp_path: Path, session: requests.Session
) -> None:
    authority = ensure_authority(tmp_path)
    behind = serve(echo, 0)
    front = serve(forwarder(f"http://127.0.0.1:{behind.port}"), 0, authority.server_context())
    session.verify = str(authority.bundle)
    answer = session.post(url(front, "/a?b=c", "https"), data=b"text")
    assert answer.json() == {"body": "text", "path": "/a", "scheme": "http"}
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    front.close()
    behind.close()


def test_the_server_context_should_not_speak_old_tls(tmp_path: Path) -> None:
    assert ensure_authority(tmp_path).server_context().minimum_version >= ssl.TLSVersion.TLSv1_2
