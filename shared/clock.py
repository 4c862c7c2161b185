"""Time and randomness as arguments: nothing else in the project reads the clock or the system's entropy."""

import random
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present moment, always in UTC and always with its zone."""
        ...


class Entropy(Protocol):
    """Where randomness comes from."""

    def token(self, size: int = 32) -> str:
        """An unpredictable base64url text made of ``size`` random bytes (32 bytes: 43 characters)."""
        ...

    def between(self, low: float, high: float) -> float:
        """A number to spread work in time; never used for secrets."""
        ...

    def choose(self, alphabet: Sequence[str], size: int) -> str:
        """An unpredictable text of ``size`` letters of the alphabet."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See ``Clock.now``."""
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's entropy."""

    def token(self, size: int = 32) -> str:
        """See ``Entropy.token``."""
        return secrets.token_urlsafe(size)

    def between(self, low: float, high: float) -> float:
        """See ``Entropy.between``."""
        return random.uniform(low, high)  # noqa: S311 - spreads retries, guards nothing

    def choose(self, alphabet: Sequence[str], size: int) -> str:
        """See ``Entropy.choose``."""
        return "".join(secrets.choice(alphabet) for _ in range(size))


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and ``Z``: the one way a moment is written in rows and messages."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime:
    """Reads RFC 3339, any offset, up to 7 fraction digits (Graph's form); ValueError without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    return moment.astimezone(UTC)
