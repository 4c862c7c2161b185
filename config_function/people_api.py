"""The JSON API of who uses a connection and how it goes: clinicians, launches, history, health.

EHR user IDs are asked for in bodies, never in paths or queries: addresses end up in logs, and the Functions
host would leave an encoded slash as it is.
"""

from typing import Any

from config_function.access import Caller, View
from config_function.api_requests import Callers, body_of, connection_of, if_match
from config_function.clinicians import Page, version_of_link
from config_function.desk import Desk
from config_function.history import READ, Chapter, Doing, chapters
from config_function.launch_report import OK, OUTCOMES, SIDES, chosen, reason_of, summary
from config_function.names import Names
from config_function.people_schemas import CURSOR_LIMIT
from shared.errors import FieldRefusal
from shared.store.ehr_users import Link
from shared.store.launches import KEPT, Launch
from shared.texts import Text, Translate
from shared.web import Request, Response, json_response


class PeopleApi:
    """One method an operation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._callers = Callers(desk)

    def clinicians(self, request: Request) -> Response:
        """A page of the links, of everybody or of one person, with the cursor to the next."""
        caller, view = self._asked(request)
        cursor, person = request.query.get("cursor", ""), request.query.get("person", "")
        if len(cursor) > CURSOR_LIMIT:
            raise FieldRefusal({"cursor": Text("Give the cursor as it was received.")})
        return self._page(caller, view, self._desk.clinicians.page(view, cursor, person))

    def find_clinician(self, request: Request) -> Response:
        """The link of one EHR user ID; an empty page where there is none."""
        caller, view = self._asked(request, reading=True)
        link = self._desk.clinicians.find(view, _ehr_user(request))
        return self._page(caller, view, Page((link,) if link is not None else ()))

    def unlink_clinician(self, request: Request) -> Response:
        """Parts an EHR user from the account that the given version was read with."""
        caller, view = self._asked(request)
        self._desk.clinicians.unlink(caller, view, _ehr_user(request), if_match(request))
        return json_response({"connection": view.connection.id, "unlinked": True})

    def launches(self, request: Request) -> Response:
        """The launches that are kept, newest first, with a summary of the last 24 hours."""
        _, view = self._asked(request)
        side, outcome = _one_of(request, "side", SIDES), _one_of(request, "outcome", OUTCOMES)
        kept = self._desk.stores.of(view.connection.id).launches.recent(view.connection.id, KEPT)
        day = summary(kept, self._desk.clock.now())
        translate = self._desk.pages.translate(request)
        return json_response(
            {
                "connection": view.connection.id,
                "last_24_hours": {
                    "launches": day.total,
                    "got_in": day.got_in,
                    "most_frequent_code": day.frequent,
                    "complete": day.whole,
                },
                "launches": [_launch(launch, translate) for launch in chosen(kept, side, outcome)],
            }
        )

    def history(self, request: Request) -> Response:
        """Every revision with its differences and what was done to it, and the rest of the audit trail."""
        caller = self._callers.of(request)
        view, numbered, audit = self._desk.connections.history(caller, connection_of(request), READ)
        told, rest = chapters(numbered, audit)
        return json_response(
            {
                "connection": view.connection.id,
                "approved": view.connection.approved,
                "revisions": [_chapter(chapter) for chapter in told],
                "audit": [_doing(doing) for doing in rest],
            }
        )

    def health(self, request: Request) -> Response:
        """How the connection is doing."""
        _, view = self._asked(request)
        health = self._desk.healths.one(view).document(self._desk.pages.translate(request))
        return json_response({"connection": view.connection.id, **health})

    def _asked(self, request: Request, *, reading: bool = False) -> tuple[Caller, View]:
        caller = self._callers.of(request, reading=reading)
        return caller, self._desk.connections.load(caller, connection_of(request))

    def _page(self, caller: Caller, view: View, page: Page) -> Response:
        names = Names(self._desk.people, caller.tenant)
        names.read(link.oid for link in page.links)
        listed = [_clinician(link, names) for link in page.links]
        return json_response({"connection": view.connection.id, "clinicians": listed, "next": page.next})


def _clinician(link: Link, names: Names) -> dict[str, Any]:
    """``in_directory`` null: Microsoft 365 did not answer."""
    somebody = names.of(link.oid)
    known = None if names.silent else link.oid not in names.gone
    return {
        "ehr_user": link.ehr_user,
        "oid": link.oid,
        "name": somebody.name if known else "",
        "username": somebody.username,
        "in_directory": known,
        "linked_at": link.linked_at,
        "version": version_of_link(link),
    }


def _launch(launch: Launch, translate: Translate) -> dict[str, Any]:
    reason = reason_of(launch.code)
    return {
        "at": launch.at,
        "side": launch.side,
        "code": launch.code,
        "got_in": launch.code == OK,
        "title": translate(reason.title) if reason is not None else "",
        "remedy": translate(reason.staff) if reason is not None else "",
    }


def _chapter(chapter: Chapter) -> dict[str, Any]:
    revision = chapter.revision
    return {
        "number": revision.number,
        "state": revision.state,
        "changed_by": revision.changed_by,
        "changed_at": revision.changed_at,
        "rejected_because": revision.rejected_because,
        "differences": [
            {"setting": rule.name, "before": before, "after": after}
            for rule, before, after in chapter.changes
        ],
        "audit": [_doing(doing) for doing in chapter.doings],
    }


def _doing(doing: Doing) -> dict[str, Any]:
    return {
        "what": doing.what,
        "by": doing.by,
        "at": doing.at,
        "settings": list(doing.settings),
        "detail": doing.detail,
    }


def _ehr_user(request: Request) -> str:
    ehr_user = body_of(request, ("ehr_user",)).get("ehr_user")
    if not isinstance(ehr_user, str):
        raise FieldRefusal({"ehr_user": Text("A text.")})
    return ehr_user


def _one_of(request: Request, name: str, allowed: tuple[str, ...]) -> str:
    value = request.query.get(name, "")
    if value and value not in allowed:
        raise FieldRefusal({name: Text("Choose one of: %(choices)s.", choices=", ".join(allowed))})
    return value
