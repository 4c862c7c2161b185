"""The live view: who waits, is in or out of one visit, since when; roles and staff names only.

Once the visit is over it also says how it went, and whether attendance reports have completed that.

The handle in the address is random and means nothing without the sealed cookie of this browser, which binds
it to connection, visit, EHR user and the account they are linked to. What may change meanwhile is looked at
with every request: the connection serves, its organization is listed, the EHR user is still linked to that
account.

Staff names are read from the directory and kept in memory for five minutes; guests are "Patient" only where
the attribution of ``shared.visit`` is sure, else "Guest 1", "Guest 2" in the order they came.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from launch_provider.entrance import VIEWS
from launch_provider.services import ProviderServices
from shared.clock import Clock, parse_timestamp, timestamp
from shared.errors import OutsideError, Refusal
from shared.graph.people import People
from shared.launch.jar import Jar
from shared.memory import Memory
from shared.store.region import RegionStore
from shared.store.visits import Visit
from shared.visit.attribution import PATIENT, Launch, attribute
from shared.visit.intervals import moment
from shared.visit.roster import Fact, Participant, Roster
from shared.web import Request, Response, json_response

_KEPT = timedelta(minutes=5)
_NAMES = 500


@dataclass(frozen=True)
class Seen:
    """One line of the view. ``number`` counts guests whom nobody can tell apart; 0 for everybody else."""

    role: str
    presence: str
    since: str
    name: str = ""
    number: int = 0


@dataclass(frozen=True)
class _Handle:
    connection: str
    visit: str
    user: str
    oid: str


class Names:
    """Names of staff, for as long as somebody watches: memory only, five minutes, five hundred people."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._known: Memory[tuple[str, str], str] = Memory(clock, _NAMES, _KEPT)

    def of(self, tenant: str, oid: str) -> str:
        """The person's name, or empty where the directory does not say."""
        known = self._known.fresh((tenant, oid))
        if known is not None:
            return known
        try:
            somebody = self._people.get(tenant, oid)
        except OutsideError:
            return self._known.last((tenant, oid)) or ""
        name = somebody.name if somebody is not None else ""
        self._known.put((tenant, oid), name)
        return name


class VisitView:
    """The view's page and its data; one for the process, because it remembers names for a while."""

    def __init__(self, services: ProviderServices) -> None:
        self._services = services
        self._names = Names(services.people, services.clock)
        self._handles = Jar(services.sealer, services.clock, "view", VIEWS)

    def page(self, request: Request) -> Response:
        """``GET /launch/provider/{connection}/visit/{handle}``."""
        handle = self._handle(request)
        self._allowed(handle, self._services.stores.of(handle.connection))
        return self._services.pages.page(
            "launch_provider/visit.html", request, state_url=f"{request.path}/state"
        )

    def state(self, request: Request) -> Response:
        """``GET .../visit/{handle}/state``.

        ``{live, at, people: [role, name, number, presence, since], outcome, reported, final}``; ``outcome``
        is empty until the visit is over, ``reported``: attendance reports were read, ``final``: it stays.
        """
        handle = self._handle(request)
        store = self._services.stores.of(handle.connection)
        tenant = self._allowed(handle, store)
        visit = store.visits.get(handle.connection, handle.visit)
        people = self._named(tenant, visit) if visit is not None else ()
        return json_response(
            {
                "live": visit.live if visit is not None else "unknown",
                "at": timestamp(self._services.clock.now()),
                "people": [vars(one) for one in people],
                "outcome": visit.outcome if visit is not None else "",
                "reported": visit is not None and visit.reported,
                "final": visit is not None and visit.outcome_sent,
            }
        )

    def _handle(self, request: Request) -> _Handle:
        value = self._handles.find(request, request.route.get("handle", ""))
        if not isinstance(value, dict) or value.get("c") != request.route.get("connection"):
            raise Refusal("view-unknown")
        try:
            return _Handle(value["c"], value["k"], value["u"], value["o"])
        except KeyError as error:  # sealed by another release of this app
            raise Refusal("view-unknown", "another release's view") from error

    def _allowed(self, handle: _Handle, store: RegionStore) -> str:
        """The tenant of a connection that serves, for a person who is still linked; Refusal view-unknown."""
        approved = store.connections.approved(handle.connection)
        if approved is None:
            raise Refusal("view-unknown", "the connection does not serve")
        if approved.connection.tenant not in self._services.settings.tenants:
            raise Refusal("view-unknown", "its tenant is not listed")
        link = store.ehr_users.get(handle.connection, handle.user)
        if link is None or link.oid != handle.oid:
            raise Refusal("view-unknown", "not linked any more")
        return approved.connection.tenant

    def _named(self, tenant: str, visit: Visit) -> list[Seen]:
        return [
            Seen(
                one.role,
                one.presence,
                one.since,
                self._names.of(tenant, one.name) if one.name else "",
                one.number,
            )
            for one in seen(visit)
        ]


def seen(visit: Visit) -> tuple[Seen, ...]:
    """Everybody who was seen, staff first; ``name`` holds the object id of staff here. Pure."""
    roster = Roster.from_document(visit.roster)
    launches = [Launch(one.side, one.user, parse_timestamp(one.at), one.oid) for one in visit.persons]
    attribution = attribute(roster, launches, group=visit.group)
    is_patient = PATIENT in attribution.subjects
    home = _by_person(one for one in roster.participants.values() if one.home)
    guests = _by_person(attribution.externals)
    staff = (_line(roster, joins, "staff", name=joins[0].identity) for joins in home)
    others = (
        _line(roster, joins, "patient" if is_patient else "guest", number=0 if is_patient else place)
        for place, joins in enumerate(guests, start=1)
    )
    return (*staff, *others)


def _by_person(participants: Iterable[Participant]) -> list[list[Participant]]:
    """Joins of one person together, persons in the order they were first seen."""
    people: dict[str, list[Participant]] = {}
    for one in sorted(participants, key=lambda item: (item.first, item.id)):
        people.setdefault(one.person, []).append(one)
    return list(people.values())


def _line(roster: Roster, joins: list[Participant], role: str, *, name: str = "", number: int = 0) -> Seen:
    newest: Fact = max(
        (roster.now(join) for join in joins), key=lambda fact: (fact.presence != "out", fact.at)
    )
    return Seen(role, newest.presence, timestamp(moment(newest.at)), name, number)
