"""The pages of one connection: where it stands, what to copy, whether it works, what happened."""

from collections.abc import Mapping

from config_function import forms, revisions
from config_function.access import Caller, View
from config_function.desk import Desk
from config_function.field_rules import Rule
from config_function.history import READ, chapters, people_of
from config_function.names import Names
from config_function.records import Record, changed_records, records, registration
from config_function.shell import Shell
from config_function.wording import WITHOUT_CONTEXT, WORDING
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
        words = WORDING[view.connection.kind]
        facts = self._shell.facts(caller, view)
        return self._shell.page("registration", request, caller, **facts, rows=rows, words=words)

    def records(self, request: Request, caller: Caller) -> Response:
        """What the analyst copies into the EHR's records."""
        view = self._shell.load(request, caller)
        rows, changing = self._records(view)
        return self._shell.page(
            "records",
            request,
            caller,
            **self._shell.facts(caller, view),
            rows=rows,
            changing=changing,
            words=WORDING[view.connection.kind],
            without_context=WITHOUT_CONTEXT,
        )

    def _records(self, view: View) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        """The records in service, and the names of those that a newer revision would change."""
        if view.approved is None:
            return (), ()
        serving = Approved(view.connection, view.approved)
        changing = changed_records(self._desk.addresses, serving, view.latest)
        return records(self._desk.addresses, serving), changing

    def history(self, request: Request, caller: Caller) -> Response:
        """Every revision with what changed and who did what to it; then what else was done."""
        connection = request.route.get("connection", "")
        view, numbered, audit = self._desk.connections.history(caller, connection, READ)
        told, rest = chapters(numbered, audit)
        names = Names(self._desk.people, caller.tenant)
        names.read(people_of(told, rest))
        return self._shell.page(
            "history",
            request,
            caller,
            **self._shell.facts(caller, view, names),
            chapters=told,
            rest=rest,
            changes={
                chapter.revision.number: forms.changes(chapter.before, chapter.revision)
                for chapter in told
                if chapter.before is not None
            },
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
            missing=_missing(view, faults or {}) if view.latest.state in ("draft", "rejected") else [],
            faults=faults or {},
            typed=request.form,
            proven=_proven(view.latest, caller, self._desk),
            groups=forms.summary(view.latest),
            public_url=self._desk.settings.public_url,
        )


def _missing(view: View, faults: Mapping[str, Sentence]) -> list[tuple[Rule, Sentence]]:
    """What is still to be decided or was found wrong when submitting, with the field it belongs to."""
    named = dict(faults)
    try:
        revisions.need_complete(view.latest, view.connection.fhir_base)
    except FieldRefusal as refusal:
        named |= refusal.fields
    by_field = forms.by_field(named, view.latest.writeback.adapter)
    return [(rule, by_field[rule.name]) for rule in forms.every_rule() if rule.name in by_field]


def _proven(revision: Revision, caller: Caller, desk: Desk) -> bool:
    try:
        revisions.need_fresh_proof(revision, caller.oid, desk.clock.now())
    except Refusal:
        return False
    return True


def _number(request: Request) -> int:
    text = request.form.get("number", "")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Refusal("body-invalid", "number")
    return int(text)
