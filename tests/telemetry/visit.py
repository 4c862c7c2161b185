"""One visit in one process: the doors' launch, Graph's notification, fold, deliver; only others are played.

The hospital of ``tests.launch`` gives the launch, the house of ``tests.writeback`` takes its context on.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

import azure.functions as func

from shared import edge
from shared.clock import timestamp
from shared.context import VisitContext
from shared.graph.subscriptions import client_state
from shared.store.visits import Visit
from tests.fakes import FakeClock
from tests.graph.fakes import TENANT
from tests.launch.conftest import CONNECTION, World
from tests.launch.ehr import BASE
from tests.launch.front import Answered, Route, ask, keep, routes
from tests.writeback.conftest import memory_house
from tests.writeback.house import SUBSCRIPTION, House, Open, guest
from tests.writeback.memory import Trap
from writeback_function.ingress import Ingress

GIVEN = {"connection": CONNECTION}


class Readable(Open):
    """Decrypts by reading: what Graph sends is not encrypted here."""

    def decrypt(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(item["encryptedContent"]["data"]))


def route(template: str, method: str = "GET") -> Route:
    return next(one for one in routes() if (one.template, one.method) == (template, method))


def launched(world: World, side: str, user: str, launch: str = "l-1") -> Answered:
    """Both legs, as one browser walks them."""
    cookies: dict[str, str] = {}
    first = ask(route(f"launch/{side}/{{connection}}"), {"iss": BASE, "launch": launch}, values=GIVEN)
    keep(cookies, first)
    back = world.agreed(first.location, user)
    query = dict(parse_qsl(urlsplit(back).query))
    return ask(route(f"launch/{side}/callback/{{connection}}"), query, values=GIVEN, cookies=cookies)


class AfterLaunch:
    """What comes after the launch of this context."""

    def __init__(self, world: World, context: VisitContext) -> None:
        self.world = world
        self.context = context
        house = self.house = memory_house(CONNECTION, FakeClock(world.clock.now()), Trap())
        house.context, house.sealed = context, house.contexts.seal(context)
        house.notifications = Readable()
        house.start()
        row = Visit(CONNECTION, context.visit_key, 1, timestamp(house.clock.now()), persons=house.cast())
        house.region.visits.create(replace(row, subscription_id=SUBSCRIPTION))
        self.ingress = Ingress(
            house.stores, house.contexts, house.sealer, house.pseudonyms, cast("Any", house.clock)
        )

    def item(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "subscriptionId": SUBSCRIPTION,
            "clientState": client_state(self.house.pseudonyms, CONNECTION, self.context.visit_key),
            "tenantId": TENANT,
            "encryptedContent": {"data": json.dumps(event)},
        }

    def notified(self, seconds: float, *tokens: str, sealed: str = "") -> int:
        """Graph posts that the patient came in after so many seconds; the status."""
        body = {"value": [self.item(self.house.event(seconds, guest("p")))], "validationTokens": [*tokens]}
        url = f"https://antesala.example/attendance/notifications?c={quote(sealed or self.house.sealed)}"
        request = func.HttpRequest(
            "POST",
            url,
            headers={"content-type": "application/json"},
            params={"c": sealed or self.house.sealed},
            body=json.dumps(body).encode(),
        )

        def trigger(req: func.HttpRequest) -> func.HttpResponse:
            return edge.api(req, self.ingress.notifications, services=cast("Any", self.world.services))

        answer: func.HttpResponse = edge.traced(trigger)(request)
        return int(answer.status_code)

    def played(self) -> House:
        """The host takes what is queued, and what that queues."""
        for _ in range(3):
            self.house.run()
        return self.house
