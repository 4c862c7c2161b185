"""The storage SDK's failures in our words: no key, value or address of a row leaves in a message."""

import re
from collections.abc import Callable

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from shared.errors import OutsideError, Refusal, Unreachable

_CODE = re.compile(r'"code"\s*:\s*"([A-Za-z]{1,60})"')


class StorageUnavailable(Unreachable):
    """The region's storage did not do what it should; worth another try."""


class StorageRefused(OutsideError):
    """The region's storage refuses what we ask for; the same request will never work."""


class ChangedMeanwhile(Refusal):
    """Somebody else wrote the row since it was read, or it exists already."""

    def __init__(self, what: str) -> None:
        super().__init__("changed-meanwhile", what)


# Expected outcomes, which the caller turns into an answer.
OUTCOMES = (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError)


def translated[T](what: str, call: Callable[[], T]) -> T:
    """What the call gives; its unexpected failures become StorageUnavailable or StorageRefused."""
    try:
        return call()
    except OUTCOMES:
        raise
    except HttpResponseError as error:
        status, code = error.status_code, error_code(error)
    except AzureError as error:
        status, code = None, type(error).__name__
    # Raised outside the handlers: the SDK's exception holds the request and must not hang on ours.
    if status in (400, 413):
        raise StorageRefused(f"{what}: {status} {code}")
    raise StorageUnavailable(f"{what}: {status or 'no answer'} {code}")


def error_code(error: HttpResponseError) -> str:
    """The service's own word for what went wrong, or an empty text. The SDK does not always read it."""
    code = getattr(error, "error_code", None)
    if not code and error.response is not None:
        found = _CODE.search(error.response.text())
        code = found[1] if found else ""
    return str(getattr(code, "value", code) or "")
