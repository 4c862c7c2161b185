"""Everything that can go wrong at a hospital, one field each: the table of contents of the tests."""

from dataclasses import dataclass


@dataclass
class Failures:
    """All off by default. Tests set fields in process, or all at once by `PUT /sandbox/failures`."""

    token_error: str | None = None
    """OAuth error code that the token endpoint answers to everything, e.g. `invalid_grant`."""
    token_error_status: int = 400
    """HTTP status that goes with `token_error`."""
    token_slow_seconds: float = 0.0
    """The token endpoint takes at least this long to answer, its own work included."""
    id_token_missing: bool = False
    """No id_token although `openid` was granted."""
    id_token_wrong_signature: bool = False
    """Signed by a key that is not the published one of that kid."""
    id_token_wrong_issuer: bool = False
    """`iss` of somebody else."""
    id_token_wrong_audience: bool = False
    """`aud` of another client."""
    id_token_wrong_nonce: bool = False
    """A nonce that nobody sent."""
    id_token_expired: bool = False
    """Expired an hour ago."""
    id_token_other_sub: bool = False
    """The same EHR user under another `sub`, as after a misbuilt record."""
    omit_visit_context: bool = False
    """The launch names no visit: neither CONTEXT keys nor encounter nor appointment."""
    unresolved_context: bool = False
    """CONTEXT tokens arrive literally, percent signs and all."""
    patient_token_for_provider: bool = False
    """A launch or sign-in through the provider's client answers with a patient's identity."""
    wrong_iss_response: bool = False
    """The authorization response names another issuer (RFC 9207)."""
    discovery_down: bool = False
    """Discovery documents answer 503."""
    discovery_redirect: bool = False
    """Discovery documents answer with a redirect to another host."""
    discovery_http_endpoints: bool = False
    """Token endpoint and key set are announced on plain http."""
    discovery_huge: bool = False
    """Discovery documents are small on the wire and 16 MiB once inflated."""
    fhir_down: bool = False
    """The FHIR API answers 503."""
    status_service_down: bool = False
    """The connection status service answers 503."""
    status_service_status: int | None = None
    """The connection status service answers this HTTP status to everything, and records nothing."""
    status_service_retry_after: int | None = None
    """`Retry-After` in seconds, sent with a 429 or 503 of the status service or the FHIR API."""
    appointment_locked: bool = False
    """A PATCH of an Appointment answers 423: somebody has it open."""
    appointment_dependency_failed: bool = False
    """A PATCH of an Appointment answers 424."""
    appointment_conflicts: int = 0
    """So many more PATCHes find that somebody else was faster: 409, and a version that nobody has read."""
    trouble_share: float = 0.0
    """The part of all calls of servers, from 0 to 1, that go wrong in one of the ways of `trouble.WAYS`."""
    trouble_seconds: float = 20.0
    """For how long a call in trouble hangs: longer than the caller waits; a slow one takes a twentieth."""
    outage: bool = False
    """Every call of servers is answered 503, the token endpoint's and discovery included."""
