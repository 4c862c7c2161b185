"""What the storage SDK is told by its transport, and what leaves."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from azure.core.exceptions import (
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.rest import HttpRequest

from shared.store.transport import StorageTransport
from tests.shared.hostile import HostileServer, answer
from tests.shared.outward import Serve

SECRET = "MRN-7730941552"


@pytest.fixture
def transport() -> Iterator[StorageTransport]:
    with StorageTransport(0.5, 0.3, 4) as made:
        yield made
        made.close()


class Plain:
    """A behaviour over a connection without TLS, one request after the other."""

    def __init__(self, behaviour: Any) -> None:
        self.behaviour = behaviour
        self.heads: list[bytes] = []

    def __call__(self, sock: socket.socket, _: bytes) -> None:
        while head := sock.recv(65_536):
            self.heads.append(head)
            self.behaviour(sock, head)


def asked(server: HostileServer, path: str = "/x", method: str = "GET", **options: Any) -> HttpRequest:
    return HttpRequest(method, f"http://127.0.0.1:{server.port}{path}", **options)


def test_an_answer_should_be_the_service_s_own(transport: StorageTransport, serve: Serve) -> None:
    plain = Plain(answer(b'{"a": 1}', "404 Not Found", "ETag: W/1", "Content-Type: application/json"))
    server = serve(plain, None)
    request = asked(server, "/t(PartitionKey='a b')?$filter=x eq 'é'", headers={"X-Ms-Version": "1"})
    for _ in range(3):
        got = transport.send(request)
    assert (got.status_code, got.reason, got.text(), got.read()) == (
        404,
        "Not Found",
        '{"a": 1}',
        b'{"a": 1}',
    )
    assert (got.headers["etag"], got.content_type) == ("W/1", "application/json")
    assert server.connections == 1
    assert plain.heads[0].startswith(b"GET /t(PartitionKey='a%20b')?$filter=x%20eq%20'%C3%A9' HTTP/1.1\r\n")
    assert b"X-Ms-Version: 1\r\n" in plain.heads[0]


def test_a_redirect_should_lead_nowhere(transport: StorageTransport, serve: Serve) -> None:
    elsewhere = serve(Plain(answer()), None)
    location = f"Location: http://127.0.0.1:{elsewhere.port}/"
    assert transport.send(asked(serve(Plain(answer(b"", "302 Found", location)), None))).status_code == 302
    assert elsewhere.connections == 0


def test_a_body_should_have_its_length(transport: StorageTransport, serve: Serve) -> None:
    plain = Plain(answer())
    server = serve(plain, None)
    transport.send(asked(server, method="PUT", content="é"))
    transport.send(asked(server, method="DELETE"))
    assert plain.heads[0].lower().count(b"content-length: 2\r\n") == 1
    assert plain.heads[0].endswith(b"\r\n\r\n\xc3\xa9")
    assert b"content-length: 0\r\n" in plain.heads[1].lower()


def test_nobody_there_should_be_a_request_that_was_not_sent(transport: StorageTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ServiceRequestError) as caught:
        transport.send(HttpRequest("GET", f"http://127.0.0.1:{port}/{SECRET}"))
    assert SECRET not in str(caught.value)
    assert not isinstance(caught.value, ServiceRequestTimeoutError)


def test_storage_should_be_believed_by_public_authorities_only(
    transport: StorageTransport, serve: Serve, certificate: trustme.LeafCert
) -> None:
    server = serve(answer(), certificate)
    with pytest.raises(ServiceRequestError):
        transport.send(HttpRequest("GET", f"https://localhost:{server.port}/"))
    assert server.requests == []


def test_a_silent_handshake_should_not_last(transport: StorageTransport, serve: Serve) -> None:
    server: HostileServer = serve(lambda *_: server.over.wait(5), None)
    begun = time.monotonic()
    with pytest.raises(ServiceRequestTimeoutError):
        transport.send(HttpRequest("GET", f"https://127.0.0.1:{server.port}/"))
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (lambda sock, _: sock.close(), ServiceResponseError),
        (lambda sock, _: sock.sendall(b"nonsense\r\n\r\n"), ServiceResponseError),
        (
            lambda sock, _: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}") or sock.close(),
            ServiceResponseError,
        ),
        (lambda *_: time.sleep(0.8), ServiceResponseTimeoutError),
    ],
)
def test_what_may_have_been_done_should_be_told_apart(
    serve: Serve, behaviour: Any, kind: type[Exception]
) -> None:
    transport = StorageTransport(5, 0.2, 4)
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        transport.send(asked(serve(Plain(behaviour), None), f"/{SECRET}"))
    assert time.monotonic() - begun < 3
    transport.close()
    assert SECRET not in str(caught.value)


def test_the_environment_should_change_nothing(
    monkeypatch: pytest.MonkeyPatch, transport: StorageTransport, serve: Serve
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport.send(asked(serve(Plain(answer()), None))).status_code == 200
