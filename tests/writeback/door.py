"""The webhook of notifications as its trigger calls it, and what Graph posts to it."""

import json
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from shared import edge
from shared.clock import Clock, SystemClock, SystemEntropy
from shared.context import ContextSeal, VisitContext
from shared.graph.subscriptions import client_state
from shared.pages import Pages
from shared.sealing import Pseudonyms, Sealer
from shared.settings import Settings
from shared.store import Stores
from shared.store.queues import Message
from tests.graph.fakes import TENANT
from tests.graph.issuing import KeyServer
from tests.graph.test_notifications import encrypted
from writeback_function.ingress import NOTIFICATION_BYTES, Ingress

PSEUDONYMS = Pseudonyms([b"v" * 32])
CLOCK = SystemClock()
SEALER = Sealer([b"s" * 32], CLOCK)
CONTEXTS = ContextSeal(SEALER)
GUID = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
JOIN = "https://teams.microsoft.com/l/meetup-join/" + "19%253ameeting_" + "x" * 60 + "%2540thread.v2/0"


def participant(number: int) -> dict[str, Any]:
    """A delta as long as the reference knows one (graph.md 3.3)."""
    user = {"id": GUID, "displayName": f"Wilhelmina-Constance Featherstonehaugh {number}", "tenantId": GUID}
    return {
        "id": f"{number:036}",
        "isInLobby": False,
        "removedState": {"reason": "Participant has left the meeting call."},
        "info": {
            "identity": {"user": user},
            "countryCode": "US",
            "endpointType": "default",
            "region": "amer",
        },
    }


def event(people: int) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.callevent",
        "@odata.id": f"communications/onlineMeetings(joinWebUrl='{JOIN}')/meetingCallEvents",
        "id": GUID,
        "eventType": "rosterUpdated",
        "eventDateTime": "2026-10-01T14:02:11.0000000Z",
        "participants@delta": [participant(number) for number in range(people)],
    }


def item(key: RSAPrivateKey, people: int = 1, connection: str = "a") -> dict[str, Any]:
    return {
        "subscriptionId": GUID,
        "subscriptionExpirationDateTime": "2026-10-02T14:02:11.0000000Z",
        "clientState": client_state(PSEUDONYMS, connection, "visit-1"),
        "changeType": "updated",
        "tenantId": TENANT,
        "resource": f"communications/onlineMeetings(joinWebUrl='{JOIN}')/meetingCallEvents",
        "resourceData": {"@odata.id": JOIN, "@odata.type": "#microsoft.graph.callevent", "id": GUID},
        "encryptedContent": encrypted(event(people), key),
    }


def token(issuer: KeyServer, tenant: str, size: int = 2_000) -> str:
    return issuer.token({"tid": tenant, "iss": "https://sts.windows.net/", "filling": "x" * size})


class Door:
    """The webhook as the trigger calls it."""

    def __init__(self, stores: Stores, settings: Settings, clock: Clock = CLOCK) -> None:
        self.ingress = Ingress(stores, CONTEXTS, SEALER, PSEUDONYMS, clock)
        self._services: Any = SimpleNamespace(
            settings=settings, clock=CLOCK, entropy=SystemEntropy(), pages=Pages()
        )

    def post(self, connection: str, body: Any, c: str | None = None) -> func.HttpResponse:
        c = sealed(connection) if c is None else c
        request = func.HttpRequest(
            method="POST",
            url=f"http://localhost:7071/attendance/notifications?c={c}",
            headers={"Content-Type": "application/json", "Host": "localhost:7071"},
            params={"c": c},
            route_params={},
            body=json.dumps(body).encode(),
        )
        return edge.api(
            request, self.ingress.notifications, services=self._services, body_limit=NOTIFICATION_BYTES
        )


def sealed(connection: str) -> str:
    return CONTEXTS.seal(VisitContext(connection, "visit-1", "session", "S-1"))


def queued(stores: Stores, connection: str) -> list[Message]:
    found: list[Message] = []
    while more := stores.of(connection).queue("attendance").receive(32, 600):
        found += more
    return found
