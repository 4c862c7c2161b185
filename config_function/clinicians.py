"""Linked clinicians: which EHR user uses Teams with which account; found, and parted by whoever may.

EHR user IDs are shown here to those who see the connection, and nowhere else: they travel in bodies and in
sealed cursors, never in an address that a log could keep, and the audit trail does not name them.
"""

import hashlib
from dataclasses import dataclass

from config_function.access import Caller, View, may_unlink
from config_function.names import need_person
from shared.clock import Clock, timestamp
from shared.errors import FieldRefusal, Refusal, SealError
from shared.sealing import Sealer
from shared.store import ChangedMeanwhile, Stores
from shared.store.ehr_users import EhrUsers, Link
from shared.texts import Text

PAGE = 25
LONGEST = 300
"""Bytes of an EHR user ID: what a key of the store holds."""


@dataclass(frozen=True)
class Page:
    """Some of a connection's links; ``next``: a sealed cursor to those behind them, empty at the end."""

    links: tuple[Link, ...]
    next: str = ""


class Clinicians:
    """The links of connections that the caller was already let see."""

    def __init__(self, stores: Stores, sealer: Sealer, clock: Clock) -> None:
        self._stores = stores
        self._sealer = sealer
        self._clock = clock

    def page(self, view: View, cursor: str = "", person: str = "") -> Page:
        """At most ``PAGE`` links from the cursor on, of everybody or of one account by its object id.

        FieldRefusal for a cursor that is not of this list, or whose hour is over.
        """
        need_person(person)
        start = self._opened(view, person, cursor) if cursor else ""
        found = self._of_person(view, person, start) if person else self._of_everybody(view, start)
        if len(found) <= PAGE:
            return Page(tuple(found))
        return Page(tuple(found[:PAGE]), self._cursor(view, person, found[PAGE].ehr_user))

    def find(self, view: View, ehr_user: str) -> Link | None:
        """The link of exactly this EHR user ID, or None; FieldRefusal for what cannot be one."""
        try:
            size = len(ehr_user.encode())
        except UnicodeEncodeError:
            size = 0
        if not 0 < size <= LONGEST:
            raise FieldRefusal(
                {"ehr_user": Text("Give one EHR user ID of up to %(most)s bytes.", most=LONGEST)}
            )
        return self._users(view).get(view.connection.id, ehr_user)

    def unlink(self, caller: Caller, view: View, ehr_user: str, version: str) -> None:
        """Parts the EHR user from the account that ``version`` was shown with.

        Refusal ``not-found`` where no link is left, ChangedMeanwhile where it is another one by now.
        """
        if not may_unlink(caller, view):
            raise Refusal("not-allowed")
        link = self.find(view, ehr_user)
        if link is None:
            raise Refusal("not-found", "no link")
        if version != version_of_link(link):
            raise ChangedMeanwhile("link")
        self._users(view).remove(link)
        self._stores.of(view.connection.id).audit.record(
            caller.tenant,
            caller.oid,
            "ehr-user-unlinked",
            view.connection.id,
            timestamp(self._clock.now()),
        )

    def _of_everybody(self, view: View, start: str) -> list[Link]:
        return self._users(view).list(view.connection.id, PAGE + 1, start)

    def _of_person(self, view: View, person: str, start: str) -> list[Link]:
        users, connection = self._users(view), view.connection.id
        names = users.of_person(connection, person)
        # The one that the cursor named may be unlinked meanwhile: then from the beginning again.
        first = names.index(start) if start in names else 0
        links = [users.get(connection, name) for name in names[first : first + PAGE + 1]]
        return [link for link in links if link is not None and link.oid == person]

    def _users(self, view: View) -> EhrUsers:
        return self._stores.of(view.connection.id).ehr_users

    def _cursor(self, view: View, person: str, start: str) -> str:
        return self._sealer.seal("cursor", [view.connection.id, person, start])

    def _opened(self, view: View, person: str, cursor: str) -> str:
        try:
            connection, whose, start = self._sealer.open("cursor", cursor)
        except SealError:
            connection, whose, start = "", "", ""
        if (connection, whose) != (view.connection.id, person):
            raise FieldRefusal({"cursor": Text("Begin again without it: it is old or of another list.")})
        return str(start)


def version_of_link(link: Link) -> str:
    """What an unlinking must name: another one as soon as the EHR user is linked anew."""
    marks = f"{link.oid} {link.linked_at} {link.etag}"
    return hashlib.sha256(marks.encode()).hexdigest()[:24]
