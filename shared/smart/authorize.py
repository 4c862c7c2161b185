"""The authorization request (SMART App Launch 2.2 section 2.1.5; PKCE: RFC 7636; scopes: section 3)."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from shared.clock import Entropy
from shared.connection import Revision, Side
from shared.smart.discovery import SmartConfiguration

# Servers, proxies and old browsers agree on addresses up to about this length.
URL_LIMIT = 2000

_IDENTITY = ("openid", "fhirUser")
# What is read with the user's own token, and why: the visit's time, status and patient, and the name of the
# clinician on the page that links the two accounts. (resource, needed on which sides)
_READS = (
    ("Appointment", ("provider", "patient")),
    ("Encounter", ("provider", "patient")),
    ("Practitioner", ("provider",)),
)
_LEVEL: Mapping[Side, str] = {"provider": "user", "patient": "patient"}


def new_verifier(entropy: Entropy) -> str:
    """A code verifier of 43 characters (RFC 7636 section 4.1)."""
    return entropy.token(32)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def launch_scopes(revision: Revision, side: Side, config: SmartConfiguration | None = None) -> str:
    """What a launch asks for, in the form (v1 or v2) that the server announces; v1 if it announces none.

    Shown to the analyst on the registration sheet too, then without ``config``. Resources are only asked for
    where they are read: always the clinician's name; the appointment and encounter where they name the visit,
    or where a join window depends on their time.
    """
    reads = _reads(revision, side)
    letter = "r" if config is not None and "permission-v2" in config.capabilities else "read"
    return " ".join(("launch", *_IDENTITY, *(f"{_LEVEL[side]}/{resource}.{letter}" for resource in reads)))


def approval_scopes() -> str:
    """What the approver's sign-in asks for: who they are, and nothing else."""
    return " ".join(_IDENTITY)


def parameters(
    *,
    client_id: str,
    redirect_uri: str,
    scope: str,
    state: str,
    nonce: str,
    aud: str,
    challenge: str,
    launch: str = "",
    prompt: str = "",
) -> dict[str, str]:
    """The request's parameters; a standalone launch has no ``launch`` member.

    ``prompt``: OpenID Connect Core section 3.1.2.1, for servers that say they take it.
    """
    values = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "nonce": nonce,
        "aud": aud,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return values | {name: value for name, value in (("launch", launch), ("prompt", prompt)) if value}


def address(endpoint: str, values: Mapping[str, str]) -> str:
    """The request as an address to send the browser to; a query that the endpoint already has is kept."""
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(values)}"


def by_post(config: SmartConfiguration, url: str) -> bool:
    """Whether to send it as a form: long launch values (Epic's JWTs), where ``authorize-post`` is offered."""
    return len(url) > URL_LIMIT and "authorize-post" in config.capabilities


def _reads(revision: Revision, side: Side) -> list[str]:
    named_by_resource = revision.visit_source.kind in ("appointment", "encounter")
    return [
        resource
        for resource, sides in _READS
        if side in sides and (resource == "Practitioner" or named_by_resource or revision.policy.window)
    ]
