"""The pages of who uses a connection: linked clinicians, and how the last launches ended."""

from config_function.access import Caller, View, may_answer_for, may_search, may_unlink
from config_function.clinicians import Page, version_of_link
from config_function.desk import Desk
from config_function.launch_report import OUTCOMES, SIDES, chosen, reason_of, summary
from config_function.names import NO_NAME, SHORTEST, Names, searched
from config_function.shell import Shell
from shared.errors import FieldRefusal, Refusal
from shared.graph.people import Somebody
from shared.store.ehr_users import Link
from shared.store.launches import KEPT
from shared.texts import Sentence
from shared.web import Request, Response, redirect

SHOWN = 100


class PeoplePages:
    """Every method takes the request and who asks; who may is decided by the rooms below."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def clinicians(self, request: Request, caller: Caller) -> Response:
        """The linked clinicians; a POST looks for one, because what is typed belongs into no address."""
        view = self._shell.load(request, caller)
        if request.method == "GET":
            return self._listed(request, caller, view)
        name = searched(request.form.get("q", ""))
        if name:
            return self._of_name(request, caller, view, name)
        try:
            link = self._desk.clinicians.find(view, request.form.get("ehr_user", "").strip())
        except FieldRefusal as refusal:
            return self._page(request, caller, view, Page(()), fault=refusal.fields["ehr_user"], looked=True)
        return self._page(request, caller, view, Page((link,) if link else ()), looked=True)

    def unlink(self, request: Request, caller: Caller) -> Response:
        """Asks first, on a page of its own; parts the two when that page's button was pressed."""
        view = self._shell.load(request, caller)
        if not may_unlink(caller, view):
            raise Refusal("not-allowed")
        ehr_user, version = request.form.get("ehr_user", ""), request.form.get("version", "")
        if not version:
            link = self._desk.clinicians.find(view, ehr_user)
            return self._ask(request, caller, view, link, 200 if link is not None else 404)
        try:
            self._desk.clinicians.unlink(caller, view, ehr_user, version)
        except Refusal as refusal:
            if refusal.reason.code not in ("changed-meanwhile", "not-found"):
                raise
            newest = self._desk.clinicians.find(view, ehr_user)
            return self._ask(request, caller, view, newest, refusal.reason.status, meanwhile=True)
        return redirect(f"/config/connections/{view.connection.id}/clinicians?unlinked=1")

    def launches(self, request: Request, caller: Caller) -> Response:
        """How the last launches ended, in words; by side and outcome."""
        view = self._shell.load(request, caller)
        kept = self._desk.stores.of(view.connection.id).launches.recent(view.connection.id, KEPT)
        side, outcome = request.query.get("side", ""), request.query.get("outcome", "")
        side, outcome = side if side in SIDES else "", outcome if outcome in OUTCOMES else ""
        found = chosen(kept, side, outcome)
        return self._shell.page(
            "launches",
            request,
            caller,
            **self._shell.facts(caller, view),
            day=summary(kept, self._desk.clock.now()),
            health=self._desk.healths.one(view, kept),
            rows=[(launch, reason_of(launch.code)) for launch in found[:SHOWN]],
            found=len(found),
            any_kept=bool(kept),
            side=side,
            outcome=outcome,
        )

    def _listed(self, request: Request, caller: Caller, view: View) -> Response:
        cursor, person = request.query.get("cursor", ""), request.query.get("person", "")
        try:
            page = self._desk.clinicians.page(view, cursor, person)
        except FieldRefusal:
            # An old cursor or a mistyped address: the list from its beginning is what was meant.
            return redirect(f"/config/connections/{view.connection.id}/clinicians")
        return self._page(request, caller, view, page, person=person)

    def _of_name(self, request: Request, caller: Caller, view: View, name: str) -> Response:
        """People of the directory whose name begins so, each leading to their links."""
        if not self._may_search(caller):
            raise Refusal("not-allowed")
        names = Names(self._desk.people, caller.tenant)
        return self._page(
            request,
            caller,
            view,
            None,
            names=names,
            people=names.search(name),
            fault=NO_NAME if len(name) < SHORTEST else "",
            looked=True,
        )

    def _may_search(self, caller: Caller) -> bool:
        return may_search(caller, lambda: self._desk.connections.all(caller))

    def _page(
        self,
        request: Request,
        caller: Caller,
        view: View,
        page: Page | None,
        *,
        names: Names | None = None,
        people: list[Somebody] | None = None,
        person: str = "",
        fault: Sentence = "",
        looked: bool = False,
    ) -> Response:
        """``page`` None: the answer is ``people``. ``looked``: something was looked for."""
        names = names or Names(self._desk.people, caller.tenant)
        if page is not None:
            names.read([person, *(link.oid for link in page.links)])
        return self._shell.page(
            "clinicians",
            request,
            caller,
            status=422 if fault else 200,
            **self._shell.facts(caller, view, names),
            page=page,
            people=people or [],
            person=person,
            fault=fault,
            looked=looked,
            typed=request.form,
            further=bool(request.query.get("cursor")),
            unlinked=request.query.get("unlinked") == "1",
            may_unlink=may_unlink(caller, view),
            may_answer=may_answer_for(caller, view),
            may_search=may_unlink(caller, view) and self._may_search(caller),
        )

    def _ask(
        self,
        request: Request,
        caller: Caller,
        view: View,
        link: Link | None,
        status: int,
        *,
        meanwhile: bool = False,
    ) -> Response:
        names = Names(self._desk.people, caller.tenant)
        names.read([link.oid] if link is not None else [])
        return self._shell.page(
            "unlink",
            request,
            caller,
            status=status,
            **self._shell.facts(caller, view, names) | {"version": version_of_link(link) if link else ""},
            link=link,
            meanwhile=meanwhile,
        )
