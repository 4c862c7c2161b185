"""The synthetic people and visits of a simulated hospital. Nobody here exists.

All hospitals know the same persons under their own ids; the values of the patients are unmistakable, so that
a search through everything stored, logged or sent can prove that none of them got there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["staff", "patient", "proxy"]
Side = Literal["provider", "patient"]


@dataclass(frozen=True)
class Person:
    """Someone who can sign in. `reference` is the FHIR resource, `ehr_id` the id that the EHR itself uses."""

    login: str
    given: str
    family: str
    kind: Kind
    role: str
    reference: str
    ehr_id: str
    prefix: str = ""
    birth_date: str = ""
    mrn: str = ""
    phone: str = ""
    proxy_for: str = ""

    @property
    def name(self) -> str:
        """As it is shown: "Dr. Elena Vidal"."""
        return " ".join(part for part in (self.prefix, self.given, self.family) if part)

    @property
    def side(self) -> Side:
        """Which of the two front doors is this person's."""
        return "provider" if self.kind == "staff" else "patient"

    @property
    def resource_type(self) -> str:
        """Practitioner, Patient or RelatedPerson."""
        return self.reference.partition("/")[0]

    @property
    def fhir_id(self) -> str:
        """The id without its type."""
        return self.reference.partition("/")[2]


@dataclass(frozen=True)
class Contact:
    """One patient's part in a visit: what the record calls it. `csn` and `encounter_id` may be empty."""

    appointment_id: str
    encounter_id: str = ""
    csn: str = ""


@dataclass(frozen=True)
class Visit:
    """A virtual visit of today. `key` is the hospital's name for it, `begins_in` minutes from start-up."""

    key: str
    title: str
    clinician: str
    contacts: Mapping[str, Contact]
    begins_in: int
    minutes: int = 30
    conference_id: str = ""

    @property
    def group(self) -> bool:
        """Whether several patients share one conference."""
        return bool(self.conference_id)

    @property
    def names(self) -> frozenset[str]:
        """Every id by which the record knows this visit."""
        ids = {self.key, self.conference_id}
        for contact in self.contacts.values():
            ids |= {contact.csn, contact.appointment_id, contact.encounter_id}
        return frozenset(ids - {""})

    def contact_of(self, patient: str) -> Contact | None:
        """The patient's part; for a clinician (`patient` empty) the only one, or None in a group."""
        if not patient:
            return None if self.group else next(iter(self.contacts.values()))
        return self.contacts.get(patient)


_NAMES: tuple[tuple[str, str, str, str, Kind, str], ...] = (
    ("evidal", "Dr.", "Elena", "Vidal", "staff", "Family medicine"),
    ("nlindqvist", "Dr.", "Noah", "Lindqvist", "staff", "Cardiology"),
    ("tquiroga", "", "Tomas", "Quiroga", "staff", "EHR analyst"),
    ("zquillfeather", "", "Zephyrina", "Quillfeather", "patient", "Patient"),
    ("bockenfels", "", "Balthazar", "Ockenfels", "patient", "Patient"),
    ("iquillfeather", "", "Isolde", "Quillfeather", "proxy", "Parent of Zephyrina Quillfeather"),
)
_PRIVATE: Mapping[str, Mapping[str, str]] = {
    "zquillfeather": {"birth_date": "1987-06-05", "mrn": "MRN-7730941552", "phone": "+1-555-0142-7781"},
    "bockenfels": {"birth_date": "1951-11-23", "mrn": "MRN-6620518834", "phone": "+1-555-0163-9904"},
    "iquillfeather": {"phone": "+1-555-0199-3130", "proxy_for": "zquillfeather"},
}
_EPIC_IDS: Mapping[str, tuple[str, str]] = {
    "evidal": ("Practitioner/eVidal.P1", "EMP-88101"),
    "nlindqvist": ("Practitioner/eLindq.P2", "EMP-88102"),
    "tquiroga": ("Practitioner/eQuiro.P3", "EMP-88103"),
    "zquillfeather": ("Patient/eZephPat77309415", "WPR-5519902"),
    "bockenfels": ("Patient/eBaltPat66205188", "WPR-5519903"),
    "iquillfeather": ("RelatedPerson/eIsolRel30117", "WPR-5519904"),
}
_FHIR_IDS: Mapping[str, tuple[str, str]] = {
    "evidal": ("Practitioner/prac-vidal", "prac-vidal"),
    "nlindqvist": ("Practitioner/prac-lindqvist", "prac-lindqvist"),
    "tquiroga": ("Practitioner/prac-quiroga", "prac-quiroga"),
    "zquillfeather": ("Patient/pat-zephyrina-77309415", "pat-zephyrina-77309415"),
    "bockenfels": ("Patient/pat-balthazar-66205188", "pat-balthazar-66205188"),
    "iquillfeather": ("RelatedPerson/rel-isolde-30117", "rel-isolde-30117"),
}

_ORACLE_IDS: Mapping[str, tuple[str, str]] = {
    "evidal": ("Practitioner/446400781", "446400781"),
    "nlindqvist": ("Practitioner/446400782", "446400782"),
    "tquiroga": ("Practitioner/446400783", "446400783"),
    "zquillfeather": ("Patient/127730941552", "127730941552"),
    "bockenfels": ("Patient/127620518834", "127620518834"),
    "iquillfeather": ("RelatedPerson/127301173130", "127301173130"),
}


def _people(ids: Mapping[str, tuple[str, str]]) -> tuple[Person, ...]:
    return tuple(
        Person(login, given, family, kind, role, *ids[login], prefix=prefix, **_PRIVATE.get(login, {}))
        for login, prefix, given, family, kind, role in _NAMES
    )


EPIC_PEOPLE = _people(_EPIC_IDS)
FHIR_PEOPLE = _people(_FHIR_IDS)
ORACLE_PEOPLE = _people(_ORACLE_IDS)

EPIC_VISITS = (
    Visit(
        "880014417731",
        "Follow-up, video",
        "evidal",
        {"zquillfeather": Contact("eApptZeph4417731", "eEncZeph4417731", "880014417731")},
        begins_in=-5,
    ),
    Visit(
        "880014417732",
        "Cardiology consult, video",
        "nlindqvist",
        {"bockenfels": Contact("eApptBalt4417732", "eEncBalt4417732", "880014417732")},
        begins_in=40,
    ),
    Visit(
        "CONF-77120",
        "Group education, video",
        "evidal",
        {
            "zquillfeather": Contact("eApptZeph4417741", "eEncZeph4417741", "880014417741"),
            "bockenfels": Contact("eApptBalt4417742", "eEncBalt4417742", "880014417742"),
        },
        begins_in=90,
        minutes=60,
        conference_id="CONF-77120",
    ),
)

# The second appointment has no encounter yet: a server opens one at check-in.
FHIR_VISITS = (
    Visit(
        "appt-zeph-4417731",
        "Follow-up by video",
        "evidal",
        {"zquillfeather": Contact("appt-zeph-4417731", "enc-zeph-4417731")},
        begins_in=-5,
    ),
    Visit(
        "appt-balt-4417732",
        "Cardiology by video",
        "nlindqvist",
        {"bockenfels": Contact("appt-balt-4417732")},
        begins_in=40,
    ),
)

# No group visits: without a context string they could not be told apart.
ORACLE_VISITS = (
    Visit(
        "644177310551",
        "Video visit, follow-up",
        "evidal",
        {"zquillfeather": Contact("644177310551", "974417731055")},
        begins_in=-5,
    ),
    Visit(
        "644177320552",
        "Video visit, cardiology",
        "nlindqvist",
        {"bockenfels": Contact("644177320552", "974417732055")},
        begins_in=40,
    ),
)
