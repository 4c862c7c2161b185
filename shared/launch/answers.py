"""What it means for the person waiting that the EHR did not do its part: one table from failure to reason."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.errors import OutsideError, Refusal, StatusRefused

# OAuth error codes of the token endpoint (RFC 6749 section 5.2).
TOKEN_ERRORS: Mapping[str, str] = {
    "invalid_grant": "code-refused",
    "invalid_client": "client-refused",
    "unauthorized_client": "client-refused",
    "invalid_scope": "ehr-refused",
    "access_denied": "ehr-refused",
}
# Statuses of a FHIR read with the user's own token: what they may not see, or what is not there for them.
READ_STATUSES: Mapping[int, str] = {
    401: "visit-not-yours",
    403: "visit-not-yours",
    404: "visit-not-yours",
    410: "visit-not-yours",
}


@contextmanager
def ehr_answers(step: str, statuses: Mapping[int, str] | None = None) -> Iterator[None]:
    """Turns OutsideErrors inside the block into refusals; ``step`` names the block in the log."""
    try:
        yield
    except OutsideError as error:
        raise Refusal(
            _reason(error, statuses or {}), f"{step}: {type(error).__name__} {error}"[:200]
        ) from error


def _reason(error: OutsideError, statuses: Mapping[int, str]) -> str:
    if isinstance(error, StatusRefused):
        named = TOKEN_ERRORS.get(error.code) or statuses.get(error.status)
        if named and not error.transient:
            return named
    return "ehr-unreachable" if error.transient else "ehr-answer-invalid"


@contextmanager
def microsoft_answers() -> Iterator[None]:
    """Turns OutsideErrors of a Microsoft 365 sign-in inside the block into Refusal ``sign-in-failed``."""
    try:
        yield
    except OutsideError as error:
        raise Refusal("sign-in-failed", f"{type(error).__name__} {error}"[:200]) from error
