"""The portal's triggers, made from the tables of routes: one call in, one response out."""

import functools
from collections.abc import Callable

import azure.functions as func

from config_function.api_routes import JSON
from config_function.desk import desk
from config_function.page_routes import OPEN, SIGNED_IN
from config_function.routes import Handlers, Route
from config_function.shell import Act
from shared import edge
from shared.wiring import services

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves it untyped


@functools.cache
def _handlers() -> Handlers:
    return Handlers(desk(services()))


def _page(req: func.HttpRequest, route: Route[edge.Handler]) -> func.HttpResponse:
    return edge.page(req, route.handler(_handlers()), audience="admin", services=services())


def _signed_in(req: func.HttpRequest, route: Route[Act]) -> func.HttpResponse:
    handlers = _handlers()
    act = handlers.shell.guarded(route.handler(handlers))
    return edge.page(req, act, audience="admin", services=services())


def _json(req: func.HttpRequest, route: Route[edge.Handler]) -> func.HttpResponse:
    return edge.api(req, route.handler(_handlers()), services=services())


def _register[H](
    routes: tuple[Route[H], ...], answer: Callable[[func.HttpRequest, Route[H]], func.HttpResponse]
) -> None:
    for route in routes:
        trigger = edge.traced(_trigger(route, answer))
        registered = bp.route(route.template, methods=route.methods)(trigger)
        bp.function_name(route.name)(registered)


def _trigger[H](
    route: Route[H], answer: Callable[[func.HttpRequest, Route[H]], func.HttpResponse]
) -> Callable[[func.HttpRequest], func.HttpResponse]:
    # The host refuses a function with a parameter that is no binding, so the route must not be one.
    def trigger(req: func.HttpRequest) -> func.HttpResponse:
        return answer(req, route)

    return trigger


_register(OPEN, _page)
_register(SIGNED_IN, _signed_in)
_register(JSON, _json)
