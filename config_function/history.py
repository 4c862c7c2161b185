"""What happened to a connection: each revision with what changed and who did what to it; then the rest. Pure.

The audit trail keeps details in English prose, ``revision 2: chat, lobby``; here they become a number and the
labels of settings, which a page says in the reader's language. So do ``3 gave-up, 1 poison``: how many
letters of which cause.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from config_function.field_rules import Rule
from config_function.fields import BY_NAME, differences, typed
from config_function.letter_words import read_counted, said_of
from shared.connection import Revision
from shared.store.audit import Entry
from shared.texts import Text

READ = 200
"""Entries of the audit trail that a history looks at."""

PEOPLE = ("approver", "organizers")
"""Settings whose values are object ids."""

LETTERS = ("letters-sent-again", "letters-discarded")
"""What is done to undelivered records."""

_DETAIL = re.compile(r"revision ([0-9]{1,6})(?:: (.+))?")


@dataclass(frozen=True)
class Doing:
    """One entry of the audit trail. ``revision`` 0: of none; ``detail``: what is no list of settings."""

    what: str
    by: str
    at: str
    revision: int = 0
    settings: tuple[str, ...] = ()
    detail: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The settings as the forms call them; a name that this version does not know stays."""
        return tuple(BY_NAME[name].label if name in BY_NAME else name for name in self.settings)

    @property
    def letters(self) -> tuple[tuple[int, Text], ...]:
        """How many undelivered records it was about, and why they were; none where it was about others."""
        counted = read_counted(self.detail) if self.what in LETTERS else ()
        return tuple((number, said_of(cause)) for number, cause in counted)


@dataclass(frozen=True)
class Chapter:
    """A revision, how it differs from the one ``before``, and what was done to it, newest first."""

    revision: Revision
    before: Revision | None
    changes: tuple[tuple[Rule, Any, Any], ...]
    doings: tuple[Doing, ...]


def chapters(revisions: Sequence[Revision], audit: Sequence[Entry]) -> tuple[list[Chapter], list[Doing]]:
    """The revisions, newest first, and the doings that belong to none of them. ``audit``: newest first."""
    doings = [doing_of(entry) for entry in audit]
    numbered = {revision.number: revision for revision in revisions}
    made = [
        Chapter(
            revision,
            numbered.get(number - 1),
            tuple(differences(numbered[number - 1], revision)) if number - 1 in numbered else (),
            tuple(doing for doing in doings if doing.revision == number),
        )
        for number, revision in sorted(numbered.items(), reverse=True)
    ]
    return made, [doing for doing in doings if doing.revision not in numbered]


def doing_of(entry: Entry) -> Doing:
    """The entry with its detail taken apart."""
    found = _DETAIL.fullmatch(entry.detail)
    if found is None:
        return Doing(entry.what, entry.by, entry.at, detail=entry.detail)
    names = tuple(name.strip() for name in (found[2] or "").split(",") if name.strip())
    return Doing(entry.what, entry.by, entry.at, int(found[1]), names)


def people_of(told: Sequence[Chapter], rest: Sequence[Doing]) -> list[str]:
    """The object ids of everybody whom a page of this names."""
    found = [doing.by for chapter in told for doing in chapter.doings] + [doing.by for doing in rest]
    for chapter in told:
        found.append(chapter.revision.changed_by)
        for rule, before, after in chapter.changes:
            if rule.name in PEOPLE:
                found += typed(rule, before).split(",") + typed(rule, after).split(",")
    return list(dict.fromkeys(oid for oid in found if oid))
