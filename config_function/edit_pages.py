"""The form of a connection's settings, one step a page; whatever goes wrong, what was typed stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from config_function.access import Caller, View, may_appoint, may_edit
from config_function.connections import version_of
from config_function.desk import Desk
from config_function.field_rules import STEPS, Rule, Step
from config_function.fields import of_step
from config_function.forms import by_field, groups, sent
from config_function.names import Names, searched
from config_function.shell import Shell
from shared.errors import FieldRefusal, Refusal
from shared.graph.people import Somebody
from shared.texts import Sentence
from shared.web import Request, Response, redirect


class EditPages:
    """The steps."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)

    def edit(self, request: Request, caller: Caller) -> Response:
        """One step of the settings: shown, searched for people, or saved."""
        view = self._shell.load(request, caller)
        step = cast("Step", request.route.get("step", ""))
        if step not in STEPS:
            raise Refusal("not-found")
        if not may_edit(caller, view):
            raise Refusal("not-allowed")
        if request.method == "GET":
            return self._edit_page(request, caller, view, step)
        if request.form.get("action") == "search":
            return self._edit_page(request, caller, view, step, typed=request.form)
        return self._edited(request, caller, view, step)

    def _edited(self, request: Request, caller: Caller, view: View, step: Step) -> Response:
        values = sent(step, request.form, view.latest)
        connection = view.connection.id
        try:
            self._desk.connections.edit(caller, connection, request.form.get("version", ""), values)
        except FieldRefusal as refusal:
            adapter = request.form.get("adapter", view.latest.writeback.adapter)
            faults = by_field(refusal.fields, adapter)
            return self._edit_page(request, caller, view, step, typed=request.form, faults=faults, status=422)
        except Refusal as refusal:
            if refusal.reason.code != "changed-meanwhile":
                raise
            newest = self._desk.connections.load(caller, connection)
            return self._edit_page(
                request, caller, newest, step, typed=request.form, compare=True, status=409
            )
        following = STEPS[STEPS.index(step) + 1 :]
        onward = following[0] if following and request.form.get("action") != "close" else ""
        return redirect(f"/config/connections/{connection}{f'/edit/{onward}' if onward else ''}")

    def _edit_page(
        self,
        request: Request,
        caller: Caller,
        view: View,
        step: Step,
        *,
        typed: Mapping[str, str] | None = None,
        faults: Mapping[str, Sentence] | None = None,
        compare: bool = False,
        status: int = 200,
    ) -> Response:
        names, typed_in = Names(self._desk.people, caller.tenant), typed or {}
        shown = groups(step, view.latest, typed, faults, compare=compare)
        if step == "people":
            names.read(
                [view.latest.approver, *(oid for one in shown for f in one.fields for oid in f.chosen)]
            )
        fixed = () if may_appoint(caller) else ("approver",)
        # What was typed elsewhere is compared with the newest version, and saved on top of it next time.
        version = version_of(view) if compare or typed is None else typed.get("version", "")
        return self._shell.page(
            "edit",
            request,
            caller,
            status=status,
            **self._shell.facts(caller, view, names) | {"version": version},
            step=step,
            steps=STEPS,
            groups=shown,
            conflict=compare,
            searches={
                rule.name: _searched(rule, names, typed_in) if rule.name not in fixed else Search()
                for rule in of_step(step)
            },
            fixed=fixed,
            faulty=bool(faults),
        )


@dataclass(frozen=True)
class Search:
    """What was typed to find people for one field, and who was found."""

    text: str = ""
    found: tuple[Somebody, ...] = ()


def _searched(rule: Rule, names: Names, typed: Mapping[str, str]) -> Search:
    text = searched(typed.get(f"q-{rule.name}", ""))
    return Search(text, tuple(names.search(text)))
