"""Everything one simulated hospital stands on; whatever comes from outside enters here."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from sandbox.ehr.appointments import Appointments
from sandbox.ehr.failures import Failures
from sandbox.ehr.hospital import Hospital
from sandbox.ehr.launches import Launches
from sandbox.ehr.people import Visit
from sandbox.ehr.record import Record
from sandbox.ehr.registration import Registry
from sandbox.ehr.signing import SigningKeys
from sandbox.ehr.storage import Document
from sandbox.recorder import Recorder


@dataclass
class World:
    """A hospital at work.

    `clock` gives Unix seconds. `outbound_session_factory` makes the session that fetches the connector's key
    sets: it must trust the sandbox's CA and ignore the environment. `state_dir` keeps registration and record
    between runs; None keeps them in memory. `sleep` is what a slow endpoint does, `rng` says which calls go
    wrong by chance.
    """

    hospital: Hospital
    clock: Callable[[], float]
    outbound_session_factory: Callable[[], requests.Session]
    state_dir: Path | None = None
    failures: Failures = field(default_factory=Failures)
    recorder: Recorder = field(default_factory=Recorder)
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        """The day begins now: visits are placed around this moment."""
        self.started_at = self.clock()
        self._signing: SigningKeys | None = None
        self._making = threading.Lock()
        # Calls of servers by what became of them (`sandbox.ehr.trouble`).
        self.troubles: Counter[str] = Counter()
        self.registry = Registry(self._document("registration"))
        self.record = Record(self._document("record"))
        self.appointments = Appointments(self._document("appointments"))
        self.launches = Launches(self.clock)

    @property
    def signing(self) -> SigningKeys:
        """The key pair of this run's id_tokens; made once, when first needed, whoever asks at once."""
        with self._making:
            if self._signing is None:
                self._signing = SigningKeys.generate()
            return self._signing

    def begins(self, visit: Visit) -> float:
        """Scheduled start, in Unix seconds on a full minute."""
        return (self.started_at // 60 + visit.begins_in) * 60

    def ends(self, visit: Visit) -> float:
        """Scheduled end, in Unix seconds."""
        return self.begins(visit) + visit.minutes * 60

    def _document(self, name: str) -> Document:
        return Document(self.state_dir / f"{name}.json" if self.state_dir is not None else None)
