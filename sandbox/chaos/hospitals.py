"""The hospitals that take part: a row of a table each, with the people and visits of a whole day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sandbox.addresses import Addresses
from sandbox.chaos.compare import Reading
from sandbox.chaos.script import Actor, Plot
from sandbox.ehr.hospital import EPIC, FHIR, Hospital
from sandbox.ehr.people import Contact, Person, Visit


@dataclass(frozen=True)
class Scene:
    """One hospital of the run, as the app is told of it and as its record is read.

    `source`: by which kind of id its visits are named, and under which member of a token answer; `user`: how
    it names people who launch.
    """

    name: str
    profile: Callable[[Addresses], Hospital]
    adapter: str
    source: tuple[Literal["session", "appointment"], str]
    reading: Reading
    user: Callable[[Person], str]

    @property
    def connection(self) -> str:
        """The id of its connection, in the region `americas`."""
        return f"achaos{self.name}".ljust(16, "2")

    def hospital(self, addresses: Addresses, plots: Sequence[Plot]) -> Hospital:
        """Its profile with these visits and their people instead of its own."""
        base = self.profile(addresses)
        staff = [one for one in base.people if one.kind == "staff"]
        patients = [person for plot in plots for person in _patients(plot)]
        visits = tuple(_visit(plot) for plot in plots)
        return replace(base, people=(*staff, *patients), visits=visits)

    def user_of(self, actor: Actor, hospital: Hospital) -> str:
        """The EHR user ID with which somebody launches."""
        person = hospital.person(actor.login)
        if person is None:
            raise LookupError(f"{hospital.name} knows no {actor.login}")
        return self.user(person)


SCENES: Mapping[str, Scene] = {
    one.name: one
    for one in (
        Scene("epic", EPIC, "epic", ("session", "sessionId"), "states", lambda who: who.ehr_id),
        Scene("fhir", FHIR, "fhir", ("appointment", ""), "events", lambda who: who.reference),
    )
}
"""Who takes part; the visits are dealt out to them in turn."""


def dealt(plots: Sequence[Plot]) -> Mapping[str, tuple[Plot, ...]]:
    """The visits of each hospital."""
    names = list(SCENES)
    return {name: tuple(plots[place :: len(names)]) for place, name in enumerate(names)}


def visit_key(plot: Plot) -> str:
    """The hospital's own name for the visit."""
    return f"visit-{plot.number:04d}"


def patient_id(plot: Plot) -> str:
    """The id of the patient's resource."""
    return f"pat-{plot.number:04d}"


def contact(plot: Plot) -> Contact:
    """What the record calls the patient's part in the visit."""
    return Contact(f"appt-{plot.number:04d}", f"enc-{plot.number:04d}", f"99{plot.number:08d}")


def _visit(plot: Plot) -> Visit:
    contacts = {plot.patient: contact(plot)}
    return Visit(visit_key(plot), f"Visit {plot.number}", plot.clinician, contacts, begins_in=0)


def _patients(plot: Plot) -> tuple[Person, Person]:
    number = f"{plot.number:04d}"
    patient = Person(
        plot.patient, "Pat", number, "patient", "Patient", f"Patient/{patient_id(plot)}", f"WPR-1{number}"
    )
    related = f"RelatedPerson/rel-{number}"
    proxy = Person(
        plot.proxy, "Rel", number, "proxy", "Parent", related, f"WPR-2{number}", proxy_for=plot.patient
    )
    return patient, proxy
