"""SMART scopes: which a client of each side may ask for, and what a granted one allows (ehr.md 1.5)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

IDENTITY = frozenset({"openid", "fhirUser", "profile"})
LAUNCH = "launch"
RESOURCES = ("Patient", "Practitioner", "RelatedPerson", "Appointment", "Encounter", "AuditEvent")
_ACCESS = re.compile(r"(patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
# What exists where scopes are SMART v1 only: no wildcard, and writing where something can be written.
V1_SCOPES = tuple(
    [f"{level}/{kind}.read" for level in ("user", "patient", "system") for kind in RESOURCES[:-1]]
    + ["user/Appointment.write", "system/Appointment.write"]
)
_LEVELS = {"provider": ("user", "patient"), "patient": ("user", "patient"), "backend": ("system",)}


@dataclass(frozen=True)
class Access:
    """One resource scope taken apart; `letters` in SMART v2 spelling whatever form was used."""

    level: str
    resource: str
    letters: str

    def allows(self, resource: str, letter: str) -> bool:
        """Whether this interaction (c, r, u, d or s) on this resource type is covered."""
        return self.resource in ("*", resource) and letter in self.letters


def parse(scope: str) -> Iterator[Access]:
    """The resource scopes of a space-separated list; everything else in it is passed over."""
    for word in scope.split():
        found = _ACCESS.fullmatch(word)
        if found and found[3]:
            yield Access(found[1], found[2], _V1.get(found[3], found[3]))


def refused(side: str, words: Iterable[str], v1_only: bool = False) -> list[str]:
    """The scopes that a client of this side may not ask for, or that do not exist."""
    return [word for word in words if not _askable(side, word, v1_only)]


def _askable(side: str, word: str, v1_only: bool) -> bool:
    if side != "backend" and (word in IDENTITY or word == LAUNCH):
        return True
    if v1_only and word not in V1_SCOPES:
        return False
    access = next(parse(word), None)
    return (
        access is not None
        and access.level in _LEVELS[side]
        and (access.resource == "*" or access.resource in RESOURCES)
    )
