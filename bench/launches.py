"""Whole launches over services as slow as real ones, beside the longest chain of unavoidable waits."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import Aim, Figure, timed
from bench.house import House, house
from bench.seeds import Side, connect, launch_url, launched, link
from bench.walking import Walker

EHR_TOKEN, CREATE, PATCH, SUBSCRIBE, JOIN_URL, ENTRA_TOKEN = 0.150, 0.300, 0.200, 0.400, 0.150, 0.150
ROUNDS = 20
_AIM = Aim("ratio", 1.10)
DELAYS = {
    "create_or_get": CREATE,
    "patch": PATCH,
    "subscription": SUBSCRIBE,
    "join_url": JOIN_URL,
    "token": ENTRA_TOKEN,
}


@dataclass(frozen=True)
class Case:
    """Who launches into what; ``chain``: the waits that must follow each other, ``steps`` says which."""

    name: str
    side: Side
    chain: float
    steps: str


_FIRST = EHR_TOKEN + CREATE + PATCH + max(SUBSCRIBE, JOIN_URL)
_FIRST_STEPS = "EHR token 150, createOrGet 300, PATCH 200, then subscription 400 beside join URL 150"
CASES = (
    Case("provider first", "provider", _FIRST, _FIRST_STEPS),
    Case("provider again", "provider", EHR_TOKEN, "EHR token 150"),
    Case("patient first", "patient", _FIRST, _FIRST_STEPS),
    Case("patient after provider", "patient", EHR_TOKEN, "EHR token 150"),
)


def measure() -> Iterator[Figure]:
    """Every case, interleaved; the process is warm (cold start has a section of its own)."""
    with house("m365", "epic") as running:
        connect(running, "epic")
        link(running, "epic")
        seconds = _rounds(running)
    for case in CASES:
        floor = f"chain {case.chain * 1000:.0f} ms"
        yield timed(
            "launch",
            case.name,
            seconds[case.name],
            floor=case.chain,
            against=floor,
            aim=_AIM,
            note=case.steps,
        )


def _rounds(running: House) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {case.name: [] for case in CASES}
    for place in (0, 1):
        # Before anything is slow: discovery, keys, connections and Entra's token are read once per process.
        for case in CASES:
            _once(running, case, 900 + place)
    slow(running)
    for place in range(ROUNDS):
        # The provider's visit is launched into again, then by its patient; the patient's is another one.
        for case in CASES:
            visit = place + (400 if case.name == "patient first" else 0)
            seconds[case.name].append(_once(running, case, visit))
    return seconds


def slow(running: House) -> None:
    """Lets the services take their time in all, what they do meanwhile included.

    The EHR checks our signature and makes one, and a subscription contains two handshakes with the app.
    """
    running.ask("epic", "PATCH", "/sandbox/failures", {"token_slow_seconds": EHR_TOKEN})
    running.ask("m365", "PATCH", "/sandbox/failures", {"delays": DELAYS})


def _once(running: House, case: Case, visit: int) -> float:
    walker = Walker()
    try:
        first, second, _ = launched(walker, launch_url(running, "epic", case.side, visit))
    finally:
        walker.close()
    return first + second
