"""Every way of not getting what one wanted: one tree of errors.

AntesalaError
+-- Refusal               somebody asked for what we do not give; carries a reason of the table
|   +-- FieldRefusal      one named field of a form or API body is wrong
+-- OutsideError          an EHR, Microsoft 365 or storage did not do its part
|   +-- Unreachable       no answer: refused, reset, DNS, TLS, time-out          (transient)
|   +-- AddressRefused    the name points inside, or the scheme is not https      (permanent)
|   +-- AnswerRefused     an answer came, but too large, not JSON, wrong shape    (permanent)
|   |   +-- NoToken       an EHR gives us no token until people mend something: client, keys, endpoint
|   +-- StatusRefused     an answer came with a status that is no success; ``status`` decides
+-- SealError
    +-- SealExpired       it was ours, but its time is over
    +-- SealBroken        it was never ours, or was changed
        +-- SealUnknown   it has the form of ours, and no key that we hold opens it
"""

import re
from collections.abc import Iterable, Mapping

from shared.reasons import REASONS
from shared.texts import Sentence
from shared.web import Cookie

_FIELD = re.compile(r"[a-z][a-z0-9_.]{0,63}")
# 423 and 424: a record that somebody else holds (reference ehr.md 3.2 and 4.3). Any 5xx comes on top.
TRANSIENT_STATUSES = frozenset({408, 423, 424, 425, 429})
# OAuth's words for the same (RFC 6749 4.1.2.1), whatever the status they come with.
TRANSIENT_CODES = frozenset({"server_error", "temporarily_unavailable"})


class AntesalaError(Exception):
    """The root of this project's errors."""


class Refusal(AntesalaError):
    """A request that we answer with a reason; ``detail`` is for the log and must hold no personal data.

    ``cookies``: what the answer sets all the same (a launch's flow is consumed even when it fails).
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.reason = REASONS[code]
        self.detail = detail
        self.cookies: tuple[Cookie, ...] = ()
        super().__init__(f"{code}: {detail}" if detail else code)


class FieldRefusal(Refusal):
    """One or more fields were refused; ``fields`` maps a field's name to a sentence about what it needs.

    A caller's own names may be among them. The detail, which is logged, only counts those.
    """

    def __init__(self, fields: Mapping[str, Sentence]) -> None:
        self.fields = dict(fields)
        super().__init__("field-invalid", _loggable(fields))


def _loggable(names: Iterable[str]) -> str:
    """The names that can be fields of ours, and how many others there are."""
    listed = sorted(names)
    ours = [name for name in listed if _FIELD.fullmatch(name)]
    others = len(listed) - len(ours)
    return ", ".join(ours + ([f"{others} of other names"] if others else []))


class OutsideError(AntesalaError):
    """Somebody else's system did not do its part. ``transient``: trying again later can help."""

    transient = False


class Unreachable(OutsideError):
    """No answer at all within the deadline."""

    transient = True


class AddressRefused(OutsideError):
    """We did not even try: the address points inside, or is not https."""


class AnswerRefused(OutsideError):
    """An answer came, but it is too large or not of the expected shape."""


class NoToken(AnswerRefused):
    """Our own client gets no token: nothing is wrong with what was to be told, and people can mend it.

    ``status``: the token endpoint's, or 0 where we did not get as far.
    """

    def __init__(self, why: str, status: int = 0) -> None:
        self.status = status
        super().__init__(why)


class StatusRefused(OutsideError):
    """An answer came whose status is no success; ``code``: the service's own error code, if it gave one."""

    def __init__(self, status: int, code: str = "", retry_after: float | None = None) -> None:
        self.status = status
        self.code = code
        self.retry_after = retry_after
        super().__init__(f"status {status} {code}".strip())

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """The one retry rule: no answer, a status of ``TRANSIENT_STATUSES`` and 5xx later; all else never."""
        return self.status in TRANSIENT_STATUSES or self.status >= 500 or self.code in TRANSIENT_CODES


class SealError(AntesalaError):
    """A sealed text that we do not open."""


class SealExpired(SealError):
    """It was ours, but its time is over."""


class SealBroken(SealError):
    """It was never ours, was changed, or was sealed for another purpose."""


class SealUnknown(SealBroken):
    """It has the form of what we seal, but no key at hand opens it: in a queue of ours, one was dropped."""
