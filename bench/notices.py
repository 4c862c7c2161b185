"""Genuine notifications of Graph, as many as wanted: visits with subscriptions, and what is said of them.

The simulated publisher's own functions seal and sign, with the keys of the running Microsoft 365; only its
sending is left to the bench, which has to be able to choose the pace.
"""

import itertools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlencode, urlsplit

from bench.house import House
from bench.lean import BASE
from bench.seeds import MADE, publish
from sandbox.environment import CLIENT
from sandbox.microsoft365.cast import SIERRA, VIDAL
from sandbox.microsoft365.events import EVENT_TYPE, CallEvent, payload, sealed
from sandbox.microsoft365.tokens import PUBLISHER, Keyring
from shared.clock import SystemEntropy, timestamp
from shared.connection import Approved, Client, Connection, Endpoints, Revision, VisitSource, Writeback
from shared.context import VisitContext
from shared.graph.subscriptions import client_state
from shared.messages import AttendanceMessage
from shared.store.table import Table, Value, Write
from shared.store.visits import Person, Visit, Visits

CONNECTION = "abenchwrite22222"
_CLINICIAN = "Practitioner/evidal"


@dataclass(frozen=True)
class Notice:
    """One POST of Graph's: the clinician of a visit has joined. ``visit``: as the lean EHR is told of it."""

    visit: str
    path: str
    body: bytes

    def message(self) -> str:
        """What the webhook would put into the queue."""
        document = json.loads(self.body)
        context = parse_qs(urlsplit(self.path).query)["c"][0]
        tokens = document["validationTokens"]
        return AttendanceMessage(context, document["value"][0], tokens, datetime.now(UTC)).text()


class Gathered:
    """Takes rows as a table does and writes them afterwards, a hundred in one trip."""

    def __init__(self) -> None:
        """Without rows."""
        self._writes: list[Write] = []

    def insert(self, pk: str, rk: str, values: Mapping[str, Value]) -> bool:
        """True: whether a row is there already is seen when they are written."""
        self._writes.append(Write("insert", pk, rk, values))
        return True

    def write(self, table: Table) -> None:
        """Writes all of them; ChangedMeanwhile if one is there already."""
        for batch in itertools.batched(self._writes, 100, strict=False):
            table.batch(batch)


class Notices:
    """Makes visits and what is said of them."""

    def __init__(self, running: House) -> None:
        """A connection to the lean EHR is put into service."""
        self._running, self._services = running, running.services
        publish(running, connection(running))
        self._store = self._services.stores.of(CONNECTION)
        self._certificate = self._services.certificates.newest()
        keyring = Keyring(lambda: datetime.now(UTC), Path(running.folder / "m365"))
        claims = {
            **keyring.times(),
            "iss": f"https://sts.windows.net/{SIERRA}/",
            "aud": CLIENT,
            "appid": PUBLISHER,
            "tid": SIERRA,
            "ver": "1.0",
        }
        self._token = keyring.sign(claims)

    def make(self, numbers: Sequence[int]) -> list[Notice]:
        """One visit and one notice for each number."""
        found = Gathered()
        visits = Visits(cast("Table", found), SystemEntropy())
        made = [self._made(number, visits) for number in numbers]
        found.write(self._store.table("Visits"))
        return made

    def _made(self, number: int, visits: Visits) -> Notice:
        name, now = f"appt-{number:06d}", datetime.now(UTC)
        pseudonyms = self._services.pseudonyms
        key = pseudonyms.visit_keys(CONNECTION, "appointment", name)[0]
        ends = now + timedelta(minutes=30)
        context = VisitContext(
            CONNECTION,
            key,
            "appointment",
            name,
            appointment=name,
            patient=f"pat-{number}",
            starts=now,
            ends=ends,
        )
        subscription = str(uuid.uuid4())
        person = Person("provider", _CLINICIAN, timestamp(now), VIDAL.oid)
        visit = Visit(CONNECTION, key, 1, timestamp(now), subscription_id=subscription, persons=(person,))
        visits.create(replace(visit, live="live", tended=True))
        sealed_context = self._services.contexts.seal(context)
        body = {"value": [self._item(key, subscription, now)], "validationTokens": [self._token]}
        path = f"/attendance/notifications?{urlencode({'c': sealed_context})}"
        return Notice(name, path, json.dumps(body).encode())

    def _item(self, key: str, subscription: str, now: datetime) -> dict[str, object]:
        resource = "communications/onlineMeetings(joinWebUrl='x')/meetingCallEvents"
        identity = {"user": {"id": VIDAL.oid, "tenantId": SIERRA}}
        delta = {"id": str(uuid.uuid4()), "isInLobby": False, "info": {"identity": identity}}
        event = CallEvent(str(uuid.uuid4()), "rosterUpdated", now, [delta])
        said = payload(event, resource, "eventType", False)
        certificate = self._certificate
        return {
            "id": str(uuid.uuid4()),
            "subscriptionId": subscription,
            "clientState": client_state(self._services.pseudonyms, CONNECTION, key),
            "changeType": "updated",
            "tenantId": SIERRA,
            "resource": resource,
            "resourceData": {"@odata.id": resource, "@odata.type": EVENT_TYPE, "id": event.id},
            "encryptedContent": sealed(said, certificate.der_base64, certificate.id, False),
        }


def connection(running: House) -> Approved:
    """To the lean EHR, which takes AuditEvents under ids of our choice."""
    root = running.at.oracle_tls_url
    head = Connection(CONNECTION, SIERRA, "americas", "test", "fhir", f"{root}{BASE}", MADE, approved=1)
    revision = Revision(
        CONNECTION,
        1,
        "approved",
        "Lean",
        backend=Client("bench-backend"),
        visit_source=VisitSource("appointment", ""),
        writeback=Writeback("fhir"),
        endpoints=Endpoints(f"{root}{BASE}", f"{root}/authorize", f"{root}/token", f"{root}/jwks"),
    )
    return Approved(head, revision)
