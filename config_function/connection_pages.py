"""The pages of one connection: where it stands, what to copy, whether it works, what happened."""

from collections.abc import Callable, Mapping

from config_function import forms, revisions
from config_function.access import Caller, View, may_create
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

    def delete(self, request: Request, caller: Caller) -> Response:
        """Takes away what never went into service, after a question."""
        view = self._shell.load(request, caller)
        if not may_create(caller):
            raise Refusal("not-allowed")
        if view.approved is not None:
            raise Refusal("state-conflict", "it was approved")
        if request.method == "POST":
            self._desk.connections.delete(caller, view.connection.id, request.form.get("version", ""))
            return redirect("/config/")
        return self._shell.page("delete", request, caller, **self._shell.facts(caller, view))

    def submit(self, request: Request, caller: Caller) -> Response:
        """Asks the approver."""
        connection = request.route.get("connection", "")

        def submitted() -> str:
            self._desk.connections.submit(caller, connection, request.form.get("version", ""))
            return f"/config/connections/{connection}"

        return self._moved(request, caller, submitted)

    def approve(self, request: Request, caller: Caller) -> Response:
        """Puts the revision into service."""
        connection = request.route.get("connection", "")

        def approved() -> str:
            self._desk.connections.approve(caller, connection, _number(request))
            return f"/config/connections/{connection}/records"

        return self._moved(request, caller, approved)

    def reject(self, request: Request, caller: Caller) -> Response:
        """Sends the revision back."""
        connection = request.route.get("connection", "")

        def rejected() -> str:
            reason = request.form.get("reason", "")
            self._desk.connections.reject(caller, connection, _number(request), reason)
            return f"/config/connections/{connection}"

        return self._moved(request, caller, rejected)

    def _moved(self, request: Request, caller: Caller, step: Callable[[], str]) -> Response:
        """Where a step of the revision leads; what keeps it from being taken is said on the overview."""
        try:
            return redirect(step())
        except FieldRefusal as refusal:
            return self._overview(request, caller, self._shell.load(request, caller), refusal.fields)
        except Refusal as refusal:
            if refusal.reason.code not in ("changed-meanwhile", "state-conflict"):
                raise
            view = self._shell.load(request, caller)
            return self._overview(request, caller, view, status=409, stale=refusal.reason.code)

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
        self,
        request: Request,
        caller: Caller,
        view: View,
        faults: Mapping[str, Sentence] | None = None,
        *,
        status: int = 200,
        stale: str = "",
    ) -> Response:
        return self._shell.page(
            "connection",
            request,
            caller,
            status=422 if faults else status,
            stale=stale,
            undelivered=self._desk.letters.count(view),
            changes=forms.changes(view.approved, view.latest) if view.approved is not None else [],
            may_delete=may_create(caller) and view.approved is None,
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
