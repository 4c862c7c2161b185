"""How a connection is doing, at a glance: judged by its last launches and by what the EHR was not told.

    no-launches   nobody has launched yet (or not since the last ones were forgotten)
    healthy       whoever was meant to get in did
    look          some did not, for a reason that lies with the set-up; or the EHR was not told something
    failing       most of the last ten did not, whatever the reason; what anybody can bring about from outside
                  is left out

``judge`` is pure. ``Healths`` reads twice for a connection, for the connections of a list side by side, and
remembers what it read for half a minute.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from config_function.access import View
from config_function.launch_report import OK, most_frequent, reason_of
from shared.clock import Clock
from shared.errors import AntesalaError
from shared.memory import Memory
from shared.store import Stores
from shared.store.launches import Launch
from shared.texts import Text, Together, Translate

type Condition = Literal["no-launches", "healthy", "look", "failing"]

LOOKED_AT = 50
LAST = 10
LETTERS = 100
_READERS = 8
_REMEMBERED = 1_000
FRESH = timedelta(seconds=30)

# The visit's own rules at work: nothing is wrong when they turn somebody away.
MEANT = frozenset({"too-early", "too-late", "visit-cancelled"})
# What anybody who knows a connection's address brings about, without an EHR: nothing fails because of these.
ANYBODY = frozenset({"browser-unsupported", "flow-unknown", "launch-incomplete", "wrong-environment"})
# What a person can do wrong alone. One of these says nothing about the set-up; most of the last ones does.
PERSONAL = MEANT | {
    "account-unusable",
    "flow-expired",
    "flow-unknown",
    "sign-in-expired",
    "sign-in-failed",
    "view-unknown",
    "visit-not-yours",
    "wrong-organization",
}


@dataclass(frozen=True)
class Health:
    """One connection's condition with a sentence why. ``launches`` were looked at, ``failed`` of them."""

    condition: Condition
    sentence: Text
    last_launch: str = ""
    launches: int = 0
    failed: int = 0
    dead_letters: int = 0

    def document(self, translate: Translate) -> dict[str, Any]:
        """As JSON values, the sentence in the reader's language."""
        return {
            "condition": self.condition,
            "sentence": self.sentence.said(translate),
            "last_launch": self.last_launch,
            "launches": self.launches,
            "failed": self.failed,
            "dead_letters": self.dead_letters,
        }


def judge(view: View, launches: Sequence[Launch], dead_letters: int) -> Health:
    """The condition by the newest launches, newest first, and the number of dead letters."""
    counted = [launch for launch in launches[:LOOKED_AT] if launch.code not in MEANT]
    failed = [launch for launch in counted if launch.code != OK]
    condition, said = (
        _condition(counted, dead_letters) if counted else _uncounted(view, launches, dead_letters)
    )
    sentences = [said]
    if dead_letters:
        sentences.append(_undelivered(dead_letters))
    return Health(
        condition,
        Together(*sentences) if len(sentences) > 1 else said,
        launches[0].at if launches else "",
        len(counted),
        len(failed),
        dead_letters,
    )


def _undelivered(number: int) -> Text:
    if number < LETTERS:
        return Text("Messages to the EHR that could not be delivered: %(count)s.", count=number)
    return Text("Messages to the EHR that could not be delivered: %(count)s or more.", count=number)


def _uncounted(view: View, launches: Sequence[Launch], dead_letters: int) -> tuple[Condition, Text]:
    if launches:
        return ("look" if dead_letters else "healthy"), Text("The last launches came too early or too late.")
    return ("look" if dead_letters else "no-launches"), _quiet(view)


def _condition(counted: Sequence[Launch], dead_letters: int) -> tuple[Condition, Text]:
    last = [launch for launch in counted if launch.code not in ANYBODY][:LAST]
    wrong = [launch for launch in last if launch.code != OK]
    if 2 * len(wrong) > len(last):
        return "failing", _counted(wrong, len(last))
    failed = [launch for launch in counted if launch.code != OK]
    if not last or any(launch.code not in PERSONAL for launch in failed):
        return "look", _counted(failed, len(counted))
    if dead_letters:
        return "look", _good(len(counted), len(failed))
    return "healthy", _good(len(counted), len(failed))


def _quiet(view: View) -> Text:
    if view.approved is not None:
        return Text("Nobody has launched a visit yet.")
    if view.latest.state in ("submitted", "verified"):
        return Text("It waits for the approver.")
    return Text("Not in service yet.")


def _counted(failed: Sequence[Launch], among: int) -> Text:
    code = most_frequent(failed)
    reason = reason_of(code)
    words = Text(reason.title) if reason is not None else code
    if among == 1:
        return Text("The only launch so far did not get in: %(reason)s.", reason=words)
    return Text(
        "%(failed)s of the last %(count)s launches did not get in. Most often: %(reason)s.",
        failed=len(failed),
        count=among,
        reason=words,
    )


def _good(count: int, failed: int) -> Text:
    if failed:
        return Text(
            "%(inside)s of the last %(count)s launches got in; the others had reasons of their own.",
            inside=count - failed,
            count=count,
        )
    return Text("All of the last launches got in: %(count)s.", count=count)


class Healths:
    """Reads what ``judge`` needs, for lists at most every ``FRESH``: a glance may be that old."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._read: Memory[str, tuple[Sequence[Launch], int]] = Memory(clock, _REMEMBERED, FRESH)

    def one(self, view: View, newest: Sequence[Launch] | None = None) -> Health:
        """The health of one connection as it is now. ``newest``: its launches where they are at hand."""
        store, connection = self._stores.of(view.connection.id), view.connection.id
        launches = store.launches.recent(connection, LOOKED_AT) if newest is None else newest[:LOOKED_AT]
        letters = store.dead_letters.count(connection, LETTERS)
        self._read.put(connection, (launches, letters))
        return judge(view, launches, letters)

    def of(self, views: Iterable[View]) -> dict[str, Health]:
        """By connection id; one whose region does not answer is left out, the list is shown all the same."""
        listed = list(views)
        found = {view.connection.id: self._remembered(view) for view in listed}
        unread = [view for view in listed if found[view.connection.id] is None]
        if unread:
            with ThreadPoolExecutor(min(_READERS, len(unread))) as readers:
                for view, health in zip(unread, readers.map(self._perhaps, unread), strict=True):
                    found[view.connection.id] = health
        return {connection: health for connection, health in found.items() if health is not None}

    def _remembered(self, view: View) -> Health | None:
        read = self._read.fresh(view.connection.id)
        return judge(view, *read) if read is not None else None

    def _perhaps(self, view: View) -> Health | None:
        try:
            return self.one(view)
        except AntesalaError:
            return None
