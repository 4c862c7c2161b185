"""Each step of each kind, as rows in and rows out, and the command around it."""

import base64
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.keys import ensure_keys
from sandbox.keys import main as make_keys
from sandbox.rotation import (
    ENCRYPTED,
    NAMED,
    PUBLISHED,
    SEALED,
    SETTLES,
    Impossible,
    TooEarly,
    main,
    renewed,
)
from shared.clock import timestamp
from shared.graph.notifications import _OLDEST_SECONDS
from shared.graph.subscriptions import LONGEST
from shared.key_review import KeyReview
from shared.keys import SigningKeys
from shared.sealing import LIFETIMES
from shared.secrets import KEPT, FileSecrets
from tests.fakes import FakeClock

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
OLD = base64.urlsafe_b64encode(bytes(range(0, 64, 2))).decode()
KEPT_FOR = {"sealing-keys": SEALED, "visit-keys": NAMED, "graph-certificates": ENCRYPTED}
DATED = tuple(KEPT_FOR)


def states(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row["alg"], row["state"]) for row in rows]


def signing(*pairs: tuple[str, str], since: datetime | None = None) -> list[Any]:
    told = {"since": timestamp(since)} if since else {}
    return [
        {"kid": f"{alg}-{state}", "alg": alg, "private_key": "", "state": state, **told}
        for alg, state in pairs
    ]


def test_what_is_kept_is_kept_for_as_long_as_anything_needs_it() -> None:
    assert timedelta(seconds=max(LIFETIMES.values())) + timedelta(days=1) <= SEALED
    assert LONGEST + timedelta(seconds=_OLDEST_SECONDS) <= ENCRYPTED
    assert timedelta(days=365) < NAMED
    # Epic caches a key set for up to 29 hours (reference ehr.md 3); ours is looked at every five minutes.
    assert timedelta(hours=29) + 2 * KEPT <= PUBLISHED
    assert 2 * KEPT < SETTLES


@pytest.mark.parametrize("name", DATED)
def test_an_added_key_is_the_last_and_waits_until_everybody_has_read_it(name: str) -> None:
    first: Any = OLD if name != "graph-certificates" else {"id": "g-1"}
    rows = renewed(name, "add", [first], NOW)
    assert rows[0] == first
    assert len(rows) == 2
    assert rows[1]["from"] == "2026-03-02T15:00:00Z"
    at_once = renewed(name, "add", [first], NOW, anyway=True)
    assert at_once[1]["from"] == "2026-03-02T14:00:00Z"


@pytest.mark.parametrize("name", DATED)
def test_the_oldest_key_is_dropped_when_nothing_of_it_is_left_and_not_earlier(name: str) -> None:
    rows: list[Any] = [{"id": "1"}, {"id": "2", "from": timestamp(NOW)}, {"id": "3"}]
    due = NOW + KEPT_FOR[name]
    with pytest.raises(TooEarly, match=due.strftime("%Y-%m-%dT%H:%M:%SZ")):
        renewed(name, "drop", rows, due - timedelta(seconds=1))
    assert renewed(name, "drop", rows, due) == rows[1:]
    assert renewed(name, "drop", rows, NOW, anyway=True) == rows[1:]


@pytest.mark.parametrize("name", DATED)
def test_a_key_whose_successor_has_no_date_is_dropped_by_decision_only(name: str) -> None:
    with pytest.raises(TooEarly, match="nobody wrote down"):
        renewed(name, "drop", [OLD, "another"], NOW)
    with pytest.raises(Impossible, match="the only key"):
        renewed(name, "drop", [OLD], NOW, anyway=True)


def test_signing_keys_go_from_next_to_current_to_old_to_gone() -> None:
    begun = signing(("RS384", "current"), ("ES384", "current"))
    added = renewed("ehr-signing-keys", "add", begun, NOW)
    assert states(added) == [*states(begun), ("RS384", "next"), ("ES384", "next")]
    with pytest.raises(TooEarly, match="not before 2026-03-04T14:00:00Z"):
        renewed("ehr-signing-keys", "use", added, NOW + PUBLISHED - timedelta(seconds=1))
    later = NOW + PUBLISHED
    used = renewed("ehr-signing-keys", "use", added, later)
    assert [row["kid"] for row in used] == [row["kid"] for row in added]
    assert [state for _, state in states(used)] == ["old", "old", "current", "current"]
    with pytest.raises(TooEarly):
        renewed("ehr-signing-keys", "drop", used, later + PUBLISHED - timedelta(seconds=1))
    assert renewed("ehr-signing-keys", "drop", used, later + PUBLISHED) == used[2:]


def test_an_algorithm_without_a_next_key_goes_on_with_the_one_it_has() -> None:
    rows = [*signing(("RS384", "current"), ("ES384", "current")), *signing(("RS384", "next"), since=NOW)]
    used = renewed("ehr-signing-keys", "use", rows, NOW + PUBLISHED)
    assert states(used) == [("RS384", "old"), ("ES384", "current"), ("RS384", "current")]


@pytest.mark.parametrize(
    ("step", "rows"),
    [
        ("add", signing(("RS384", "current"), ("RS384", "next"))),
        ("use", signing(("RS384", "current"))),
        ("drop", signing(("RS384", "current"))),
    ],
)
def test_a_step_out_of_turn_is_refused(step: str, rows: list[Any]) -> None:
    with pytest.raises(Impossible):
        renewed("ehr-signing-keys", step, rows, NOW, anyway=True)


@pytest.mark.parametrize(
    ("name", "step"),
    [("graph-client", "add"), ("sealing-keys", "use"), ("visit-keys-5e1f7a2c", "add"), ("../x", "add")],
)
def test_what_is_not_renewed_is_refused(name: str, step: str) -> None:
    with pytest.raises(Impossible):
        renewed(name, step, [OLD], NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert make_keys([str(tmp_path / "keys")]) == 0
    return tmp_path / "keys"


def test_keys_for_a_vault_are_sound_and_every_version_after_a_step_is(folder: Path, clock: FakeClock) -> None:
    """Real keys all the way: what the command writes is what the app starts with."""
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
    review = KeyReview(FileSecrets(folder), clock, {"t"}, sandbox=False)
    assert sorted(path.name for path in folder.iterdir()) == [
        "ehr-signing-keys",
        "graph-certificates",
        "sealing-keys",
        "visit-keys",
    ]
    assert review.findings() == ()
    steps = {"ehr-signing-keys": ("add", "use", "drop")}
    for name in ("sealing-keys", "visit-keys", "graph-certificates", "ehr-signing-keys"):
        for step in steps.get(name, ("add", "drop")):
            assert main([name, step, str(folder), "--anyway"]) == 0
            assert review.findings() == (), (name, step)
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    assert len(SigningKeys(FileSecrets(folder), clock, {"t"}).jwks("t")["keys"]) == 2


@pytest.mark.parametrize("name", ["sealing-keys", "visit-keys", "graph-certificates", "ehr-signing-keys"])
def test_after_a_leak_nothing_of_the_old_version_is_left(folder: Path, clock: FakeClock, name: str) -> None:
    before = (folder / name).read_text()
    assert main([name, "replace", str(folder)]) == 0
    rows = json.loads((folder / name).read_text())
    assert all(json.dumps(row) not in json.dumps(json.loads(before)) for row in rows)
    assert "from" not in rows[0]
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
    assert KeyReview(FileSecrets(folder), clock, {"t"}, sandbox=False).findings() == ()


def test_a_refused_step_changes_nothing_and_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sealing-keys", "add", str(folder)]) == 0
    before = (folder / "sealing-keys").read_text()
    assert main(["sealing-keys", "drop", str(folder)]) == 1
    assert "nothing was changed: not before" in capsys.readouterr().err
    assert (folder / "sealing-keys").read_text() == before
    (folder / "visit-keys").write_text('["secret-thing')
    assert main(["visit-keys", "add", str(folder)]) == 1
    assert "secret-thing" not in capsys.readouterr().err
    assert main(["graph-client", "add", str(folder)]) == 1


def test_a_version_goes_through_a_pipe_without_touching_a_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps([OLD])))
    assert main(["sealing-keys", "add", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert (rows[0], len(rows)) == (OLD, 2)


def test_keys_of_a_sandbox_are_told_from_others(tmp_path: Path, clock: FakeClock) -> None:
    ensure_keys(tmp_path)
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
    told = KeyReview(FileSecrets(tmp_path), clock, {"t"}, sandbox=False).findings()
    assert [str(one.text) for one in told] == [
        f"The secret {name} was made for a sandbox."
        for name in ("sealing-keys", "visit-keys", "ehr-signing-keys", "graph-certificates")
    ]
    assert KeyReview(FileSecrets(tmp_path), clock, {"t"}, sandbox=True).findings() == ()
