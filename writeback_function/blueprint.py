"""The webhooks, and one queue function of each kind per region. A trigger holds no rule.

What takes notifications, and messages from queues, is imported with the first of them: on the plan the queues
have instances of their own (``function:fold_americas``), and a launch on a cold instance waits for neither.
"""

import functools
from typing import TYPE_CHECKING

import azure.functions as func

from shared import edge
from shared.connection import Approved, Region
from shared.wiring import enabled_regions, services
from writeback_function.taking import taken

if TYPE_CHECKING:
    from shared.ehr.registry import Adapters
    from writeback_function.deliver import Deliver
    from writeback_function.fold import Fold
    from writeback_function.ingress import Ingress
    from writeback_function.outbox import Outbox
    from writeback_function.poison import Poison
    from writeback_function.tend import Tend

bp = func.Blueprint()  # type: ignore[no-untyped-call]

QUEUES = ("attendance", "writeback", "tend")
HOURLY = "0 17 * * * *"


@functools.cache
def _ingress() -> "Ingress":
    from writeback_function.ingress import Ingress

    house = services()
    return Ingress(house.stores, house.contexts, house.sealer, house.pseudonyms, house.clock)


@functools.cache
def _outbox() -> "Outbox":
    from writeback_function.outbox import Outbox

    house = services()
    settings = house.settings
    return Outbox(house.sealer, house.clock, settings.debounce_seconds, settings.lateness_seconds)


@functools.cache
def _fold() -> "Fold":
    from writeback_function.fold import Fold

    house = services()
    return Fold(
        house.stores,
        house.contexts,
        house.pseudonyms,
        house.notifications,
        _outbox(),
        house.clock,
    )


@functools.cache
def _adapters() -> "Adapters":
    from shared.ehr.registry import Adapters

    house = services()
    return Adapters(house.outbound, house.discovery, house.tokens, house.clock)


@functools.cache
def _deliver() -> "Deliver":
    from writeback_function.deliver import Deliver

    house = services()
    return Deliver(
        house.stores,
        house.contexts,
        house.sealer,
        _adapters(),
        _outbox(),
        house.clock,
        house.entropy,
        hours=house.settings.deliver_hours,
        hurry=house.settings.hurry,
    )


@functools.cache
def _tend() -> "Tend":
    from writeback_function.concluding import Concluding
    from writeback_function.tend import Graphs, Tend

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
        _outbox(),
        Concluding(house.sealer, house.clock, takes),
        house.clock,
        house.entropy,
    )


@functools.cache
def _poison() -> "Poison":
    from writeback_function.poison import Poison

    house = services()
    return Poison(house.sealer, house.contexts)


@bp.function_name("attendance_notifications")
@bp.route("attendance/notifications", methods=["POST"])
@edge.traced
def attendance_notifications(req: func.HttpRequest) -> func.HttpResponse:
    """Call events from Microsoft Graph."""
    return _answered(req, _ingress().notifications)


@bp.function_name("attendance_lifecycle")
@bp.route("attendance/lifecycle", methods=["POST"])
@edge.traced
def attendance_lifecycle(req: func.HttpRequest) -> func.HttpResponse:
    """What becomes of subscriptions, from Microsoft Graph."""
    return _answered(req, _ingress().lifecycle)


def _answered(req: func.HttpRequest, handle: edge.Handler) -> func.HttpResponse:
    from writeback_function.ingress import NOTIFICATION_BYTES

    return edge.api(req, handle, services=services(), body_limit=NOTIFICATION_BYTES)


def _register(region: Region) -> None:
    """A region's queue functions; each kind is a scale group of its own."""
    account = f"Antesala{region.capitalize()}"

    @bp.function_name(f"fold_{region}")
    @bp.queue_trigger("message", queue_name="attendance", connection=account)
    def fold(message: func.QueueMessage) -> None:
        taken(f"attendance {region}", lambda: _fold().fold(message.get_body().decode()))

    @bp.function_name(f"deliver_{region}")
    @bp.queue_trigger("message", queue_name="writeback", connection=account)
    def deliver(message: func.QueueMessage) -> None:
        taken(f"writeback {region}", lambda: _deliver().deliver(message.get_body().decode()))

    @bp.function_name(f"tend_{region}")
    @bp.queue_trigger("message", queue_name="tend", connection=account)
    def tend(message: func.QueueMessage) -> None:
        taken(f"tend {region}", lambda: _tend().tend(message.get_body().decode()))

    for queue in QUEUES:
        _register_poison(region, account, queue)


def _register_poison(region: Region, account: str, queue: str) -> None:
    @bp.function_name(f"poison_{queue}_{region}")
    @bp.queue_trigger("message", queue_name=f"{queue}-poison", connection=account)
    def poison(message: func.QueueMessage) -> None:
        store = services().stores.region(region)
        taken(f"{queue}-poison {region}", lambda: _poison().park(store, queue, message.get_body()))


def _register_retention(region: Region) -> None:
    """A timer of its own for each region: the outage of one does not touch another."""

    @bp.function_name(f"retention_{region}")
    @bp.timer_trigger("tick", schedule=HOURLY)
    def retention(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
        from shared.retention import Retention

        house = services()

        def run() -> None:
            Retention(house.clock).run(house.stores.region(region))

        taken(f"retention {region}", run)

    @bp.function_name(f"adopt_{region}")
    @bp.timer_trigger("tick", schedule=HOURLY)
    def adopt(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
        from shared.parked import Parked

        house = services()
        parked = Parked(house.stores, house.contexts, house.sealer, house.clock)

        def run() -> None:
            parked.adopt(house.stores.region(region))

        taken(f"adopt {region}", run)


for _region in enabled_regions():
    _register(_region)
    _register_retention(_region)
