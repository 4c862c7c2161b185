"""The JSON API of what is stored about one EHR user ID: taken out and erased by an administrator.

Both are POSTs, so that no EHR user ID stands in an address.
"""

from config_function.access import Caller, View
from config_function.api_requests import Callers, body_of, connection_of
from config_function.desk import Desk
from config_function.people_schemas import CURSOR_LIMIT
from shared.errors import FieldRefusal
from shared.texts import Text
from shared.web import Request, Response, json_response

_MEMBERS = ("ehr_user", "cursor")


class PersonApi:
    """One method an operation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._callers = Callers(desk)

    def export(self, request: Request) -> Response:
        """What is stored about the person, a part at a time."""
        caller, view = self._asked(request)
        ehr_user, cursor = _wanted(request)
        return json_response(self._desk.persons.export(caller, view, ehr_user, cursor))

    def erase(self, request: Request) -> Response:
        """Erases it, a part at a time; with the last one the link."""
        caller, view = self._asked(request)
        ehr_user, cursor = _wanted(request)
        found = self._desk.persons.erase(caller, view, ehr_user, cursor)
        return json_response(
            {
                "connection": view.connection.id,
                "visits": len(found.appearances),
                "parked_messages": found.parked,
                "unlinked": found.link is not None and not found.next,
                "visits_searched": found.looked,
                "next": self._desk.persons.cursor(view, ehr_user, found),
            }
        )

    def _asked(self, request: Request) -> tuple[Caller, View]:
        caller = self._callers.of(request)
        view = self._desk.connections.load(caller, connection_of(request))
        self._desk.persons.need_allowed(caller, view)
        return caller, view


def _wanted(request: Request) -> tuple[str, str]:
    body = body_of(request, _MEMBERS)
    ehr_user, cursor = body.get("ehr_user"), body.get("cursor", "")
    if not isinstance(ehr_user, str):
        raise FieldRefusal({"ehr_user": Text("A text.")})
    if not isinstance(cursor, str) or len(cursor) > CURSOR_LIMIT:
        raise FieldRefusal({"cursor": Text("Give the cursor as it was received.")})
    return ehr_user, cursor
