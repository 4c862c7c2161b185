"""The JSON API of undelivered records: listed, sent again, given up."""

from typing import Any

from config_function.access import Caller, View
from config_function.api_requests import Callers, body_of, connection_of
from config_function.desk import Desk
from config_function.letter_words import KINDS, cause_of, said_of, words_of
from config_function.letters import Choice
from shared.errors import FieldRefusal
from shared.store.dead_letters import DeadLetter
from shared.texts import Text, Translate
from shared.web import Request, Response, json_response


class LetterApi:
    """One method an operation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._callers = Callers(desk)

    def letters(self, request: Request) -> Response:
        """The newest first; ``complete``: there are no more than these."""
        _, view = self._asked(request)
        kept, translate = self._desk.letters.kept(view), self._desk.pages.translate(request)
        return json_response(
            {
                "connection": view.connection.id,
                "complete": kept.whole,
                "letters": [_letter(letter, translate) for letter in kept.letters],
            }
        )

    def send_again(self, request: Request) -> Response:
        """``left``: not reached in time, ask again; ``unopened``: no message of theirs can be opened."""
        caller, view = self._asked(request)
        tally = self._desk.letters.send_again(caller, view, _choice(request))
        return json_response(
            {
                "connection": view.connection.id,
                "sent": tally.done,
                "left": tally.left,
                "unopened": tally.unopened,
            }
        )

    def discard(self, request: Request) -> Response:
        """Gives them up for good; ``left``: not reached in time, ask again."""
        caller, view = self._asked(request)
        tally = self._desk.letters.discard(caller, view, _choice(request))
        return json_response(
            {"connection": view.connection.id, "discarded": tally.done, "left": tally.left + tally.unopened}
        )

    def _asked(self, request: Request) -> tuple[Caller, View]:
        caller = self._callers.of(request)
        return caller, self._desk.connections.load(caller, connection_of(request))


def _letter(letter: DeadLetter, translate: Translate) -> dict[str, Any]:
    cause = cause_of(letter)
    return {
        "id": letter.id,
        "at": letter.at,
        "queue": letter.queue,
        "kind": translate(KINDS[letter.queue]) if letter.queue in KINDS else "",
        "reason": letter.reason,
        "status": letter.status,
        "attempts": letter.attempts,
        "unopened": letter.unopened,
        "cause": cause,
        "title": said_of(cause).said(translate),
        "remedy": translate(words_of(cause).remedy),
    }


def _choice(request: Request) -> Choice:
    body = body_of(request, ("letters", "cause", "all"))
    if len(body) != 1:
        raise FieldRefusal({"letters": Text("Say which: some by their ids, one cause, or all.")})
    ids, cause = body.get("letters", []), body.get("cause", "")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise FieldRefusal({"letters": Text("A list of ids.")})
    if not isinstance(cause, str):
        raise FieldRefusal({"cause": Text("A text.")})
    if body.get("all", True) is not True:
        raise FieldRefusal({"all": Text("Say true, or leave it out.")})
    return Choice(tuple(ids), cause, "all" in body)
