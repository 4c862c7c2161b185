"""Which addresses may be called.

Whether an address is *inside* is decided on the innermost one: an IPv4 address wrapped into IPv6 (mapped,
6to4, Teredo, NAT64) reaches the same machine.
"""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from shared.errors import AddressRefused, Unreachable

type Kind = Literal["public", "inside", "never"]
type Resolve = Callable[[str, int], list[str]]

# Carrier-grade NAT (RFC 6598) is inside to whoever stands behind it, though Python calls it neither.
_INSIDE = (IPv4Network("100.64.0.0/10"), IPv6Network("fec0::/10"))
# Metadata and platform services answer with credentials to anyone who can speak to them: Azure's wire server
# has a public address, AWS's IPv6 one looks like any private network.
_NEVER = (
    IPv4Network("168.63.129.16/32"),
    IPv6Network("fd00:ec2::/32"),
    IPv4Network("0.0.0.0/8"),
    IPv4Network("255.255.255.255/32"),
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def kind_of(text: str) -> Kind:
    """Where an address leads. ``never``: not even when the operator allows the host to be inside."""
    try:
        address = _innermost(ip_address(text))
    except ValueError:
        return "never"
    unusable = address.is_unspecified or address.is_multicast or address.is_link_local
    if unusable or _within(address, _NEVER):
        return "never"
    # Loopback is asked for by name, because Python counts ::1 as reserved too.
    if address.is_loopback or address.is_private or _within(address, _INSIDE):
        return "inside"
    return "public" if address.is_global and not address.is_reserved else "never"


class Addresses:
    """Resolves a name and refuses it as a whole if one of its addresses may not be called."""

    def __init__(self, private_hosts: frozenset[str], resolve: Resolve | None = None) -> None:
        """``private_hosts``: lower-case names that may lead inside."""
        self._private_hosts = private_hosts
        self._resolve = resolve or resolved
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="resolve")
        self._looking: dict[tuple[str, int], Future[list[str]]] = {}
        self._lock = threading.Lock()

    def of(self, host: str, port: int, seconds: float) -> list[str]:
        """The addresses to call, best first; AddressRefused, or Unreachable when the name has none."""
        name = normal(host)
        found: list[str] = []
        try:
            found = self._look(name, port).result(seconds)
        except (TimeoutError, OSError, UnicodeError):
            found = []
        if not found:
            raise Unreachable(f"{name}: the name has no address")
        self.check(name, found)
        return found

    def _look(self, name: str, port: int) -> Future[list[str]]:
        """The look-up that is under way, or a new one.

        The system's resolver knows no deadline, so it runs on a thread that can be given up. One thread a
        name: a name server that never answers leaves the others to the other names.
        """
        with self._lock:
            looking = self._looking.get((name, port))
            if looking is None:
                looking = self._looking[name, port] = self._threads.submit(self._looked, name, port)
            return looking

    def _looked(self, name: str, port: int) -> list[str]:
        try:
            return self._resolve(name, port)
        finally:
            with self._lock:
                del self._looking[name, port]

    def check(self, host: str, addresses: list[str]) -> None:
        """AddressRefused if one of the addresses may not be called for this host."""
        allowed = {"public", "inside"} if normal(host) in self._private_hosts else {"public"}
        for address in addresses:
            if (kind := kind_of(address)) not in allowed:
                where = "inside" if kind == "inside" else "where no service of ours is"
                raise AddressRefused(f"{normal(host)}: the name leads {where}")


def resolved(host: str, port: int) -> list[str]:
    """What the system's resolver says, best first."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def normal(host: str) -> str:
    """A host's name for comparison: lower case, without the root's dot and without brackets."""
    return host.strip("[]").rstrip(".").lower()


def _innermost(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and int(address) >> 32 == 0 and int(address) > 1:
        inner = IPv4Address(int(address))
    return inner or address


def _within(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
