"""The portal's front: sign-in, the list, a new connection, and what needs no session at all."""

from collections.abc import Mapping

from config_function.access import Caller, may_create
from config_function.beginning import ENVIRONMENTS, kinds, new_connection, regions
from config_function.desk import Desk
from config_function.field_rules import STEPS
from config_function.kinds import KINDS
from config_function.listing import pairs
from config_function.owners import Owners
from config_function.shell import Shell
from config_function.signin import returning
from shared.errors import FieldRefusal, Refusal
from shared.texts import Sentence
from shared.web import Request, Response, json_response, redirect

# Epic keeps a key set up to 29 hours unless it is told otherwise (ehr.md 2.1).
_JWKS_KEPT = "public, max-age=300"


class Portal:
    """The pages around the connections."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shell = Shell(desk)
        self._owners = Owners(desk.connections, desk.clock)

    def sign_in(self, request: Request) -> Response:
        """To Microsoft 365."""
        return self._desk.sign_in.begin(request)

    def signed_in(self, request: Request) -> Response:
        """Back from Microsoft 365."""
        return self._desk.sign_in.callback(request)

    def sign_out(self, request: Request) -> Response:
        """Ends the session."""
        return self._desk.sign_in.leave(request)

    def signed_out(self, request: Request) -> Response:
        """Says so."""
        return self._desk.pages.page("config_function/signed_out.html", request)

    def language(self, request: Request) -> Response:
        """Keeps the reader's choice of a language and leads back to the page where they made it."""
        cookie = self._desk.pages.choose(request.route.get("language", ""))
        return redirect(returning(request)).with_cookies(cookie)

    def organization(self, request: Request) -> Response:
        """How an organization that is new here connects."""
        return self._desk.organization.page(request)

    def consent(self, request: Request) -> Response:
        """To Microsoft 365's admin consent."""
        return self._desk.organization.begin(request)

    def consented(self, request: Request) -> Response:
        """Back from it."""
        return self._desk.organization.finish(request)

    def jwks(self, request: Request) -> Response:
        """Our public keys, for the EHR's servers (RFC 7517): those of the connection's organization.

        A single organization has one set, whatever the address names.
        """
        tenants = self._desk.settings.tenants
        if len(tenants) == 1:
            (tenant,) = tenants
        else:
            tenant = self._owners.tenant(request.route.get("connection", ""))
        return json_response(self._desk.keys.jwks(tenant)).with_headers(Cache_Control=_JWKS_KEPT)

    def asset(self, request: Request) -> Response:
        """A static file."""
        found = self._desk.pages.assets.response(request.route.get("name", ""))
        if found is None:
            raise Refusal("not-found")
        return found

    def home(self, request: Request, caller: Caller) -> Response:
        """Every connection the person may see."""
        views = self._desk.connections.all(caller)
        return self._shell.page(
            "list",
            request,
            caller,
            pairs=pairs(views),
            may_create=may_create(caller),
            kinds=KINDS,
            health=self._desk.healths.of(views),
        )

    def new(self, request: Request, caller: Caller) -> Response:
        """Begins a connection."""
        if not may_create(caller):
            raise Refusal("not-allowed")
        if request.method == "GET":
            return self._new_page(request, caller, self._copied(request, caller), {})
        try:
            begun = new_connection(request.form, self._desk.settings)
            view = self._desk.connections.create(caller, begun)
        except FieldRefusal as refusal:
            return self._new_page(request, caller, request.form, refusal.fields)
        return redirect(f"/config/connections/{view.connection.id}/edit/{STEPS[0]}")

    def _copied(self, request: Request, caller: Caller) -> dict[str, str]:
        """What the form begins with when a connection is copied: its counterpart in the other environment."""
        source = request.query.get("from", "")
        if not source:
            return {}
        view = self._desk.connections.load(caller, source)
        other = "production" if view.connection.environment == "test" else "test"
        given = {"environment": other, "kind": view.connection.kind, "region": view.connection.region}
        return {**given, "name": view.latest.name, "copy_of": view.connection.id}

    def _new_page(
        self, request: Request, caller: Caller, typed: Mapping[str, str], faults: Mapping[str, Sentence]
    ) -> Response:
        offered = regions(self._desk.settings)
        first = {
            "environment": "test",
            "kind": "",
            "region": offered[0][0] if len(offered) == 1 else "",
            "name": "",
            "fhir_base": "",
        }
        source = typed.get("copy_of", "")
        return self._shell.page(
            "new",
            request,
            caller,
            status=422 if faults else 200,
            typed={**first, **typed},
            faults=faults,
            environments=ENVIRONMENTS,
            kinds=kinds(),
            regions=offered,
            examples={kind.kind: kind.base_example for kind in KINDS.values()},
            source=self._desk.connections.load(caller, source)
            if source and not faults.get("copy_of")
            else None,
        )
