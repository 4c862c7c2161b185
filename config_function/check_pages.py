"""The page that tries a connection out, for its organizers and for any clinician whom an editor names.

With script every check is run by itself and shown as it ends; without, each row has a button of its own.
"""

from config_function.access import Caller, may_edit
from config_function.desk import Desk
from config_function.names import Names, searched
from config_function.shell import Shell
from shared.web import Request, Response


class CheckPages:
    """One page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def checks(self, request: Request, caller: Caller) -> Response:
        """Every check; posted, with the verdict of one of them."""
        view = self._shell.load(request, caller)
        names, checks = Names(self._desk.people, caller.tenant), self._desk.checks
        asked = request.form.get("probe", "")
        person = request.form.get("person", "") or request.query.get("person", "")
        verdict = checks.run(caller, view, asked, person) if request.method == "POST" else None
        named = person if person not in view.latest.organizers else ""
        query = searched(request.query.get("q", "")) if may_edit(caller, view) else ""
        return self._shell.page(
            "checks",
            request,
            caller,
            **self._shell.facts(caller, view, names),
            planned=checks.plan(view),
            planned_for_named=checks.plan_for(caller, view, named) if named else [],
            planned_for_anybody=checks.plan_for(caller, view, ""),
            asked=(asked, person),
            verdict=verdict,
            query=query,
            found=names.search(query),
        )
