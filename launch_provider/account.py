"""Which Microsoft 365 account a clinician uses Teams with: linked once, unlinked at will."""

from launch_provider.arrival import Arrival, Stage
from launch_provider.entrance import AccountGone, Entrance, Onward
from launch_provider.services import ProviderServices
from launch_provider.signin import SignIns, account_handle
from shared.clock import timestamp
from shared.edge import refuse_cross_site
from shared.errors import OutsideError, Refusal
from shared.launch.door import Door
from shared.store.ehr_users import Link
from shared.web import Request, Response, redirect

_ASKING = frozenset({"confirm", "continue"})


class Accounts:
    """Links between EHR users and Entra accounts, as their owners see them."""

    def __init__(self, door: Door, entrance: Entrance, services: ProviderServices) -> None:
        self._door = door
        self._entrance = entrance
        self._services = services
        self._sign_ins = SignIns(door, services)

    def sign_in(self, request: Request, arrival: Arrival, ehr_name: str) -> Response:
        """Sends somebody new to Microsoft 365; the launch waits."""
        return self._sign_ins.begin(request, Stage("sign-in", arrival.connection, arrival, ehr_name))

    def ask_to_continue(self, request: Request, arrival: Arrival, oid: str) -> Response:
        """One page before Teams, where the browser last opened it for somebody else."""
        stage = Stage("continue", arrival.connection, arrival, oid=oid)
        return self._sign_ins.to_page(request, stage, arrival.state)

    def link_anew(self, request: Request, arrival: Arrival, oid: str) -> Response:
        """The linked account is gone: so is the link, and the clinician signs in with the account they have.

        That it is the same clinician was checked when they came.
        """
        users = self._services.stores.of(arrival.connection).ehr_users
        link = users.get(arrival.connection, arrival.ehr_user)
        if link is not None and link.oid == oid and users.unlink(arrival.connection, arrival.ehr_user):
            self._noted(Stage("unlink", arrival.connection, oid=oid), "ehr-user-unlinked")
        return self.sign_in(request, arrival, arrival.ehr_user)

    def signed_in(self, request: Request) -> Response:
        """``GET /launch/provider/signin/callback``."""
        return self._sign_ins.answer(request)

    def another(self, request: Request) -> Response:
        """A new sign-in for the same launch: ``GET /launch/provider/signin/another?handle=``."""
        handle = request.query.get("handle", "")
        stage = self._sign_ins.stage(request, handle)
        if stage is None or stage.name not in ("confirm", "refused"):
            return self._sign_ins.repeated(request, handle)
        response = self._sign_ins.begin(request, stage.at("sign-in", oid="", account_name="", reason=""))
        return response.with_cookies(self._sign_ins.forget(handle))

    def page(self, request: Request) -> Response:
        """The page of a stage: ``GET /launch/provider/signin/confirm?handle=``."""
        handle = request.query.get("handle", "")
        stage = self._sign_ins.stage(request, handle)
        if stage is not None and stage.name == "refused":
            reason = Refusal(stage.reason).reason
            return self._show(request, "refused.html", reason.status, handle=handle, reason=reason)
        if stage is not None and stage.name == "confirm":
            names = {"ehr_name": stage.ehr_name, "account_name": stage.account_name}
            return self._show(request, "confirm.html", handle=handle, **names)
        if stage is not None and stage.name == "continue":
            account = f"/launch/provider/{stage.connection}/account"
            name = self._name(stage)
            if name is None:
                again = self.link_anew(request, stage.came, stage.oid)
                return again.with_cookies(self._sign_ins.forget(handle))
            return self._show(request, "continue.html", handle=handle, account_name=name, account=account)
        return self._sign_ins.repeated(request, handle)

    def confirm(self, request: Request) -> Response:
        """The button of the page: links where that was the question, and goes in."""
        refuse_cross_site(request, self._services.settings.public_url)
        handle = request.form.get("handle", "")
        stage = self._sign_ins.stage(request, handle)
        if stage is None or stage.name not in _ASKING:
            return self._sign_ins.repeated(request, handle)
        with self._door.outcomes.watched(stage.connection, "provider"):
            # Before anything is linked: a revision approved meanwhile may take the user from elsewhere.
            self._entrance.approved(stage.came)
            if stage.name == "confirm":
                self._link(stage)
            onward = self._entered(request, stage, handle)
        return self._onward(request, onward).with_cookies(self._sign_ins.forget(handle))

    def _entered(self, request: Request, stage: Stage, handle: str) -> Onward:
        try:
            return self._entrance.enter(request, stage.came, stage.oid, handle)
        except AccountGone:
            again = self.link_anew(request, stage.came, stage.oid)
            return Onward(again.headers["Location"], again.cookies)

    def account(self, request: Request) -> Response:
        """``/launch/provider/{connection}/account``: GET shows one's links, POST removes one.

        Who asks is what Microsoft 365 says now, not what the EHR or a cookie of last week said.
        """
        connection = self._door.approved(request.route.get("connection", "")).connection
        stage = self._sign_ins.stage(request, account_handle(connection.id))
        if stage is None or stage.name != "account" or stage.connection != connection.id:
            return self._sign_ins.begin(request, Stage("account-sign-in", connection.id))
        if request.method == "POST":
            refuse_cross_site(request, self._services.settings.public_url)
            self._unlink(stage, request.form.get("ehr_user", ""))
            return redirect(request.path)
        users = self._services.stores.of(connection.id).ehr_users.of_person(connection.id, stage.oid)
        return self._show(request, "account.html", users=users, account_name=stage.account_name)

    def _show(self, request: Request, template: str, status: int = 200, /, **values: object) -> Response:
        page = self._services.pages.page(f"launch_provider/{template}", request, status=status, **values)
        # With no-referrer a browser sends "Origin: null" along with a form, and older ones nothing else to go
        # by.
        return page.with_headers(Referrer_Policy="same-origin")

    def _onward(self, request: Request, onward: Onward) -> Response:
        """A page that moves on: Chromium applies form-action to redirects, so no form is answered by one."""
        page = self._services.pages.page("launch_provider/onward.html", request, url=onward.url)
        return page.with_cookies(*onward.cookies)

    def _link(self, stage: Stage) -> None:
        arrival = stage.came
        users = self._services.stores.of(stage.connection).ehr_users
        now = timestamp(self._services.clock.now())
        link = Link(stage.connection, arrival.ehr_user, stage.oid, arrival.sub_mac, now)
        if users.link(link):
            self._noted(stage, "ehr-user-linked")
            return
        known = users.get(stage.connection, arrival.ehr_user)
        if known is None or known.oid != stage.oid or known.sub_mac != arrival.sub_mac:
            raise Refusal("state-conflict", "linked to another account meanwhile")

    def _unlink(self, stage: Stage, ehr_user: str) -> None:
        users = self._services.stores.of(stage.connection).ehr_users
        link = users.get(stage.connection, ehr_user) if ehr_user else None
        if link is None or link.oid != stage.oid:
            raise Refusal("not-found")
        if users.unlink(stage.connection, ehr_user):
            self._noted(stage, "ehr-user-unlinked")

    def _noted(self, stage: Stage, what: str) -> None:
        tenant = self._door.approved(stage.connection).connection.tenant
        audit = self._services.stores.of(stage.connection).audit
        audit.record(tenant, stage.oid, what, stage.connection, timestamp(self._services.clock.now()))

    def _name(self, stage: Stage) -> str | None:
        """The linked account's name, read live; empty: the directory is silent, None: it is gone."""
        tenant = self._door.approved(stage.connection).connection.tenant
        try:
            somebody = self._services.people.get(tenant, stage.oid)
        except OutsideError:
            return ""
        return (somebody.name or somebody.username) if somebody is not None else None
