"""What a section finds when it begins: an approved connection, registered at its hospital, and a link."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

from bench.hospital import hospital, key, patient
from bench.house import House
from bench.walking import Walker, onward
from sandbox.ehr.hospital import Hospital
from sandbox.microsoft365.cast import SIERRA, VIDAL, VISITS_1, VISITS_2
from shared.connection import (
    Approved,
    Client,
    Connection,
    EhrKind,
    Endpoints,
    Revision,
    VisitSource,
    region_of,
)
from shared.store.ehr_users import Link

type Side = Literal["provider", "patient"]

CONNECTION = "abench2222222222"
MADE = "2026-01-01T00:00:00.000Z"
SECRET = "bench-client-secret"
CLINICIAN = "evidal"


def connect(house: House, name: str, connection: str = CONNECTION, *, secret: bool = False) -> Approved:
    """An approved connection to the hospital; ``secret``: its clients use one, else our keys."""
    profile = hospital(name, house.at)
    made = approved(profile, connection, secret=secret)
    publish(house, made)
    register(house, name, (connection,), secret=secret)
    return made


def register(house: House, name: str, connections: Sequence[str], *, secret: bool = False) -> None:
    """What the hospital is told of the app: it launches into the first connection and returns to any."""
    jwks = f"{house.at.app_tls_url}/config/jwks/{connections[0]}"
    way: dict[str, object] = {"secret": SECRET} if secret else {"jwks_url": jwks}
    doors = {side: {**_door(house, connections, side), **way} for side in ("provider", "patient")}
    house.ask(name, "PUT", "/sandbox/registration", doors)


def approved(profile: Hospital, connection: str, *, secret: bool) -> Approved:
    """The connection as the portal would have written it."""
    kind = cast("EhrKind", profile.kind)
    head = Connection(
        connection, SIERRA, region_of(connection), "test", kind, profile.fhir_base, MADE, approved=1
    )
    auth: Client = Client("", "client_secret_basic", secret_name="bench-secret") if secret else Client("")
    session = profile.context_strings
    revision = Revision(
        connection,
        1,
        "approved",
        profile.name,
        provider=replace(auth, client_id=profile.clients["provider"]),
        patient=replace(auth, client_id=profile.clients["patient"], alg="ES384"),
        visit_source=VisitSource() if session else VisitSource("appointment", ""),
        organizers=(VISITS_1.oid, VISITS_2.oid),
        endpoints=Endpoints(profile.issuer, profile.authorize_url, profile.token_url, profile.jwks_url),
    )
    return Approved(head, revision)


def publish(house: House, made: Approved) -> None:
    """Writes the connection down and puts it into service."""
    rows = house.services.stores.of(made.connection.id).connections
    rows.create(made.connection, made.revision)
    standing = rows.standing(made.connection.id)
    if standing is None:
        raise LookupError("the connection was not written")
    rows.save(standing[0], standing[1], publish=True)


def link(house: House, name: str, connection: str = CONNECTION) -> None:
    """Links the clinician with the Microsoft 365 account of the same person."""
    who = hospital(name, house.at).person(CLINICIAN)
    if who is None:
        raise LookupError(CLINICIAN)
    made = Link(connection, who.reference, VIDAL.oid, "", MADE)
    house.services.stores.of(connection).ehr_users.link(made)


def launch_url(house: House, name: str, side: Side, visit: int) -> str:
    """What *Begin virtual visit* opens."""
    wanted = {"as": CLINICIAN if side == "provider" else patient(visit), "visit": key(visit)}
    return str(house.ask(name, "POST", "/sandbox/launch", wanted)["url"])


def launched(walker: Walker, url: str) -> tuple[float, float, str]:
    """Walks a launch to its end: seconds of leg 1, of leg 2, and where it leads."""
    first = walker.get(url)
    there = walker.get(onward(first, "leg 1"))
    second = walker.get(onward(there, "authorize"))
    return first.seconds, second.seconds, onward(second, "leg 2")


def _door(house: House, connections: Sequence[str], side: str) -> dict[str, object]:
    app = house.at.app_url
    return {
        "launch_url": f"{app}/launch/{side}/{connections[0]}",
        "redirect_uris": [f"{app}/launch/{side}/callback/{one}" for one in connections],
        "context": "sessionId=%CSN%",
    }
