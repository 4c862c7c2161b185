"""The hospital's pages: start, clinician's schedule, patient portal, App registration, *Begin*."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.ehr import doors
from sandbox.ehr.begin import CannotBegin, begin, takes_part
from sandbox.ehr.device_marks import device_text
from sandbox.ehr.marks import clock_time, marks
from sandbox.ehr.people import Person, Visit
from sandbox.ehr.statuses import NAMES, CannotSet, set_status, status_marks
from sandbox.ehr.world import World

Page = str | tuple[str, int] | AnyResponse
FIELDS: Mapping[str, tuple[str, ...]] = {
    "provider": ("launch_url", "redirect_uris", "jwks_url", "context", "group_context"),
    "patient": ("launch_url", "redirect_uris", "jwks_url", "context", "group_context"),
    "backend": ("jwks_url",),
}


def pages(world: World) -> Blueprint:
    """Everything a person opens in a browser, except the sign-in."""
    routes = Blueprint("pages", __name__)
    doors.only_browsers(routes)
    views = _Pages(world)
    routes.register_error_handler(CannotBegin, _cannot_begin)
    routes.register_error_handler(CannotSet, _cannot_set)
    routes.add_url_rule("/", "start", views.start)
    routes.add_url_rule("/schedule", "schedule", views.schedule)
    routes.add_url_rule("/schedule/marks", "marks", views.marks)
    routes.add_url_rule("/schedule/status", "status", views.set_status, methods=["POST"])
    routes.add_url_rule("/portal", "portal", views.portal)
    routes.add_url_rule("/begin", "begin", views.begin, methods=["POST"])
    routes.add_url_rule("/registration", "registration", views.registration)
    routes.add_url_rule("/registration", "register", views.register, methods=["POST"])
    return routes


class _Pages:
    def __init__(self, world: World) -> None:
        self._world = world

    def start(self) -> Page:
        return render_template("start.html", people=self._world.hospital.people, ready=self._ready())

    def schedule(self) -> Page:
        person = self._person("staff")
        if person is None:
            return _unknown_person()
        visits = [_row(self._world, visit) for visit in self._own_visits(person)]
        today = datetime.fromtimestamp(self._world.clock(), UTC).astimezone()
        return render_template(
            "schedule.html",
            person=person,
            visits=visits,
            today=today,
            ready=self._ready(),
            statuses=NAMES,
        )

    def marks(self) -> Page:
        person = self._person("staff")
        if person is None:
            return Response(status=404)
        own = self._own_visits(person)
        found = {visit.key: marks(self._world, visit) for visit in own}
        answer = jsonify(
            {
                "at": datetime.fromtimestamp(self._world.clock(), UTC).astimezone().strftime("%H:%M:%S"),
                "visits": {key: [asdict(mark) for mark in each] for key, each in found.items()},
                "statuses": {
                    visit.key: [asdict(one) for one in status_marks(self._world, visit)] for visit in own
                },
                "devices": {visit.key: device_text(self._world, visit) for visit in own},
            }
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def set_status(self) -> Page:
        form = request.form
        login = form.get("as", "")
        set_status(self._world, login, form.get("appointment", ""), form.get("status", ""))
        return redirect(f"{url_for('pages.schedule')}?{urlencode({'as': login})}", 303)

    def portal(self) -> Page:
        person = self._person("patient", "proxy")
        if person is None:
            return _unknown_person()
        visits = [_row(self._world, one) for one in self._world.hospital.visits if takes_part(person, one)]
        principal = self._world.hospital.person(person.proxy_for)
        return render_template("portal.html", person=person, principal=principal, visits=visits)

    def begin(self) -> Page:
        form = request.form
        return redirect(begin(self._world, form.get("as", ""), form.get("visit", "")), 303)

    def registration(self) -> Page:
        saved = request.args.get("saved") == "1"
        return self._registration_page(self._world.registry.as_json(), {}, saved)

    def register(self) -> Page:
        wanted = _registration_form(self._world.registry.as_json(), request.form)
        try:
            self._world.registry.put(wanted)
        except ValueError as error:
            side, _, words = str(error).partition(": ")
            return self._registration_page(wanted, {side: words}), 400
        return redirect(url_for("pages.registration", saved="1"), 303)

    def _registration_page(
        self, values: Mapping[str, Any], errors: Mapping[str, str], saved: bool = False
    ) -> str:
        return render_template(
            "registration.html", values=values, errors=errors, saved=saved, fields=FIELDS, labels=_LABELS
        )

    def _person(self, *kinds: str) -> Person | None:
        person = self._world.hospital.person(request.args.get("as", ""))
        return person if person and person.kind in kinds else None

    def _own_visits(self, person: Person) -> list[Visit]:
        return [visit for visit in self._world.hospital.visits if visit.clinician == person.login]

    def _ready(self) -> bool:
        return bool(self._world.registry.of("provider").launch_url)


_LABELS: Mapping[str, tuple[str, str]] = {
    "launch_url": ("Launch URL", "Where the record sends the browser when somebody begins a visit."),
    "redirect_uris": ("Redirect URIs", "One on each line, exactly as the app will send them."),
    "jwks_url": ("JWKS URL", "Public keys of the app, over https."),
    "context": (
        "CONTEXT string",
        "Keys the launch hands over, for example sessionId=%CSN%&epicUserId=%EPICUSERID%",
    ),
    "group_context": ("CONTEXT string of group visits", "For example sessionId=%CONFERENCEID%"),
}


def _row(world: World, visit: Visit) -> dict[str, Any]:
    people = [world.hospital.person(login) for login in visit.contacts]
    return {
        "visit": visit,
        "patients": [one for one in people if one],
        "clinician": world.hospital.person(visit.clinician),
        "begins": clock_time(world.begins(visit)),
        "ends": clock_time(world.ends(visit)),
        "now": world.begins(visit) <= world.clock() < world.ends(visit),
        "marks": marks(world, visit),
        "statuses": status_marks(world, visit),
        "device": device_text(world, visit),
    }


def _registration_form(kept: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for side, names in FIELDS.items():
        texts = {name: form.get(f"{side}.{name}", "") for name in names}
        uris = [line.strip() for line in texts.pop("redirect_uris", "").splitlines() if line.strip()]
        wanted[side] = kept[side] | texts | {"redirect_uris": uris}
    return wanted


def _unknown_person() -> Page:
    reason = "Nobody of that name signs in here. Choose a person on the start page."
    return render_template("refused.html", title="Who are you?", reason=reason), 404


def _cannot_begin(error: CannotBegin) -> Page:
    return render_template("refused.html", title="The visit cannot begin", reason=str(error)), error.status


def _cannot_set(error: CannotSet) -> Page:
    return render_template("refused.html", title="Nothing was changed", reason=str(error)), error.status
