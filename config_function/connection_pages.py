"""The pages of one connection: where it stands, what to copy, whether it works, what happened."""

from collections.abc import Mapping

from config_function import revisions
from config_function.access import Caller, View
from config_function.desk import Desk
from config_function.field_rules import RULES, Rule
from config_function.fields import differences, get
from config_function.forms import shown
from config_function.names import Names
from config_function.records import records, registration
from config_function.shell import Shell
from shared.connection import Approved, Revision
from shared.errors import FieldRefusal, Refusal
from shared.texts import Sentence
from shared.web import Request, Response, redirect


class ConnectionPages:
    """Every method takes the request and who asks; who may is decided by the rooms below."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def connection(self, request: Request, caller: Caller) -> Response:
        """Where it stands, what comes next, and everything that is set."""
        view = self._shell.load(request, caller)
        return self._overview(request, caller, view)

    def submit(self, request: Request, caller: Caller) -> Response:
        """Asks the approver."""
        connection = request.route.get("connection", "")
        try:
            self._desk.connections.submit(caller, connection, request.form.get("version", ""))
        except FieldRefusal as refusal:
            return self._overview(
                request, caller, self._desk.connections.load(caller, connection), refusal.fields
            )
        return redirect(f"/config/connections/{connection}")

    def approve(self, request: Request, caller: Caller) -> Response:
        """Puts the revision into service."""
        connection = request.route.get("connection", "")
        self._desk.connections.approve(caller, connection, _number(request))
        return redirect(f"/config/connections/{connection}/records")

    def reject(self, request: Request, caller: Caller) -> Response:
        """Sends the revision back."""
        connection = request.route.get("connection", "")
        try:
            self._desk.connections.reject(
                caller, connection, _number(request), request.form.get("reason", "")
            )
        except FieldRefusal as refusal:
            return self._overview(
                request, caller, self._desk.connections.load(caller, connection), refusal.fields
            )
        return redirect(f"/config/connections/{connection}")

    def registration(self, request: Request, caller: Caller) -> Response:
        """What the analyst registers in the EHR."""
        view = self._shell.load(request, caller)
        rows = registration(self._desk.addresses, view.connection, view.latest)
        return self._shell.page("registration", request, caller, **self._shell.facts(caller, view), rows=rows)

    def records(self, request: Request, caller: Caller) -> Response:
        """What the analyst copies into the EHR's records."""
        view = self._shell.load(request, caller)
        rows = (
            records(self._desk.addresses, Approved(view.connection, view.approved)) if view.approved else ()
        )
        return self._shell.page("records", request, caller, **self._shell.facts(caller, view), rows=rows)

    def checks(self, request: Request, caller: Caller) -> Response:
        """Tries the connection out."""
        view = self._shell.load(request, caller)
        names = Names(self._desk.people, caller.tenant)
        asked, person = request.form.get("probe", ""), request.form.get("person", "")
        verdict = self._desk.checks.run(caller, view, asked, person) if request.method == "POST" else None
        return self._shell.page(
            "checks",
            request,
            caller,
            **self._shell.facts(caller, view, names),
            planned=self._desk.checks.plan(view),
            asked=(asked, person),
            verdict=verdict,
        )

    def history(self, request: Request, caller: Caller) -> Response:
        """Revisions, changes and recent launches."""
        view, numbered = self._desk.connections.revisions(caller, request.route.get("connection", ""))
        audit, launches = self._desk.connections.history(caller, view.connection.id)
        older = {revision.number + 1: revision for revision in numbered}
        changes = {
            revision.number: [
                (rule, shown(rule, before), shown(rule, after))
                for rule, before, after in differences(older[revision.number], revision)
            ]
            for revision in numbered
            if revision.number in older
        }
        return self._shell.page(
            "history",
            request,
            caller,
            **self._shell.facts(caller, view),
            revisions=numbered,
            changes=changes,
            audit=audit,
            launches=launches,
        )

    def _overview(
        self, request: Request, caller: Caller, view: View, faults: Mapping[str, Sentence] | None = None
    ) -> Response:
        return self._shell.page(
            "connection",
            request,
            caller,
            status=422 if faults else 200,
            **self._shell.facts(caller, view),
            missing=_missing(view.latest, faults or {}) if view.latest.state in ("draft", "rejected") else [],
            faults=faults or {},
            typed=request.form,
            proven=_proven(view.latest, caller, self._desk),
            groups=_summary(view.latest),
            public_url=self._desk.settings.public_url,
        )


def _missing(revision: Revision, faults: Mapping[str, Sentence]) -> list[tuple[Rule, Sentence]]:
    """What is still to be decided or was found wrong when submitting, with the field it belongs to."""
    named = dict(faults)
    try:
        revisions.need_complete(revision)
    except FieldRefusal as refusal:
        named |= refusal.fields
    return [(rule, named[rule.name]) for rule in RULES if rule.name in named]


def _proven(revision: Revision, caller: Caller, desk: Desk) -> bool:
    try:
        revisions.need_fresh_proof(revision, caller.oid, desk.clock.now())
    except Refusal:
        return False
    return True


def _summary(revision: Revision) -> list[tuple[str, str, list[tuple[Rule, str]]]]:
    """Every setting in words, by group; secrets have none."""
    made: dict[tuple[str, str], list[tuple[Rule, str]]] = {}
    for rule in RULES:
        if rule.path:
            made.setdefault((rule.step, rule.group), []).append((rule, shown(rule, get(revision, rule))))
    return [(step, group, rows) for (step, group), rows in made.items()]


def _number(request: Request) -> int:
    text = request.form.get("number", "")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Refusal("body-invalid", "number")
    return int(text)
