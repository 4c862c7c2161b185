"""Check this connection: each probe tries one thing for real and says what to do about it (design 4.5).

Probes are asked for one by one, so that a page can start them side by side and show each as it ends. A probe
never raises for what the other side does: that is its verdict.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from config_function.access import Caller, View, may_edit
from config_function.field_rules import OBJECT_ID
from config_function.records import Addresses
from shared.ehr.scopes import backend_scope
from shared.entra import Entra
from shared.errors import (
    AddressRefused,
    AnswerRefused,
    AntesalaError,
    FieldRefusal,
    OutsideError,
    Refusal,
    StatusRefused,
)
from shared.graph.meetings import OnlineMeetings
from shared.graph.service import GraphRefused
from shared.outbound import Answer, Outbound
from shared.reasons import REASONS
from shared.settings import Settings
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from shared.texts import Text, Translate

type Outcome = Literal["ok", "warning", "failed", "skipped"]

# The one meeting per organizer that checks make again and again; never a visit's.
RESERVED_ID = "antesala-check"
POLICY_NAME = "Antesala"
NOTHING = Text("Nothing")
KEYS_MISSING = REASONS["keys-missing"]
MOVED = Text("It names other hosts than were approved.")


@dataclass(frozen=True)
class Probe:
    """One thing to try. ``of_person``: it is tried for one person at a time."""

    name: str
    label: str
    of_person: bool = False


PROBES = (
    Probe("discovery", "SMART endpoints of the FHIR base"),
    Probe("jwks", "Our public keys, read as the EHR reads them"),
    Probe("backend-token", "Token for the write-back"),
    Probe("graph-token", "Token for Microsoft Graph"),
    Probe("access-policy", "Application access policy of an organizer", of_person=True),
)


@dataclass(frozen=True)
class Verdict:
    """``tried``: what was done; ``found``: what came of it; ``remedy`` and ``commands``: what to do now."""

    probe: str
    verdict: Outcome
    tried: Text
    found: Text
    remedy: Text | None = None
    commands: tuple[str, ...] = ()
    person: str = ""

    def document(self, translate: Translate) -> dict[str, Any]:
        """For the API, in the reader's language."""
        return {
            "probe": self.probe,
            "verdict": self.verdict,
            "tried": self.tried.said(translate),
            "found": self.found.said(translate),
            "remedy": self.remedy.said(translate) if self.remedy is not None else "",
            "commands": list(self.commands),
            "person": self.person,
        }


@dataclass(frozen=True)
class Planned:
    """One probe as the page lists it."""

    probe: Probe
    person: str = ""


class Checks:
    """Runs probes on the newest revision, which is what one is setting up."""

    def __init__(
        self,
        *,
        settings: Settings,
        addresses: Addresses,
        outbound: Outbound,
        discovery: Discovery,
        tokens: Tokens,
        entra: Entra,
        meetings: OnlineMeetings,
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._outbound = outbound
        self._discovery = discovery
        self._tokens = tokens
        self._entra = entra
        self._meetings = meetings
        self._run: Mapping[str, Callable[[View, str], Verdict]] = {
            "discovery": self._try_discovery,
            "jwks": self._try_jwks,
            "backend-token": self._try_backend,
            "graph-token": self._try_graph,
            "access-policy": self._try_policy,
        }

    def plan(self, view: View) -> list[Planned]:
        """Every probe that makes sense for this connection, the policy's once per organizer."""
        planned: list[Planned] = []
        for probe in PROBES:
            people = view.latest.organizers if probe.of_person else ("",)
            planned += [Planned(probe, person) for person in people]
        return planned

    def run(self, caller: Caller, view: View, name: str, person: str = "") -> Verdict:
        """One verdict; Refusal not-found for a probe that does not exist."""
        attempt = self._run.get(name)
        if attempt is None:
            raise Refusal("not-found", "probe")
        if person and not re.fullmatch(OBJECT_ID, person):
            raise FieldRefusal({"person": Text("Give the object ID of one person.")})
        # A meeting is made for the person: readers may try what is configured, not anybody they like.
        if person and person not in view.latest.organizers and not may_edit(caller, view):
            raise Refusal("not-allowed")
        return attempt(view, person)

    def _try_discovery(self, view: View, _: str) -> Verdict:
        connection, client = view.connection, view.latest.provider
        tried = Text("Read the SMART configuration of %(base)s", base=connection.fhir_base)
        self._discovery.forget(connection.fhir_base, client_id=client.client_id, kind=connection.kind)
        try:
            found = self._discovery.get(
                connection.fhir_base, client_id=client.client_id, kind=connection.kind
            )
            if view.latest.endpoints.token:
                self._discovery.pinned(found, view.latest.endpoints)
        except Refusal:
            remedy = Text("If the EHR really moved, edit the connection and approve it again.")
            return Verdict("discovery", "failed", tried, MOVED, remedy)
        except OutsideError as error:
            return Verdict("discovery", "failed", tried, _said(error), _remedy_outside(error))
        hosts = {urlsplit(url).netloc for url in (found.authorization_endpoint, found.token_endpoint)}
        return Verdict(
            "discovery", "ok", tried, Text("Sign-in at %(hosts)s.", hosts=", ".join(sorted(hosts)))
        )

    def _try_jwks(self, view: View, _: str) -> Verdict:
        url = self._addresses.jwks(view.connection.id)
        tried = Text("Fetched %(address)s", address=url)
        remedy = Text(
            "Open this address to the EHR's servers: no sign-in, no firewall, a public certificate."
        )
        try:
            answer = self._outbound.send("GET", url, timeout=8.0, service="own-jwks")
            keys = answer.json().get("keys") if answer.status == 200 else None
        except (OutsideError, AttributeError) as error:
            return Verdict("jwks", "failed", tried, _said(error), remedy)
        if answer.status == KEYS_MISSING.status and _code(answer) == KEYS_MISSING.code:
            return Verdict("jwks", "failed", tried, Text(KEYS_MISSING.title), Text(KEYS_MISSING.staff))
        if not isinstance(keys, list) or not keys:
            empty = Text("It answered %(status)s without keys.", status=answer.status)
            return Verdict("jwks", "failed", tried, empty, remedy)
        return Verdict("jwks", "ok", tried, Text("Public keys found: %(number)s.", number=len(keys)))

    def _try_backend(self, view: View, _: str) -> Verdict:
        connection, revision = view.connection, view.latest
        if revision.writeback.adapter == "none":
            return Verdict("backend-token", "skipped", NOTHING, Text("Write-back is switched off."))
        if not revision.backend.client_id:
            remedy = Text("Register the backend client and enter its ID.")
            return Verdict("backend-token", "skipped", NOTHING, Text("There is no client ID yet."), remedy)
        tried = Text("Asked the EHR for a token as %(client)s", client=revision.backend.client_id)
        try:
            found = self._discovery.get(
                connection.fhir_base, client_id=revision.backend.client_id, kind=connection.kind
            )
            if revision.endpoints.token:
                self._discovery.pinned(found, revision.endpoints)
            scope = backend_scope(revision.writeback)
            self._tokens.backend(found, revision.backend, scope, tenant=connection.tenant)
        except StatusRefused as refused:
            remedy = Text(
                "Compare client ID, JWKS URL, algorithm and scopes with the registration sheet. Changed app "
                "settings can need half an hour to reach the EHR; the client needs an EHR user for auditing."
            )
            return Verdict("backend-token", "failed", tried, _said(refused), remedy)
        except AntesalaError as error:
            return Verdict("backend-token", "failed", tried, _said(error), _remedy_outside(error))
        return Verdict("backend-token", "ok", tried, Text("The EHR gave one."))

    def _try_graph(self, view: View, _: str) -> Verdict:
        tried = Text("Asked Microsoft 365 for a token as this app")
        try:
            self._entra.app_token(view.connection.tenant)
        except AntesalaError as error:
            remedy = Text("Give this app admin consent in your organization, and check its certificate.")
            return Verdict("graph-token", "failed", tried, _said(error), remedy)
        return Verdict("graph-token", "ok", tried, Text("Microsoft 365 gave one."))

    def _try_policy(self, view: View, person: str) -> Verdict:
        organizer = person or next(iter(view.latest.organizers), "")
        tried = Text("Asked Teams for a test meeting of this account")
        if not organizer:
            return Verdict("access-policy", "skipped", NOTHING, Text("No organizer is chosen yet."))
        try:
            self._meetings.create_or_get(view.connection.tenant, organizer, RESERVED_ID)
        except GraphRefused as refused:
            return self._no_policy(organizer, tried, refused)
        except AntesalaError as error:
            return Verdict(
                "access-policy", "failed", tried, _said(error), _remedy_outside(error), person=organizer
            )
        return Verdict("access-policy", "ok", tried, Text("Teams made it."), person=organizer)

    def _no_policy(self, organizer: str, tried: Text, refused: GraphRefused) -> Verdict:
        if not refused.policy_missing:
            remedy = Text(
                "Check that the account exists, has a Teams licence, and that admin consent was given."
            )
            return Verdict("access-policy", "failed", tried, _said(refused), remedy, person=organizer)
        return Verdict(
            "access-policy",
            "failed",
            tried,
            Text("Teams has no application access policy for this account."),
            Text(
                "A Teams administrator runs these lines once in PowerShell; they take up to 30 minutes "
                "to work."
            ),
            policy_commands(self._settings.client_id, organizer),
            organizer,
        )


def policy_commands(client_id: str, organizer: str) -> tuple[str, ...]:
    """The PowerShell lines (MicrosoftTeams module; graph.md 1.7) that let this app make meetings."""
    return (
        "Connect-MicrosoftTeams",
        (
            f'New-CsApplicationAccessPolicy -Identity {POLICY_NAME} -AppIds "{client_id}" '
            '-Description "Antesala virtual visits"'
        ),
        f'Grant-CsApplicationAccessPolicy -PolicyName {POLICY_NAME} -Identity "{organizer}"',
    )


def _code(answer: Answer) -> str:
    """The reason code of a problem of ours."""
    try:
        document = answer.json()
    except AnswerRefused:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""


def _said(error: Exception) -> Text:
    if isinstance(error, Refusal) and error.reason == KEYS_MISSING:
        return Text(KEYS_MISSING.title)
    if isinstance(error, Refusal) and error.reason.code == "endpoint-changed":
        return MOVED
    if isinstance(error, StatusRefused):
        code = f"{error.status} ({error.code})" if error.code else error.status
        return Text("The answer was %(code)s.", code=code)
    if isinstance(error, AddressRefused):
        return Text("The address points inside, or is not https.")
    if isinstance(error, OutsideError) and error.transient:
        return Text("There was no answer.")
    if isinstance(error, (AnswerRefused, AttributeError)):
        return Text("The answer was not of the expected form.")
    return Text("It could not be tried.")


def _remedy_outside(error: Exception) -> Text:
    if isinstance(error, Refusal) and error.reason == KEYS_MISSING:
        return Text(KEYS_MISSING.staff)
    if isinstance(error, OutsideError) and error.transient:
        return Text("Wait a minute and try again; then ask the team that runs the other system.")
    return Text("Ask the EHR team; the connection's FHIR base and its own settings do not fit together.")
