"""Whether our clock is theirs: what we sign lives five minutes (SMART Backend Services; RFC 7523).

Compared with the ``Date`` (RFC 9110 section 6.6.1) of whoever judges our assertions: the EHR's token endpoint
and Microsoft's login host. A cache on the way keeps the old ``Date`` and says for how long in ``Age``.
"""

from collections.abc import Callable
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from config_function.access import View
from config_function.checks.ehr import endpoints_of
from config_function.checks.verdict import Outcome, Trial, Verdict
from shared.errors import AntesalaError
from shared.outbound import Answer, Outbound
from shared.smart.discovery import Discovery
from shared.texts import Text, Together

SECONDS = 3.5
WRONG, HOPELESS = 60, 300

type Compared = tuple[Outcome, Text]


class ClockProbe:
    """Asks both for the time, in the first header they send."""

    def __init__(self, outbound: Outbound, discovery: Discovery, login_url: str) -> None:
        self._outbound = outbound
        self._discovery = discovery
        self._login_url = login_url

    def skew(self, view: View, _: str) -> Verdict:
        """Our clock against the EHR's and Microsoft's."""
        trial = Trial("clock-skew", Text("Compared our clock with that of the EHR and of Microsoft 365"))
        compared = (
            self._compared(Text("EHR"), lambda: self._ehr(view)),
            self._compared(Text("Microsoft 365"), lambda: self._microsoft(view.connection.tenant)),
        )
        found, outcomes = Together(*(text for _, text in compared)), {outcome for outcome, _ in compared}
        if "failed" in outcomes:
            return trial.failed(
                found, Text("What one side signs the other takes for expired. Set the clock that is wrong.")
            )
        if "warning" in outcomes:
            return trial.warning(
                found, Text("Have the clock that is off set; beyond five minutes nothing works.")
            )
        if "skipped" in outcomes:
            return trial.warning(found, Text("The other checks say why there was no answer."))
        return trial.ok(found)

    def _ehr(self, view: View) -> Answer:
        endpoints = endpoints_of(self._discovery, view, view.latest.provider.client_id)
        return self._asked(endpoints.token_endpoint, "ehr-clock")

    def _microsoft(self, tenant: str) -> Answer:
        url = f"{self._login_url}/{tenant}/v2.0/.well-known/openid-configuration"
        return self._asked(url, "microsoft-clock")

    def _asked(self, url: str, service: str) -> Answer:
        """Whatever the status: a token endpoint refuses a GET, and dates its refusal."""
        return self._outbound.send("GET", url, timeout=SECONDS, service=service)

    def _compared(self, whose: Text, ask: Callable[[], Answer]) -> Compared:
        try:
            seconds = ahead(ask())
        except AntesalaError:
            seconds = None
        if seconds is None:
            return "skipped", Text("%(whose)s: no time was given.", whose=whose)
        size = abs(seconds)
        if size < 2:  # a Date has whole seconds, cut off
            return "ok", Text("%(whose)s: the same time.", whose=whose)
        outcome: Outcome = "failed" if size >= HOPELESS else "warning" if size >= WRONG else "ok"
        if seconds > 0:
            return outcome, Text("%(whose)s: ours is %(seconds)s seconds behind.", whose=whose, seconds=size)
        return outcome, Text("%(whose)s: ours is %(seconds)s seconds ahead.", whose=whose, seconds=size)


def ahead(answer: Answer) -> int | None:
    """By how many seconds the sender's clock is ahead of ours; None where it does not say."""
    try:
        dated = parsedate_to_datetime(answer.headers.get("date", ""))
        age = int(answer.headers.get("age", "0"))
    except (ValueError, TypeError, OverflowError):
        return None
    if answer.received_at is None or not 0 <= age < 86_400:
        return None
    dated = dated if dated.tzinfo is not None else dated.replace(tzinfo=UTC)
    try:
        sent = dated + timedelta(seconds=age)
    except OverflowError:  # no clock says that: the last day that a date can name
        return None
    return round((sent - answer.received_at).total_seconds())
