"""The webhooks, and one queue function of each kind per region. A trigger holds no rule."""

import functools

import azure.functions as func

from shared import edge
from shared.connection import Approved, Region
from shared.ehr.registry import Adapters
from shared.parked import Parked
from shared.retention import Retention
from shared.wiring import enabled_regions, services
from writeback_function.concluding import Concluding
from writeback_function.deliver import Deliver
from writeback_function.fold import Fold, Handing
from writeback_function.ingress import NOTIFICATION_BYTES, Ingress
from writeback_function.poison import Poison
from writeback_function.tend import Graphs, Tend

bp = func.Blueprint()  # type: ignore[no-untyped-call]

QUEUES = ("attendance", "writeback", "tend")
HOURLY = "0 17 * * * *"


@functools.cache
def _ingress() -> Ingress:
    house = services()
    return Ingress(house.stores, house.contexts, house.sealer, house.pseudonyms, house.clock)


@functools.cache
def _handing() -> Handing:
    house = services()
    settings = house.settings
    return Handing(house.sealer, house.clock, settings.debounce_seconds, settings.lateness_seconds)


@functools.cache
def _fold() -> Fold:
    house = services()
    return Fold(
        house.stores,
        house.contexts,
        house.sealer,
        house.pseudonyms,
        house.notifications,
        _handing(),
        house.clock,
    )


@functools.cache
def _adapters() -> Adapters:
    house = services()
    return Adapters(house.outbound, house.discovery, house.tokens, house.clock)


@functools.cache
def _deliver() -> Deliver:
    house = services()
    return Deliver(
        house.stores,
        house.contexts,
        house.sealer,
        _adapters(),
        house.clock,
        house.entropy,
        debounce=house.settings.debounce_seconds,
        lateness=house.settings.lateness_seconds,
        hours=house.settings.deliver_hours,
        hurry=house.settings.hurry,
    )


@functools.cache
def _tend() -> Tend:
    house = services()
    graphs = Graphs(house.subscriptions, house.reports)

    def takes(approved: Approved) -> bool:
        return _adapters().outcome(approved) is not None

    return Tend(
        house.stores,
        house.contexts,
        house.sealer,
        house.pseudonyms,
        graphs,
        _handing(),
        Concluding(house.sealer, house.clock, takes),
        house.clock,
        house.entropy,
    )


@bp.function_name("attendance_notifications")
@bp.route("attendance/notifications", methods=["POST"])
def attendance_notifications(req: func.HttpRequest) -> func.HttpResponse:
    """Call events from Microsoft Graph."""
    return edge.api(req, _ingress().notifications, services=services(), body_limit=NOTIFICATION_BYTES)


@bp.function_name("attendance_lifecycle")
@bp.route("attendance/lifecycle", methods=["POST"])
def attendance_lifecycle(req: func.HttpRequest) -> func.HttpResponse:
    """What becomes of subscriptions, from Microsoft Graph."""
    return edge.api(req, _ingress().lifecycle, services=services(), body_limit=NOTIFICATION_BYTES)


def _register(region: Region) -> None:
    """A region's queue functions; each kind is a scale group of its own."""
    account = f"Antesala{region.capitalize()}"

    @bp.function_name(f"fold_{region}")
    @bp.queue_trigger("message", queue_name="attendance", connection=account)
    def fold(message: func.QueueMessage) -> None:
        _fold().fold(message.get_body().decode())

    @bp.function_name(f"deliver_{region}")
    @bp.queue_trigger("message", queue_name="writeback", connection=account)
    def deliver(message: func.QueueMessage) -> None:
        _deliver().deliver(message.get_body().decode())

    @bp.function_name(f"tend_{region}")
    @bp.queue_trigger("message", queue_name="tend", connection=account)
    def tend(message: func.QueueMessage) -> None:
        _tend().tend(message.get_body().decode())

    for queue in QUEUES:
        _register_poison(region, account, queue)


def _register_poison(region: Region, account: str, queue: str) -> None:
    @bp.function_name(f"poison_{queue}_{region}")
    @bp.queue_trigger("message", queue_name=f"{queue}-poison", connection=account)
    def poison(message: func.QueueMessage) -> None:
        house = services()
        parking = Poison(house.sealer, house.contexts)
        parking.park(house.stores.region(region), queue, message.get_body())


def _register_retention(region: Region) -> None:
    """A timer of its own for each region: the outage of one does not touch another."""

    @bp.function_name(f"retention_{region}")
    @bp.timer_trigger("tick", schedule=HOURLY)
    def retention(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
        house = services()
        Retention(house.clock).run(house.stores.region(region))

    @bp.function_name(f"adopt_{region}")
    @bp.timer_trigger("tick", schedule=HOURLY)
    def adopt(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
        house = services()
        parked = Parked(house.stores, house.contexts, house.sealer, house.clock)
        parked.adopt(house.stores.region(region))


for _region in enabled_regions():
    _register(_region)
    _register_retention(_region)
