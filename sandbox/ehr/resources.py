"""The synthetic FHIR R4 resources of a hospital, built from its people and visits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sandbox.ehr.appointments import Rooms
from sandbox.ehr.people import Contact, Person, Visit
from sandbox.ehr.world import World

Resource = dict[str, Any]
CSN_SYSTEM = "urn:oid:2.999.7210.1"
MRN_SYSTEM = "urn:oid:2.999.7210.2"


def resources(world: World, kind: str) -> Iterator[Resource]:
    """Every resource of this type."""
    if kind in ("Patient", "Practitioner", "RelatedPerson"):
        yield from (_person(world, one) for one in world.hospital.people if one.resource_type == kind)
        return
    for visit in world.hospital.visits:
        for login, contact in visit.contacts.items():
            patient = world.hospital.person(login)
            if patient is not None and kind == "Appointment":
                yield _appointment(world, visit, patient, contact)
            if patient is not None and kind == "Encounter" and contact.encounter_id:
                yield _encounter(world, visit, patient, contact)


def patient_id(resource: Resource) -> str | None:
    """The one patient whose compartment this resource is in; None for a Practitioner."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    references = [resource.get(name, {}).get("reference", "") for name in ("subject", "patient")]
    references += [one["actor"]["reference"] for one in resource.get("participant", []) if "actor" in one]
    return next((one.removeprefix("Patient/") for one in references if one.startswith("Patient/")), None)


def _person(world: World, person: Person) -> Resource:
    resource: Resource = {"resourceType": person.resource_type, "id": person.fhir_id, "active": True}
    name = {"family": person.family, "given": [person.given], "text": person.name}
    resource["name"] = [name | ({"prefix": [person.prefix]} if person.prefix else {})]
    if person.mrn:
        resource["identifier"] = [{"system": MRN_SYSTEM, "value": person.mrn}]
    if person.phone:
        resource["telecom"] = [{"system": "phone", "value": person.phone, "use": "mobile"}]
    if person.birth_date:
        resource["birthDate"] = person.birth_date
    if principal := world.hospital.person(person.proxy_for):
        code = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "PRN"}
        resource |= {"patient": _reference(principal), "relationship": [{"coding": [code]}]}
    return resource


def _appointment(world: World, visit: Visit, patient: Person, contact: Contact) -> Resource:
    actors = [patient, *_clinician(world, visit)]
    booking = world.appointments.of(contact.appointment_id)
    resource: Resource = {
        "resourceType": "Appointment",
        "id": contact.appointment_id,
        "status": booking.status,
        "description": visit.title,
        "start": _instant(world.begins(visit)),
        "end": _instant(world.ends(visit)),
        "minutesDuration": visit.minutes,
        "participant": [{"actor": _reference(one), "status": "accepted"} for one in actors],
    }
    resource |= _csn(contact)
    if world.hospital.moves_appointments:
        resource["meta"] = {"versionId": booking.version_id}
    if booking.rooms:
        resource["contained"] = _rooms(booking.rooms)
        references = [{"reference": f"#{one['id']}"} for one in resource["contained"]]
        resource["participant"] += [{"actor": one, "status": "accepted"} for one in references]
    return resource


def _rooms(rooms: Rooms) -> list[Resource]:
    """The links as they are read: the patient's room first, though it is written second (ehr.md 3.2)."""
    period = {"start": rooms.start, "end": rooms.end}
    return [
        {
            "resourceType": "HealthcareService",
            "id": str(place),
            "type": [{"text": f"{side} Virtual Meeting Room"}],
            "telecom": [{"system": "url", "value": link, "period": period}],
        }
        for place, (side, link) in enumerate((("Patient", rooms.patient), ("Provider", rooms.provider)))
    ]


def _encounter(world: World, visit: Visit, patient: Person, contact: Contact) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": contact.encounter_id,
        "status": "planned",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR"},
        "subject": _reference(patient),
        "participant": [{"individual": _reference(one)} for one in _clinician(world, visit)],
        "appointment": [{"reference": f"Appointment/{contact.appointment_id}"}],
        "period": {"start": _instant(world.begins(visit))},
    } | _csn(contact)


def _csn(contact: Contact) -> Resource:
    return {"identifier": [{"system": CSN_SYSTEM, "value": contact.csn}]} if contact.csn else {}


def _clinician(world: World, visit: Visit) -> list[Person]:
    return [one for one in world.hospital.people if one.login == visit.clinician]


def _reference(person: Person) -> Resource:
    return {"reference": person.reference, "display": person.name}


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
