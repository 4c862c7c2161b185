"""What a patient is told who cannot get in: what happened, in plain words, and the one thing to do now.

A row for every reason of ``shared.reasons`` that can reach a patient and needs other words than the table's;
whatever has none is told as ``OTHERWISE``. ``again``: beginning anew from the portal can help.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """``title`` says what happened, ``now`` what to do; ``again`` whether to begin anew from the portal."""

    title: str
    now: str
    again: bool = True


_AGAIN = "Nothing is lost. Close this page, go back to your portal and press Begin virtual visit again."
_LATER = (
    "Nothing is lost. Wait a minute. Then close this page, go back to your portal and press "
    "Begin virtual visit again."
)
_CALL = "Please call your clinic. Read them the short code at the bottom of this page."
_NOT_OPEN = "Your visit did not open"

OTHERWISE = Words(_NOT_OPEN, _CALL, again=False)

WORDS: Mapping[str, Words] = {
    "connection-unknown": Words("This link does not work any more", _CALL, again=False),
    "connection-not-approved": Words("Video visits are not switched on yet", _CALL, again=False),
    "browser-unsupported": Words(
        "This browser is too old for a video visit",
        "Open your portal in a current Edge, Chrome, Safari or Firefox, and press Begin virtual visit there.",
        again=False,
    ),
    "ehr-unreachable": Words("Your clinic's system does not answer", _LATER),
    "ehr-refused": Words(_NOT_OPEN, _AGAIN),
    "code-refused": Words(_NOT_OPEN, _AGAIN),
    "flow-unknown": Words("This page cannot be opened twice", _AGAIN),
    "flow-expired": Words("That took a little too long", _AGAIN),
    "wrong-front-door": Words(
        "This is the wrong door",
        "Please open your visit from your own patient portal.",
    ),
    "visit-not-yours": Words(
        "This visit belongs to somebody else",
        "Please open your visit from your own patient portal.",
    ),
    "visit-missing": Words("We could not tell which visit is yours", _CALL, again=False),
    "visit-invalid": Words("We could not tell which visit is yours", _CALL, again=False),
    "too-late": Words(
        "The time for this visit has passed",
        "Please call your clinic for a new time.",
        again=False,
    ),
    "visit-cancelled": Words(
        "This visit was cancelled",
        "Please call your clinic for a new time.",
        again=False,
    ),
    "meeting-unavailable": Words("The video room is not ready yet", _LATER),
    "storage-unavailable": Words("We need a minute", _LATER),
    "internal-error": Words("Something went wrong on our side", _LATER),
    "launch-incomplete": Words(_NOT_OPEN, _AGAIN),
    "cross-site": Words(_NOT_OPEN, _AGAIN),
}


def patient_words(code: str) -> Words:
    """The words for a reason."""
    return WORDS.get(code, OTHERWISE)
