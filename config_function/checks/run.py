"""Plans and runs the probes of a connection, on its newest revision: that is what one is setting up."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from config_function.access import Caller, View, may_edit
from config_function.checks.clocks import ClockProbe
from config_function.checks.ehr import EhrProbes
from config_function.checks.microsoft import MicrosoftProbes
from config_function.checks.ours import OwnProbes
from config_function.checks.probes import PROBES, Planned
from config_function.checks.verdict import NO_ANSWER, WAIT, Trial, Verdict
from config_function.checks.waiting import WaitingProbes
from config_function.names import need_person
from shared.errors import Refusal
from shared.texts import Text

SECONDS = 7.5
_AT_ONCE = 64
# Of one organization: the page of two people runs six each. A slow EHR keeps none of the others waiting.
_OF_TENANT = 12
TOO_MANY = Text("Too many checks run right now. Try again in a minute.")

type Attempt = Callable[[View, str], Verdict]


class Checks:
    """Who may try what, and for how long."""

    def __init__(
        self,
        ehr: EhrProbes,
        microsoft: MicrosoftProbes,
        ours: OwnProbes,
        waiting: WaitingProbes,
        clocks: ClockProbe,
        seconds: float = SECONDS,
    ) -> None:
        """``seconds``: how long a verdict may take; the calls of a probe have limits of their own besides."""
        self._seconds = seconds
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check")
        self._attempts: Mapping[str, Attempt] = {
            "discovery": ehr.endpoints,
            "jwks": ours.keys,
            "keys": ours.own_keys,
            "backend-token": ehr.backend_token,
            "graph-token": microsoft.token,
            "access-policy": microsoft.policy,
            "licence": microsoft.licence,
            "virtual-appointment": microsoft.browser_link,
            "webhook": ours.webhook,
            "queue-age": waiting.queues,
            "undelivered": waiting.undelivered,
            "dead-letters": waiting.dead_letters,
            "clock-skew": clocks.skew,
        }

    def plan(self, view: View) -> list[Planned]:
        """Every probe that makes sense for this connection; those of persons once per organizer."""
        planned: list[Planned] = []
        for probe in PROBES:
            people = view.latest.organizers if probe.of_person else ("",)
            planned += [Planned(probe, person) for person in people]
        return planned

    def plan_for(self, caller: Caller, view: View, person: str) -> list[Planned]:
        """The probes of one person; see ``run`` for who may name whom."""
        self._need_right_to_name(caller, view, person)
        return [Planned(probe, person) for probe in PROBES if probe.of_person]

    def run(self, caller: Caller, view: View, name: str, person: str = "") -> Verdict:
        """One verdict; Refusal ``not-found`` for a probe that does not exist.

        FieldRefusal for a person who is no object id, Refusal ``not-allowed`` for one not to be named.
        """
        attempt = self._attempts.get(name)
        if attempt is None:
            raise Refusal("not-found", "probe")
        self._need_right_to_name(caller, view, person)
        tenant = view.connection.tenant
        if not self._begin(tenant):
            return Trial(name, person=person).skipped(TOO_MANY)
        trying = self._threads.submit(attempt, view, person)
        # Not when the verdict is given up: until then the probe still holds its thread.
        trying.add_done_callback(lambda _: self._end(tenant))
        try:
            return trying.result(self._seconds)
        except TimeoutError:
            trying.cancel()
        tried = Text("Waited for %(seconds)s seconds", seconds=round(self._seconds))
        return Trial(name, tried, person).failed(NO_ANSWER, WAIT)

    def _begin(self, tenant: str) -> bool:
        """Counts one more probe of this organization; False where it runs enough of them."""
        with self._lock:
            if self._running[tenant] >= _OF_TENANT:
                return False
            self._running[tenant] += 1
            return True

    def _end(self, tenant: str) -> None:
        with self._lock:
            self._running[tenant] -= 1

    def _need_right_to_name(self, caller: Caller, view: View, person: str) -> None:
        need_person(person)
        # A meeting is made for the person: readers may try what is configured, not anybody they like.
        if person and person not in view.latest.organizers and not may_edit(caller, view):
            raise Refusal("not-allowed")
