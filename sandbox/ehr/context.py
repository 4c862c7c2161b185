"""Launch context: which members of a token answer name the patient and the visit.

The CONTEXT string of a launch record is `key=%TOKEN%&key2=%TOKEN2%`; its keys become members of the token
answer of an EHR launch. A token that this hospital does not know stays as it is, percent signs included
(ehr.md 2.2).
"""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.ehr.hospital import Hospital
from sandbox.ehr.launches import Launch
from sandbox.ehr.people import Contact, Person
from sandbox.ehr.world import World

_TOKEN = re.compile(r"%([^%]+)%")


def launch_members(world: World, launch: Launch) -> dict[str, Any]:
    """Members that the token answer of this launch carries beside the OAuth ones."""
    hospital = world.hospital
    values = _token_values(world, launch)
    members = {name: _resolve(value, values) for name, value in hospital.fixed_members.items()}
    patient = patient_of(hospital, launch)
    if patient is not None:
        members["patient"] = patient.fhir_id
    contact = _contact(hospital, launch)
    if contact is not None and not world.failures.omit_visit_context:
        members |= _visit_members(hospital, contact)
    known = {name: value for name, value in members.items() if value != ""}
    # A CONTEXT key whose token is empty does arrive, empty: only the members of our own making are left out.
    return known | _context_members(world, launch, values)


def patient_of(hospital: Hospital, launch: Launch) -> Person | None:
    """The one patient whom a launch is about; None for a clinician in a group visit."""
    person = launch.person
    if person.kind != "staff":
        return hospital.person(person.proxy_for or person.login)
    return None if launch.visit.group else hospital.person(next(iter(launch.visit.contacts)))


def _contact(hospital: Hospital, launch: Launch) -> Contact | None:
    patient = patient_of(hospital, launch)
    return launch.visit.contact_of(patient.login if patient else "")


def _visit_members(hospital: Hospital, contact: Contact) -> dict[str, Any]:
    members: dict[str, Any] = {"encounter": contact.encounter_id}
    if not hospital.appointment_member:
        return members
    if hospital.appointment_member == "fhirContext":
        members["fhirContext"] = [{"reference": f"Appointment/{contact.appointment_id}"}]
    else:
        members[hospital.appointment_member] = contact.appointment_id
    return members


def _context_members(world: World, launch: Launch, values: dict[str, str]) -> dict[str, str]:
    if not world.hospital.context_strings or world.failures.omit_visit_context:
        return {}
    registration = world.registry.of(launch.side)
    text = registration.group_context if launch.group else registration.context
    known = {} if world.failures.unresolved_context else values
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {key: str(_resolve(template, known)) for key, _, template in pairs}


def _resolve(template: Any, values: dict[str, str]) -> Any:
    if not isinstance(template, str):
        return template
    return _TOKEN.sub(lambda found: values.get(found[1], found[0]), template)


def _token_values(world: World, launch: Launch) -> dict[str, str]:
    hospital, person = world.hospital, launch.person
    patient = patient_of(hospital, launch)
    contact = _contact(hospital, launch)
    begins = datetime.fromtimestamp(world.begins(launch.visit), UTC)
    return {
        "CSN": contact.csn if contact else "",
        "CONFERENCEID": launch.visit.conference_id,
        "EPICUSERID": person.ehr_id,
        "SYSLOGIN": person.login,
        "EPICUSERFHIRID": person.fhir_id,
        "USERPROVFHIRID": person.fhir_id if person.kind == "staff" else "",
        "USERFNAME": person.given,
        "USERLNAME": person.family,
        "PATIENTFHIRID": patient.fhir_id if patient else "",
        "PATID": patient.ehr_id if patient else "",
        "DOB": patient.birth_date if patient else "",
        "LOGINDEPTID": "10501101",
        "PERFDEPID;;; ; ;;NONE;": "10501101",
        "EXTENSION;15354": begins.strftime("%m/%d/%Y %I:%M %p"),
    }
