"""Connections that are kept, and bodies that are whole."""

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from typing import Any

import pytest
import trustme

from shared.errors import AnswerRefused, Unreachable
from shared.outbound import Outbound
from tests.fakes import FakeClock
from tests.shared.hostile import answer
from tests.shared.outward import HOST, Serve, address, get

HEAD = b"HTTP/1.1 200 OK\r\n"
# Whom, and what kind of failure: nothing of the call.
PLAIN = r"^test \(hospital\.example\): [A-Za-z ]+$"


def once(*pieces: bytes) -> Any:
    """Answers with these bytes and ends the connection."""

    def behave(sock: socket.socket, _: bytes) -> None:
        for piece in pieces:
            sock.sendall(piece)
        sock.close()

    return behave


def test_a_connection_that_the_server_ended_should_not_be_used_again(
    outbound: Outbound, serve: Serve
) -> None:
    server = serve(once(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    for _ in range(3):
        assert get(outbound, server).ok
        time.sleep(0.05)
    assert server.connections == 3


def test_bytes_that_nobody_asked_for_should_end_a_connection(outbound: Outbound, serve: Serve) -> None:
    def behave(sock: socket.socket, head: bytes) -> None:
        answer(b'"asked"')(sock, head)
        time.sleep(0.05)
        answer(b'"smuggled"')(sock, head)

    server = serve(behave)
    for _ in range(2):
        assert get(outbound, server).json() == "asked"
        time.sleep(0.2)
    assert server.connections == 2


def test_a_server_that_keeps_no_connection_should_be_believed(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b"{}", "200 OK", "Connection: close"))
    assert get(outbound, server).ok
    assert get(outbound, server).ok
    assert server.connections == 2


def test_an_answer_that_was_refused_should_not_stay_on_a_kept_connection(
    outbound: Outbound, serve: Serve
) -> None:
    server = serve(answer(b'"' + b"x" * 2_000 + b'"'))
    with pytest.raises(AnswerRefused):
        get(outbound, server, max_bytes=100)
    assert len(get(outbound, server).json()) == 2_000
    assert server.connections == 2


def test_a_connection_should_serve_its_own_host_only(outbound: Outbound, serve: Serve) -> None:
    first, second = serve(answer(b"1")), serve(answer(b"2"))
    assert [get(outbound, one).json() for one in (first, second, first, second)] == [1, 2, 1, 2]
    assert (first.connections, second.connections) == (1, 1)


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"Content-Length: 10\r\n\r\n{}",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n{}",),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",),
        (b"nonsense\r\n\r\n",),
        (b"HTTP/1.1 abc\r\n\r\n",),
        (HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",),
        (HEAD + b"".join(b"X-%d: 1\r\n" % place for place in range(200)) + b"\r\n",),
    ],
)
def test_an_answer_that_is_not_whole_should_be_none(
    outbound: Outbound, serve: Serve, pieces: tuple[bytes, ...]
) -> None:
    with pytest.raises(Unreachable, match=PLAIN) as caught:
        get(outbound, serve(once(*pieces)))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}')),
        ("X-GZIP", gzip.compress(b'{"a": 1}')),
        ("gzip", gzip.compress(b'{"a"') + gzip.compress(b": 1}")),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("identity", b'{"a": 1}'),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_a_packed_answer_should_be_unpacked(
    outbound: Outbound, serve: Serve, encoding: str, packed: bytes, *, chunked: bool
) -> None:
    head = HEAD + f"Content-Encoding: {encoding}\r\n".encode()
    if chunked:
        body = b"".join(b"1\r\n%c\r\n" % one for one in packed) + b"0\r\n\r\n"
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n" + body
    else:
        whole = head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed
    assert get(outbound, serve(once(whole))).json() == {"a": 1}


def test_an_unpacked_body_should_be_counted_to_the_byte(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(gzip.compress(b"x" * 5_000), "200 OK", "Content-Encoding: gzip"))
    assert len(get(outbound, server, max_bytes=5_000).body) == 5_000
    with pytest.raises(AnswerRefused, match="too large"):
        get(outbound, server, max_bytes=4_999)
    twice = gzip.compress(b"x" * 5_000) * 2
    with pytest.raises(AnswerRefused, match="too large"):
        get(outbound, serve(answer(twice, "200 OK", "Content-Encoding: gzip")), max_bytes=9_999)


def test_an_answer_without_a_body_should_be_packed_as_it_likes(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b"", "204 No Content", "Content-Encoding: gzip"))
    assert get(outbound, server).body == b""
    long = serve(once(HEAD + b"Content-Length: 5000000\r\n\r\n"))
    assert outbound.send("HEAD", address(long), service="test").ok


# -- through a proxy -------------------------------------------------------------------------------


def tunnel(port: int, greeting: bytes, asked: list[bytes]) -> Any:
    def behave(sock: socket.socket, head: bytes) -> None:
        asked.append(head or sock.recv(65_536))
        sock.sendall(greeting)
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            threading.Thread(target=_pump, args=(upstream, sock), daemon=True).start()
            _pump(sock, upstream)

    return behave


def _pump(source: socket.socket, to: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            to.sendall(data)
    except OSError:
        return


@pytest.mark.parametrize("by_tls", [True, False])
def test_a_tunnel_should_be_asked_for_without_a_word_of_the_call(
    clock: FakeClock, bundle: str, serve: Serve, certificate: trustme.LeafCert, *, by_tls: bool
) -> None:
    server, asked = serve(answer(b'"through"')), list[bytes]()
    greeting = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"
    proxy = serve(tunnel(server.port, greeting, asked), certificate if by_tls else None)
    url = f"http{'s' if by_tls else ''}://localhost:{proxy.port}"
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=url)
    for _ in range(2):
        assert get(outbound, server, "/secret", headers={"Authorization": "secret"}).json() == "through"
    authority = f"{HOST}:{server.port}".encode()
    (head,) = asked
    assert head.startswith(b"CONNECT " + authority + b" HTTP/1.1\r\n")
    assert b"secret" not in head
    assert server.requests[0].startswith(b"GET /secret HTTP/1.1\r\nHost: " + authority)


def test_the_hospital_should_be_checked_by_name_through_a_proxy_too(
    clock: FakeClock, bundle: str, serve: Serve, authority: trustme.CA
) -> None:
    server = serve(answer(), authority.issue_cert("other.example"))
    proxy = serve(tunnel(server.port, b"HTTP/1.1 200 OK\r\n\r\n", []), None)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(Unreachable, match="certificate"):
        get(outbound, server)
    assert server.requests == []


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 407 Who\r\n\r\n",
        b"HTTP/1.1 302 Elsewhere\r\n\r\n",
        b"220 200 OK\r\n\r\n",
        HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_a_proxy_that_refuses_should_be_no_way(
    clock: FakeClock, bundle: str, serve: Serve, greeting: bytes
) -> None:
    server = serve(answer())
    proxy = serve(tunnel(server.port, greeting, []), None)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(Unreachable, match=PLAIN):
        get(outbound, server)
    assert server.requests == []


def test_a_proxy_that_says_half_should_be_no_way(clock: FakeClock, bundle: str, serve: Serve) -> None:
    def behave(sock: socket.socket, _: bytes) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 200 OK\r\n")

    proxy = serve(behave, None)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(Unreachable, match=PLAIN):
        outbound.send("GET", f"https://{HOST}/", service="test", timeout=2)


def test_a_proxy_that_drips_should_end_with_the_deadline(clock: FakeClock, bundle: str, serve: Serve) -> None:
    over = threading.Event()

    def drip(sock: socket.socket, _: bytes) -> None:
        while not over.wait(0.05):
            sock.sendall(b"x")

    proxy = serve(drip, None)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"http://127.0.0.1:{proxy.port}")
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        outbound.send("GET", f"https://{HOST}/", service="test", timeout=0.4)
    over.set()
    assert 0.3 < time.monotonic() - begun < 2


@pytest.mark.parametrize("by_tls", [True, False])
def test_a_proxy_that_says_nothing_should_end_with_the_deadline(
    clock: FakeClock, bundle: str, serve: Serve, *, by_tls: bool
) -> None:
    over = threading.Event()
    proxy = serve(lambda sock, _: over.wait(10), None)
    outbound = Outbound(
        clock, ca_bundle=bundle, proxy_url=f"http{'s' if by_tls else ''}://localhost:{proxy.port}"
    )
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        outbound.send("GET", f"https://{HOST}/", service="test", timeout=0.4)
    over.set()
    assert 0.3 < time.monotonic() - begun < 2


def test_a_hospital_that_drips_behind_a_proxy_of_tls_should_end_with_the_deadline(
    clock: FakeClock, bundle: str, serve: Serve, certificate: trustme.LeafCert
) -> None:
    over = threading.Event()

    def drip(sock: socket.socket, _: bytes) -> None:
        sock.sendall(HEAD)
        while not over.wait(0.05):
            sock.sendall(b"x")

    server = serve(drip)
    proxy = serve(tunnel(server.port, b"HTTP/1.1 200 OK\r\n\r\n", []), certificate)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"https://localhost:{proxy.port}")
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        get(outbound, server, timeout=0.6)
    over.set()
    assert 0.4 < time.monotonic() - begun < 2


@pytest.mark.parametrize("size", [b"-1", b"-5", b"-0x10"])
def test_a_piece_of_negative_size_should_not_be_read_to_its_end(
    outbound: Outbound, serve: Serve, size: bytes
) -> None:
    whole = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + b"x" * 5_000_000
    tracemalloc.start()
    with pytest.raises(Unreachable, match=PLAIN):
        get(outbound, serve(once(whole)), max_bytes=1_000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_a_length_of_thousands_of_digits_should_be_too_large(outbound: Outbound, serve: Serve) -> None:
    server = serve(once(HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n{}"))
    with pytest.raises((AnswerRefused, Unreachable), match=r"^test \(hospital\.example\): "):
        get(outbound, server)
