"""The pages on which an administrator answers a person who asks what is stored about them, or to erase it."""

import json
from dataclasses import replace

from config_function.access import Caller, View
from config_function.desk import Desk
from config_function.names import Names
from config_function.shell import Shell
from shared.errors import FieldRefusal
from shared.personal_data import Found
from shared.retention import VISITS
from shared.texts import Sentence
from shared.web import Request, Response, redirect

_FILE = "personal-data.json"


class PersonPages:
    """Every method takes the request and who asks; who may is decided by the room below."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def person(self, request: Request, caller: Caller) -> Response:
        """Asks for the EHR user ID; a POST shows what is stored, because what is typed is for no address."""
        view = self._shell.load(request, caller)
        self._desk.persons.need_allowed(caller, view)
        if request.method == "GET":
            return self._page(request, caller, view, None, erased=request.query.get("erased") == "1")
        return self._found(request, caller, view)

    def export(self, request: Request, caller: Caller) -> Response:
        """What is stored, as a file to keep."""
        view = self._shell.load(request, caller)
        try:
            document = self._desk.persons.export(caller, view, _ehr_user(request), _cursor(request))
        except FieldRefusal as refusal:
            return self._page(request, caller, view, None, faults=refusal.fields)
        body = json.dumps(document, indent=2).encode()
        saved = f'attachment; filename="{_FILE}"'
        return Response(200, body, "application/json", headers={"Content-Disposition": saved})

    def erase(self, request: Request, caller: Caller) -> Response:
        """Asks first; erases when the button of the question was pressed."""
        view = self._shell.load(request, caller)
        if request.form.get("sure") != "1":
            return self._found(request, caller, view, sure=True)
        ehr_user, cursor = _ehr_user(request), _cursor(request)
        try:
            found = self._desk.persons.erase(caller, view, ehr_user, cursor)
        except FieldRefusal as refusal:
            return self._page(request, caller, view, None, faults=refusal.fields)
        if not found.next:
            return redirect(f"/config/connections/{view.connection.id}/personal-data?erased=1")
        following = self._desk.persons.cursor(view, ehr_user, found)
        further = replace(request, form={**request.form, "cursor": following})
        return self._found(further, caller, view, sure=True, erased=True)

    def _found(
        self, request: Request, caller: Caller, view: View, *, sure: bool = False, erased: bool = False
    ) -> Response:
        ehr_user, cursor = _ehr_user(request), _cursor(request)
        try:
            found = self._desk.persons.find(caller, view, ehr_user, cursor)
        except FieldRefusal as refusal:
            return self._page(request, caller, view, None, faults=refusal.fields)
        following = self._desk.persons.cursor(view, ehr_user, found)
        return self._page(request, caller, view, found, following=following, sure=sure, erased=erased)

    def _page(
        self,
        request: Request,
        caller: Caller,
        view: View,
        found: Found | None,
        *,
        faults: dict[str, Sentence] | None = None,
        following: str = "",
        sure: bool = False,
        erased: bool = False,
    ) -> Response:
        """``following``: the next part's cursor; ``sure``: ask before erasing; ``erased``: say it is done."""
        names = Names(self._desk.people, caller.tenant)
        if found is not None and found.link is not None:
            names.read([found.link.oid])
        # Its actions have addresses of their own, but a choice of language leads back to the form.
        base = f"/config/connections/{view.connection.id}/personal-data"
        return self._shell.page(
            "person",
            replace(request, path=base),
            caller,
            status=422 if faults else 200,
            **self._shell.facts(caller, view, names),
            base=base,
            found=found,
            faults=faults or {},
            typed=_ehr_user(request),
            cursor=_cursor(request),
            following=following,
            sure=sure,
            erased=erased,
            longest=VISITS.days,
        )


def _ehr_user(request: Request) -> str:
    return request.form.get("ehr_user", "").strip()


def _cursor(request: Request) -> str:
    return request.form.get("cursor", "")
