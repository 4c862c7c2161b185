"""How much trouble, and how fast: the numbers of one run."""

from dataclasses import dataclass

# Everything that waits is so many times faster than in reality: the debounce time, the leases, the retries
# and the thirty seconds within which notifications are shuffled. The times of the events are real.
HURRY = 5.0


@dataclass(frozen=True)
class Plan:
    """All durations in seconds."""

    seed: int
    visits: int = 300
    hurry: float = HURRY
    debounce: float = 15.0 / HURRY
    lateness: float = 60.0 / HURRY + 8.0
    """Starting a killed host takes as long as in reality, and what Graph repeats comes as much later."""
    shuffle: float = 30.0 / HURRY
    duplicates: float = 0.2
    trouble: float = 0.3
    trouble_after: float = 15.0
    """For how long EHRs go on failing after the last step."""
    begins_within: float = 95.0
    """All visits have begun by then."""
    kills: int = 10
    restarts: int = 2
    outage: float = 12.0
    invisibility: int = 3
    """The real host hides a message for ten minutes; a killed worker's messages return that late, and a
    disconnect that was told meanwhile would have to be put right."""
    limit: float = 290.0
    """From start to comparison."""

    @property
    def hang(self) -> float:
        """How long a call hangs that hangs: longer than the app waits for an EHR."""
        return 16.0 / self.hurry
