"""Undelivered records of a connection: seen by whoever sees it; sent again and given up by whoever may.

Both are written into the audit trail before they are done: what cannot be taken back is never without it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from config_function.access import Caller, View, may_redrive
from config_function.letter_words import CAUSE, cause_of, counted
from shared.clock import Clock, timestamp
from shared.errors import FieldRefusal, Refusal
from shared.parked import Parked
from shared.parked_search import Tally
from shared.store import Stores
from shared.store.dead_letters import MOST, DeadLetter
from shared.texts import Text

ID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
"""A letter's id."""


@dataclass(frozen=True)
class Choice:
    """Which letters are meant: some by their ids, those of a cause, or all of them.

    ``until``: only what was parked by then, RFC 3339; what came later nobody has seen.
    """

    ids: tuple[str, ...] = ()
    cause: str = ""
    everything: bool = False
    until: str = ""

    def need_clear(self) -> None:
        """FieldRefusal unless it says one thing, in a form that there is."""
        if len(self.ids) > MOST or not all(re.fullmatch(ID, one) for one in self.ids):
            raise FieldRefusal({"letters": Text("Give at most %(most)s ids as they were listed.", most=MOST)})
        if self.cause and not re.fullmatch(CAUSE, self.cause):
            raise FieldRefusal({"cause": Text("Give a cause as it was listed.")})
        if sum((bool(self.ids), bool(self.cause), self.everything)) != 1:
            raise FieldRefusal({"letters": Text("Say which: some by their ids, one cause, or all.")})


@dataclass(frozen=True)
class Kept:
    """The letters, newest first; ``whole``: there are no more than these."""

    letters: tuple[DeadLetter, ...]
    whole: bool


class Letters:
    """The dead letters of connections that the caller was already let see."""

    def __init__(self, stores: Stores, parked: Parked, clock: Clock) -> None:
        self._stores = stores
        self._parked = parked
        self._clock = clock

    def need_allowed(self, caller: Caller, view: View) -> None:
        """Refusal for those who may only look."""
        if not may_redrive(caller, view):
            raise Refusal("not-allowed")

    def kept(self, view: View) -> Kept:
        """At most ``MOST`` of them."""
        connection = view.connection.id
        found = self._stores.of(connection).dead_letters.of_connection(connection, MOST + 1)
        return Kept(_newest_first(found[:MOST]), len(found) <= MOST)

    def count(self, view: View) -> int:
        """How many there are, as far as ``MOST``."""
        connection = view.connection.id
        return self._stores.of(connection).dead_letters.count(connection)

    def chosen(self, view: View, choice: Choice) -> tuple[DeadLetter, ...]:
        """Those of the choice that are still there, newest first; FieldRefusal for an unclear one."""
        choice.need_clear()
        if choice.ids:
            connection = view.connection.id
            rows = self._stores.of(connection).dead_letters
            found = [rows.get(connection, one) for one in dict.fromkeys(choice.ids)]
            return _newest_first(
                letter for letter in found if letter and (not choice.until or letter.at <= choice.until)
            )
        return tuple(
            letter
            for letter in self.kept(view).letters
            if choice.cause in ("", cause_of(letter)) and (not choice.until or letter.at <= choice.until)
        )

    def send_again(self, caller: Caller, view: View, choice: Choice) -> Tally:
        """Puts them back on their way to the EHR."""
        return self._done(caller, view, choice, "letters-sent-again", self._parked.send_again)

    def discard(self, caller: Caller, view: View, choice: Choice) -> Tally:
        """Gives them up: the EHR will never be told."""
        return self._done(caller, view, choice, "letters-discarded", self._parked.discard)

    def _done(
        self,
        caller: Caller,
        view: View,
        choice: Choice,
        what: str,
        act: Callable[[str, Iterable[DeadLetter]], Tally],
    ) -> Tally:
        self.need_allowed(caller, view)
        letters, connection = self.chosen(view, choice), view.connection.id
        if not letters:
            return Tally()
        self._stores.of(connection).audit.record(
            caller.tenant, caller.oid, what, connection, timestamp(self._clock.now()), counted(letters)
        )
        return act(connection, letters)


def _newest_first(letters: Iterable[DeadLetter]) -> tuple[DeadLetter, ...]:
    return tuple(sorted(letters, key=lambda letter: (letter.at, letter.id), reverse=True))
