"""What is read from the EHR with the launching user's own token: the appointment, the clinician's name.

A reading lives as long as the launch that asked for it; nothing of it is kept (FHIR R4 Appointment,
Encounter, Practitioner). The token goes to the FHIR base it was issued for and nowhere else, whatever a
resource refers to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.clock import parse_timestamp
from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Outbound

RESOURCE_ID = re.compile(r"[A-Za-z0-9.\-]{1,128}")
# Statuses under which nobody should enter (FHIR R4 appointmentstatus, encounter-status).
CANCELLED = frozenset({"cancelled", "entered-in-error"})
_NAME_LIMIT = 120
_SECONDS = 6.0


@dataclass(frozen=True)
class Appointment:
    """An appointment as far as a launch needs it; ``patients`` are bare ids, unreadable times absent."""

    id: str = field(repr=False)
    patients: frozenset[str] = field(default=frozenset(), repr=False)
    starts: datetime | None = None
    ends: datetime | None = None
    cancelled: bool = False


@dataclass(frozen=True)
class Encounter:
    """An encounter as far as a launch needs it; ``appointments`` are bare ids."""

    id: str = field(repr=False)
    patient: str = field(default="", repr=False)
    appointments: tuple[str, ...] = field(default=(), repr=False)
    cancelled: bool = False


class Chart:
    """Reads on one FHIR base with one token; raises OutsideError."""

    def __init__(
        self, outbound: Outbound, base: str, access_token: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._outbound = outbound
        self._base = base.rstrip("/")
        self._headers = {
            "Accept": "application/fhir+json",
            "Authorization": f"Bearer {access_token}",
            **(headers or {}),
        }

    def appointment(self, identifier: str) -> Appointment:
        """The appointment with this id."""
        resource = self._read("Appointment", identifier)
        actors = (_child(item, "actor").get("reference") for item in _objects(resource.get("participant")))
        patients = (self.id_in(actor, "Patient") for actor in actors)
        return Appointment(
            identifier,
            frozenset(patient for patient in patients if patient),
            _moment(resource.get("start")),
            _moment(resource.get("end")),
            str(resource.get("status")) in CANCELLED,
        )

    def encounter(self, identifier: str) -> Encounter:
        """The encounter with this id."""
        resource = self._read("Encounter", identifier)
        references = (item.get("reference") for item in _objects(resource.get("appointment")))
        found = (self.id_in(reference, "Appointment") for reference in references)
        return Encounter(
            identifier,
            self.id_in(_child(resource, "subject").get("reference"), "Patient"),
            tuple(dict.fromkeys(appointment for appointment in found if appointment)),
            str(resource.get("status")) in CANCELLED,
        )

    def practitioner_name(self, identifier: str) -> str:
        """How the clinician is called, for a page that is shown once; empty where the EHR does not say."""
        names = _objects(self._read("Practitioner", identifier).get("name"))
        for name in sorted(names, key=lambda item: item.get("use") not in ("official", "usual")):
            text = _written_out(name)
            if text:
                return text
        return ""

    def id_in(self, reference: Any, kind: str) -> str:
        """The bare id in a reference to this kind of resource on this base; empty for anything else."""
        if not isinstance(reference, str):
            return ""
        local = reference.removeprefix(f"{self._base}/")
        type_name, _, identifier = local.partition("/_history/")[0].partition("/")
        return identifier if type_name == kind and RESOURCE_ID.fullmatch(identifier) else ""

    def _read(self, kind: str, identifier: str) -> Mapping[str, Any]:
        if not RESOURCE_ID.fullmatch(identifier):
            raise AnswerRefused(f"that is no id of a {kind}")
        answer = self._outbound.send(
            "GET",
            f"{self._base}/{kind}/{identifier}",
            headers=self._headers,
            timeout=_SECONDS,
            service="ehr-fhir",
        )
        if answer.status != 200:
            raise StatusRefused(answer.status, retry_after=answer.retry_after())
        resource = answer.json()
        if not isinstance(resource, dict) or resource.get("resourceType") != kind:
            raise AnswerRefused(f"the answer is no {kind}")
        if resource.get("id") != identifier:
            raise AnswerRefused(f"the answer is another {kind}")
        return resource


def _written_out(name: Mapping[str, Any]) -> str:
    text = name.get("text")
    if not isinstance(text, str) or not text.strip():
        parts = (*_words(name.get("prefix")), *_words(name.get("given")), *_words([name.get("family")]))
        text = " ".join(parts)
    return " ".join(text.split())[:_NAME_LIMIT]


def _words(value: Any) -> list[str]:
    return [word for word in value[:10] if isinstance(word, str)] if isinstance(value, list) else []


def _child(resource: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = resource.get(name)
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value[:200] if isinstance(item, dict)] if isinstance(value, list) else []


def _moment(value: Any) -> datetime | None:
    """A FHIR instant; a time without its zone counts as unknown, never as some zone or other."""
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None
