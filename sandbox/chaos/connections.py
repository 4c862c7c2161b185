"""The app's side of a hospital of the run: its connection, approved and in service, and its visits' names."""

from datetime import datetime, timedelta

from sandbox.chaos.hospitals import Scene, contact, patient_id
from sandbox.chaos.script import Plot
from sandbox.ehr.hospital import Hospital
from sandbox.microsoft365.cast import SIERRA, VISITS_1, VISITS_2
from shared.connection import Approved, Client, Connection, Endpoints, Revision, VisitSource, Writeback
from shared.context import VisitContext
from shared.sealing import Pseudonyms
from shared.store import Stores


def publish(stores: Stores, scene: Scene, hospital: Hospital) -> Approved:
    """Writes the hospital's connection down as the portal would have after its approval."""
    made = _approved(scene, hospital)
    connections = stores.of(made.connection.id).connections
    connections.create(made.connection, made.revision)
    standing = connections.standing(made.connection.id)
    if standing is None:
        raise LookupError("the connection was not written")
    connections.save(standing[0], standing[1], publish=True)
    return made


def visit_context(scene: Scene, plot: Plot, pseudonyms: Pseudonyms, now: datetime) -> VisitContext:
    """The visit as its launches would name it."""
    known, kind = contact(plot), scene.source[0]
    name = known.csn if kind == "session" else known.appointment_id
    return VisitContext(
        scene.connection,
        pseudonyms.visit_keys(scene.connection, kind, name)[0],
        kind,
        name,
        appointment=known.appointment_id,
        patient="" if plot.group else patient_id(plot),
        starts=now,
        ends=now + timedelta(minutes=30),
        group=plot.group,
    )


def _approved(scene: Scene, hospital: Hospital) -> Approved:
    head = Connection(
        scene.connection,
        SIERRA,
        "americas",
        "test",
        hospital.kind,  # type: ignore[arg-type]
        hospital.fhir_base,
        "2026-01-01T00:00:00.000Z",
        approved=1,
    )
    revision = Revision(
        scene.connection,
        1,
        "approved",
        hospital.name,
        backend=Client(hospital.clients["backend"]),
        visit_source=VisitSource(*scene.source),
        organizers=(VISITS_1.oid, VISITS_2.oid),
        writeback=Writeback(scene.adapter),
        endpoints=Endpoints(hospital.issuer, hospital.authorize_url, hospital.token_url, hospital.jwks_url),
    )
    return Approved(head, revision)
