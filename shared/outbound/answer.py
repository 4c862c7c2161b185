"""What came back from outside, as plain values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shared.errors import AnswerRefused

_LONGEST_WAIT = 86_400.0
_PAGES = ("text/html", "application/xhtml+xml")
# Behind a byte order mark, an XML declaration and comments.
_PAGE = re.compile(
    rb"\A(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_BEGINNING = 4_096


@dataclass(frozen=True)
class Answer:
    """One answer, whatever its status. Header names are lower case; ``received_at`` by our clock."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    received_at: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is a success (2xx)."""
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is written for people: the login or maintenance page of a gateway before the service."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        beginning = self.body[:_BEGINNING]
        return bool(self.body.strip()) if kind in _PAGES else _PAGE.match(beginning) is not None

    def json(self) -> Any:
        """The body as JSON; AnswerRefused when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = type(error).__name__
        # Raised outside the handler: the decoder's exception carries the whole body.
        raise AnswerRefused(f"the answer is not JSON ({kind})")

    def retry_after(self) -> float | None:
        """Seconds that the service asks us to wait (RFC 9110 10.2.3), a day at most; None if it does not."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdecimal():
            return min(float(text[:9]), _LONGEST_WAIT)
        moment = _http_date(text)
        if moment is None or self.received_at is None:
            return None
        return min(max(0.0, (moment - self.received_at).total_seconds()), _LONGEST_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
