"""Microsoft Entra ID as the sandbox plays it: metadata, sign-in, tokens, sign-out, admin consent.

Metadata, keys and tokens answer on the TLS port, pages on the http port. A script signs in by posting
`account=<object id>` to the URL of the authorize page.
"""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox.microsoft365.authorization import Entra
from sandbox.microsoft365.cast import CONSENTING, SIERRA, TENANTS, Person
from sandbox.microsoft365.directory import ANY_TENANT, is_authority
from sandbox.microsoft365.doors import browser_only, tls_only
from sandbox.microsoft365.redirection import described, error_envelope, redirection, uncached
from sandbox.microsoft365.world import World

SESSION_COOKIE = "m365_session"
_TENANT = "/<tenant>"


class EntraPages:
    """The endpoints of one simulated Entra, over `world`."""

    def __init__(self, app: Flask, world: World) -> None:
        self.world = world
        self.server = Entra(app, world)
        routes: list[tuple[str, Any, list[str]]] = [
            ("/v2.0/.well-known/openid-configuration", self.metadata, ["GET"]),
            ("/.well-known/openid-configuration", self.metadata_v1, ["GET"]),
            ("/discovery/v2.0/keys", self.keys, ["GET"]),
            ("/discovery/keys", self.keys, ["GET"]),
            ("/oauth2/v2.0/token", self.token, ["POST"]),
        ]
        for path, view, methods in routes:
            app.add_url_rule(_TENANT + path, f"entra{path}", tls_only(self._known(view)), methods=methods)
        pages: list[tuple[str, Any, list[str]]] = [
            ("/oauth2/v2.0/authorize", self.authorize, ["GET", "POST"]),
            ("/oauth2/v2.0/logout", self.logout, ["GET", "POST"]),
        ]
        for path, view, methods in pages:
            app.add_url_rule(_TENANT + path, f"entra{path}", browser_only(self._known(view)), methods=methods)
        for path in ("/v2.0/adminconsent", "/adminconsent"):
            consent = self._known(self.admin_consent)
            app.add_url_rule(_TENANT + path, f"entra{path}", consent, methods=["GET", "POST"])

    def metadata(self, tenant: str) -> Response:
        """The v2.0 metadata; for `common` and `organizations` the issuer is the published template."""
        named = "{tenantid}" if tenant in ANY_TENANT else tenant
        return jsonify(self._metadata(tenant, f"{self.world.login}/{named}/v2.0", "/discovery/v2.0/keys"))

    def metadata_v1(self, tenant: str) -> Response:
        """The older metadata, whose issuer signs Graph's validation tokens."""
        named = "{tenantid}" if tenant in ANY_TENANT else tenant
        return jsonify(self._metadata(tenant, f"https://sts.windows.net/{named}/", "/discovery/keys"))

    def keys(self, tenant: str) -> Response:
        """The published signing keys."""
        named = "{tenantid}" if tenant in ANY_TENANT else tenant
        issuer = f"{self.world.login}/{named}/v2.0"
        with self.world.taking("keys"):
            return jsonify(keys=[{**key, "issuer": issuer} for key in self.world.keyring.published()])

    def token(self, tenant: str) -> BaseResponse:
        """Tokens for a code or for the app itself."""
        del tenant
        with self.world.taking("token"):
            return self._token()

    def _token(self) -> BaseResponse:
        if self.world.failures.token_down:
            return Response("The service is unavailable.", status=503, mimetype="text/plain")
        if told := self.world.token_error():
            text = "AADSTS90033: A transient error has occurred. Please try again."
            return error_envelope(told, text, self.world.clock())
        try:
            answer: BaseResponse = self.server.create_token_response()
        except ValueError:
            text = "AADSTS9002313: Invalid request. Request is malformed or invalid."
            return error_envelope("invalid_request", text, self.world.clock())
        return answer

    def authorize(self, tenant: str) -> BaseResponse:
        """The sign-in page: straight through for who is signed in, unless an account is to be chosen."""
        with self.world.taking("authorize"):
            return self._authorize(tenant)

    def _authorize(self, tenant: str) -> BaseResponse:
        current = self._signed_in()
        try:
            grant = self.server.get_consent_grant(end_user=current)
        except OAuth2Error as error:
            return self._refuse(error)
        except ValueError:
            return _problem("AADSTS9002313: Invalid request. Request is malformed or invalid.")
        if "cancel" in request.form:
            return self._refuse(
                AccessDeniedError(redirect_uri=grant.redirect_uri, state=request.values["state"])
            )
        chosen = self.world.directory.account(request.form.get("account", ""))
        if chosen is None and (current is None or grant.prompt or not self._hinted(current)):
            return self._picker(tenant)
        return self._sign_in(tenant, chosen or current, grant)

    def logout(self, tenant: str) -> BaseResponse:
        """Sign out of this browser and go back to the app, if it says where to a place of its own."""
        del tenant
        self.world.signed_in.end(request.cookies.get(SESSION_COOKIE))
        back = request.values.get("post_logout_redirect_uri", "")
        own = back.startswith(self.world.sites.app_url + "/")
        response = redirect(back) if own else make_response(render_template("signed_out.html"))
        response.delete_cookie(SESSION_COOKIE)
        return uncached(response) if isinstance(response, Response) else response

    def admin_consent(self, tenant: str) -> BaseResponse:
        """Sign-in, then the page on which an administrator grants the app its permissions tenant-wide."""
        if request.scheme == "https":
            # The app builds this link from the login host, which is the TLS port in the sandbox.
            return redirect(self.world.sites.m365_url + request.full_path)
        if refused := self._consent_request_fault(tenant):
            return _problem(refused)
        chosen = self.world.directory.account(request.form.get("account", ""))
        if "cancel" in request.form:
            return self._not_consented(
                "consent_required", "AADSTS65004: The resource owner denied the request."
            )
        if "return" in request.form:
            return self._not_consented("access_denied", "AADSTS90094: The grant requires admin permission.")
        person = chosen or self._signed_in()
        if person is None or "another" in request.form:
            return self._picker(tenant)
        response = self._consent_of(tenant, person)
        if chosen is not None:
            remember(response, self.world, chosen)
        return response

    def _consent_request_fault(self, tenant: str) -> str:
        """What is wrong with the request, in Entra's words; such a request is never answered at its URI."""
        values, registration = request.values, self.world.registration
        scopes = values.get("scope", "").split()
        if values.get("client_id") != registration.client_id:
            return "AADSTS700016: Application was not found in the directory."
        if values.get("redirect_uri", "") not in registration.redirect_uris:
            return "AADSTS50011: The redirect URI specified in the request is not registered."
        if tenant == "common":
            return "AADSTS900561: A personal account has no organization to consent for; use organizations."
        if not scopes or not all(scope.startswith(f"{self.world.graph}/") for scope in scopes):
            return "AADSTS70011: The provided value for the input parameter scope is not valid."
        return ""

    def _consent_of(self, tenant: str, person: Person) -> BaseResponse:
        account = self.world.directory.signing_in(tenant, person)
        if account is None:
            return _problem("AADSTS50020: The user account does not exist in the tenant.")
        if not CONSENTING & set(account.wids):
            page = render_template("approval_needed.html", person=account, tenant=TENANTS[account.tenant])
            return uncached(make_response(page))
        registration = self.world.registration
        if "accept" not in request.form:
            page = render_template("consent.html", tenant=TENANTS[account.tenant], registration=registration)
            return uncached(make_response(page))
        self.world.consented.add(account.tenant)
        granted = " ".join(f"{self.world.graph}/{name}" for name in sorted(registration.granted))
        return self._consent_answer({"tenant": account.tenant, "scope": granted})

    def _not_consented(self, error: str, text: str) -> Response:
        return self._consent_answer({"error": error, "error_description": text})

    def _consent_answer(self, params: dict[str, str]) -> Response:
        """Back to the app; the mark and the state are in every answer, refusals included."""
        values = {"admin_consent": "True", **params}
        if "state" in request.values:
            values["state"] = request.values["state"]
        return redirection(request.values["redirect_uri"], values, None)

    def _known(self, view: Any) -> Any:
        def checked(tenant: str) -> Any:
            if not is_authority(tenant):
                text = "AADSTS90002: Tenant not found. Check that this is the correct tenant ID."
                return error_envelope("invalid_tenant", text, self.world.clock())
            return view(tenant)

        return checked

    def _metadata(self, tenant: str, issuer: str, keys: str) -> dict[str, Any]:
        server, browser = f"{self.world.login}/{tenant}", f"{self.world.sites.m365_url}/{tenant}"
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{browser}/oauth2/v2.0/authorize",
            "token_endpoint": f"{server}/oauth2/v2.0/token",
            "end_session_endpoint": f"{browser}/oauth2/v2.0/logout",
            "jwks_uri": f"{server}{keys}",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "oid", "ver"],
        }

    def _signed_in(self) -> Person | None:
        oid = self.world.signed_in.who(request.cookies.get(SESSION_COOKIE))
        return None if oid is None else self.world.directory.account(oid)

    def _hinted(self, current: Person) -> bool:
        hint = request.values.get("login_hint", current.upn)
        return hint.lower() == current.upn.lower()

    def _picker(self, tenant: str) -> Response:
        named = SIERRA if tenant in ANY_TENANT else tenant
        directory = self.world.directory
        page = render_template(
            "picker.html",
            app_name=self.world.registration.name,
            tenant=TENANTS[named],
            people=[one for one in directory.members(named) if one.home is None],
            others=directory.elsewhere(named),
            hint=request.values.get("login_hint", "").lower(),
            current=request.values.get("prompt") != "login" and self._signed_in(),
        )
        return uncached(make_response(page))

    def _sign_in(self, tenant: str, person: Person | None, grant: Any) -> BaseResponse:
        account = None if person is None else self.world.directory.signing_in(tenant, person)
        if person is None or account is None:
            return _problem(
                "AADSTS50020: The selected user account does not exist in the tenant "
                f"'{TENANTS.get(tenant, tenant)}' and cannot access the application in that tenant."
            )
        if self.world.failures.sign_in_error:
            error = OAuth2Error(
                "AADSTS90072: The sign-in was interrupted.",
                error=self.world.failures.sign_in_error,
                redirect_uri=grant.redirect_uri,
                state=request.values["state"],
            )
            response = self._refuse(error)
        else:
            response = self.server.create_authorization_response(grant_user=account, grant=grant)
        remember(response, self.world, person)
        return response

    def _refuse(self, error: OAuth2Error) -> BaseResponse:
        if error.redirect_uri:
            answer: BaseResponse = self.server.handle_error_response(None, error)
            return answer
        return _problem(described(error))


def remember(response: BaseResponse, world: World, person: Person) -> None:
    """Keep who signed in with this browser, for single sign-on."""
    cookie = world.signed_in.begin(person)
    response.set_cookie(SESSION_COOKIE, cookie, httponly=True, samesite="Lax", path="/")


def _problem(text: str) -> Response:
    code, _, words = text.partition(": ")
    response = make_response(render_template("problem.html", code=code, words=words), 400)
    return uncached(response)
