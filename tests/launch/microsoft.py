"""Microsoft 365 as the doors see it: a sign-in, a directory, and rooms."""

from dataclasses import dataclass, field
from typing import Any

from shared.connection import Approved
from shared.context import VisitContext
from shared.entra.claims import Account
from shared.entra.client import SignIn
from shared.errors import Refusal, Unreachable
from shared.graph.people import Somebody
from shared.meeting import Launcher
from shared.meeting.rooms import Room
from shared.store.visits import Visit

TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
FOREIGN = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"
VIDAL, LINDQVIST = "oid-vidal", "oid-lindqvist"
NAMES = {VIDAL: "Dr. Elena Vidal", LINDQVIST: "Dr. Noah Lindqvist"}


@dataclass
class Entra:
    """``account`` signs in next; ``refusal`` instead. Codes work once."""

    account: Account | None = None
    refusal: Refusal | None = None
    begun: list[tuple[str | None, str, str | None]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def begin(
        self,
        tenant: str | None,
        redirect_uri: str,
        *,
        prompt: str | None = "select_account",
        login_hint: str = "",
    ) -> SignIn:
        self.begun.append((tenant, redirect_uri, prompt))
        state = f"entra-state-{len(self.begun)}"
        flow = {"state": state, "nonce": "n" * 32, "code_verifier": "v" * 43, "tenant": tenant}
        return SignIn(f"https://login.example/{tenant}?state={state}", flow)

    def finish(self, flow: Any, query: Any) -> Account:
        assert flow["state"] == query["state"]
        assert query["code"] not in self.finished, "a code works once"
        self.finished.append(query["code"])
        if self.refusal:
            raise self.refusal
        assert self.account is not None
        return self.account


def account(oid: str = VIDAL, tenant: str = TENANT, *, guest: bool = False) -> Account:
    name = NAMES.get(oid, "Somebody")
    return Account(tenant, oid, name, f"{oid}@sierra.example", frozenset(), frozenset(), guest)


@dataclass
class People:
    down: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def get(self, tenant: str, oid: str) -> Somebody | None:
        self.asked.append((tenant, oid))
        if self.down:
            raise Unreachable("graph")
        return Somebody(oid, NAMES[oid], f"{oid}@sierra.example") if oid in NAMES else None


@dataclass
class Rooms:
    opened: list[tuple[VisitContext, Launcher]] = field(default_factory=list)
    refusal: Refusal | None = None
    patient_url: str = "https://visit.teams.example/patient"
    provider_url: str = "https://teams.example/provider"
    organizer: str = ""
    """Whose name the meeting is in; empty: the launching provider's."""

    def open(self, approved: Approved, context: VisitContext, launcher: Launcher) -> Room:
        if self.refusal:
            raise self.refusal
        self.opened.append((context, launcher))
        visit = Visit(
            context.connection,
            context.visit_key,
            approved.revision.number,
            "2030-03-01T09:00:00.000Z",
            organizer=self.organizer or launcher.oid,
        )
        return Room(self.provider_url, self.patient_url, live=True, visit=visit)
