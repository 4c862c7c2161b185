"""The page of undelivered records, and the question before some are given up."""

import re

from config_function.access import Caller, View, may_redrive
from config_function.desk import Desk
from config_function.letter_words import CAUSE, KINDS, cause_of, groups, said_of
from config_function.letters import Choice
from config_function.shell import Shell
from shared.web import Request, Response, redirect

SHOWN = 50
_NUMBER = r"[0-9]{1,3}"
_TOLD = ("sent", "discarded", "left", "unopened")


class LetterPages:
    """Every method takes the request and who asks; who may is decided by the rooms below."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def letters(self, request: Request, caller: Caller) -> Response:
        """All of them by cause, then one by one, a page at a time."""
        view = self._shell.load(request, caller)
        kept = self._desk.letters.kept(view)
        cause = request.query.get("cause", "")
        cause = cause if re.fullmatch(CAUSE, cause) else ""
        found = [letter for letter in kept.letters if cause in ("", cause_of(letter))]
        pages = max(1, -(-len(found) // SHOWN))
        page = min(max(1, _number(request, "page")), pages)
        return self._shell.page(
            "letters",
            request,
            caller,
            **self._shell.facts(caller, view),
            kept=kept,
            groups=groups(kept.letters),
            cause=cause,
            rows=[(one, said_of(cause_of(one))) for one in found[(page - 1) * SHOWN : page * SHOWN]],
            found=len(found),
            page=page,
            pages=pages,
            kinds=KINDS,
            told=_told(request),
            may_redrive=may_redrive(caller, view),
        )

    def send_again(self, request: Request, caller: Caller) -> Response:
        """Sends some again, and says on the list what came of it."""
        view = self._shell.load(request, caller)
        tally = self._desk.letters.send_again(caller, view, _choice(request))
        return redirect(f"{_list(view)}?sent={tally.done}&left={tally.left}&unopened={tally.unopened}")

    def discard(self, request: Request, caller: Caller) -> Response:
        """Asks first, on a page of its own; gives up what that page spoke of when its button was pressed."""
        view = self._shell.load(request, caller)
        choice = _choice(request)
        if request.form.get("confirmed") == "yes":
            tally = self._desk.letters.discard(caller, view, choice)
            return redirect(f"{_list(view)}?discarded={tally.done}&left={tally.left}")
        return self._ask(request, caller, view, choice)

    def _ask(self, request: Request, caller: Caller, view: View, choice: Choice) -> Response:
        self._desk.letters.need_allowed(caller, view)
        letters = self._desk.letters.chosen(view, choice)
        return self._shell.page(
            "discard",
            request,
            caller,
            status=200 if letters else 404,
            **self._shell.facts(caller, view),
            groups=groups(letters),
            number=len(letters),
            until=letters[0].at if letters else "",
            choice=choice,
        )


def _list(view: View) -> str:
    return f"/config/connections/{view.connection.id}/deadletters"


def _choice(request: Request) -> Choice:
    letter = request.form.get("letter", "")
    return Choice(
        (letter,) if letter else (),
        request.form.get("cause", ""),
        request.form.get("all") == "yes",
        request.form.get("until", ""),
    )


def _told(request: Request) -> dict[str, int | None]:
    """What came of the last button, as its answer's address says; empty where none was pressed."""
    if not any(name in request.query for name in _TOLD):
        return {}
    return {name: _number(request, name) if name in request.query else None for name in _TOLD}


def _number(request: Request, name: str) -> int:
    text = request.query.get(name, "")
    return int(text) if re.fullmatch(_NUMBER, text) else 0
