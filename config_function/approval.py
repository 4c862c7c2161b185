"""The approver's EHR sign-in: it proves that the base is theirs; its token is thrown away (design 4.3)."""

from config_function.access import Caller, View, is_approver
from config_function.connections import Connections
from config_function.records import Addresses
from config_function.revisions import need_state
from shared.errors import Refusal
from shared.launch import Finished, SmartFlow
from shared.pages import Pages
from shared.settings import Settings
from shared.web import Request, Response, redirect

# The audience of a staff sign-in; Patient and RelatedPerson prove nothing about a hospital.
STAFF = frozenset({"Practitioner", "PractitionerRole", "Person"})


class Approval:
    """Begins the sign-in and takes its answer."""

    def __init__(self, settings: Settings, pages: Pages, flow: SmartFlow, connections: Connections) -> None:
        self._settings = settings
        self._pages = pages
        self._flow = flow
        self._connections = connections

    def begin(self, request: Request, caller: Caller) -> Response:
        """Sends the approver to the EHR (standalone SMART launch, ``openid fhirUser``, nothing read).

        By a page of ours, not a redirect: Chromium holds every hop behind a form to the page's form-action.
        """
        view = self._mine(caller, request.route.get("connection", ""))
        need_state(view.latest, ("submitted", "verified"))
        extra = {"oid": caller.oid, "tenant": caller.tenant}
        back = self._callback(view.connection.id)
        begun = self._flow.begin_approval(request, view.connection, view.latest, back, extra)
        if "Location" not in begun.headers:
            return begun
        page = self._pages.page("config_function/onward.html", request, url=begun.headers["Location"])
        return page.with_cookies(*begun.cookies)

    def finish(self, request: Request, caller: Caller) -> Response:
        """Records the proof for the person who began, on the revision they began with, nobody else."""
        finished = self._finished(request)
        try:
            _need_own_staff_sign_in(finished, caller)
            view = self._connections.verify(caller, finished.connection_id, finished.revision_number)
        except Refusal as refusal:
            refusal.cookies = (*refusal.cookies, finished.clear)
            raise
        return redirect(f"/config/connections/{view.connection.id}").with_cookies(finished.clear)

    def _finished(self, request: Request) -> Finished:
        try:
            return self._flow.finish(request, self._callback(request.route.get("connection", "")))
        except Refusal as refusal:
            if refusal.reason.code != "ehr-refused":
                raise
            # What a launch would say of it speaks of visits.
            refused = Refusal("approval-not-proven", refusal.detail)
            refused.cookies = refusal.cookies
            raise refused from refusal

    def _callback(self, connection: str) -> str:
        return Addresses(self._settings.public_url, self._settings.server_url).approval(connection)

    def _mine(self, caller: Caller, connection_id: str) -> View:
        view = self._connections.load(caller, connection_id)
        if not is_approver(caller, view):
            raise Refusal("not-allowed")
        return view


def _need_own_staff_sign_in(finished: Finished, caller: Caller) -> None:
    began = (finished.extra.get("tenant"), finished.extra.get("oid"))
    if finished.purpose != "approval" or began != (caller.tenant, caller.oid):
        raise Refusal("proof-missing", "another person began this sign-in")
    if finished.identity is None or not finished.identity.user_type:
        raise Refusal("identity-missing")
    if finished.identity.user_type not in STAFF:
        raise Refusal("wrong-front-door", finished.identity.user_type)
