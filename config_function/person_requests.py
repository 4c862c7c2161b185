"""What an administrator answers to a person: everything stored about one EHR user ID, or that it is erased.

The ID travels in bodies and in sealed cursors, never in an address; the audit trail says who did it and in
how many visits, and never about whom. It is written before the deed: nothing is taken out or erased without.
"""

from typing import Any

from config_function.access import Caller, View, may_answer_for
from config_function.clinicians import LONGEST
from shared.clock import Clock, timestamp
from shared.errors import FieldRefusal, Refusal, SealError
from shared.personal_data import Appearance, Found, PersonalData
from shared.sealing import Sealer
from shared.store import Stores
from shared.store.ehr_users import Link
from shared.texts import Text

EXPORTED = "personal-data-exported"
ERASED = "personal-data-erased"
OPEN = Text(
    "A visit of this EHR user is not over yet. Nothing was erased: come back when it is closed, about a day"
    " after its end."
)


class PersonRequests:
    """Of connections that the caller was already let see."""

    def __init__(self, stores: Stores, data: PersonalData, sealer: Sealer, clock: Clock) -> None:
        self._stores = stores
        self._data = data
        self._sealer = sealer
        self._clock = clock

    def find(self, caller: Caller, view: View, ehr_user: str, cursor: str = "") -> Found:
        """What is stored, in the part that the cursor names; ``next`` is sealed, too.

        FieldRefusal for what cannot be an EHR user ID, and for a cursor that is not of this search.
        """
        self.need_allowed(caller, view)
        need_ehr_user(ehr_user)
        start = self._opened(view, ehr_user, cursor) if cursor else ""
        return self._data.find(view.connection.id, ehr_user, start)

    def export(self, caller: Caller, view: View, ehr_user: str, cursor: str = "") -> dict[str, Any]:
        """The same as JSON values, for the person."""
        found = self.find(caller, view, ehr_user, cursor)
        if found.anything:
            self._noted(caller, view, EXPORTED, found)
        return {
            "connection": view.connection.id,
            "region": view.connection.region,
            "ehr_user": ehr_user,
            "exported_at": timestamp(self._clock.now()),
            "link": _link(found.link) if found.link is not None else None,
            "visits": [_appearance(one) for one in found.appearances],
            "parked_messages": found.parked,
            "visits_searched": found.looked,
            "unreadable_entries": found.unreadable,
            "next": self.cursor(view, ehr_user, found),
        }

    def erase(self, caller: Caller, view: View, ehr_user: str, cursor: str = "") -> Found:
        """Erases what the part holds, with the last one the link; FieldRefusal while a visit is under way."""
        found = self.find(caller, view, ehr_user, cursor)
        if found.open:
            raise FieldRefusal({"ehr_user": OPEN})
        if found.anything:
            self._noted(caller, view, ERASED, found)
            self._data.erase(view.connection.id, ehr_user, found)
        return found

    def need_allowed(self, caller: Caller, view: View) -> None:
        """Refusal for everybody but an administrator in person."""
        if not may_answer_for(caller, view):
            raise Refusal("not-allowed")

    def cursor(self, view: View, ehr_user: str, found: Found) -> str:
        """Where the next part begins, sealed; empty at the end."""
        if not found.next:
            return ""
        return self._sealer.seal("cursor", [view.connection.id, f"person {ehr_user}", found.next])

    def _opened(self, view: View, ehr_user: str, cursor: str) -> str:
        try:
            connection, whose, start = self._sealer.open("cursor", cursor)
        except SealError:
            connection, whose, start = "", "", ""
        if (connection, whose) != (view.connection.id, f"person {ehr_user}"):
            raise FieldRefusal({"cursor": Text("Begin again without it: it is old or of another list.")})
        return str(start)

    def _noted(self, caller: Caller, view: View, what: str, found: Found) -> None:
        connection, now = view.connection.id, timestamp(self._clock.now())
        count = str(len(found.appearances))
        self._stores.of(connection).audit.record(caller.tenant, caller.oid, what, connection, now, count)


def need_ehr_user(ehr_user: str) -> None:
    """FieldRefusal for what cannot be an EHR user ID."""
    try:
        size = len(ehr_user.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= LONGEST:
        raise FieldRefusal({"ehr_user": Text("Give one EHR user ID of up to %(most)s bytes.", most=LONGEST)})


def _link(link: Link) -> dict[str, str]:
    return {"oid": link.oid, "linked_at": link.linked_at, "sub_mac": link.sub_mac}


def _appearance(one: Appearance) -> dict[str, Any]:
    """Times of facts are microseconds since 1970, as they are stored."""
    visit = one.visit
    return {
        "visit": visit.key,
        "created_at": visit.created_at,
        "closed_at": visit.closed_at,
        "launches": [{"side": person.side, "at": person.at, "oid": person.oid} for person in one.launches],
        "organizer": bool(visit.organizer) and visit.organizer in {person.oid for person in one.launches},
        "told": [{"status": told.status, "at": told.at} for told in one.told],
        "seen": [
            {
                "participant": seen.id,
                "facts": [{"presence": fact.presence, "at": fact.at} for fact in seen.facts],
            }
            for seen in one.seen
        ],
    }
