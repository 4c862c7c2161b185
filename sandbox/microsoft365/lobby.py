"""Who passes the lobby, presents and admits: a meeting's settings as Teams reads them (graph.md 1.5)."""

from collections.abc import Callable

from sandbox.microsoft365.cast import Person
from sandbox.microsoft365.meeting_rules import user_id
from sandbox.microsoft365.meetings import Meeting


def bypasses(meeting: Meeting, person: Person | None, kind: str) -> bool:
    """Whether this joiner goes straight in; `kind` tells callers by phone from other strangers."""
    settings = meeting.body["lobbyBypassSettings"]
    scope = settings.get("scope")
    if kind == "phone":
        return bool(settings.get("isDialInBypassEnabled"))
    if scope == "everyone":
        return True
    if person is None:
        return False
    return is_organizer(meeting, person) or _SCOPES.get(scope, _nobody_else)(meeting, person)


def is_organizer(meeting: Meeting, person: Person | None) -> bool:
    """Organizer or co-organizer."""
    if person is None:
        return False
    return person.oid == meeting.organizer or _listed_role(meeting, person) == "coorganizer"


def is_presenter(meeting: Meeting, person: Person | None) -> bool:
    """Whether `allowedPresenters` makes this joiner a presenter."""
    allowed = meeting.body["allowedPresenters"]
    if allowed == "everyone" or is_organizer(meeting, person):
        return True
    if person is None:
        return False
    if allowed == "organization":
        return _same_company(meeting, person)
    return bool(allowed == "roleIsPresenter" and _listed_role(meeting, person) in ("presenter", "producer"))


def may_admit(meeting: Meeting, person: Person | None) -> bool:
    """Whether this participant sees the *Admit* buttons."""
    if meeting.body["allowedLobbyAdmitters"] == "organizerAndCoOrganizers":
        return is_organizer(meeting, person)
    return is_presenter(meeting, person)


def _listed_role(meeting: Meeting, person: Person) -> str | None:
    for attendee in meeting.body["participants"]["attendees"]:
        if user_id(attendee) == person.oid or attendee.get("upn") == person.upn:
            return str(attendee.get("role") or "attendee")
    return None


def _same_company(meeting: Meeting, person: Person) -> bool:
    return person.tenant == meeting.tenant


def _nobody_else(_meeting: Meeting, _person: Person) -> bool:
    return False


def _anybody_signed_in(_meeting: Meeting, _person: Person) -> bool:
    return True


def _employee(meeting: Meeting, person: Person) -> bool:
    return _same_company(meeting, person) and person.home is None


def _invited(meeting: Meeting, person: Person) -> bool:
    return _listed_role(meeting, person) is not None


_SCOPES: dict[str, Callable[[Meeting, Person], bool]] = {
    "organizer": _nobody_else,
    "organization": _same_company,
    "organizationExcludingGuests": _employee,
    "organizationAndFederated": _anybody_signed_in,
    "invited": _invited,
}
