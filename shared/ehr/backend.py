"""Calls to an EHR as ourselves: with a token of our own (SMART App Launch 2.2, Backend Services)."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.attempt import Attempt
from shared.ehr.rest import genuine
from shared.ehr.scopes import backend_scope
from shared.errors import AnswerRefused, NoToken, OutsideError, Refusal, StatusRefused, Unreachable
from shared.outbound import Answer, Outbound
from shared.secrets import SecretMissing
from shared.smart.discovery import Discovery, SmartConfiguration
from shared.smart.token import Tokens

# A token must outlive the call that it is sent with.
_MARGIN = timedelta(seconds=60)
_PAST = datetime.fromtimestamp(0, UTC)
_SECONDS = 15.0
_MOMENT = 1.0
RENEWAL_SECONDS = 30.0
"""Longer than a token takes where nothing is known yet: discovery, its fallback, the token itself."""

type _Key = tuple[str, int, str]


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    until: datetime = _PAST
    asked: int = 0
    failure: OutsideError | None = None


class BackendTokens:
    """Keeps one token per connection, revision and scope until a minute before it expires.

    Many callers at once ask once: who waited for another's answer shares it, a failure as well. Safe for many
    threads; bounded to ``size`` tokens.
    """

    def __init__(self, discovery: Discovery, tokens: Tokens, clock: Clock, size: int = 256) -> None:
        self._discovery = discovery
        self._tokens = tokens
        self._clock = clock
        self._size = size
        self._slots: OrderedDict[_Key, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, approved: Approved, seconds: float = RENEWAL_SECONDS) -> str:
        """An access token; NoToken where people must mend something, or another OutsideError.

        Its endpoint is the approved one, or NoToken. ``seconds``: how much time there is; where that may be
        too little for a new token, Unreachable at once.
        """
        slot = self._slot(approved)
        asked = slot.asked
        if not slot.lock.acquire(timeout=seconds):
            raise Unreachable("ehr-token: no answer in time")
        try:
            if slot.token and (slot.asked != asked or self._clock.now() < slot.until):
                return slot.token
            if slot.failure is not None and slot.asked != asked:
                raise slot.failure.with_traceback(None)
            if seconds < RENEWAL_SECONDS:
                raise Unreachable("ehr-token: too little time is left for a new token")
            try:
                self._renew(slot, approved)
            except OutsideError as failure:
                slot.token, slot.failure = "", failure
                raise
            finally:
                slot.asked += 1
            slot.failure = None
            return slot.token
        finally:
            slot.lock.release()

    def forget(self, approved: Approved, token: str) -> None:
        """The next ``get`` fetches anew, unless another caller has done so since ``token`` was given."""
        slot = self._slot(approved)
        # Who keeps it longer than this is fetching anew already.
        if slot.lock.acquire(timeout=_MOMENT):
            try:
                if slot.token == token:
                    slot.token = ""
            finally:
                slot.lock.release()

    def _renew(self, slot: _Slot, approved: Approved) -> None:
        asked = self._clock.now()
        revision = approved.revision
        try:
            answer = self._tokens.backend(
                self._configuration(approved),
                revision.backend,
                backend_scope(revision.writeback),
                tenant=approved.connection.tenant,
            )
        except (SecretMissing, Refusal) as error:
            raise NoToken("the backend client's secret or signing keys are not stored") from error
        except AnswerRefused as error:
            raise NoToken(str(error)) from error
        except StatusRefused as error:
            if error.transient:
                raise
            # Whatever it says is about our client, its key or its scopes, and not about what is to be told.
            raise NoToken(f"no token: {error}", error.status) from error
        slot.token = answer.access_token
        slot.until = asked + timedelta(seconds=answer.expires_in) - _MARGIN

    def _configuration(self, approved: Approved) -> SmartConfiguration:
        connection, revision = approved.connection, approved.revision
        client_id = revision.backend.client_id
        found = self._discovery.get(connection.fhir_base, client_id=client_id, kind=connection.kind)
        try:
            return self._discovery.pinned(found, revision.endpoints)
        except Refusal as refusal:
            raise AnswerRefused(f"an endpoint is not the approved one: {refusal.detail}") from refusal

    def _slot(self, approved: Approved) -> _Slot:
        revision = approved.revision
        key = (approved.connection.id, revision.number, backend_scope(revision.writeback))
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._size:
                self._slots.popitem(last=False)
            return slot


class Backend:
    """Sends with our token, in the attempt's time; a 401 is answered with a new token, once."""

    def __init__(self, outbound: Outbound, tokens: BackendTokens) -> None:
        self._outbound = outbound
        self._tokens = tokens

    def send(
        self,
        attempt: Attempt,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        max_bytes: int = 1_000_000,
    ) -> Answer:
        """The answer, whatever its status; OutsideErrors where there is none, or no token.

        A success that is a page is none (see ``genuine``).
        """

        def ask(token: str) -> Answer:
            return self._outbound.send(
                method,
                url,
                headers={**(headers or {}), "Authorization": f"Bearer {token}"},
                form=form,
                query=query,
                json=json,
                timeout=attempt.seconds(_SECONDS),
                max_bytes=max_bytes,
                service="ehr-writeback",
            )

        approved = attempt.approved
        token = self._tokens.get(approved, attempt.left())
        answer = ask(token)
        if answer.status != 401:
            return genuine(answer)
        self._tokens.forget(approved, token)
        return genuine(ask(self._tokens.get(approved, attempt.left())))
