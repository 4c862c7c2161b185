"""What tests of the seam outward share: a hospital's name, an address book, and the calls."""

from collections.abc import Callable
from typing import Any

from shared.outbound import Outbound
from tests.shared.hostile import HostileServer

HOST = "hospital.example"

type Serve = Callable[..., HostileServer]


class Names:
    """A resolver with an address book; remembers what it was asked."""

    def __init__(self, **book: Any) -> None:
        self.book = {HOST: ["127.0.0.1"], **{name.replace("_", "."): rows for name, rows in book.items()}}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Any:
        self.asked.append(host)
        rows = self.book.get(host)
        if rows is None:
            raise OSError("no such name")
        return rows.pop(0) if rows and isinstance(rows[0], list) else rows


def address(server: Any, path: Any = "/x") -> Any:
    return f"https://{HOST}:{server.port}{path}"


def get(outbound: Outbound, server: Any, path: Any = "/x", **options: Any) -> Any:
    return outbound.send("GET", address(server, path), service="test", **options)
