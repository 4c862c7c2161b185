"""``docs/keys.md`` says what the code does: names, steps, commands, times."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.keys import LIFETIME
from sandbox.rotation import ENCRYPTED, NAMED, PUBLISHED, SEALED, SECRETS, SETTLES, STEPS, TooEarly, renewed
from shared.clock import timestamp
from shared.graph.notifications import _OLDEST_SECONDS
from shared.graph.subscriptions import LONGEST
from shared.key_review import SOON
from shared.reasons import REASONS
from shared.reread import AGAIN
from shared.sealing import LIFETIMES
from shared.secrets import KEPT, KEYS
from tests.keys.test_rotation import NOW
from writeback_function.fold import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "keys.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", DOCUMENT)
DAY = timedelta(days=1)
STAYS = {
    "sealing-keys": SEALED,
    "visit-keys": NAMED,
    "ehr-signing-keys": PUBLISHED,
    "graph-certificates": ENCRYPTED,
}


def section(heading: str) -> str:
    return re.split(r"^#+ ", DOCUMENT.partition(f" {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_secret_has_its_row_and_its_steps() -> None:
    rows = re.findall(r"^\| `([a-z-]+)`", DOCUMENT, re.MULTILINE)
    assert rows == list(SECRETS)
    assert set(SECRETS) | {"graph-client"} == KEYS
    assert re.findall(r"^### `([a-z-]+)`", DOCUMENT, re.MULTILINE) == list(SECRETS)
    assert "`graph-client` exists in a sandbox only" in DOCUMENT


@pytest.mark.parametrize("name", SECRETS)
def test_the_overlap_is_that_of_the_command(name: str) -> None:
    days = STAYS[name] // DAY
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{name}`"))
    assert row.split("|")[5].strip().startswith(f"{days} days after")
    steps = section(f"`{name}`")
    assert f"{days} days later `drop`" in steps
    told = re.findall(r"^\d\. (?:\d+ days later )?`(\w+)`", steps, re.MULTILINE)
    assert told == (["add", "use", "drop"] if name == "ehr-signing-keys" else ["add", "drop"])
    if name != "ehr-signing-keys":
        assert f"after {SETTLES // timedelta(hours=1)} hour" in steps
    moment = timestamp(NOW - timedelta(days=days) + timedelta(seconds=1))
    rows = [{"alg": "RS384", "state": "old", "since": moment}, {"state": "current", "from": moment}]
    with pytest.raises(TooEarly):
        renewed(name, "drop", rows, NOW)


def test_the_times_are_those_of_the_code() -> None:
    told = (
        f"lives for {LIFETIME // DAY} days.",
        f"at most every {AGAIN // timedelta(seconds=1)} seconds",
        f"From {SOON // DAY} days before its end",
        f"anything sealed lives is {max(LIFETIMES.values()) // 86_400} days",
        f"A subscription lives for {LONGEST / DAY:.0f} days",
        f"can be opened for {_OLDEST_SECONDS / 86_400:.0f}.",
    )
    assert [words for words in told if words not in WORDS] == []
    assert timedelta(minutes=5) == KEPT
    assert "every five minutes" in WORDS
    assert timedelta(hours=4) == PATIENCE
    assert "come again for four hours" in WORDS


def test_the_commands_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    given = set(re.findall(r"\b([A-Z]+)=(?=[<a-z1])", DOCUMENT))
    assert given == {"ROTATE", "STEP", "DIR", "ANYWAY"}
    assert [
        name for name in given if f"$({name})" not in makefile and f"$(or $({name})," not in makefile
    ] == []
    assert set(re.findall(r"STEP=([a-z]+)", DOCUMENT)) <= set(STEPS)
    assert set(STEPS) == set(re.findall(r"`(add|use|drop|replace)`", DOCUMENT))
    assert "-m sandbox.rotation" in makefile


def test_reasons_and_events_exist() -> None:
    code = "".join(
        path.read_text("utf-8")
        for folder in ("shared", "writeback_function")
        for path in (ROOT / folder).rglob("*.py")
    )
    events = {"keys-expiring", "keys-expired", "keys-unusable", "keys-refused", "not-ours", "poisoned"}
    assert set(re.findall(r"`(keys-[a-z]+|not-ours|poisoned)`", DOCUMENT)) - set(REASONS) == events
    assert [event for event in events if f'"{event}"' not in code] == []
    assert {"flow-unknown", "ehr-user-changed", "keys-missing"} <= set(REASONS)


def test_the_alert_and_the_guide_lead_here() -> None:
    assert "docs/keys.md" in (ROOT / "infra/modules/expiry.bicep").read_text("utf-8")
    assert "(keys.md)" in (ROOT / "docs/deploy.md").read_text("utf-8")
