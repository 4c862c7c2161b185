"""`make visit` without the sandbox: what it counts as a recorded visit, what it prints, how it ends."""

import signal
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import visit, witness
from sandbox.addresses import Addresses
from sandbox.ehr.hospital import EPIC, ORACLE, Hospital
from sandbox.timeline import Step, Timeline, VisitFailed
from sandbox.witness import Scene, Witness

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
    monkeypatch.setattr(witness, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(witness, "RECORD_SECONDS", 0.3)


def watching(hospital: Hospital, timeline: Timeline) -> Witness:
    clinician, patient = hospital.person("evidal"), hospital.person(PATIENT)
    assert clinician is not None
    assert patient is not None
    begun = datetime.now(UTC).replace(microsecond=0)
    return witness.witness(Scene(hospital, hospital.visits[0], clinician, patient, begun), timeline)


def recorded(record: Record, first_guest: bool = True) -> None:
    watching(EPIC(Addresses()), record).see("everybody left", first_guest)


class Statuses(Timeline):
    """An Oracle-like hospital whose appointment has this history: status, by, seconds ago."""

    def __init__(self, steps: list[Step], *history: tuple[str, str, float]) -> None:
        super().__init__("", steps.append)
        self._history = history
        self.asked: list[object] = []

    def look(self, who: str, what: str, url: str) -> dict[str, Any]:
        rows = [
            {"status": status, "by": by, "at": (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()}
            for status, by, ago in self._history
        ]
        status = rows[-1]["status"] if rows else "booked"
        return {"appointments": {"644177310551": {"status": status, "history": rows}}}

    def ask(self, who: str, what: str, method: str, url: str, body: object = None) -> dict[str, Any]:
        self.asked.append(body)
        return {}


def test_an_appointment_is_awaited_at_each_status() -> None:
    steps: list[Step] = []
    moved = Statuses(steps, *((one, "connector", 0.0) for one in ("arrived", "checked-in", "fulfilled")))
    seen = watching(ORACLE(Addresses()), moved)
    for moment in ("patient waits", "clinician joined", "everybody left"):
        seen.see(moment, True)
    assert [step.what.split()[-1] for step in steps] == ["arrived", "checked-in", "fulfilled"]
    assert [one["status"] for one in seen.record()["644177310551"]] == ["arrived", "checked-in", "fulfilled"]


@pytest.mark.parametrize("history", [("arrived", "evidal", 0.0), ("arrived", "connector", 9.0)])
def test_a_persons_word_or_an_earlier_run_is_no_move(history: tuple[str, str, float]) -> None:
    with pytest.raises(VisitFailed, match=r"holds only \[\], not 'arrived'"):
        watching(ORACLE(Addresses()), Statuses([], history)).see("patient waits", True)


def test_an_appointment_of_a_visit_held_before_is_booked_again_and_not_moved_by_its_guest() -> None:
    steps: list[Step] = []
    moved = Statuses(steps, ("fulfilled", "connector", 9.0))
    seen = watching(ORACLE(Addresses()), moved)
    seen.prepare()
    assert moved.asked == [{"as": "evidal", "appointment": "644177310551", "status": "booked"}]
    seen.see("patient waits", False)
    assert [step.what[:9] for step in steps] == ["not moved"]
    fresh = Statuses([])
    watching(ORACLE(Addresses()), fresh).prepare()
    assert fresh.asked == []


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


def test_a_failed_visit_is_told_and_the_others_still_played(
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
    assert lines[-3:] == ["visit epic: failed: because", "visit fhir: ok", "visit oracle: ok"]
    assert len(lines[0]) == len(lines[1])


def test_nothing_listens_is_not_healthy() -> None:
    begun = time.monotonic()
    assert not visit.healthy(Addresses.free())
    assert time.monotonic() - begun < 5
