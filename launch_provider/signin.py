"""The Microsoft 365 sign-in inside a launch or on the account page: begun, answered, what is next.

Between the pages a sealed *pending* cookie (ten minutes, this browser only) says where somebody stands; it is
named after a random handle, so that two tabs do not mix. Names are read live, shown, and not stored.
"""

from launch_provider.arrival import Stage
from launch_provider.services import ProviderServices
from shared.errors import Refusal, SealBroken, SealExpired
from shared.events import note
from shared.launch.answers import microsoft_answers
from shared.launch.door import Door
from shared.launch.jar import Jar
from shared.web import Cookie, Request, Response, redirect

PENDING = 4
CALLBACK = "/launch/provider/signin/callback"
PAGE = "/launch/provider/signin/confirm"
# What another account may cure.
_ANOTHER = frozenset({"sign-in-failed", "wrong-organization", "account-unusable"})
_WAITING = frozenset({"sign-in", "account-sign-in"})


class SignIns:
    """Stages of people between the EHR, Microsoft 365 and the meeting."""

    def __init__(self, door: Door, services: ProviderServices) -> None:
        self._door = door
        self._services = services
        self._pending = Jar(services.sealer, services.clock, "pending", PENDING)

    def begin(self, request: Request, stage: Stage) -> Response:
        """Sends somebody to Microsoft 365 to choose an account; the stage waits in the pending cookie."""
        tenant = self._door.approved(stage.connection).connection.tenant
        with microsoft_answers():
            sign_in = self._services.entra.begin(
                tenant, f"{self._services.settings.public_url}{CALLBACK}", prompt="select_account"
            )
        waiting = stage.at("sign-in" if stage.arrival else "account-sign-in", flow=dict(sign_in.flow))
        cookies = self._pending.put(request, sign_in.state, waiting.document())
        if stage.arrival:
            cookies += self._door.resume(request, stage.connection, sign_in.url, stage.arrival.state)
        return redirect(sign_in.url).with_cookies(*cookies)

    def answer(self, request: Request) -> Response:
        """Microsoft 365's answer: ``/launch/provider/signin/callback?code=&state=``."""
        state = request.query.get("state", "")
        stage = self.stage(request, state)
        if stage is None:
            return self.repeated(request, state)
        if stage.name not in _WAITING:
            return redirect(f"{PAGE}?handle={state}")
        return self._services.flow.once.answer(
            f"sign-in {state}", lambda: self._answered(request, stage, state)
        )

    def to_page(self, request: Request, stage: Stage, handle: str) -> Response:
        """A clean address with the handle alone: no code stays in the browser's history."""
        url = f"{PAGE}?handle={handle}"
        cookies = self._pending.put(request, handle, stage.document())
        return redirect(url).with_cookies(
            *cookies, *self._door.resume(request, stage.connection, url, stage.came.state)
        )

    def stage(self, request: Request, handle: str) -> Stage | None:
        """Where the person of this handle stands, or None; Refusal sign-in-expired."""
        try:
            document = self._pending.get(request, handle) if handle else None
            return Stage.read(document) if isinstance(document, dict) else None
        except SealExpired as error:
            raise self._expired(handle) from error
        except (SealBroken, KeyError) as error:
            raise self._expired(handle, "not ours") from error

    def repeated(self, request: Request, handle: str) -> Response:
        """What this browser got before under this handle; Refusal sign-in-expired when there is nothing."""
        repeated = self._door.resumed(request, handle)
        if repeated is None:
            raise Refusal("sign-in-expired", "no pending cookie")
        return repeated

    def forget(self, handle: str) -> Cookie:
        """The deletion of the handle's cookie."""
        return self._pending.drop(handle)

    def _answered(self, request: Request, stage: Stage, state: str) -> Response:
        try:
            oid, name = self._who(request, stage)
        except Refusal as refusal:
            code = refusal.reason.code
            if stage.arrival is None or code not in _ANOTHER:
                raise
            note("sign-in-refused", connection=stage.connection, reason=code, detail=refusal.detail)
            self._door.outcomes.refused(stage.connection, code, "provider")
            return self.to_page(request, stage.at("refused", reason=code), state)
        if stage.arrival is not None:
            return self.to_page(request, stage.at("confirm", oid=oid, account_name=name), state)
        known = stage.at("account", oid=oid, account_name=name)
        cookies = self._pending.put(request, account_handle(stage.connection), known.document())
        response = redirect(f"/launch/provider/{stage.connection}/account")
        return response.with_cookies(*cookies, self._pending.drop(state))

    def _who(self, request: Request, stage: Stage) -> tuple[str, str]:
        """Object id and name of a member of the connection's own organization."""
        tenant = self._door.approved(stage.connection).connection.tenant
        with microsoft_answers():
            account = self._services.entra.finish(stage.flow, request.query)
        if account.tid != tenant:
            raise Refusal("wrong-organization")
        if account.guest:
            raise Refusal("account-unusable", "guest")
        return account.oid, account.name or account.username

    def _expired(self, handle: str, detail: str = "") -> Refusal:
        refusal = Refusal("sign-in-expired", detail)
        refusal.cookies = (self._pending.drop(handle),)
        return refusal


def account_handle(connection: str) -> str:
    """The handle of the page that unlinks: one a connection, so that a reload finds it."""
    return f"account-{connection}"
