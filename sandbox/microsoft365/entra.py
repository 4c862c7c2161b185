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
from sandbox.microsoft365.cast import SIERRA, TENANTS, Person
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
        self.world.pause("keys")
        named = "{tenantid}" if tenant in ANY_TENANT else tenant
        issuer = f"{self.world.login}/{named}/v2.0"
        return jsonify(keys=[{**key, "issuer": issuer} for key in self.world.keyring.published()])

    def token(self, tenant: str) -> BaseResponse:
        """Tokens for a code or for the app itself."""
        del tenant
        self.world.pause("token")
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
        self.world.pause("authorize")
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
        """The page on which an administrator grants the app its permissions for the whole tenant."""
        if request.scheme == "https":
            # The app builds this link from the login host, which is the TLS port in the sandbox.
            return redirect(self.world.sites.m365_url + request.full_path)
        wanted, state = request.values.get("redirect_uri", ""), request.values.get("state", "")
        registration = self.world.registration
        if request.values.get("client_id") != registration.client_id:
            return _problem("AADSTS700016: Application was not found in the directory.")
        if wanted not in registration.redirect_uris:
            return _problem("AADSTS50011: The redirect URI specified in the request is not registered.")
        if request.method == "GET":
            named = TENANTS[SIERRA if tenant in ANY_TENANT else tenant]
            return uncached(
                make_response(render_template("consent.html", tenant=named, registration=registration))
            )
        if "cancel" in request.form:
            text = "AADSTS65004: User declined to consent to access the app."
            params = {"error": "access_denied", "error_description": text, "state": state}
            return redirection(wanted, params, None)
        granted = {
            "admin_consent": "True",
            "tenant": SIERRA if tenant in ANY_TENANT else tenant,
            "state": state,
        }
        return redirection(wanted, granted, None)

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
