"""The set-up guide: its chapters and the common mistakes as tables, its pages for whoever is signed in.

Anchors are a contract: other pages link to a chapter or mistake by its name. What differs between EHRs is in
``config_function.wording``; what is the same for all is in the templates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from config_function.access import Caller
from config_function.checks import policy_commands
from config_function.desk import Desk
from config_function.kinds import KINDS
from config_function.shell import Shell
from config_function.wording import WORDING, Mistake
from shared.connection import EhrKind
from shared.errors import Refusal
from shared.web import Request, Response

# Stands in the PowerShell line where an account's object ID belongs.
ACCOUNT = "<object ID>"


@dataclass(frozen=True)
class Chapter:
    """One step of the set-up; ``name`` is its anchor."""

    name: str
    title: str
    who: str


CHAPTERS = (
    Chapter("before", "Have at hand", "Administrator and EHR analyst"),
    Chapter("connection", "Make the connection", "Administrator"),
    Chapter("register", "Register the clients in the EHR", "EHR analyst"),
    Chapter("clients", "Enter the client IDs", "Administrator"),
    Chapter("people", "Choose the people and the visit policy", "Administrator"),
    Chapter("policy", "Let Teams accept the app", "Teams administrator"),
    Chapter("approve", "Submit and approve", "Administrator, then approver"),
    Chapter("records", "Build the integration records", "EHR analyst"),
    Chapter("check", "Check it and hold a first visit", "Administrator and a clinician"),
    Chapter("production", "Go to production", "Administrator and EHR analyst"),
)

# fmt: off
MISTAKES = (
    Mistake("wrong-base", "The wrong form of the FHIR base: DSTU2 instead of R4",
            "The address is refused when it is entered, or launches end with wrong-environment.",
            "Enter the R4 address. If launches of the same server arrive with its DSTU2 address, add that "
            "one to Other forms of the FHIR base and have the change approved.",
            ("wrong-environment",)),
    Mistake("wrong-environment", "Test and production mixed up",
            "Launches end with wrong-environment: the EHR that launches is not the one of this connection.",
            "Compare the FHIR base of the connection with that of the launching environment. Every "
            "environment has its own connection, client IDs and records.",
            ("wrong-environment",)),
    Mistake("no-policy", "Teams does not know the app yet",
            "The check of an organizer fails, or launches end with access-policy-missing.",
            "Have the PowerShell lines run for every organizer and clinician, and wait up to 30 minutes.",
            ("access-policy-missing",)),
    Mistake("miscopied", "A value was copied wrongly",
            "The EHR shows an error of its own about the redirect URI, or launches end with "
            "connection-unknown, launch-incomplete, visit-missing or visit-invalid.",
            "Copy the value again with its Copy button: no blank before or after it, no character changed. "
            "In the registration, each redirect URI stands on its own.",
            ("connection-unknown", "launch-incomplete", "visit-missing", "visit-invalid")),
    Mistake("keys", "The EHR cannot read our keys",
            "Launches end with client-refused, or the check of our public keys fails.",
            "Open the JWKS URL to the EHR's servers, without a sign-in and with a public certificate, and "
            "compare it with the registration. An EHR may keep the keys it read for a day.",
            ("client-refused",)),
    Mistake("not-yet-known", "The client ID is not known yet",
            "The EHR shows an error of its own at once, before any page of Antesala, or the check of the "
            "write-back's token fails.",
            "Compare the client ID, and whether it is the one of this environment. Otherwise wait: new and "
            "changed clients take from half an hour to several hours to reach the EHR.",
            ("ehr-refused",)),
    Mistake("wrong-client", "Clinicians and patients use the same client",
            "Launches end with wrong-front-door.",
            "Compare the client ID of each record with the page Integration records; the two are never "
            "the same.",
            ("wrong-front-door",)),
    Mistake("no-identity", "The EHR does not say who signed in",
            "Launches end with identity-missing.",
            "Register the scopes openid and fhirUser for the client, and FHIR version R4.",
            ("identity-missing",)),
    Mistake("framed", "The visit opens inside another page",
            "Instead of the visit, people first see a page with a button that opens it in its own window.",
            "It works, with one click more. Change the record so that it opens a window of its own."),
)
# fmt: on


class Guide:
    """The pages; they show nothing of any connection, so every role may read them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def index(self, request: Request, caller: Caller) -> Response:
        """Which EHR, and the whole way at a glance."""
        return self._shell.page("guides", request, caller, kinds=KINDS, chapters=CHAPTERS)

    def of_kind(self, request: Request, caller: Caller) -> Response:
        """The guide for one EHR; Refusal not-found for another word."""
        code = request.route.get("kind", "")
        if code not in KINDS:
            raise Refusal("not-found", "kind of EHR")
        kind = cast("EhrKind", code)
        return self._shell.page(
            "guide",
            request,
            caller,
            kind=KINDS[kind],
            kinds=KINDS,
            words=WORDING[kind],
            chapters=CHAPTERS,
            mistakes=(*MISTAKES, *WORDING[kind].mistakes),
            commands=policy_commands(self._desk.settings.client_id, ACCOUNT),
        )


def sentences() -> Iterator[str]:
    """Every sentence of the tables, for the catalogs."""
    for chapter in CHAPTERS:
        yield from (chapter.title, chapter.who)
    for mistake in MISTAKES:
        yield from (mistake.title, mistake.sign, mistake.cure)
