"""The region's rooms in memory, with the meaning that ``shared.store`` promises."""

from dataclasses import dataclass, field, replace
from typing import Any, get_args

from shared.connection import Approved, Connection, Revision
from shared.errors import Refusal
from shared.store.ehr_users import Link
from shared.store.operations import Claim, Outcome
from shared.store.visits import Visit


@dataclass
class Connections:
    rows: dict[str, tuple[Connection, Revision]] = field(default_factory=dict)
    reads: int = 0

    def get(self, connection: str) -> Connection | None:
        row = self.rows.get(connection)
        return row[0] if row else None

    def revision(self, connection: str, number: int) -> Revision | None:
        row = self.rows.get(connection)
        return row[1] if row and row[1].number == number else None

    def approved(self, connection: str) -> Approved | None:
        self.reads += 1
        row = self.rows.get(connection)
        return Approved(*row) if row and row[1].state == "approved" else None


@dataclass
class EhrUsers:
    rows: dict[tuple[str, str], Link] = field(default_factory=dict)

    def get(self, connection: str, ehr_user: str) -> Link | None:
        return self.rows.get((connection, ehr_user))

    def link(self, link: Link) -> bool:
        return self.rows.setdefault((link.connection, link.ehr_user), link) is link

    def name_anew(self, link: Link, sub_mac: str) -> None:
        self.rows[link.connection, link.ehr_user] = replace(link, sub_mac=sub_mac)

    def unlink(self, connection: str, ehr_user: str) -> bool:
        return self.rows.pop((connection, ehr_user), None) is not None

    def of_person(self, connection: str, oid: str) -> list[str]:
        return [
            link.ehr_user for link in self.rows.values() if (link.connection, link.oid) == (connection, oid)
        ]


@dataclass
class Launches:
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    broken: Exception | None = None

    def record(self, connection: str, code: str, side: str, at: str) -> None:
        if self.broken:
            raise self.broken
        self.rows.append((connection, code, side))


@dataclass
class Audit:
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def record(self, tenant: str, by: str, what: str, connection: str, at: str, detail: str = "") -> None:
        assert not detail
        self.rows.append((tenant, by, what))


@dataclass
class Visits:
    rows: dict[tuple[str, str], Visit] = field(default_factory=dict)

    def get(self, connection: str, key: str) -> Visit | None:
        return self.rows.get((connection, key))

    def find(self, connection: str, keys: tuple[str, ...]) -> Visit | None:
        return next((self.rows[connection, key] for key in keys if (connection, key) in self.rows), None)

    def put(self, connection: str, key: str, **values: Any) -> None:
        known = self.rows.get((connection, key)) or Visit(connection, key, 1, "2030-03-01T09:00:00.000Z")
        self.rows[connection, key] = replace(known, **values)


@dataclass
class Operations:
    """Claims and outcomes; ``rows`` maps an operation to its outcome, empty while it is claimed."""

    rows: dict[tuple[str, str], str] = field(default_factory=dict)

    def claim(self, connection: str, operation: str, owner: str) -> Claim:
        outcome = self.rows.setdefault((connection, operation), owner)
        if outcome == owner:
            return Claim("mine")
        known = [one for one in get_args(Outcome.__value__) if one == outcome]
        return Claim("settled", known[0]) if known else Claim("busy")

    def settle(self, connection: str, operation: str, outcome: Outcome) -> None:
        self.rows[connection, operation] = outcome

    def release(self, connection: str, operation: str, owner: str) -> None:
        if self.rows.get((connection, operation)) == owner:
            del self.rows[connection, operation]


@dataclass
class Region:
    connections: Connections = field(default_factory=Connections)
    ehr_users: EhrUsers = field(default_factory=EhrUsers)
    launches: Launches = field(default_factory=Launches)
    audit: Audit = field(default_factory=Audit)
    visits: Visits = field(default_factory=Visits)
    operations: Operations = field(default_factory=Operations)


@dataclass
class Stores:
    region: Region = field(default_factory=Region)

    def of(self, connection: str) -> Region:
        if len(connection) != 16 or not connection.startswith("a"):
            raise Refusal("connection-unknown", "not a connection's id")
        return self.region
