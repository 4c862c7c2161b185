"""The clinician's launch: known people go straight to Teams, new ones are linked first.

    linked        callback -> Teams (where the browser last opened it for somebody else: one page first)
    not linked    callback -> Microsoft 365 sign-in -> one page with both names -> Teams
    early         callback -> a page that waits, then as above

The record for the live view has the same launch URL with ``?open=view``. That word only chooses between the
meeting and the view of the same visit by the same person; which visit and who is still what the token
response says.
"""

import hashlib
import hmac
from dataclasses import replace
from typing import Any

from launch_provider.account import Accounts
from launch_provider.arrival import Arrival, Stage
from launch_provider.entrance import VIEW, AccountGone, Entrance
from launch_provider.services import ProviderServices
from shared.connection import Side
from shared.errors import OutsideError, Refusal
from shared.events import failure as failure_of
from shared.events import note
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
        self._entrance = Entrance(self._door, services)
        self._accounts = Accounts(self._door, self._entrance, services)

    def launch(self, request: Request) -> Response:
        """Leg 1: ``/launch/provider/{connection}?iss=&launch=``."""
        return self._door.launch(request, _OPENS)

    def callback(self, request: Request) -> Response:
        """Leg 2: ``/launch/provider/callback/{connection}?code=&state=``."""
        return self._door.callback(request, self._arrive)

    @property
    def accounts(self) -> Accounts:
        """The pages around the Microsoft 365 account."""
        return self._accounts

    def waiting(self, request: Request) -> Response:
        """``GET /launch/provider/{connection}/wait/{handle}``: early, until the visit's door opens."""
        return self._door.waited(request, self._go_in)

    def _arrive(self, request: Request, finished: Finished) -> Response:
        user = ehr_user(finished, SIDE)
        context = self._door.visits.of(finished, SIDE)
        link = self._link(finished.connection_id, user)
        arrival = Arrival(
            connection=finished.connection_id,
            revision=finished.revision_number,
            ehr_user=user,
            sub_mac=self._sub_mac(finished, user),
            context=self._services.contexts.seal(context),
            opens=finished.extra.get("open", ""),
            state=finished.state,
        )
        # The live view shows a visit that nobody may enter yet, or no more.
        opens = None if arrival.opens == VIEW else self._door.opens(context, finished.revision.policy)
        if link is not None:
            self._same_person(link, finished, user)
            self._named_anew(link, arrival.sub_mac)
        name = self._name(finished, user) if link is None else ""
        if opens is not None:
            waits = Stage("wait", arrival.connection, arrival, name, link.oid if link else "")
            return self._door.wait(request, finished.approved, opens, waits.document(), arrival.state)
        return self._admit(request, arrival, link, name)

    def _go_in(self, request: Request, document: Any, handle: str) -> Response:
        """The visit's door has opened for somebody who waited; what may have changed is looked at."""
        stage = Stage.read(document)
        arrival = replace(stage.came, state=handle)
        policy = self._entrance.approved(arrival).revision.policy
        self._door.opens(self._services.contexts.open(arrival.context), policy)
        link = self._link(arrival.connection, arrival.ehr_user)
        if link is not None and not _as_it_was(link, stage):
            raise Refusal("flow-expired", "linked otherwise meanwhile")
        return self._admit(request, arrival, link, stage.ehr_name)

    def _admit(self, request: Request, arrival: Arrival, link: Link | None, name: str) -> Response:
        if link is None:
            return self._accounts.sign_in(request, arrival, name or arrival.ehr_user)
        if arrival.opens != VIEW and self._entrance.opened_for_another(request, link.oid):
            return self._accounts.ask_to_continue(request, arrival, link.oid)
        try:
            onward = self._entrance.enter(request, arrival, link.oid)
        except AccountGone:
            return self._accounts.link_anew(request, arrival, link.oid)
        return redirect(onward.url).with_cookies(*onward.cookies)

    def _link(self, connection: str, user: str) -> Link | None:
        return self._services.stores.of(connection).ehr_users.get(connection, user)

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

    def _named_anew(self, link: Link, sub_mac: str) -> None:
        """A link made with an older visit key moves to the one in use, so that the older can be dropped."""
        if not link.sub_mac or link.sub_mac == sub_mac:
            return
        try:
            self._services.stores.of(link.connection).ehr_users.name_anew(link, sub_mac)
        except OutsideError as error:
            # The older key knows it still: the next launch tries again.
            note("link-not-renamed", connection=link.connection, failure=failure_of(error))

    def _name(self, finished: Finished, user: str) -> str:
        """How the EHR calls its user, read now and shown once; their EHR user ID where it does not say."""
        identity = finished.identity
        if identity is None or identity.user_type != "Practitioner":
            return user
        try:
            return self._door.visits.chart(finished).practitioner_name(identity.user_id) or user
        except OutsideError:
            return user


def _as_it_was(link: Link, stage: Stage) -> bool:
    """Whether a link is the one that was checked before the wait, or was made by the same person since."""
    if stage.oid:
        return link.oid == stage.oid
    return hmac.compare_digest(link.sub_mac.encode(), stage.came.sub_mac.encode())


def _person(finished: Finished, user: str) -> str:
    """What the HMAC of a link covers: a digest keeps the parts apart whatever they hold."""
    parts = (finished.connection_id, user, finished.identity.sub if finished.identity else "")
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
