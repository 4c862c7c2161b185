"""Renews the keys of a deployment, a step at a time, so that nothing which is under way breaks.

    python -m sandbox.rotation SECRET STEP FOLDER    FOLDER/SECRET is the present version and becomes the next
    python -m sandbox.rotation SECRET STEP -         from standard input to standard output

Nothing here knows a vault: the operator downloads a version and sets the next (docs/keys.md). A step that
comes too early is refused with the moment from which it may be done; ``--anyway`` is for emergencies.

Steps: ``add`` a new key, ``use`` it (signing keys), ``drop`` the oldest, ``replace`` everything at once.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.keys import Rows, certificate_row, signing_rows, symmetric_key, text_of, write

SETTLES = timedelta(hours=1)
"""From adding a key until it makes anything. Every instance reads the vault every five minutes."""
SEALED = timedelta(days=91)
"""For how long a sealing key stays after its successor came into use: the longest lifetime, and a day."""
NAMED = timedelta(days=400)
"""For a visit key. A clinician's link is moved to the key in use at their next launch: they have a year."""
PUBLISHED = timedelta(days=2)
"""For a signing key before it signs and after it has signed: EHRs keep a key set for up to 29 hours."""
ENCRYPTED = timedelta(days=10)
"""For a Graph certificate: a subscription lives for three days, a parked notification opens for seven."""

STEPS = ("add", "use", "drop", "replace")
SECRETS = ("sealing-keys", "visit-keys", "ehr-signing-keys", "graph-certificates")
_NAME = re.compile(r"(sealing-keys|visit-keys|graph-certificates|ehr-signing-keys)(-[0-9a-f-]{36})?")


class TooEarly(Exception):
    """The step would break what is under way."""


class Impossible(Exception):
    """The step makes no sense for these rows."""


type Step = Callable[[Rows, datetime, bool], Rows]


def renewed(name: str, step: str, rows: Rows, now: datetime, *, anyway: bool = False) -> Rows:
    """The next version of a secret; TooEarly, unless ``anyway``, or Impossible."""
    found = _NAME.fullmatch(name)
    steps = _TABLE.get(found[1], {}) if found else {}
    if found is None or (found[2] and found[1] != "ehr-signing-keys"):
        raise Impossible(f"{name} is no secret that is renewed: {', '.join(SECRETS)}")
    if step not in steps:
        raise Impossible(f"{name} has the steps {', '.join(steps)}")
    return steps[step](rows, now, anyway)


def sealing_dropped(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """Without the oldest sealing key, once nothing that it sealed opens any more."""
    return _dropped(rows, now, SEALED, anyway)


def visit_dropped(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """Without the oldest visit key, once no visit and no clinician's link is named with it."""
    return _dropped(rows, now, NAMED, anyway)


def certificate_dropped(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """Without the oldest certificate, once nothing is under way that Graph encrypted for it."""
    return _dropped(rows, now, ENCRYPTED, anyway)


def symmetric_added(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """With one key more, which comes into use when every instance has read it."""
    return [*rows, {"key": symmetric_key(), "from": _moment(now if anyway else now + SETTLES)}]


def certificate_added(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """With one certificate more, for which Graph encrypts when every instance has read it."""
    return [*rows, {**certificate_row(), "from": _moment(now if anyway else now + SETTLES)}]


def signing_added(rows: Rows, now: datetime, _: bool) -> Rows:
    """With a next key per algorithm: published, so that EHRs know it before it signs."""
    if any(row["state"] == "next" for row in rows):
        raise Impossible("there are next keys already: use them")
    return [*rows, *({**row, "since": _moment(now)} for row in signing_rows("next"))]


def signing_used(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """With the next keys current and the current ones old."""
    following = [row for row in rows if row["state"] == "next"]
    if not following:
        raise Impossible("there is no next key: add one")
    for row in following:
        _need_past(row.get("since"), PUBLISHED, now, anyway)
    replaced = {row["alg"] for row in following}
    changed = {"next": "current", "current": "old"}
    return [
        {**row, "state": changed[row["state"]], "since": _moment(now)}
        if row["state"] in changed and row["alg"] in replaced
        else row
        for row in rows
    ]


def signing_dropped(rows: Rows, now: datetime, anyway: bool) -> Rows:
    """Without the old keys, once no EHR is left that has an assertion of theirs to judge."""
    old = [row for row in rows if row["state"] == "old"]
    if not old:
        raise Impossible("there is no old key")
    for row in old:
        _need_past(row.get("since"), PUBLISHED, now, anyway)
    return [row for row in rows if row["state"] != "old"]


def _dropped(rows: Rows, now: datetime, kept: timedelta, anyway: bool) -> Rows:
    if len(rows) < 2:
        raise Impossible("this is the only key: add one first")
    follower = rows[1]
    _need_past(follower.get("from") if isinstance(follower, dict) else None, kept, now, anyway)
    return list(rows[1:])


def _need_past(since: str | None, kept: timedelta, now: datetime, anyway: bool) -> None:
    if anyway:
        return
    if since is None:
        raise TooEarly("nobody wrote down since when the newer key is in use")
    due = datetime.fromisoformat(since) + kept
    if now < due:
        raise TooEarly(f"not before {_moment(due)}")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_TABLE: Mapping[str, Mapping[str, Step]] = {
    "sealing-keys": {
        "add": symmetric_added,
        "drop": sealing_dropped,
        "replace": lambda *_: [symmetric_key()],
    },
    "visit-keys": {
        "add": symmetric_added,
        "drop": visit_dropped,
        "replace": lambda *_: [symmetric_key()],
    },
    "ehr-signing-keys": {
        "add": signing_added,
        "use": signing_used,
        "drop": signing_dropped,
        "replace": lambda *_: signing_rows("current"),
    },
    "graph-certificates": {
        "add": certificate_added,
        "drop": certificate_dropped,
        "replace": lambda *_: [certificate_row()],
    },
}


def main(arguments: list[str]) -> int:
    """0 when the next version is written; 1 with a word why not."""
    asked = _asked(arguments)
    piped = asked.folder == "-"
    path = Path(asked.folder) / asked.secret
    try:
        rows = json.loads(sys.stdin.read() if piped else path.read_text("utf-8"))
        text = text_of(renewed(asked.secret, asked.step, rows, datetime.now(UTC), anyway=asked.anyway))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, TooEarly, Impossible) as failure:
        # A parser's own words may hold a piece of a key.
        said = failure if isinstance(failure, OSError | TooEarly | Impossible) else "it is not of its shape"
        sys.stderr.write(f"{asked.secret}: nothing was changed: {said}\n")
        return 1
    if piped:
        sys.stdout.write(text)
    else:
        write(path, text)
    return 0


def _asked(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m sandbox.rotation")
    parser.add_argument("secret")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", help="where the file of that name is; - for standard input and output")
    parser.add_argument("--anyway", action="store_true", help="although it is too early")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
