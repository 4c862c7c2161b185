"""What *Begin virtual visit* does: mint a launch value and send the browser to the registered launch URL."""

from urllib.parse import urlencode, urlsplit

from sandbox.ehr.people import Person, Side, Visit
from sandbox.ehr.world import World

NOT_REGISTERED = "app not registered"


class CannotBegin(Exception):
    """Nothing was launched; `status` is the HTTP status that fits the words."""

    def __init__(self, status: int, text: str) -> None:
        """`text` is shown as is."""
        super().__init__(text)
        self.status = status


def begin(
    world: World, login: str, visit_name: str, side: str | None = None, group: bool | None = None
) -> str:
    """The launch URL with `iss` and a fresh `launch`, or `CannotBegin`.

    `visit_name` is any id by which the record knows the visit. `side` and `group` default to what the person
    and the visit are; `group` on a one-to-one visit means the patient's group visit of the day.
    """
    person = world.hospital.person(login)
    if person is None:
        raise CannotBegin(404, "no such person")
    if side not in (None, person.side):
        raise CannotBegin(400, f"{person.login} has no {side} side")
    visit = _visit(world, visit_name, group)
    if not takes_part(person, visit):
        raise CannotBegin(403, "the person has no part in this visit")
    return _url(world, person, visit, person.side, visit.group if group is None else group)


def takes_part(person: Person, visit: Visit) -> bool:
    """Whether a patient (or proxy) is one of the visit's; staff may cover for each other."""
    return person.kind == "staff" or (person.proxy_for or person.login) in visit.contacts


def _visit(world: World, name: str, group: bool | None) -> Visit:
    visit = world.hospital.visit(name)
    if visit is None:
        raise CannotBegin(404, "no such visit")
    if not group or visit.group:
        return visit
    for other in world.hospital.visits:
        if other.group and visit.contacts.keys() <= other.contacts.keys():
            return other
    raise CannotBegin(400, "this hospital has no group visit of that patient")


def _url(world: World, person: Person, visit: Visit, side: Side, group: bool) -> str:
    registration = world.registry.of(side)
    if not registration.launch_url or not registration.complete:
        raise CannotBegin(409, NOT_REGISTERED)
    launch = world.launches.issue(person, visit, side, group)
    query = urlencode({"iss": world.hospital.fhir_base, "launch": launch.value})
    separator = "&" if urlsplit(registration.launch_url).query else "?"
    return f"{registration.launch_url}{separator}{query}"
