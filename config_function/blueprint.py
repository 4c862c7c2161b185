"""The portal's routes. A trigger holds no rule: one call in, one response out."""

import functools

import azure.functions as func

from config_function.api import Api
from config_function.approval import Approval
from config_function.check_pages import CheckPages
from config_function.connection_pages import ConnectionPages
from config_function.desk import desk
from config_function.edit_pages import EditPages
from config_function.guide import Guide
from config_function.people_api import PeopleApi
from config_function.people_pages import PeoplePages
from config_function.portal import Portal
from config_function.shell import Act, Shell
from shared import edge
from shared.web import Request, Response, redirect
from shared.wiring import services

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves it untyped
_ONE = "config/connections/{connection}"
_API = "config/api/connections"


@functools.cache
def _portal() -> Portal:
    return Portal(desk(services()))


@functools.cache
def _pages() -> ConnectionPages:
    return ConnectionPages(desk(services()))


@functools.cache
def _checking() -> CheckPages:
    return CheckPages(desk(services()))


@functools.cache
def _editing() -> EditPages:
    return EditPages(desk(services()))


@functools.cache
def _guide() -> Guide:
    return Guide(desk(services()))


@functools.cache
def _shell() -> Shell:
    return Shell(desk(services()))


@functools.cache
def _approval() -> Approval:
    return desk(services()).approval


@functools.cache
def _api() -> Api:
    return Api(desk(services()))


@functools.cache
def _people() -> PeoplePages:
    return PeoplePages(desk(services()))


@functools.cache
def _people_api() -> PeopleApi:
    return PeopleApi(desk(services()))


def _page(req: func.HttpRequest, handler: edge.Handler) -> func.HttpResponse:
    return edge.page(req, handler, audience="admin", services=services())


def _member(req: func.HttpRequest, act: Act) -> func.HttpResponse:
    """A page for somebody who is signed in."""
    return edge.page(req, _shell().guarded(act), audience="admin", services=services())


def _json(req: func.HttpRequest, handler: edge.Handler) -> func.HttpResponse:
    return edge.api(req, handler, services=services())


def _to_portal(_: Request) -> Response:
    return redirect("/config/", 302)


def _alive(_: Request) -> Response:
    return Response(200, b"ok", "text/plain; charset=utf-8")


# An empty route would be replaced by the function's name; this one matches the root and nothing else.
@bp.function_name("root")
@bp.route("{ignored:maxlength(0)?}", methods=["GET"])
def root(req: func.HttpRequest) -> func.HttpResponse:
    """The root leads to the portal."""
    return _page(req, _to_portal)


@bp.function_name("healthz")
@bp.route("healthz", methods=["GET"])
def healthz(req: func.HttpRequest) -> func.HttpResponse:
    """Says ok and nothing else."""
    return _page(req, _alive)


@bp.function_name("config_home")
@bp.route("config", methods=["GET"])
def config_home(req: func.HttpRequest) -> func.HttpResponse:
    """The list of connections."""
    return _member(req, _portal().home)


@bp.function_name("config_signin")
@bp.route("config/signin", methods=["GET"])
def config_signin(req: func.HttpRequest) -> func.HttpResponse:
    """To Microsoft 365."""
    return _page(req, _portal().sign_in)


@bp.function_name("config_signin_callback")
@bp.route("config/signin/callback", methods=["GET"])
def config_signin_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Back from Microsoft 365."""
    return _page(req, _portal().signed_in)


@bp.function_name("config_signout")
@bp.route("config/signout", methods=["POST"])
def config_signout(req: func.HttpRequest) -> func.HttpResponse:
    """Ends the session."""
    return _page(req, _portal().sign_out)


@bp.function_name("config_signed_out")
@bp.route("config/signed-out", methods=["GET"])
def config_signed_out(req: func.HttpRequest) -> func.HttpResponse:
    """Says that the session ended."""
    return _page(req, _portal().signed_out)


@bp.function_name("config_organization")
@bp.route("config/organization", methods=["GET"])
def config_organization(req: func.HttpRequest) -> func.HttpResponse:
    """How an organization connects."""
    return _page(req, _portal().organization)


@bp.function_name("config_consent")
@bp.route("config/organization/consent", methods=["GET"])
def config_consent(req: func.HttpRequest) -> func.HttpResponse:
    """To Microsoft 365's admin consent."""
    return _page(req, _portal().consent)


@bp.function_name("config_consented")
@bp.route("config/organization/callback", methods=["GET"])
def config_consented(req: func.HttpRequest) -> func.HttpResponse:
    """Back from the admin consent."""
    return _page(req, _portal().consented)


@bp.function_name("config_language")
@bp.route("config/language/{language}", methods=["GET"])
def config_language(req: func.HttpRequest) -> func.HttpResponse:
    """Chooses the language of the pages."""
    return _page(req, _portal().language)


@bp.function_name("config_static")
@bp.route("config/static/{name}", methods=["GET", "HEAD"])
def config_static(req: func.HttpRequest) -> func.HttpResponse:
    """Stylesheet and scripts."""
    return _page(req, _portal().asset)


@bp.function_name("config_jwks")
@bp.route("config/jwks/{connection}", methods=["GET", "HEAD"])
def config_jwks(req: func.HttpRequest) -> func.HttpResponse:
    """Our public keys."""
    return _json(req, _portal().jwks)


@bp.function_name("config_guide")
@bp.route("config/guide", methods=["GET"])
def config_guide(req: func.HttpRequest) -> func.HttpResponse:
    """The set-up guide, for every EHR."""
    return _member(req, _guide().index)


@bp.function_name("config_guide_kind")
@bp.route("config/guide/{kind}", methods=["GET"])
def config_guide_kind(req: func.HttpRequest) -> func.HttpResponse:
    """The set-up guide for one EHR."""
    return _member(req, _guide().of_kind)


@bp.function_name("config_new")
@bp.route("config/connections/new", methods=["GET", "POST"])
def config_new(req: func.HttpRequest) -> func.HttpResponse:
    """Begins a connection."""
    return _member(req, _portal().new)


@bp.function_name("config_connection")
@bp.route(_ONE, methods=["GET"])
def config_connection(req: func.HttpRequest) -> func.HttpResponse:
    """One connection."""
    return _member(req, _pages().connection)


@bp.function_name("config_edit")
@bp.route(_ONE + "/edit/{step}", methods=["GET", "POST"])
def config_edit(req: func.HttpRequest) -> func.HttpResponse:
    """One step of its settings."""
    return _member(req, _editing().edit)


@bp.function_name("config_submit")
@bp.route(_ONE + "/submit", methods=["POST"])
def config_submit(req: func.HttpRequest) -> func.HttpResponse:
    """Asks the approver."""
    return _member(req, _pages().submit)


@bp.function_name("config_ehr")
@bp.route(_ONE + "/ehr", methods=["POST"])
def config_ehr(req: func.HttpRequest) -> func.HttpResponse:
    """The approver's EHR sign-in."""
    return _member(req, _approval().begin)


@bp.function_name("config_ehr_callback")
@bp.route("config/ehr/callback/{connection}", methods=["GET"])
def config_ehr_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Back from the EHR."""
    return _member(req, _approval().finish)


@bp.function_name("config_approve")
@bp.route(_ONE + "/approve", methods=["POST"])
def config_approve(req: func.HttpRequest) -> func.HttpResponse:
    """Puts the newest revision into service."""
    return _member(req, _pages().approve)


@bp.function_name("config_reject")
@bp.route(_ONE + "/reject", methods=["POST"])
def config_reject(req: func.HttpRequest) -> func.HttpResponse:
    """Sends the newest revision back."""
    return _member(req, _pages().reject)


@bp.function_name("config_registration")
@bp.route(_ONE + "/registration", methods=["GET"])
def config_registration(req: func.HttpRequest) -> func.HttpResponse:
    """The registration sheet."""
    return _member(req, _pages().registration)


@bp.function_name("config_records")
@bp.route(_ONE + "/records", methods=["GET"])
def config_records(req: func.HttpRequest) -> func.HttpResponse:
    """The integration records."""
    return _member(req, _pages().records)


@bp.function_name("config_checks")
@bp.route(_ONE + "/checks", methods=["GET", "POST"])
def config_checks(req: func.HttpRequest) -> func.HttpResponse:
    """Tries the connection out."""
    return _member(req, _checking().checks)


@bp.function_name("config_history")
@bp.route(_ONE + "/history", methods=["GET"])
def config_history(req: func.HttpRequest) -> func.HttpResponse:
    """Revisions and changes."""
    return _member(req, _pages().history)


@bp.function_name("config_clinicians")
@bp.route(_ONE + "/clinicians", methods=["GET", "POST"])
def config_clinicians(req: func.HttpRequest) -> func.HttpResponse:
    """Linked clinicians."""
    return _member(req, _people().clinicians)


@bp.function_name("config_unlink")
@bp.route(_ONE + "/clinicians/unlink", methods=["POST"])
def config_unlink(req: func.HttpRequest) -> func.HttpResponse:
    """Parts an EHR user from an account, after a question."""
    return _member(req, _people().unlink)


@bp.function_name("config_launches")
@bp.route(_ONE + "/launches", methods=["GET"])
def config_launches(req: func.HttpRequest) -> func.HttpResponse:
    """Recent launches."""
    return _member(req, _people().launches)


@bp.function_name("api_openapi")
@bp.route("config/api/openapi.json", methods=["GET"])
def api_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The OpenAPI document."""
    return _json(req, _api().document)


@bp.function_name("api_connections")
@bp.route(_API, methods=["GET"])
def api_connections(req: func.HttpRequest) -> func.HttpResponse:
    """Every connection."""
    return _json(req, _api().everything)


@bp.function_name("api_create")
@bp.route(_API, methods=["POST"])
def api_create(req: func.HttpRequest) -> func.HttpResponse:
    """A new connection."""
    return _json(req, _api().create)


@bp.function_name("api_connection")
@bp.route(_API + "/{connection}", methods=["GET"])
def api_connection(req: func.HttpRequest) -> func.HttpResponse:
    """One connection."""
    return _json(req, _api().get)


@bp.function_name("api_change")
@bp.route(_API + "/{connection}", methods=["PUT"])
def api_change(req: func.HttpRequest) -> func.HttpResponse:
    """Changes settings."""
    return _json(req, _api().put)


@bp.function_name("api_submit")
@bp.route(_API + "/{connection}/submit", methods=["POST"])
def api_submit(req: func.HttpRequest) -> func.HttpResponse:
    """Asks the approver."""
    return _json(req, _api().submit)


@bp.function_name("api_reject")
@bp.route(_API + "/{connection}/reject", methods=["POST"])
def api_reject(req: func.HttpRequest) -> func.HttpResponse:
    """Sends the newest revision back."""
    return _json(req, _api().reject)


@bp.function_name("api_records")
@bp.route(_API + "/{connection}/records", methods=["GET"])
def api_records(req: func.HttpRequest) -> func.HttpResponse:
    """The integration records."""
    return _json(req, _api().records)


@bp.function_name("api_registration")
@bp.route(_API + "/{connection}/registration", methods=["GET"])
def api_registration(req: func.HttpRequest) -> func.HttpResponse:
    """What to register in the EHR."""
    return _json(req, _api().registration)


@bp.function_name("api_checks")
@bp.route(_API + "/{connection}/checks", methods=["GET"])
def api_checks(req: func.HttpRequest) -> func.HttpResponse:
    """What can be checked."""
    return _json(req, _api().checks)


@bp.function_name("api_check")
@bp.route(_API + "/{connection}/checks/{probe}", methods=["POST"])
def api_check(req: func.HttpRequest) -> func.HttpResponse:
    """One probe's verdict."""
    return _json(req, _api().check)


@bp.function_name("api_bases")
@bp.route("config/api/bases", methods=["POST"])
def api_bases(req: func.HttpRequest) -> func.HttpResponse:
    """Looks at a FHIR base."""
    return _json(req, _api().inspect_base)


@bp.function_name("api_people")
@bp.route("config/api/people", methods=["GET"])
def api_people(req: func.HttpRequest) -> func.HttpResponse:
    """Finds people of the directory."""
    return _json(req, _api().search_people)


@bp.function_name("api_clinicians")
@bp.route(_API + "/{connection}/clinicians", methods=["GET"])
def api_clinicians(req: func.HttpRequest) -> func.HttpResponse:
    """Linked clinicians."""
    return _json(req, _people_api().clinicians)


@bp.function_name("api_find_clinician")
@bp.route(_API + "/{connection}/clinicians/find", methods=["POST"])
def api_find_clinician(req: func.HttpRequest) -> func.HttpResponse:
    """The link of one EHR user ID."""
    return _json(req, _people_api().find_clinician)


@bp.function_name("api_unlink_clinician")
@bp.route(_API + "/{connection}/clinicians/unlink", methods=["POST"])
def api_unlink_clinician(req: func.HttpRequest) -> func.HttpResponse:
    """Parts an EHR user from an account."""
    return _json(req, _people_api().unlink_clinician)


@bp.function_name("api_launches")
@bp.route(_API + "/{connection}/launches", methods=["GET"])
def api_launches(req: func.HttpRequest) -> func.HttpResponse:
    """Recent launches."""
    return _json(req, _people_api().launches)


@bp.function_name("api_history")
@bp.route(_API + "/{connection}/history", methods=["GET"])
def api_history(req: func.HttpRequest) -> func.HttpResponse:
    """Revisions and changes."""
    return _json(req, _people_api().history)


@bp.function_name("api_health")
@bp.route(_API + "/{connection}/health", methods=["GET"])
def api_health(req: func.HttpRequest) -> func.HttpResponse:
    """How the connection is doing."""
    return _json(req, _people_api().health)
