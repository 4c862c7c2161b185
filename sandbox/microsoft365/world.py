"""One simulated Microsoft 365: everything it knows, and everything it is given from outside."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from sandbox.microsoft365.access import Issuance
from sandbox.microsoft365.calls import Call, Calls, Participant
from sandbox.microsoft365.cast import (
    PEOPLE,
    SIERRA,
    TENANTS,
    Person,
    Registration,
    Sites,
    default_registration,
)
from sandbox.microsoft365.directory import Directory, SignedIn
from sandbox.microsoft365.failures import Failures
from sandbox.microsoft365.meetings import Meeting, Meetings
from sandbox.microsoft365.metadata import spell
from sandbox.microsoft365.publisher import Publisher
from sandbox.microsoft365.subscriptions import Subscriptions
from sandbox.microsoft365.tokens import Keyring
from sandbox.recorder import Recorder


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


class World:
    """Entra, Graph and Teams of both tenants.

    `sites` says where it is served, `clock` gives UTC, `certificate` is the PEM certificate of the app's
    credential. With `state_dir`, keys, meetings, reports and subscriptions outlive the process. `outbound` is
    the session with which the app's webhooks are called: it must trust the sandbox's authority. `first_pause`
    is the pause in seconds before an untaken notification is first repeated, `longest_pause` the longest
    between two repetitions, `threads` how many notifications
    are sent at a time. Call `close` in the end.
    """

    def __init__(
        self,
        sites: Sites,
        clock: Callable[[], datetime],
        certificate: str,
        *,
        state_dir: Path | None = None,
        failures: Failures | None = None,
        recorder: Recorder | None = None,
        outbound: requests.Session | None = None,
        people: Sequence[Person] = PEOPLE,
        rng: random.Random | None = None,
        registration: Registration | None = None,
        sleep: Callable[[float], None] = time.sleep,
        first_pause: float = 1.0,
        longest_pause: float = 60.0,
        threads: int = 1,
    ) -> None:
        self.sites, self.clock, self._sleep = sites, clock, sleep
        self.failures = failures or Failures()
        self.recorder = recorder or Recorder()
        self.rng = rng or random.SystemRandom()
        self.registration = registration or default_registration(sites, certificate)
        self.directory = Directory(people, self.failures)
        self.signed_in = SignedIn()
        # The tenants whose administrator let the app in; elsewhere it gets no token of its own.
        self.consented = {SIERRA}
        self.keyring = Keyring(clock, _folder(state_dir, "."))
        self._counting = threading.Lock()
        outbound = outbound or _plain_session()
        self.meetings = Meetings(sites, clock, self.rng, _folder(state_dir, "meetings"))
        self.subscriptions = Subscriptions(
            self.meetings, clock, self.rng, outbound, _folder(state_dir, "subscriptions")
        )
        self.publisher = Publisher(
            self.subscriptions,
            self.failures,
            self.keyring,
            clock,
            self.rng,
            outbound,
            first_pause,
            threads,
            longest_pause,
        )
        self.calls = Calls(
            self.meetings, self.failures, clock, self.rng, self._listeners, self.publisher.tell
        )

    @property
    def login(self) -> str:
        """Base of Entra's endpoints for servers, and of its issuers."""
        return self.sites.m365_tls_url

    @property
    def graph(self) -> str:
        """Root of Graph, and the audience of its tokens."""
        return f"{self.sites.m365_tls_url}/graph"

    @property
    def issuance(self) -> Issuance:
        """Makes access tokens by the registration as it stands."""
        return Issuance(self.keyring, self.registration, self.failures, self.login, self.graph)

    @contextmanager
    def taking(self, operation: str) -> Iterator[None]:
        """What is done inside takes as long as the failure modes say, unless it takes longer by itself."""
        until = time.monotonic() + self.failures.delays.get(operation, 0.0)
        try:
            yield
        finally:
            self._sleep(max(0.0, until - time.monotonic()))

    def strikes(self, counter: str) -> bool:
        """Whether a counted failure mode strikes now; counts it down."""
        with self._counting:
            left: int = getattr(self.failures, counter)
            if left > 0:
                setattr(self.failures, counter, left - 1)
            return left > 0

    def token_error(self) -> str:
        """The OAuth error that the token endpoint is to answer now, if any; counts it down."""
        with self._counting:
            failures, error = self.failures, self.failures.token_error
            if error and failures.token_error_times:
                failures.token_error_times -= 1
                if not failures.token_error_times:
                    failures.token_error = ""
            return error

    def state(self) -> dict[str, Any]:
        """What the record says, as JSON values: meetings with their calls and reports, subscriptions."""
        return {
            "tenants": TENANTS,
            "meetings": [self._meeting_state(meeting) for meeting in self.meetings],
            "subscriptions": [asdict(one) for one in self.subscriptions.alive()],
            "undelivered": self.publisher.dispatcher.pending(),
        }

    def close(self) -> None:
        """Stop delivering notifications."""
        self.publisher.dispatcher.close()

    def _listeners(self, meeting_id: str) -> list[str]:
        return [one.id for one in self.subscriptions.of_meeting(meeting_id)]

    def _meeting_state(self, meeting: Meeting) -> dict[str, Any]:
        call = self.calls.of(meeting)
        return {
            "id": meeting.id,
            "tenant": meeting.tenant,
            "organizer": meeting.organizer,
            "externalId": meeting.external_id,
            "joinWebUrl": meeting.join_url,
            "virtualAppointmentUrl": self.meetings.virtual_url(meeting),
            "body": meeting.body,
            "reports": meeting.reports,
            "call": None if call is None else call_state(call),
        }


def call_state(call: Call) -> dict[str, Any]:
    """A running call as JSON values."""
    return {
        "announced": call.announced,
        "listeners": list(call.listeners),
        "participants": [participant_state(one) for one in call.people.values()],
    }


def participant_state(one: Participant) -> dict[str, Any]:
    """A participant as JSON values."""
    return {
        "participant": one.id,
        "state": one.state,
        "name": one.name,
        "kind": one.kind,
        "oid": one.person.oid if one.person else None,
        "since": spell(one.arrived),
    }


def _folder(state_dir: Path | None, name: str) -> Path | None:
    if state_dir is None:
        return None
    folder = state_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain_session() -> requests.Session:
    session = requests.Session()
    # The machine's environment may name other authorities and proxies.
    session.trust_env = False
    return session
