"""How much a day of visits asks of every service, and which limit is met first: ``python -m bench.capacity``.

Pure arithmetic over two tables: what one visit needs (counted by tests and by the run of ``make bench``), and
what each service allows (reference sheets; Microsoft's published limits of 2026). A day's visits fall into
busy hours; the peak hour is taken, not the average.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

type Scope = Literal["connection", "tenant", "organizer", "region", "app"]

DAYS_A_MONTH = 22
SHORTEST_SECONDS = 1.0
"""What an execution is billed for at least (Flex Consumption)."""


@dataclass(frozen=True)
class PerVisit:
    """What one visit needs. Seconds are of one instance, of which a share of its threads is busy."""

    launches: float = 2.2
    """Clinician and patient once each, one in five comes again."""
    notifications: float = 10.0
    """Lobby, join, admit, leave of both, and the roster repeated."""
    tells: float = 4.0
    """Operations that reach the EHR: connected and disconnected of both."""
    looks: float = 8.0
    """Messages of ``tend``: six checks of reports, two more for renewal and the end."""
    launch_trips: float = (10 + 1.2 * 5) / 2.2
    """Storage operations of a launch, leg 1 included: the first of a visit takes 10, others 5."""
    fold_trips: float = 6.1
    """Two reads, two writes of the row and a message, and one received (sixteen at a time) and deleted.

    At most: a connection that was read less than five seconds ago is not read again.
    """
    tell_trips: float = 6.1
    """Two reads at most, two batches of claim and lane, a write of the row, a message got and deleted."""
    look_trips: float = 6.0
    partition: float = 8 + 10 * 3 + 4 * 2 + 8 * 3
    """Entities of the connection's partition of ``Visits`` that launches, folds, tellings and looks touch."""
    graph_calls: float = 4.0 + 6.0 + 2.0
    """createOrGet, PATCH, subscription, link; reports of six looks; renewal and end of the subscription."""
    ehr_calls: float = 2 * 2.2 + 4.0
    """Token (and for two visits in three a reading) of each launch; each telling."""
    subscription_hours: float = 4.5 + 0.5
    """From the first launch until four hours after the scheduled end."""
    untimed_hours: float = 16.5
    """The same where no end is known: half a day after the first launch, and four hours."""
    launch_seconds: float = (1.1 + 1.2 * 0.2) / 2.2
    """Leg 2: 1.1 for the first of a visit and 0.2 for others, while the services take as long as assumed."""
    http_seconds: float = 0.02
    """Leg 1, and a notification's way into the queue."""
    queue_seconds: float = 0.15
    """A message on its thread: six trips to storage of some 10 ms, and the EHR or Graph."""


@dataclass(frozen=True)
class Deployment:
    """Who shares the visits. ``busy_hours``: a day's visits fall into so many hours."""

    regions: int = 1
    tenants: int = 1
    connections: int = 1
    organizers: int = 0
    """Pool accounts a connection; 0: clinicians organize their own meetings."""
    clinicians: int = 100
    """Who launch, a connection."""
    busy_hours: float = 8.0
    memory_gb: float = 2.0
    http_concurrency: int = 16
    queue_concurrency: int = 24


@dataclass(frozen=True)
class Limit:
    """One limit of a service. ``then``: what the design does when it comes near."""

    name: str
    scope: Scope
    value: float
    unit: str
    then: str


LIMITS: tuple[Limit, ...] = (
    Limit(
        "Teams subscriptions that live at once",
        "tenant",
        10_000,
        "",
        "403: the visit goes on as live-unavailable, its record comes from attendance reports; more tenants, "
        "or an earlier end of subscriptions",
    ),
    Limit(
        "Teams subscriptions, where no end of visits is known",
        "tenant",
        10_000,
        "",
        "as above; with the join window switched on the appointment is read, and its end is known",
    ),
    Limit(
        "meetings of one organizer a month",
        "organizer",
        2_000,
        "a month",
        "the next organizer of the pool; larger pool, or clinicians as organizers",
    ),
    Limit(
        "entities of one table partition",
        "connection",
        2_000,
        "/s",
        "a partition is a connection: another connection of the same organization is another partition",
    ),
    Limit("requests of one storage account", "region", 20_000, "/s", "a stamp more in the region"),
    Limit("Graph requests of the app", "app", 13_000, "/s", "an app registration a stamp"),
    Limit(
        "instances of the http group",
        "region",
        125,
        "",
        "half of the 250 cores a region allows; a higher quota and `maximumInstanceCount`, or a stamp more",
    ),
    Limit(
        "instances of the queue groups",
        "region",
        125,
        "",
        "half of the 250 cores a region allows; a higher quota and `maximumInstanceCount`, or a stamp more",
    ),
)


@dataclass(frozen=True)
class Load:
    """What a limit's scope has to bear in the peak hour, and the part of the limit that this is."""

    limit: Limit
    value: float

    @property
    def share(self) -> float:
        """1 is the limit."""
        return self.value / self.limit.value


@dataclass(frozen=True)
class Day:
    """A day's totals over everything."""

    visits: float
    gb_seconds: float
    """Where every running instance is full."""
    gb_seconds_alone: float
    """Where nothing runs beside anything else: each execution pays its instance, a second at least."""
    storage: float
    graph: float
    ehr: float
    loads: tuple[Load, ...] = field(repr=False)

    @property
    def first(self) -> Load:
        """The limit that is met first."""
        return max(self.loads, key=lambda one: one.share)

    @property
    def beyond(self) -> tuple[Load, ...]:
        """Every limit that is exceeded, worst first."""
        return tuple(sorted((one for one in self.loads if one.share > 1), key=lambda one: -one.share))


def day(visits: float, shared: Deployment, need: PerVisit) -> Day:
    """What so many visits a day need of everything."""
    per_second = visits / (shared.busy_hours * 3_600)
    trips = _trips(need)
    http = need.launches * (need.launch_seconds + need.http_seconds) + need.notifications * need.http_seconds
    queue = (need.notifications + need.tells + need.looks) * need.queue_seconds
    # An instance is paid for while anything runs on it; its slots are filled before there is another.
    paid = http / shared.http_concurrency + queue / shared.queue_concurrency
    loads = {
        "Teams subscriptions that live at once": _alive(visits, need.subscription_hours, shared),
        "Teams subscriptions, where no end of visits is known": _alive(visits, need.untimed_hours, shared),
        "meetings of one organizer a month": visits * DAYS_A_MONTH / _organizers(shared),
        "entities of one table partition": per_second * need.partition / shared.connections,
        "requests of one storage account": per_second * trips / shared.regions,
        "Graph requests of the app": per_second * need.graph_calls,
        "instances of the http group": per_second * http / shared.http_concurrency / shared.regions,
        "instances of the queue groups": per_second * queue / shared.queue_concurrency / shared.regions,
    }
    return Day(
        visits=visits,
        gb_seconds=visits * paid * shared.memory_gb,
        gb_seconds_alone=visits * _alone(need) * shared.memory_gb,
        storage=visits * trips,
        graph=visits * need.graph_calls,
        ehr=visits * need.ehr_calls,
        loads=tuple(Load(limit, loads[limit.name]) for limit in LIMITS),
    )


def _alive(visits: float, hours: float, shared: Deployment) -> float:
    """How many of a tenant's subscriptions live at once, at most all of its day's."""
    return visits / shared.tenants * min(1.0, hours / shared.busy_hours)


def _alone(need: PerVisit) -> float:
    """Seconds that are billed for a visit whose executions never share an instance."""
    launches = need.launches * 2 * max(SHORTEST_SECONDS, need.launch_seconds)
    others = need.notifications * 2 + need.tells + need.looks
    return launches + others * SHORTEST_SECONDS


def _organizers(shared: Deployment) -> int:
    return shared.connections * (shared.organizers or shared.clinicians)


def _trips(need: PerVisit) -> float:
    """Storage operations of a visit."""
    return (
        need.launches * need.launch_trips
        + need.notifications * (1 + need.fold_trips)
        + need.tells * need.tell_trips
        + need.looks * need.look_trips
    )


# What it takes: one hospital, a large group of hospitals, a country.
CASES: Mapping[str, tuple[float, Deployment]] = {
    "10⁴": (1e4, Deployment(connections=1, clinicians=1_000)),
    "10⁶": (1e6, Deployment(regions=3, tenants=100, connections=200, clinicians=500)),
    "10⁸": (1e8, Deployment(regions=3, tenants=10_000, connections=20_000, clinicians=500)),
}


def lines(need: PerVisit) -> Iterator[str]:
    """The tables of docs/performance.md."""
    yield (
        "| visits a day | regions / tenants / connections | GB-seconds, full instances | GB-seconds, alone "
        "| storage operations | Graph calls | EHR calls |"
    )
    yield "|---|---|---|---|---|---|---|"
    days = {name: (day(visits, shared, need), shared) for name, (visits, shared) in CASES.items()}
    for name, (one, shared) in days.items():
        who = f"{shared.regions} / {shared.tenants:,} / {shared.connections:,}"
        values = (one.gb_seconds, one.gb_seconds_alone, one.storage, one.graph, one.ehr)
        totals = " | ".join(rounded(value) for value in values)
        yield f"| {name} | {who} | {totals} |"
    yield ""
    yield "| limit (peak hour) | allowed | " + " | ".join(days) + " | what the design does then |"
    yield "|---|---|" + "---|" * len(days) + "---|"
    for place, limit in enumerate(LIMITS):
        shares = " | ".join(f"{one.loads[place].share:.1%}" for one, _ in days.values())
        allowed = f"{limit.value:,.0f} {limit.unit}".strip()
        yield f"| {limit.name}, each {limit.scope} | {allowed} | {shares} | {limit.then} |"
    yield ""
    for name, (one, _) in days.items():
        yield f"- {name} visits a day: first met is *{one.first.limit.name}*{_beyond(one)}."


def _beyond(one: Day) -> str:
    """What has to be multiplied, and by how much."""
    over = "; ".join(f"{load.limit.name} x {load.share:.1f}" for load in one.beyond)
    return f"; exceeded: {over}" if over else ", at " + f"{one.first.share:.0%}"


def rounded(value: float) -> str:
    """Two digits that matter, in words."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, ",000")):
        if value >= size:
            digits = value / size
            return (f"{digits:.1f}" if digits < 10 and word != ",000" else f"{digits:.0f}") + word
    return f"{value:.0f}"


if __name__ == "__main__":
    print("\n".join(lines(PerVisit())))
