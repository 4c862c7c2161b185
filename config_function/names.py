"""Names of people for one page, read live from the directory and forgotten with it (design 7)."""

import re
from collections.abc import Iterable

from config_function.field_rules import OBJECT_ID
from shared.errors import AntesalaError, FieldRefusal
from shared.graph.people import People, Somebody
from shared.texts import Text

FOUND = 12
# Characters of a name with which the directory is searched.
SHORTEST, LONGEST = 2, 64
NO_NAME = Text("Give 2 to 64 characters of a name.")
NO_PERSON = Text("Give the object ID of one person.")


def need_person(oid: str) -> None:
    """FieldRefusal ``person`` unless it is an object ID, or empty."""
    if oid and not re.fullmatch(OBJECT_ID, oid):
        raise FieldRefusal({"person": NO_PERSON})


def searched(text: str) -> str:
    """What somebody typed to find people, as far as it counts."""
    return text.strip()[:LONGEST]


class Names:
    """The people of one organization; where the directory is silent a person is shown by their object id."""

    def __init__(self, people: People, tenant: str) -> None:
        self._people = people
        self._tenant = tenant
        self._known: dict[str, Somebody] = {}
        self.silent = False
        self.gone: set[str] = set()
        """Object ids that were asked for and that the directory does not know (any more)."""

    def read(self, oids: Iterable[str]) -> None:
        """Reads several people together, so that a page of many waits for one or two answers only."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid and oid not in self._known]
        if not wanted or self.silent:
            return
        try:
            found = self._people.several(self._tenant, wanted)
        except AntesalaError:
            self.silent = True
            return
        self.gone.update(set(wanted) - set(found))
        self._known.update({oid: found.get(oid) or Somebody(oid, oid, "") for oid in wanted})

    def of(self, oid: str) -> Somebody:
        """One person; never fails."""
        if oid and oid not in self._known:
            self._known[oid] = self._read(oid) or Somebody(oid, oid, "")
        return self._known.get(oid, Somebody("", "", ""))

    def all(self, oids: Iterable[str]) -> list[Somebody]:
        """Several people, in their order."""
        return [self.of(oid) for oid in oids]

    def search(self, text: str) -> list[Somebody]:
        """People whose name begins with the text; none for a short one, or where the directory is silent."""
        if len(text) < SHORTEST:
            return []
        try:
            found = self._people.search(self._tenant, text, FOUND)
        except AntesalaError:
            self.silent = True
            return []
        self._known.update({somebody.oid: somebody for somebody in found})
        return found

    def _read(self, oid: str) -> Somebody | None:
        if self.silent:
            return None
        try:
            somebody = self._people.get(self._tenant, oid)
        except AntesalaError:
            # One silent answer is enough for a page; asking for every person again would only make it slow.
            self.silent = True
            return None
        if somebody is None:
            self.gone.add(oid)
        return somebody
