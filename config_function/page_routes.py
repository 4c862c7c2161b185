"""The portal's pages: where they are and who makes them. What goes wrong with one becomes a page."""

from config_function.routes import BOTH, GET, POST, READ, Route
from config_function.shell import Act
from shared.edge import Handler
from shared.web import Request, Response, redirect

_ONE = "config/connections/{connection}"


def _to_portal(_: Request) -> Response:
    return redirect("/config/", 302)


def _alive(_: Request) -> Response:
    """Says ok and nothing else: it is for a load balancer."""
    return Response(200, b"ok", "text/plain; charset=utf-8")


OPEN: tuple[Route[Handler], ...] = (
    # An empty route would be replaced by the function's name; this one matches the root and nothing else.
    Route("root", "{ignored:maxlength(0)?}", GET, lambda _: _to_portal),
    Route("healthz", "healthz", GET, lambda _: _alive),
    Route("config_signin", "config/signin", GET, lambda on: on.portal.sign_in),
    Route("config_signin_callback", "config/signin/callback", GET, lambda on: on.portal.signed_in),
    Route("config_signout", "config/signout", POST, lambda on: on.portal.sign_out),
    Route("config_signed_out", "config/signed-out", GET, lambda on: on.portal.signed_out),
    Route("config_organization", "config/organization", GET, lambda on: on.portal.organization),
    Route("config_consent", "config/organization/consent", GET, lambda on: on.portal.consent),
    Route("config_consented", "config/organization/callback", GET, lambda on: on.portal.consented),
    Route("config_language", "config/language/{language}", GET, lambda on: on.portal.language),
    Route("config_static", "config/static/{name}", READ, lambda on: on.portal.asset),
)
"""Anybody may ask for these."""

SIGNED_IN: tuple[Route[Act], ...] = (
    Route("config_home", "config", GET, lambda on: on.portal.home),
    Route("config_guide", "config/guide", GET, lambda on: on.guide.index),
    Route("config_guide_kind", "config/guide/{kind}", GET, lambda on: on.guide.of_kind),
    Route("config_new", "config/connections/new", BOTH, lambda on: on.portal.new),
    Route("config_connection", _ONE, GET, lambda on: on.connection.connection),
    Route("config_edit", f"{_ONE}/edit/{{step}}", BOTH, lambda on: on.edit.edit),
    Route("config_delete", f"{_ONE}/delete", BOTH, lambda on: on.connection.delete),
    Route("config_submit", f"{_ONE}/submit", POST, lambda on: on.connection.submit),
    Route("config_ehr", f"{_ONE}/ehr", POST, lambda on: on.approval.begin),
    Route("config_ehr_callback", "config/ehr/callback/{connection}", GET, lambda on: on.approval.finish),
    Route("config_approve", f"{_ONE}/approve", POST, lambda on: on.connection.approve),
    Route("config_reject", f"{_ONE}/reject", POST, lambda on: on.connection.reject),
    Route("config_registration", f"{_ONE}/registration", GET, lambda on: on.connection.registration),
    Route("config_records", f"{_ONE}/records", GET, lambda on: on.connection.records),
    Route("config_checks", f"{_ONE}/checks", BOTH, lambda on: on.checks.checks),
    Route("config_history", f"{_ONE}/history", GET, lambda on: on.connection.history),
    Route("config_clinicians", f"{_ONE}/clinicians", BOTH, lambda on: on.people.clinicians),
    Route("config_unlink", f"{_ONE}/clinicians/unlink", POST, lambda on: on.people.unlink),
    Route("config_letters", f"{_ONE}/deadletters", GET, lambda on: on.letters.letters),
    Route("config_letters_send", f"{_ONE}/deadletters/send", POST, lambda on: on.letters.send_again),
    Route("config_letters_discard", f"{_ONE}/deadletters/discard", POST, lambda on: on.letters.discard),
    Route("config_person", f"{_ONE}/personal-data", BOTH, lambda on: on.person.person),
    Route("config_person_export", f"{_ONE}/personal-data/export", POST, lambda on: on.person.export),
    Route("config_person_erase", f"{_ONE}/personal-data/erase", POST, lambda on: on.person.erase),
    Route("config_launches", f"{_ONE}/launches", GET, lambda on: on.people.launches),
)
"""Whoever is not signed in is led through Microsoft 365 first."""
