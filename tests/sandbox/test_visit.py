"""`make visit` without the sandbox: what it counts as a recorded visit, what it prints, how it ends."""

import signal
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import journey, visit
from sandbox.addresses import Addresses
from sandbox.ehr.hospital import EPIC
from sandbox.timeline import Step, Timeline, VisitFailed

PATIENT = "zquillfeather"


class Record(Timeline):
    """A hospital whose record gains one entry at each look."""

    def __init__(self, steps: list[Step], *entries: tuple[str, str, float]) -> None:
        super().__init__("", steps.append)
        self._entries = entries
        self.looks = 0

    def look(self, who: str, what: str, url: str) -> dict[str, Any]:
        self.looks += 1
        people: dict[str, list[dict[str, str]]] = {}
        for login, status, ago in self._entries[: self.looks]:
            at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
            people.setdefault(login, []).append({"status": status, "at": at, "received": at})
        return {"visits": {"880014417731": people}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(journey, "_RECORD_SECONDS", 0.3)


def recorded(record: Record, first_guest: bool = True) -> object:
    return journey._Journey(EPIC(Addresses()), Addresses(), record)._recorded(first_guest)


def test_both_people_connected_and_disconnected_is_a_recorded_visit() -> None:
    steps: list[Step] = []
    record = Record(
        steps,
        *((one, status, 0.0) for one in ("evidal", PATIENT) for status in ("connected", "disconnected")),
    )
    recorded(record)
    assert record.looks == 4
    assert [step.who for step in steps] == ["Dr. Elena Vidal", "Zephyrina Quillfeather"]


def test_an_earlier_run_does_not_count() -> None:
    entries = [
        ("evidal", "connected", 0.0),
        ("evidal", "disconnected", 0.0),
        (PATIENT, "connected", 9.0),
        (PATIENT, "disconnected", 9.0),
    ]
    with pytest.raises(VisitFailed, match=r"holds only \{'zquillfeather': \[\]\}"):
        recorded(Record([], *entries))


def test_of_a_visit_held_before_only_the_clinician_is_awaited() -> None:
    steps: list[Step] = []
    recorded(Record(steps, ("evidal", "connected", 0.0), ("evidal", "disconnected", 0.0)), first_guest=False)
    assert [step.what[:9] for step in steps] == ["in the re", "not named"]


def test_a_failed_visit_is_told_and_the_other_one_still_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def play(hospital: str, *_: object) -> None:
        visit.tell(Step("Zephyrina Quillfeather", "leaves", 200, 12345.6))
        if hospital == "epic":
            raise VisitFailed("because")

    monkeypatch.setattr(visit, "play", play)
    monkeypatch.setenv("SANDBOX_STATE", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(visit, "running", lambda *_: nullcontext())
    assert visit.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["visit epic: failed: because", "visit fhir: ok"]
    assert len(lines[0]) == len(lines[1])


def test_nothing_listens_is_not_healthy() -> None:
    begun = time.monotonic()
    assert not visit.healthy(Addresses.free())
    assert time.monotonic() - begun < 5
