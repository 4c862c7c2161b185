import gzip
import json
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.errors import AddressRefused, AnswerRefused, StatusRefused, Unreachable
from shared.outbound import Answer, Outbound
from shared.outbound.addresses import Addresses, kind_of
from shared.settings import Settings
from tests.fakes import FakeClock
from tests.shared.hostile import HostileServer, answer, drip
from tests.shared.outward import HOST, Names, Serve, address, get
from tests.shared.test_settings import SANDBOX

# -- what is sent and what comes back --------------------------------------------------------------


def test_an_answer_comes_back_whatever_its_status(outbound: Outbound, serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(b'{"error": "x"}', "418 Teapot", "X-Kind: Tea"))
    got = get(outbound, server)
    assert (got.status, got.ok, got.json(), got.headers["x-kind"]) == (418, False, {"error": "x"}, "Tea")
    assert got.received_at == clock.now()
    assert f"Host: {HOST}:{server.port}".encode() in server.requests[0]


@pytest.mark.smart(62, 234)
@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"form": {"a": "1 2", "b": "é"}}, b"a=1+2&b=%C3%A9"),
        ({"json": {"a": [1]}}, b'{"a": [1]}'),
        ({"body": b"raw"}, b"raw"),
        ({"json": []}, b"[]"),
    ],
)
def test_bodies_are_sent_as_asked(
    outbound: Outbound, serve: Serve, options: dict[str, Any], sent: bytes
) -> None:
    server = serve(answer())
    outbound.send("POST", address(server), service="test", **options)
    assert server.requests[0].endswith(b"\r\n\r\n" + sent)
    form = b"Content-Type: application/x-www-form-urlencoded\r\n" in server.requests[0]
    assert form == ("form" in options)


def test_query_and_headers_are_sent(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer())
    get(outbound, server, query={"a": "1&2", "$top": "3"}, headers={"Authorization": "Bearer t"})
    head = server.requests[0]
    assert head.startswith(b"GET /x?a=1%262&%24top=3 HTTP/1.1")
    assert b"Authorization: Bearer t" in head


def test_a_connection_is_kept_and_its_name_resolved_once(
    outbound: Outbound, serve: Serve, names: Names
) -> None:
    server = serve(answer())
    for _ in range(5):
        get(outbound, server)
    assert server.connections == 1
    assert names.asked == [HOST]


def test_no_cookie_travels_with_the_next_call(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b"{}", "200 OK", "Set-Cookie: sid=hospital-1; Path=/; Secure"))
    get(outbound, server)
    get(outbound, server)
    assert b"cookie" not in server.requests[1].lower()


def test_a_redirect_is_an_answer(outbound: Outbound, serve: Serve) -> None:
    elsewhere = serve(answer())
    server = serve(answer(b"", "302 Found", f"Location: {address(elsewhere)}"))
    assert get(outbound, server).status == 302
    assert elsewhere.connections == 0


def test_many_threads_share_the_seam(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer())
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(get(outbound, server).status)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 16


# -- where a call may lead -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("93.184.216.34", "public"),
        ("2606:2800:220:1::1", "public"),
        ("127.0.0.1", "inside"),
        ("127.8.8.8", "inside"),
        ("::1", "inside"),
        ("10.0.0.1", "inside"),
        ("172.16.5.5", "inside"),
        ("192.168.1.1", "inside"),
        ("100.64.0.1", "inside"),
        ("fd12:3456::1", "inside"),
        ("::ffff:10.0.0.1", "inside"),
        ("::ffff:127.0.0.1", "inside"),
        ("2002:0a00:0001::1", "inside"),
        ("64:ff9b::10.0.0.1", "inside"),
        ("::127.0.0.1", "inside"),
        ("169.254.169.254", "never"),
        ("::ffff:169.254.169.254", "never"),
        ("64:ff9b::a9fe:a9fe", "never"),
        ("fd00:ec2::254", "never"),
        ("168.63.129.16", "never"),
        ("::ffff:168.63.129.16", "never"),
        ("fe80::1", "never"),
        ("fe80::1%eth0", "never"),
        ("0.0.0.0", "never"),  # noqa: S104 - refused, not bound
        ("0.1.2.3", "never"),
        ("::", "never"),
        ("224.0.0.1", "never"),
        ("ff02::1", "never"),
        ("255.255.255.255", "never"),
        ("not an address", "never"),
    ],
)
def test_addresses_are_judged_by_the_machine_they_reach(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["::ffff:10.1.2.3"],
        ["169.254.169.254"],
        ["fe80::1"],
    ],
)
def test_a_name_that_leads_inside_is_refused_before_a_packet_leaves(
    outbound: Outbound, serve: Serve, names: Names, addresses: list[str]
) -> None:
    server = serve(answer())
    names.book["evil.example"] = addresses
    with pytest.raises(AddressRefused):
        outbound.send("GET", f"https://evil.example:{server.port}/", service="test")
    with pytest.raises(AddressRefused):
        outbound.refuse_inside("evil.example")
    assert server.connections == 0


def test_a_listed_host_may_be_inside_but_never_a_metadata_service(outbound: Outbound, names: Names) -> None:
    outbound.refuse_inside(HOST)
    outbound.refuse_inside(HOST.upper() + ".")
    names.book[HOST] = ["169.254.169.254"]
    with pytest.raises(AddressRefused):
        outbound.refuse_inside(HOST)


def test_a_name_that_changes_its_mind_gains_nothing(outbound: Outbound, serve: Serve, names: Names) -> None:
    server = serve(answer())
    names.book["rebind.example"] = [["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]]
    outbound.refuse_inside("rebind.example")
    with pytest.raises(AddressRefused):
        outbound.send("GET", f"https://rebind.example:{server.port}/", service="test")
    assert server.connections == 0


def test_the_next_address_is_tried_when_the_first_is_silent(
    outbound: Outbound, serve: Serve, names: Names
) -> None:
    server = serve(answer())
    names.book[HOST] = ["127.0.0.99", "127.0.0.1"]
    assert get(outbound, server).status == 200


@pytest.mark.smart(1, 230, 232, 318)
@pytest.mark.parametrize(
    "url",
    [
        "http://hospital.example/",
        "ftp://hospital.example/",
        "file:///etc/passwd",
        "https://",
        "https://user:pw@hospital.example/",
        "https://@hospital.example/",
        "https://hospital.example:99999/",
        "https://[::1/",
        "//hospital.example/",
        "hospital.example",
        "",
        "https://hospital.example\\@evil.example:1/",
        "https://" + "a" * 300 + ".example/",
        "https://exa mple/",
    ],
)
def test_what_is_no_plain_https_address_is_refused(outbound: Outbound, url: str) -> None:
    with pytest.raises((AddressRefused, Unreachable)):
        outbound.send("GET", url, service="test", timeout=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "localhost", "LOCALHOST."])
def test_other_spellings_of_inside_are_refused_by_the_system_resolver(
    clock: FakeClock, bundle: str, serve: Serve, host: str
) -> None:
    server = serve(answer())
    with pytest.raises((AddressRefused, Unreachable)):
        Outbound(clock, ca_bundle=bundle).send(
            "GET", f"https://{host}:{server.port}/", service="test", timeout=2
        )
    assert server.connections == 0


def test_settings_make_the_seam(clock: FakeClock, bundle: str, serve: Serve) -> None:
    server = serve(answer())
    settings = Settings.from_environ(SANDBOX | {"ANTESALA_CA_BUNDLE": bundle})
    outbound = Outbound.from_settings(settings, clock)
    assert outbound.send("GET", f"https://localhost:{server.port}/", service="test").ok


# -- whom we believe -------------------------------------------------------------------------------


@pytest.mark.smart(230, 232, 318)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_is_said_over_a_tls_older_than_1_2(
    outbound: Outbound, serve: Serve, certificate: trustme.LeafCert
) -> None:
    server = serve(answer(), certificate, ssl.TLSVersion.TLSv1_1)
    with pytest.raises(Unreachable):
        get(outbound, server)
    assert server.requests == []


@pytest.mark.smart(1, 318, 230, 232)
def test_a_certificate_for_another_name_is_refused(
    outbound: Outbound, serve: Serve, authority: trustme.CA
) -> None:
    server = serve(answer(), authority.issue_cert("other.example"))
    with pytest.raises(Unreachable, match="certificate"):
        get(outbound, server)
    assert server.requests == []


@pytest.mark.smart(1, 318, 230, 232)
def test_a_certificate_of_an_unknown_authority_is_refused(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(), trustme.CA().issue_cert(HOST))
    with pytest.raises(Unreachable, match="certificate"):
        get(outbound, server)
    assert server.requests == []


def test_the_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, bundle: str, serve: Serve, names: Names, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text(f"machine {HOST} login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    server = serve(answer())
    outbound = Outbound(clock, private_hosts=frozenset({HOST}), ca_bundle=bundle, resolve=names)
    assert get(outbound, server).ok
    assert b"authorization" not in server.requests[0].lower()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with pytest.raises(Unreachable, match="certificate"):
        get(Outbound(clock, private_hosts=frozenset({HOST}), resolve=names), server)


def test_a_proxy_is_a_setting(clock: FakeClock, bundle: str, serve: Serve) -> None:
    server = serve(answer(b'"through"'))
    asked = []

    def tunnel(sock: socket.socket, _: Any) -> None:
        head = sock.recv(65_536)
        asked.append(head.split(b"\r\n")[0])
        with socket.create_connection(("127.0.0.1", server.port)) as upstream:
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pump, args=(upstream, sock), daemon=True)
            back.start()
            _pump(sock, upstream)

    proxy = serve(tunnel, None)
    outbound = Outbound(clock, ca_bundle=bundle, proxy_url=f"http://127.0.0.1:{proxy.port}")
    assert get(outbound, server).json() == "through"
    assert asked == [f"CONNECT {HOST}:{server.port} HTTP/1.1".encode()]


def _pump(source: Any, target: Any) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        return


# -- how much and how long -------------------------------------------------------------------------


def test_an_announced_large_body_is_not_read(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b"x" * 2_000))
    with pytest.raises(AnswerRefused, match="too large"):
        get(outbound, server, max_bytes=1_999)
    assert len(get(outbound, server, max_bytes=2_000).body) == 2_000


def test_an_unannounced_large_body_is_cut(outbound: Outbound, serve: Serve) -> None:
    def behave(sock: socket.socket, _: Any) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2_000):
            sock.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")

    with pytest.raises(AnswerRefused, match="too large"):
        get(outbound, serve(behave), max_bytes=100_000)


def test_a_small_body_that_unpacks_to_a_large_one_is_cut(outbound: Outbound, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    server = serve(answer(bomb, "200 OK", "Content-Encoding: gzip"))
    tracemalloc.start()
    with pytest.raises(AnswerRefused, match="too large"):
        get(outbound, server)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_packed_body_is_unpacked(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(gzip.compress(b'{"a": 1}'), "200 OK", "Content-Encoding: gzip"))
    assert get(outbound, server).json() == {"a": 1}


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        b"HTTP/1.1 200 OK\r\nX-Never-Ending: ",
        b"HTTP/1.1 2",
    ],
)
def test_a_dripping_answer_ends_with_the_deadline(outbound: Outbound, serve: Serve, first: bytes) -> None:
    server: HostileServer = serve(drip(first, lambda: server))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        get(outbound, server, timeout=0.4, attempts=5)
    # One attempt's time, not that of five.
    assert 0.3 < time.monotonic() - began < 1.9


def test_a_silent_handshake_ends_with_the_deadline(outbound: Outbound, serve: Serve) -> None:
    server: HostileServer = serve(lambda *_: server.over.wait(5), None)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        get(outbound, server, timeout=0.3)
    assert time.monotonic() - began < 4


def test_a_silent_resolver_ends_with_the_deadline(clock: FakeClock, bundle: str) -> None:
    over = threading.Event()
    outbound = Outbound(clock, ca_bundle=bundle, resolve=lambda *_: [str(over.wait(5))])
    began = time.monotonic()
    with pytest.raises(Unreachable):
        outbound.send("GET", f"https://{HOST}/", service="test", timeout=0.3)
    over.set()
    assert time.monotonic() - began < 4


def test_a_deadline_does_not_outlive_its_call(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer())
    get(outbound, server, timeout=0.2)
    time.sleep(0.3)
    assert get(outbound, server).ok
    assert server.connections == 1


# -- once more -------------------------------------------------------------------------------------


def failing(times: Any, status: Any = "503 Busy") -> Any:
    left = [times]

    def behave(sock: socket.socket, head: Any) -> None:
        left[0] -= 1
        (answer(b"{}", status) if left[0] >= 0 else answer())(sock, head)

    return behave


@pytest.mark.parametrize(
    ("method", "options", "status", "requests"),
    [
        ("GET", {}, 503, 1),
        ("GET", {"attempts": 2}, 200, 2),
        ("PUT", {"attempts": 2}, 200, 2),
        ("POST", {"attempts": 2}, 503, 1),
        ("POST", {"attempts": 2, "idempotent": True}, 200, 2),
        ("PATCH", {"attempts": 3}, 503, 1),
        ("GET", {"attempts": 2, "idempotent": False}, 503, 1),
    ],
)
def test_only_what_may_be_repeated_is_tried_again_where_asked(
    outbound: Outbound, serve: Serve, method: str, options: dict[str, Any], status: Any, requests: int
) -> None:
    server = serve(failing(1))
    got = outbound.send(method, address(server), service="test", **options)
    assert (got.status, len(server.requests)) == (status, requests)


@pytest.mark.parametrize("status", ["429 Slow", "500 Oops", "404 None"])
def test_other_statuses_are_not_tried_again(outbound: Outbound, serve: Serve, status: Any) -> None:
    server = serve(failing(1, status))
    assert get(outbound, server, attempts=3).status == int(status[:3])


def test_a_dropped_connection_is_tried_again_where_asked(outbound: Outbound, serve: Serve) -> None:
    def behave(sock: socket.socket, head: Any) -> None:
        if len(server.requests) == 1:
            sock.close()
        else:
            answer()(sock, head)

    server = serve(behave)
    assert get(outbound, server, attempts=2).ok


# -- what is told ----------------------------------------------------------------------------------


def test_errors_hold_no_path_query_or_header(
    outbound: Outbound, serve: Serve, names: Names, certificate: trustme.LeafCert, authority: trustme.CA
) -> None:
    secret = "MRN-7730941552"
    names.book["evil.example"] = ["127.0.0.1"]
    targets = [
        address(serve(lambda sock, _: sock.close()), f"/{secret}?q={secret}"),
        address(serve(answer(), authority.issue_cert("x.example")), f"/{secret}?q={secret}"),
        address(serve(answer(b"x" * 2_000_000)), f"/{secret}?q={secret}"),
        f"https://{HOST}:1/{secret}?q={secret}",
        f"https://evil.example/{secret}?q={secret}",
        f"https://nowhere.example/{secret}?q={secret}",
        f"http://{HOST}/{secret}?q={secret}",
        f"https://{secret}:{secret}@{HOST}/",
    ]
    for target in targets:
        with pytest.raises((Unreachable, AnswerRefused, AddressRefused)) as caught:
            outbound.send("GET", target, headers={"Authorization": secret}, service="test", timeout=2)
        chain = ""
        error: BaseException | None = caught.value
        while error is not None:
            chain += "".join(traceback.format_exception_only(error)) + repr(error)
            error = error.__cause__ or error.__context__
        assert secret not in chain, target
        assert "test" in str(caught.value) or ".example" in str(caught.value)


def test_nothing_is_logged_even_at_the_lowest_level(
    outbound: Outbound, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    get(outbound, serve(answer()), "/MRN-7730941552?q=1")
    assert "MRN" not in caplog.text


def test_an_answer_shows_neither_headers_nor_body() -> None:
    assert "secret" not in repr(Answer(200, {"set-cookie": "secret"}, b"secret"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(AnswerRefused):
        Answer(200, {}, body).json()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999999", 86_400.0),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Mon, 02 Mar 2026 14:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 13:00:00 GMT", 0.0),
        ("Mon, 99 Mar 2026 14:00:30 GMT", None),
        ("Mon, 1 Jan 99999999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(clock: FakeClock, text: str, seconds: float | None) -> None:
    headers = {"retry-after": text} if text else {}
    assert Answer(429, headers, b"", clock.now()).retry_after() == seconds


def test_a_date_without_our_clock_says_nothing(clock: FakeClock) -> None:
    moment = clock.now() + timedelta(seconds=5)
    text = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert Answer(429, {"retry-after": text}).retry_after() is None


# -- the session for MSAL --------------------------------------------------------------------------


def test_the_session_sends_through_the_seam(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b'{"a": 1}', "400 Bad"))
    session = outbound.session
    got = session.post(address(server), params={"p": "1"}, data={"grant_type": "x"}, headers={"A": "b"})
    assert (got.status_code, json.loads(got.text), got.json()) == (400, {"a": 1}, {"a": 1})
    assert server.requests[0].startswith(b"POST /x?p=1")
    assert server.requests[0].endswith(b"grant_type=x")
    with pytest.raises(StatusRefused):
        got.raise_for_status()
    assert session.get(address(server)).status_code == 400
    with pytest.raises(AddressRefused):
        session.get("http://hospital.example/")
    with pytest.raises(TypeError):
        session.get(address(server), verify=False)  # type: ignore[call-arg]


def test_in_a_hurry_every_deadline_is_shorter(clock: FakeClock, bundle: str, names: Names) -> None:
    over = threading.Event()
    outbound = Outbound(clock, ca_bundle=bundle, resolve=lambda *_: [str(over.wait(5))], hurry=10)
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        outbound.send("GET", f"https://{HOST}/", service="test", timeout=3)
    over.set()
    assert time.monotonic() - begun < 2


def test_an_answer_with_broken_headers_is_not_logged(
    outbound: Outbound, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    broken = answer(b"{}", "200 OK", "no header, about MRN-7730941552")
    assert get(outbound, serve(broken), "/MRN-7730941552?q=1").status == 200
    assert "MRN" not in caplog.text


def test_a_name_server_that_never_answers_keeps_no_other_name_waiting() -> None:
    silent = threading.Event()

    def resolve(name: str, port: int) -> list[str]:
        if name == "silent.example":
            silent.wait(10)
        return ["93.184.216.34"]

    addresses = Addresses(frozenset(), resolve)

    def ask() -> None:
        with pytest.raises(Unreachable):
            addresses.of("silent.example", 443, 0.2)

    askers = [threading.Thread(target=ask) for _ in range(40)]
    for asker in askers:
        asker.start()
    try:
        assert addresses.of("graph.example", 443, 2) == ["93.184.216.34"]
    finally:
        for asker in askers:
            asker.join()
        silent.set()
