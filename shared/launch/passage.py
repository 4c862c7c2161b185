"""What travels between the two legs of a SMART flow, and what comes out at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared import trace
from shared.connection import Approved, Client, Connection, Revision
from shared.errors import Refusal
from shared.smart.discovery import SmartConfiguration
from shared.smart.id_token import Identity
from shared.smart.token import TokenAnswer
from shared.web import Cookie

type Purpose = Literal["provider", "patient", "approval"]

AUDIENCE: Mapping[Purpose, frozenset[str]] = {
    "provider": frozenset({"Practitioner", "PractitionerRole", "Person"}),
    "patient": frozenset({"Patient", "RelatedPerson"}),
    "approval": frozenset({"Practitioner", "PractitionerRole", "Person"}),
}


@dataclass(frozen=True)
class Taken:
    """A flow whose cookie is consumed. Every answer from here on must carry ``clear``."""

    purpose: Purpose
    connection_id: str
    revision_number: int
    iss: str
    extra: Mapping[str, str]
    clear: Cookie
    state: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    redirect_uri: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class Finished:
    """A completed sign-in. ``identity`` is None only where the revision takes the user from a context key."""

    purpose: Purpose
    connection: Connection
    revision: Revision
    iss: str
    extra: Mapping[str, str]
    token: TokenAnswer
    identity: Identity | None
    clear: Cookie
    state: str = field(repr=False, default="")

    @property
    def approved(self) -> Approved:
        """Connection and revision as the rooms below take them."""
        return Approved(self.connection, self.revision)

    @property
    def connection_id(self) -> str:
        """The connection's id."""
        return self.connection.id

    @property
    def revision_number(self) -> int:
        """The revision the flow began under."""
        return self.revision.number


@dataclass(frozen=True)
class Errand:
    """What one authorization request is made of; ``launch`` is empty for a standalone one."""

    purpose: Purpose
    approved: Approved
    client: Client
    config: SmartConfiguration
    iss: str
    redirect_uri: str
    scope: str
    launch: str
    extra: Mapping[str, str]

    def kept(self, verifier: str, nonce: str) -> dict[str, Any]:
        """What the flow's cookie holds."""
        return {
            "p": self.purpose,
            "c": self.approved.connection.id,
            "r": self.approved.revision.number,
            "i": self.iss,
            "u": self.redirect_uri,
            "v": verifier,
            "o": nonce,
            "x": dict(self.extra),
            "t": trace.traceparent(),
        }


def taken_from(value: Any, state: str, clear: Cookie) -> Taken:
    """Reads what ``Errand.kept`` wrote; Refusal flow-expired for what another release of this app sealed."""
    try:
        return Taken(
            purpose=value["p"],
            connection_id=value["c"],
            revision_number=value["r"],
            iss=value["i"],
            extra=value["x"],
            clear=clear,
            state=state,
            verifier=value["v"],
            nonce=value["o"],
            redirect_uri=value["u"],
            traceparent=str(value.get("t", "")),
        )
    except (KeyError, TypeError) as error:  # sealed by another release of this app
        raise consumed(Refusal("flow-expired", "another release's flow"), clear) from error


def consumed(refusal: Refusal, clear: Cookie) -> Refusal:
    """The refusal of an answer whose cookie was found: the cookie goes all the same."""
    refusal.cookies = (clear,)
    return refusal
