"""Why something could not be delivered, in words, and what to do about it. Pure.

A *cause* is what letters have in common that one remedy helps: the reason they were parked for
(``writeback_function.deliver``), and the EHR's status where it refused them for good.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.store.dead_letters import DeadLetter
from shared.texts import Text

CAUSE = r"[A-Za-z0-9-]{1,64}"
_WITH_STATUS = re.compile(r"(StatusRefused)-([0-9]{1,3})")


@dataclass(frozen=True)
class Cause:
    """One row. ``statuses``: the EHR's answers it speaks of, empty for every one."""

    reason: str
    statuses: frozenset[int]
    why: str
    remedy: str


def _row(reason: str, why: str, remedy: str, *statuses: int) -> Cause:
    return Cause(reason, frozenset(statuses), why, remedy)


# fmt: off
CAUSES = (
    _row("gave-up", "The EHR did not take it for a whole day",
         "Find out with the EHR team whether its service is up and open to us. Then send these again."),
    _row("StatusRefused", "The EHR does not let us in",
         "Compare the backend client and its scopes in the EHR with the registration sheet. Once the EHR "
         "team has put them right, send these again.", 401, 403),
    _row("StatusRefused", "The EHR does not know the visit, or the address",
         "Check the FHIR base and the write-back settings, then send these again. Discard the record of a "
         "visit that was taken out of the EHR.", 404, 410),
    _row("StatusRefused", "The EHR does not take what it was told",
         "Compare the write-back settings with what the EHR expects; its own log says what it did not like. "
         "Then send these again.", 400, 415, 422),
    _row("StatusRefused", "The visit was changed or locked in the EHR",
         "Look at the visit in the EHR. Send again what is still missing there, and discard the rest.",
         409, 412, 423, 424),
    _row("StatusRefused", "The EHR refused it",
         "Look up the status in the EHR's own log; compare write-back settings and scopes. Then send these "
         "again."),
    _row("AnswerRefused", "The EHR answered something unexpected",
         "Compare the write-back settings with what the EHR expects. Then send these again."),
    _row("AddressRefused", "The EHR's address points inside",
         "Check the FHIR base and the write-back settings of this connection. Then send these again."),
    _row("adapter-missing", "No write-back is set up for it",
         "Choose in the settings how the EHR is told, and approve the connection. Then send these again."),
    _row("no-token", "The EHR did not accept this app's own client for a whole day",
         "Compare client ID, JWKS URL, algorithm, secret and scopes with the registration sheet. Then send "
         "these again."),
    _row("visit-gone", "The visit is no longer known here",
         "Nothing can be told about it any more. Note it in the EHR by hand if need be, then discard it."),
    _row("poison", "It could not be handled",
         "Ask the operator of this app: the log has an error for each try. Once that is mended, send these "
         "again."),
)
# fmt: on
UNFORESEEN = _row("", "It could not be told", "Ask the operator of this app.")

KINDS: Mapping[str, str] = {
    "writeback": "Record for the EHR",
    "attendance": "Call event from Teams",
    "tend": "Upkeep of a visit",
}
"""What kind of message it is, by the queue it came from."""


@dataclass(frozen=True)
class Group:
    """The letters of one cause, newest first."""

    cause: str
    status: int
    letters: tuple[DeadLetter, ...]

    @property
    def words(self) -> Cause:
        """Why, and what to do."""
        return words_of(self.cause)


def cause_of(letter: DeadLetter) -> str:
    """``gave-up``, ``StatusRefused-403``: a code that forms, calls and the audit trail name it by."""
    return f"{letter.reason}-{letter.status}" if letter.reason == "StatusRefused" else letter.reason


def words_of(cause: str) -> Cause:
    """The row of a cause; that of the unforeseen for one that this version does not know."""
    found = _WITH_STATUS.fullmatch(cause)
    reason, status = (found[1], int(found[2])) if found else (cause, 0)
    fitting = (row for row in CAUSES if row.reason == reason and (not row.statuses or status in row.statuses))
    return next(fitting, UNFORESEEN)


def said_of(cause: str) -> Text:
    """Why, with the EHR's status where it gave one."""
    found, why = _WITH_STATUS.fullmatch(cause), Text(words_of(cause).why)
    return Text("%(why)s (%(status)s)", why=why, status=found[2]) if found else why


def groups(letters: Iterable[DeadLetter]) -> list[Group]:
    """The letters by cause, the most frequent first."""
    found: defaultdict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        found[cause_of(letter)].append(letter)
    made = [
        Group(cause, several[0].status if _WITH_STATUS.fullmatch(cause) else 0, tuple(several))
        for cause, several in found.items()
    ]
    return sorted(made, key=lambda group: (-len(group.letters), group.cause))


def counted(letters: Iterable[DeadLetter]) -> str:
    """How many of each cause, for the audit trail: ``3 StatusRefused-403, 1 poison``."""
    return ", ".join(f"{len(group.letters)} {group.cause}" for group in groups(letters))


def read_counted(detail: str) -> Sequence[tuple[int, str]]:
    """The numbers and causes of ``counted`` again; nothing for any other text."""
    found = [re.fullmatch(rf"([0-9]{{1,6}}) ({CAUSE})", part) for part in detail.split(", ")]
    return tuple((int(one[1]), one[2]) for one in found if one) if all(found) else ()
