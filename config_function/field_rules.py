"""The table of settings that a person or program may type; ``config_function.fields`` reads by it.

A row says where the value lives in a revision, how long it may be, of which characters, and the sentence
shown beside the field when it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.ehr.catalogue import SHEETS, WRITING

type Step = Literal["ehr", "writeback", "people", "visits"]
type Shape = Literal["text", "choice", "flag", "number", "lines", "people", "options", "secret"]

STEPS: tuple[Step, ...] = ("ehr", "writeback", "people", "visits")
OBJECT_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ORIGIN = r"https://[A-Za-z0-9.\-]{1,100}(:[0-9]{1,5})?"
ADDRESS = r"https://[A-Za-z0-9.\-\[\]:]{1,253}(/[A-Za-z0-9._~\-/%]*)?"


@dataclass(frozen=True)
class Rule:
    """One field. ``most``: characters of a text, or the largest number; ``items``: length of a list.

    ``more``: seldom changed, shown on demand. ``only``: the adapters with which it counts; empty: always.
    ``usual``: what counts where it is empty. ``option``: the adapter's option that it is; such a field has no
    path of its own.
    """

    name: str
    path: str
    step: Step
    group: str
    label: str
    hint: str
    shape: Shape
    says: str
    most: int = 0
    least: int = 0
    pattern: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    items: int = 0
    more: bool = False
    only: tuple[str, ...] = ()
    usual: str = ""
    option: str = ""


_KEY = r"[A-Za-z0-9_.\-]*"
_AUTH = (
    ("private_key_jwt", "Our keys (private_key_jwt, recommended)"),
    ("client_secret_basic", "A client secret"),
    ("none", "Public client with PKCE"),
)
_GROUPS = {
    "provider": "Clinicians' client",
    "patient": "Patients' client",
    "backend": "Write-back client",
}
_ALG = (("RS384", "RS384"), ("ES384", "ES384"))


def _client(
    side: str,
    label: str,
    hint: str,
    auth: tuple[tuple[str, str], ...] = _AUTH,
    *,
    step: Step = "ehr",
    only: tuple[str, ...] = (),
) -> tuple[Rule, ...]:
    group = _GROUPS[side]
    return (
        Rule(
            f"{side}_client_id", f"{side}.client_id", step, group, label, hint, "text",
            "A client ID has up to 120 letters, digits or . _ : / ~ @ + -, without spaces.",
            most=120, pattern=r"[A-Za-z0-9._:/~@+\-]*", only=only,
        ),
        Rule(
            f"{side}_auth", f"{side}.auth", step, group, "How it authenticates",
            "Our keys need no secret: the EHR reads them at the JWKS URL of the registration sheet.",
            "choice",
            "Choose one of the list.", choices=auth, more=True, only=only,
        ),
        Rule(
            f"{side}_alg", f"{side}.alg", step, group, "Signature algorithm",
            "Counts for our keys only.", "choice", "Choose one of the list.", choices=_ALG, more=True,
            only=only,
        ),
        Rule(
            f"{side}_secret", "", step, group, "Client secret",
            "Only for a client with a secret. It is kept in the key vault and never shown again; "
            "leave it empty to keep the one that is there.",
            "secret", "A secret has up to 256 visible characters, without spaces.",
            most=256, pattern=r"[!-~]*", more=True, only=only,
        ),
    )  # fmt: skip


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule("name", "name", "ehr", "Connection", "Name",
         "What your people call this EHR, for example Main hospital, test.", "text",
         "A name has 1 to 80 characters, none of them < or >.", most=80, least=1,
         pattern=r"[^\x00-\x1f\x7f-\x9f<>\u2028\u2029]*"),
    *_client("provider", "Client ID of the clinicians' app",
             "The OAuth client of the record that clinicians launch."),
    *_client("patient", "Client ID of the patients' app",
             "The OAuth client of the record that patients launch."),
    Rule("visit_kind", "visit_source.kind", "ehr", "Visit and user", "A visit is named by its",
         "One kind of ID for every launch of a visit; it cannot change once approved.", "choice",
         "Choose one of the list.",
         choices=(("session", "Session ID (Epic: CSN)"), ("conference", "Conference ID (Epic group visits)"),
                  ("appointment", "Appointment"), ("encounter", "Encounter"))),
    Rule("visit_key", "visit_source.key", "ehr", "Visit and user", "Key of the visit's ID",
         "The member of the token response that holds it. Leave it empty for the standard place "
         "(fhirContext or encounter).", "text",
         "A key has up to 64 letters, digits or _ . -", most=64, pattern=_KEY),
    Rule("group", "group", "ehr", "Visit and user", "Group visits",
         "Also make integration records for visits with several patients.", "flag", "Yes or no."),
    Rule("provider_user_key", "user_source.provider_key", "ehr", "Visit and user",
         "Key of the clinician's EHR user ID",
         "The member of the token response that holds it. Leave it empty to take it from the id_token.",
         "text",
         "A key has up to 64 letters, digits or _ . -", most=64, pattern=_KEY),
    Rule("patient_user_key", "user_source.patient_key", "ehr", "Visit and user",
         "Key of the patient's EHR user ID",
         "As above, for the patients' app.", "text",
         "A key has up to 64 letters, digits or _ . -", most=64, pattern=_KEY),
    Rule("issuers", "issuers", "ehr", "Visit and user", "Other forms of the FHIR base",
         "One address a line. Epic may also launch with the DSTU2 base of the same server.", "lines",
         "Up to 4 addresses that begin with https://, on the FHIR base's own server.",
         most=250, items=4, pattern=ADDRESS, more=True),
    Rule("frames", "frames", "ehr", "Visit and user", "Pages that may embed a launch",
         "One address a line, like https://ehr.hospital.example. An embedded launch only offers to open a "
         "window of its own. Leave it empty to let any page embed it.", "lines",
         "Up to 10 addresses that begin with https://, without a path.",
         most=120, items=10, pattern=ORIGIN, more=True),
    Rule("adapter", "writeback.adapter", "writeback", "Write-back", "Tell the EHR who connected",
         "How connections and disconnections are written back.", "choice", "Choose one of the list.",
         choices=tuple((code, sheet.label) for code, sheet in SHEETS.items())),
    *_client("backend", "Client ID of the backend app",
             "The OAuth client that tells the EHR who connected. Leave it empty without write-back.",
             _AUTH[:2], step="writeback", only=WRITING),
    Rule("writeback_options", "writeback.options", "writeback", "Write-back", "Options of the write-back",
         "What differs from the usual at your EHR.", "options", "An object of texts by the option's name.",
         most=200, items=20),
    Rule("approver", "approver", "people", "Approver", "Approver",
         "The EHR analyst who proves, by signing in to the EHR, that this base is yours. "
         "Only the object ID is kept.",
         "text", "Choose one person of your directory.", most=36, pattern=rf"({OBJECT_ID})?"),
    Rule("organizers", "organizers", "people", "Organizers", "Organizers",
         "Accounts that own the meeting when a patient comes first. They need a Teams licence and the "
         "application access policy.", "people",
         "Choose up to 20 people of your directory.", most=36, items=20,
         pattern=OBJECT_ID),
    Rule("lobby", "policy.lobby", "visits", "Meeting", "Who goes straight in",
         "Patients always wait in the lobby.", "choice", "Choose one of the list.",
         choices=(("organization", "People in our organization"),
                  ("organizationExcludingGuests", "People in our organization, not its guests"),
                  ("invited", "Only invited people"), ("organizer", "Only the organizer"))),
    Rule("presenters", "policy.presenters", "visits", "Meeting", "Who may present",
         "Presenters may share their screen, admit and remove people.", "choice", "Choose one of the list.",
         choices=(("organization", "People in our organization"), ("organizer", "Only the organizer"))),
    Rule("chat", "policy.chat", "visits", "Meeting", "Chat",
         "During the visit only is a good choice: nothing stays open afterwards.", "choice",
         "Choose one of the list.",
         choices=(("limited", "During the visit only"), ("enabled", "On"), ("disabled", "Off"))),
    Rule("connected", "policy.connected", "visits", "Meeting", "A patient counts as connected",
         "What the EHR is told, and when.", "choice", "Choose one of the list.",
         choices=(("lobby", "From the lobby on"), ("meeting", "Once admitted"))),
    Rule("window", "policy.window", "visits", "Join window", "Open only around the appointment",
         "Works where the EHR gives the appointment's time with its zone.", "flag", "Yes or no."),
    Rule("opens_before", "policy.opens_before", "visits", "Join window", "Opens, minutes before",
         "From 0 to 1440.", "number", "A whole number from 0 to 1440.", most=1440),
    Rule("closes_after", "policy.closes_after", "visits", "Join window", "Closes, minutes after the start",
         "From 5 to 2880.", "number", "A whole number from 5 to 2880.", least=5, most=2880),
    Rule("time_zone", "time_zone", "visits", "Join window", "Time zone of the clinic",
         "For example America/Chicago or Europe/Madrid.", "text",
         "A name of the IANA time zone database, like Europe/Madrid.", most=64, least=1,
         pattern=r"[A-Za-z0-9_+\-/]*"),
    Rule("departments", "policy.departments", "visits", "Reports", "Report by department",
         "Adds the department's code to the context string and keeps it with the visit.", "flag",
         "Yes or no."),
)
# fmt: on

# The fields of each adapter's options, under the adapter's code. No other field's name holds a hyphen.
OPTION_RULES: Mapping[str, tuple[Rule, ...]] = {
    code: tuple(
        Rule(
            f"{code}-{option.name}", "", "writeback", sheet.label, option.label, option.hint,
            "choice" if option.choices else "text", option.says,
            most=option.most, pattern=option.pattern, choices=option.choices,
            more=True, only=(code,), usual=option.default, option=option.name,
        )
        for option in sheet.options
    )
    for code, sheet in SHEETS.items()
}  # fmt: skip
