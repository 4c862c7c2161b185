"""From the EHR's launch to a verified token: SMART App Launch 2.2 as doors and approvers walk it.

    begin     iss is an approved form -> discovery, pinned -> redirect to authorize; a sealed cookie keeps it
    take      the answer's state finds its cookie, which is consumed whatever happens next
    complete  code -> token, id_token verified, audience of this door

Nothing is stored between the two legs. The cookie is named after the random state and bound to this browser
by being there; it fixes connection, revision, iss and the redirect URI, which is the connection's own: a code
of one hospital never reaches a flow, nor a token endpoint, of another (RFC 9700, 4.4).
"""

from collections.abc import Collection, Mapping
from typing import Literal

from shared import trace
from shared.clock import Clock, Entropy
from shared.connection import Approved, Client, Connection, Revision
from shared.edge import content_security_policy
from shared.errors import Refusal, SealBroken, SealExpired
from shared.launch.answers import ehr_answers
from shared.launch.jar import Jar
from shared.launch.once import Once
from shared.launch.parameters import CODE_LIMIT, ISS_LIMIT, LAUNCH_LIMIT, STATE, error_code, opaque
from shared.launch.passage import AUDIENCE, Errand, Finished, Taken, consumed, taken_from
from shared.pages import Pages
from shared.sealing import Sealer
from shared.smart import authorize
from shared.smart.discovery import Discovery, SmartConfiguration
from shared.smart.id_token import Identity, IdTokens
from shared.smart.scopes import may_read
from shared.smart.token import TokenAnswer, Tokens
from shared.store import Stores
from shared.web import Request, Response, html, redirect

FLOWS = 6
# Kinds of visit that are named by a resource, which is then read with the user's own token.
_NAMED_BY_READING: Mapping[str, str] = {"appointment": "Appointment", "encounter": "Encounter"}


class SmartFlow:
    """The flow; safe to share between threads."""

    def __init__(
        self,
        *,
        sealer: Sealer,
        stores: Stores,
        discovery: Discovery,
        tokens: Tokens,
        id_tokens: IdTokens,
        pages: Pages,
        clock: Clock,
        entropy: Entropy,
        tenants: Collection[str],
    ) -> None:
        """``tenants``: the organizations that the operator lists."""
        self._jar = Jar(sealer, clock, "flow", FLOWS)
        self.once = Once()
        self._stores = stores
        self._discovery = discovery
        self._tokens = tokens
        self._id_tokens = id_tokens
        self._pages = pages
        self._entropy = entropy
        self._tenants = tenants

    def admit(self, approved: Approved, iss: str, launch: str) -> None:
        """Checks a launch's two parameters; no outgoing call is made for one that is refused here."""
        if not iss or not launch:
            raise Refusal("launch-incomplete", "no iss" if not iss else "no launch")
        opaque(launch, "launch", LAUNCH_LIMIT)
        if opaque(iss, "iss", ISS_LIMIT) not in approved.issuers:
            raise Refusal("wrong-environment")

    def begin(
        self,
        request: Request,
        approved: Approved,
        side: Literal["provider", "patient"],
        iss: str,
        launch: str,
        redirect_uri: str,
        scope: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> Response:
        """Leg 1 of an EHR launch: the browser goes to the EHR's authorization endpoint.

        ``scope`` defaults to what a launch of this revision needs; ``extra`` comes back in ``Finished``.
        """
        self.admit(approved, iss, launch)
        client = approved.revision.client(side)
        config = self._configuration(approved.connection, approved.revision, client, iss)
        wanted = scope or authorize.launch_scopes(approved.revision, side, config)
        errand = Errand(side, approved, client, config, iss, redirect_uri, wanted, launch, extra or {})
        return self._sent(request, errand)

    def begin_approval(
        self,
        request: Request,
        connection: Connection,
        revision: Revision,
        redirect_uri: str,
        extra: Mapping[str, str] | None = None,
    ) -> Response:
        """The approver's sign-in: a standalone launch on the connection's base, for identity only."""
        approved = Approved(connection, revision)
        client, iss = revision.provider, connection.fhir_base
        config = self._configuration(connection, revision, client, iss)
        scope = authorize.approval_scopes()
        errand = Errand("approval", approved, client, config, iss, redirect_uri, scope, "", extra or {})
        return self._sent(request, errand)

    def finish(self, request: Request, redirect_uri: str) -> Finished:
        """Leg 2 in one step: ``take``, then ``complete``; a refusal carries the cookie's deletion."""
        taken = self.take(request, redirect_uri)
        try:
            return self.complete(request, taken)
        except Refusal as refusal:
            refusal.cookies = (*refusal.cookies, taken.clear)
            raise

    def pending(self, request: Request) -> bool:
        """Whether the browser still holds the flow that this answer belongs to."""
        state = request.query.get("state", "")
        return bool(STATE.fullmatch(state)) and self._jar.has(request, state)

    def take(self, request: Request, redirect_uri: str) -> Taken:
        """Finds and consumes the flow of this answer; nothing else of the answer is looked at before."""
        state = request.query.get("state", "")
        if not STATE.fullmatch(state):
            raise Refusal("flow-unknown", "state is not ours")
        try:
            value = self._jar.get(request, state)
        except SealExpired as error:
            raise consumed(Refusal("flow-expired"), self._jar.drop(state)) from error
        except SealBroken as error:
            raise consumed(Refusal("flow-unknown", "cookie does not open"), self._jar.drop(state)) from error
        if value is None:
            raise Refusal("flow-unknown", "no cookie for this state")
        taken = taken_from(value, state, self._jar.drop(state))
        trace.follow(taken.traceparent)
        if taken.redirect_uri != redirect_uri:
            raise consumed(
                Refusal("flow-unknown", "the flow began at another door or connection"), taken.clear
            )
        return taken

    def complete(self, request: Request, taken: Taken) -> Finished:
        """Trades the code and verifies who came; raises Refusal."""
        code = _code(request)
        connection, revision = self._settings(taken)
        client = revision.provider if taken.purpose == "approval" else revision.client(taken.purpose)
        config = self._configuration(connection, revision, client, taken.iss)
        _same_issuer(request, config)
        with ehr_answers("token"):
            token = self._tokens.exchange_code(
                config, client, code, taken.verifier, taken.redirect_uri, tenant=connection.tenant
            )
        _wide_enough(taken, revision, token)
        identity = self._identity(taken, connection, revision, config, client, token)
        return Finished(
            taken.purpose,
            connection,
            revision,
            taken.iss,
            taken.extra,
            token,
            identity,
            taken.clear,
            taken.state,
        )

    def _sent(self, request: Request, errand: Errand) -> Response:
        state, nonce = self._entropy.token(32), self._entropy.token(24)
        verifier = authorize.new_verifier(self._entropy)
        values = authorize.parameters(
            client_id=errand.client.client_id,
            redirect_uri=errand.redirect_uri,
            scope=errand.scope,
            state=state,
            nonce=nonce,
            aud=errand.iss,
            challenge=authorize.challenge_of(verifier),
            launch=errand.launch,
            # Whoever approves signs in now, and not somebody else an hour ago on the same machine.
            prompt="login" if errand.purpose == "approval" and "login" in errand.config.prompts else "",
        )
        response = self._onward(request, errand.config, values)
        return response.with_cookies(*self._jar.put(request, state, errand.kept(verifier, nonce)))

    def _onward(self, request: Request, config: SmartConfiguration, values: Mapping[str, str]) -> Response:
        url = authorize.address(config.authorization_endpoint, values)
        if not authorize.by_post(config, url):
            return redirect(url)
        page = self._pages.render(
            "post_redirect.html", request, action=config.authorization_endpoint, fields=values
        )
        # Chromium applies form-action to every redirect that follows the form, and the hospital's own sign-in
        # may pass through hosts nobody listed.
        origin = "/".join(config.authorization_endpoint.split("/")[:3])
        policy = content_security_policy(form_action=("'self'", origin, "https:"))
        return html(page).with_headers(Content_Security_Policy=policy)

    def _configuration(
        self, connection: Connection, revision: Revision, client: Client, iss: str
    ) -> SmartConfiguration:
        with ehr_answers("discovery"):
            config = self._discovery.get(iss, client_id=client.client_id, kind=connection.kind)
        return self._discovery.pinned(config, revision.endpoints)

    def _settings(self, taken: Taken) -> tuple[Connection, Revision]:
        rows = self._stores.of(taken.connection_id).connections
        if taken.purpose == "approval":
            connection = rows.get(taken.connection_id)
            revision = rows.revision(taken.connection_id, taken.revision_number)
            if connection is None or revision is None:
                raise Refusal("connection-unknown")
            self._listed(connection)
            return connection, revision
        approved = rows.approved(taken.connection_id)
        if approved is None:
            raise Refusal("connection-not-approved")
        self._listed(approved.connection)
        if approved.revision.number != taken.revision_number:
            raise Refusal("flow-expired", "another revision was approved meanwhile")
        return approved.connection, approved.revision

    def _listed(self, connection: Connection) -> None:
        if connection.tenant not in self._tenants:
            raise Refusal("connection-unknown", "its tenant is not listed")

    def _identity(
        self,
        taken: Taken,
        connection: Connection,
        revision: Revision,
        config: SmartConfiguration,
        client: Client,
        token: TokenAnswer,
    ) -> Identity | None:
        named_in_context = taken.purpose != "approval" and bool(revision.user_key(taken.purpose))
        if not token.id_token:
            if named_in_context:
                return None
            raise Refusal("identity-missing")
        bases = (connection.fhir_base, *revision.issuers)
        with ehr_answers("id_token"):
            identity = self._id_tokens.verify(
                token.id_token, config, client.client_id, taken.nonce, bases, connection.kind
            )
        if not identity.user_type and not named_in_context:
            raise Refusal("identity-missing", "no fhirUser")
        if identity.user_type and identity.user_type not in AUDIENCE[taken.purpose]:
            raise Refusal("wrong-front-door", identity.user_type)
        return identity


def _code(request: Request) -> str:
    error = request.query.get("error", "")
    if error:
        raise Refusal("ehr-refused", error_code(error))
    code = request.query.get("code", "")
    if not code:
        raise Refusal("launch-incomplete", "no code")
    return opaque(code, "code", CODE_LIMIT)


def _wide_enough(taken: Taken, revision: Revision, token: TokenAnswer) -> None:
    """A scope narrowed until the visit cannot be read is the EHR's refusal, and its analyst's to mend.

    No ``scope`` in the answer means the one that was asked for (RFC 6749 section 5.1).
    """
    needed = _NAMED_BY_READING.get(revision.visit_source.kind)
    if needed and taken.purpose != "approval" and token.scope and not may_read(token.scope, needed):
        raise Refusal("ehr-refused", f"granted without {needed}")


def _same_issuer(request: Request, config: SmartConfiguration) -> None:
    """RFC 9207: an answer says who it is from where the server announced that, and it is the one we asked."""
    issuer = request.query.get("iss", "")
    if config.names_issuer and not issuer:
        raise Refusal("ehr-answer-invalid", "the answer names no issuer")
    if issuer and config.issuer and issuer != config.issuer:
        raise Refusal("ehr-answer-invalid", "the answer names another issuer")
