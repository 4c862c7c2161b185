"""FHIR bases that lead inside, by themselves, by their name or by a redirect, are never called."""

import socket
from collections.abc import Callable

import pytest

from shared.outbound import Outbound
from shared.smart.discovery import Discovery
from tests.config.house import ADMIN, House, beginning, forget_rooms
from tests.fakes import FakeClock
from tests.shared.hostile import HostileServer, answer

BOOK = {
    "inside.evil.example": ["10.1.2.3"],
    "metadata.evil.example": ["169.254.169.254"],
    "half.evil.example": ["93.184.215.14", "127.0.0.1"],
    "six.evil.example": ["fe80::1"],
    "mapped.evil.example": ["::ffff:127.0.0.1"],
    "wire.evil.example": ["168.63.129.16"],
    "shared.evil.example": ["100.64.0.1"],
    "localhost": ["127.0.0.1"],
}
INSIDE = (
    *(f"https://{name}/fhir" for name in BOOK),
    "https://127.0.0.1/fhir",
    "https://[::1]/fhir",
    "https://[::ffff:10.0.0.1]/fhir",
    "https://169.254.169.254/latest",
    "https://2130706433/fhir",
    "https://0x7f.1/fhir",
    "https://0/fhir",
)


def _resolve(host: str, _: int) -> list[str]:
    if host in BOOK:
        return BOOK[host]
    # As the system does: numbers in any spelling become addresses, without asking anybody.
    return [str(row[4][0]) for row in socket.getaddrinfo(host, 443, flags=socket.AI_NUMERICHOST)]


@pytest.mark.parametrize("base", INSIDE)
def test_a_base_that_leads_inside_is_never_called(house: House, clock: FakeClock, base: str) -> None:
    outbound = Outbound(clock, resolve=_resolve)
    house.services.outbound, house.services.discovery = outbound, Discovery(outbound, clock)
    forget_rooms()
    admin = house.browser(ADMIN)
    report = admin.call("POST", "/config/api/bases", {"fhir_base": base, "kind": "fhir"}).json()
    assert not report["usable"]
    assert "points inside" in report["findings"][0]["text"]
    page = admin.post("/config/connections/new", beginning(base))
    assert page.status == 422
    assert list(house.connections()) == []


REDIRECTS = ("https://127.0.0.1/inside", "https://169.254.169.254/", "http://evil.example/", "//evil.example")


@pytest.mark.parametrize("target", REDIRECTS)
def test_a_redirect_is_not_followed(
    house: House, clock: FakeClock, trusted: tuple[Callable[..., HostileServer], str], target: str
) -> None:
    serve, bundle = trusted
    server = serve(answer(b"", "302 Found", f"Location: {target}"))
    hosts = frozenset({"hospital.example"})
    outbound = Outbound(clock, private_hosts=hosts, ca_bundle=bundle, resolve=lambda *_: ["127.0.0.1"])
    house.services.outbound, house.services.discovery = outbound, Discovery(outbound, clock)
    forget_rooms()
    base = f"https://hospital.example:{server.port}/fhir"
    report = (
        house.browser(ADMIN).call("POST", "/config/api/bases", {"fhir_base": base, "kind": "fhir"}).json()
    )
    assert "answered 302" in report["findings"][0]["text"]
    assert len(server.requests) == 1
