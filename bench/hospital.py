"""``python -m bench.hospital epic|fhir``: the sandbox's hospital with a thousand visits, until SIGTERM."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.addresses import Addresses
from sandbox.ehr.app import create_app
from sandbox.ehr.hospital import EPIC, FHIR, Hospital
from sandbox.ehr.people import Contact, Person, Visit
from sandbox.ehr.world import World
from sandbox.simulator import run_until_told, sandbox_authority, trusting_session

VISITS = 1_000
_PROFILES: Mapping[str, Callable[[Addresses], Hospital]] = {"epic": EPIC, "fhir": FHIR}


def key(number: int) -> str:
    """The hospital's name for a visit."""
    return f"visit-{number:04d}"


def patient(number: int) -> str:
    """The login of a visit's patient."""
    return f"patient-{number:04d}"


def hospital(name: str, addresses: Addresses) -> Hospital:
    """The profile with these visits and their patients beside its own staff."""
    base = _PROFILES[name](addresses)
    staff = [one for one in base.people if one.kind == "staff"]
    visits = tuple(_visit(number, staff[0]) for number in range(VISITS))
    return replace(base, people=(*staff, *(_person(number) for number in range(VISITS))), visits=visits)


def _visit(number: int, clinician: Person) -> Visit:
    contact = Contact(f"appt-{number:04d}", f"enc-{number:04d}", f"99{number:08d}")
    return Visit(key(number), f"Visit {number}", clinician.login, {patient(number): contact}, begins_in=0)


def _person(number: int) -> Person:
    reference = f"Patient/pat-{number:04d}"
    return Person(
        patient(number), "Pat", f"{number:04d}", "patient", "Patient", reference, f"WPR-1{number:04d}"
    )


def main(name: str) -> int:
    """Serve it."""
    addresses, authority = Addresses.from_environ(os.environ), sandbox_authority()
    world = World(hospital(name, addresses), time.time, lambda: trusting_session(authority))
    ports = (getattr(addresses, f"{name}_http"), getattr(addresses, f"{name}_tls"))
    run_until_told(create_app(world), *ports, authority)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
