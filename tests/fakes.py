"""Time and randomness that tests decide."""

import base64
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class SeededEntropy:
    """The same numbers in every run."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def token(self, size: int = 32) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(size)).rstrip(b"=").decode()

    def between(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def choose(self, alphabet: Sequence[str], size: int) -> str:
        return "".join(self._random.choices(alphabet, k=size))


class MemorySecrets:
    """Secrets in a dictionary, counting how often each is read."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = {name.replace("_", "-"): value for name, value in secrets.items()}
        self.reads: list[str] = []

    def read(self, name: str) -> str:
        from shared.secrets import SecretMissing

        self.reads.append(name)
        if name not in self.secrets:
            raise SecretMissing(name)
        return self.secrets[name]

    def write(self, name: str, value: str) -> None:
        self.secrets[name] = value
