"""A request as it goes over the line: nothing in it can mean another request, or another header."""

from typing import Any

import pytest

from shared.errors import AddressRefused
from shared.outbound import Outbound
from tests.shared.hostile import answer
from tests.shared.outward import Names, Serve, address, get


def head_of(outbound: Outbound, serve: Serve, path: str, **options: Any) -> list[bytes]:
    server = serve(answer())
    outbound.send(options.pop("method", "GET"), address(server, path), service="test", **options)
    lines: list[bytes] = server.requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    return lines


def fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b": ")
        found.setdefault(name.lower(), []).append(value)
    return found


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", b"/"),
        ("?q=1", b"/?q=1"),
        ("/a b", b"/a%20b"),
        ("/é", b"/%C3%A9"),
        ('/"<>^`{|}', b"/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/a%20b%2Fc", b"/a%20b%2Fc"),
        ("/100%", b"/100%25"),
        ("/x#fragment", b"/x"),
        ("/x?y=z#fragment", b"/x?y=z"),
        ("/Appointment/$book?a=b|c", b"/Appointment/$book?a=b%7Cc"),
        ("/users('a@b')/x:y;z=1,2", b"/users('a@b')/x:y;z=1,2"),
        ("/a/../b/./c", b"/b/c"),
        ("/a/..", b"/"),
        ("/../../etc", b"/etc"),
        ("//other.example/./x", b"//other.example/x"),
        ("/.well-known/smart-configuration", b"/.well-known/smart-configuration"),
        ("/x?a=/../b", b"/x?a=/../b"),
    ],
)
def test_what_is_asked_should_fit_in_a_line(
    outbound: Outbound, serve: Serve, path: str, asked: bytes
) -> None:
    assert head_of(outbound, serve, path)[0] == b"GET " + asked + b" HTTP/1.1"


def test_a_query_should_be_added_to_that_of_the_address(outbound: Outbound, serve: Serve) -> None:
    pairs = [("a", "1"), ("a", "2 &"), ("é", "ü")]
    assert head_of(outbound, serve, "/x?b=0", query=pairs)[0] == (
        b"GET /x?b=0&a=1&a=2+%26&%C3%A9=%C3%BC HTTP/1.1"
    )


@pytest.mark.parametrize("place", ["\r\n", "\n", "\r", "\t", "\x00", "\x1f", "\x7f"])
def test_an_address_should_hold_no_control_character(outbound: Outbound, serve: Serve, place: str) -> None:
    server = serve(answer())
    with pytest.raises(AddressRefused):
        get(outbound, server, f"/x{place}Injected: 1")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Id", "1\r\nInjected: 1"),
        ("X-Id", "1\nInjected: 1"),
        ("X-Id", "1\rInjected: 1"),
        ("X-Id", "1\r\n folded"),
        ("X-Id", " 1"),
        ("X-Id", "1\x00"),
        ("X-Id", "日本"),
        ("X-Id\r\nInjected", "1"),
        ("X-Id:", "1"),
        ("X Id", "1"),
        ("", "1"),
    ],
)
def test_a_header_should_stay_in_its_line(outbound: Outbound, serve: Serve, name: str, value: str) -> None:
    server = serve(answer())
    with pytest.raises(AddressRefused, match=r"^test \(hospital\.example\): the request cannot be") as caught:
        get(outbound, server, headers={name: value})
    assert server.connections == 0
    assert caught.value.__context__ is None


def test_a_query_should_add_no_header(outbound: Outbound, serve: Serve) -> None:
    lines = head_of(outbound, serve, "/x", query={"a\r\nb": "c\r\nInjected: 1"})
    assert lines[0] == b"GET /x?a%0D%0Ab=c%0D%0AInjected%3A+1 HTTP/1.1"
    assert b"injected" not in fields(lines)


@pytest.mark.parametrize(
    "host",
    [
        "exa mple.example",
        "exa%20mple.example",
        "@hospital.example",
        "hospit%61l.example",
        "a\\b.example",
        "a.example\\@b.example",
        "*.example",
        ".example",
        "[::1%25x]",
        "[::1]x",
        "[::1]@[::2]",
        "[v1.x]",
        "a..example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "-a.example",
    ],
)
def test_a_host_should_be_a_name(outbound: Outbound, names: Names, host: str) -> None:
    with pytest.raises(AddressRefused):
        outbound.send("GET", f"https://{host}/", service="test", timeout=1)
    assert names.asked == []


def test_a_name_in_another_script_should_be_asked_for_as_the_name_system_spells_it(
    outbound: Outbound, names: Names
) -> None:
    names.book["xn--krankenhuser-ncb.example"] = ["169.254.169.254"]
    with pytest.raises(AddressRefused, match="where no service of ours is"):
        outbound.send("GET", "https://Krankenhäuser.example/", service="test")
    assert names.asked == ["xn--krankenhuser-ncb.example"]
    # In full width, with a combining mark, and with a sign that no name has.
    for spelled in ("\uff4brankenh\u00e4user", "Krankenha\u0308user", "\u2260\u0338"):
        with pytest.raises(AddressRefused):
            outbound.send("GET", f"https://{spelled}.example/", service="test")
    assert len(names.asked) == 1


@pytest.mark.parametrize(
    ("method", "options", "length", "kind"),
    [
        ("GET", {}, None, None),
        ("HEAD", {}, None, None),
        ("POST", {}, [b"0"], None),
        ("DELETE", {}, None, None),
        ("POST", {"form": {}}, [b"0"], [b"application/x-www-form-urlencoded"]),
        ("POST", {"form": {"a": "é"}}, [b"8"], [b"application/x-www-form-urlencoded"]),
        ("POST", {"json": {"a": "é"}}, [b"15"], [b"application/json"]),
        ("PATCH", {"json": False}, [b"5"], [b"application/json"]),
        ("PUT", {"body": "é"}, [b"2"], None),
        ("PUT", {"body": b"\xff" * 3}, [b"3"], None),
        (
            "PUT",
            {"json": [], "headers": {"content-type": "application/fhir+json"}},
            [b"2"],
            [b"application/fhir+json"],
        ),
    ],
)
def test_a_body_should_have_its_length_and_kind(
    outbound: Outbound, serve: Serve, method: str, options: dict[str, Any], length: Any, kind: Any
) -> None:
    sent = fields(head_of(outbound, serve, "/x", method=method, **options))
    assert sent.get(b"content-length") == length
    assert sent.get(b"content-type") == kind
    assert b"transfer-encoding" not in sent


def test_a_call_should_say_who_calls_and_what_is_understood(outbound: Outbound, serve: Serve) -> None:
    sent = fields(head_of(outbound, serve, "/x"))
    assert sent[b"user-agent"] == [b"Antesala/1"]
    assert sent[b"accept"] == [b"application/json"]
    assert sent[b"accept-encoding"] == [b"gzip"]
    assert set(sent) == {b"host", b"user-agent", b"accept", b"accept-encoding"}
    own = fields(head_of(outbound, serve, "/x", headers={"ACCEPT": "application/fhir+json"}))
    assert own[b"accept"] == [b"application/fhir+json"]


@pytest.mark.parametrize("document", [float("nan"), {"a": [float("inf")]}])
def test_what_is_no_json_should_not_be_sent(outbound: Outbound, serve: Serve, document: Any) -> None:
    server = serve(answer())
    with pytest.raises(AddressRefused):
        outbound.send("POST", address(server), json=document, service="test")
    assert server.connections == 0


def test_the_same_header_said_twice_should_be_one_list(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer(b"{}", "200 OK", "Link: <a>", "LINK: <b>"))
    assert get(outbound, server).headers["link"] == "<a>, <b>"


def test_a_request_should_go_out_in_one_piece(outbound: Outbound, serve: Serve) -> None:
    server = serve(answer())
    for _ in range(2):
        outbound.send("POST", address(server), json={"a": "b" * 4_000}, service="test")
    assert server.records == [1, 1]
