"""The clinician's launch: known people go straight to Teams, new ones are linked first.

    linked        callback -> Teams (where the browser last opened it for somebody else: one page first)
    not linked    callback -> Microsoft 365 sign-in -> one page with both names -> Teams

The record for the live view has the same launch URL with ``?open=view``. That word only chooses between the
meeting and the view of the same visit by the same person; which visit and who is still what the token
response says.
"""

import hashlib

from launch_provider.account import Accounts
from launch_provider.arrival import Arrival
from launch_provider.entrance import VIEW, Entrance
from launch_provider.services import ProviderServices
from shared.connection import Side
from shared.errors import OutsideError, Refusal
from shared.launch.door import Door
from shared.launch.passage import Finished
from shared.launch.who import ehr_user
from shared.store.ehr_users import Link
from shared.web import Request, Response, redirect

SIDE: Side = "provider"
_OPENS = frozenset({VIEW})


class ProviderDoor:
    """One for the process: it holds nothing of a request."""

    def __init__(self, services: ProviderServices) -> None:
        self._services = services
        self._door = Door("provider", services)
        self._entrance = Entrance(self._door, services, services.contexts)
        self._accounts = Accounts(self._door, self._entrance, services)

    def launch(self, request: Request) -> Response:
        """Leg 1: ``/launch/provider/{connection}?iss=&launch=``."""
        return self._door.launch(request, _OPENS)

    def callback(self, request: Request) -> Response:
        """Leg 2: ``/launch/provider/callback?code=&state=``."""
        return self._door.callback(request, self._arrive)

    @property
    def accounts(self) -> Accounts:
        """The pages around the Microsoft 365 account."""
        return self._accounts

    def _arrive(self, request: Request, finished: Finished) -> Response:
        user = ehr_user(finished, SIDE)
        context = self._door.visits.of(finished, SIDE)
        self._door.in_time(context, finished.revision.policy)
        link = self._services.stores.of(finished.connection_id).ehr_users.get(finished.connection_id, user)
        arrival = Arrival(
            connection=finished.connection_id,
            revision=finished.revision_number,
            ehr_user=user,
            sub_mac=self._sub_mac(finished, user),
            context=self._services.contexts.seal(context),
            opens=finished.extra.get("open", ""),
            state=finished.state,
        )
        if link is None:
            return self._accounts.sign_in(request, arrival, self._name(finished, user))
        self._same_person(link, finished, user)
        if arrival.opens != VIEW and self._entrance.opened_for_another(request, link.oid):
            return self._accounts.ask_to_continue(request, arrival, link.oid)
        onward = self._entrance.enter(request, arrival, link.oid)
        return redirect(onward.url).with_cookies(*onward.cookies)

    def _sub_mac(self, finished: Finished, user: str) -> str:
        if finished.identity is None:
            return ""
        return self._services.pseudonyms.keyed("ehr-sub", _person(finished, user))

    def _same_person(self, link: Link, finished: Finished, user: str) -> None:
        """A misbuilt record that gives everybody one id must not make everybody the first clinician."""
        if not link.sub_mac:
            return
        if finished.identity is None:
            raise Refusal("identity-missing", "this link was made with an id_token")
        if not self._services.pseudonyms.matches("ehr-sub", _person(finished, user), link.sub_mac):
            raise Refusal("ehr-user-changed")

    def _name(self, finished: Finished, user: str) -> str:
        """How the EHR calls its user, read now and shown once; their EHR user ID where it does not say."""
        identity = finished.identity
        if identity is None or identity.user_type != "Practitioner":
            return user
        try:
            return self._door.visits.chart(finished).practitioner_name(identity.user_id) or user
        except OutsideError:
            return user


def _person(finished: Finished, user: str) -> str:
    """What the HMAC of a link covers: a digest keeps the parts apart whatever they hold."""
    parts = (finished.connection_id, user, finished.identity.sub if finished.identity else "")
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
