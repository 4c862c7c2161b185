"""What the FHIR API refuses with."""

from collections.abc import Iterable


class Refusal(Exception):
    """An HTTP status with the OperationOutcome issue that explains it."""

    def __init__(self, status: int, code: str, text: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """`code` is of FHIR's issue-type value set."""
        super().__init__(text)
        self.status, self.code, self.text, self.headers = status, code, text, list(headers)
