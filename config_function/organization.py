"""Connect your organization: how an administrator of an organization that is new here lets the app in.

Everything here is open to anybody, so it says nothing about who uses this service: whether an organization is
listed is told to its own people, by the sign-in, which proves where they belong.
"""

import re
from collections.abc import Mapping

from shared.clock import Clock, Entropy
from shared.entra.consent import ConsentAnswer, consent_address, consent_answer
from shared.launch.jar import Jar
from shared.pages import Pages
from shared.sealing import Sealer
from shared.settings import Settings
from shared.texts import Text
from shared.web import Request, Response, redirect

_STATE = re.compile(r"[A-Za-z0-9_-]{1,80}")
_AWAY = Text("Microsoft 365 does not answer at the moment. Please try again in a few minutes.")
_NOT_GIVEN = Text(
    "Consent was declined, or the account may not give it for the whole organization. It takes, for example, "
    "a Global Administrator. Ask such a person to open this page."
)
_OTHER = Text("Microsoft 365 reported an error, and the permissions were not given. Please start again.")
ERRORS: Mapping[str, Text] = {
    "access_denied": _NOT_GIVEN,
    "consent_required": _NOT_GIVEN,
    "interaction_required": _NOT_GIVEN,
    "unauthorized_client": Text(
        "This service's app is not open to other organizations. Tell the operator of this service: the app "
        "registration must accept accounts in any organizational directory."
    ),
    "temporarily_unavailable": _AWAY,
    "server_error": _AWAY,
}


class Organization:
    """The page, the way to Microsoft 365's consent, and the way back."""

    def __init__(
        self, settings: Settings, pages: Pages, sealer: Sealer, clock: Clock, entropy: Entropy
    ) -> None:
        self._settings = settings
        self._pages = pages
        self._entropy = entropy
        self._flows = Jar(sealer, clock, "consent", 2)

    def page(self, request: Request) -> Response:
        """The three steps."""
        return self._show(request)

    def begin(self, request: Request) -> Response:
        """Sends the administrator to Microsoft 365; a sealed cookie ties the answer to this browser."""
        state = self._entropy.token(32)
        address = consent_address(self._settings, self._callback, state)
        return redirect(address).with_cookies(*self._flows.put(request, state, "begun"))

    def finish(self, request: Request) -> Response:
        """What Microsoft 365 answered, in plain words; the state works once."""
        state = request.query.get("state", "")
        if not _STATE.fullmatch(state) or self._flows.find(request, state) is None:
            # Consent may have been given all the same: only this browser's part in it is unknown.
            return self._show(request, status=400, unknown=True)
        answer = consent_answer(request.query)
        return self._show(request, answer=answer).with_cookies(self._flows.drop(state))

    @property
    def _callback(self) -> str:
        return f"{self._settings.public_url}/config/organization/callback"

    def _show(
        self,
        request: Request,
        *,
        answer: ConsentAnswer | None = None,
        unknown: bool = False,
        status: int = 200,
    ) -> Response:
        refused = ERRORS.get(answer.error, _OTHER) if answer is not None and not answer.given else None
        return self._pages.page(
            "config_function/organization.html",
            request,
            status,
            answer=answer,
            refused=refused,
            unknown=unknown,
        )
