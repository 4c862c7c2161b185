"""Microsoft 365's side: our token, and for each organizer the access policy, the licence, the browser link.

There is no API that shows an application access policy, so a test meeting is asked for under an id that no
visit has; it is the same meeting at every check (reference graph.md 1.7).
"""

from collections.abc import Iterable

from config_function.access import View
from config_function.checks.verdict import Trial, Verdict, remedy_for, said
from shared.entra import Entra
from shared.errors import AntesalaError
from shared.graph.licences import PERMISSION, TEAMS_PLANS, Licences, ServicePlan
from shared.graph.meetings import OnlineMeetings
from shared.graph.service import GraphRefused
from shared.texts import Text

# The one meeting per organizer that checks make again and again; never a visit's.
RESERVED_ID = "antesala-check"
POLICY_NAME = "Antesala"
CONSENT = Text("Give this app admin consent in your organization, and check its certificate.")
NO_ORGANIZER = Text("No organizer is chosen yet.")
CHECK_ACCOUNT = Text("Check that the account exists, has a Teams licence, and that admin consent was given.")


class MicrosoftProbes:
    """What is tried at Microsoft 365."""

    def __init__(self, client_id: str, entra: Entra, meetings: OnlineMeetings, licences: Licences) -> None:
        """``client_id``: this app's, for the lines that name it."""
        self._client_id = client_id
        self._entra = entra
        self._meetings = meetings
        self._licences = licences

    def token(self, view: View, _: str) -> Verdict:
        """Asks for our own token."""
        trial = Trial("graph-token", Text("Asked Microsoft 365 for a token as this app"))
        try:
            self._entra.app_token(view.connection.tenant)
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, CONSENT))
        return trial.ok(Text("Microsoft 365 gave one."))

    def policy(self, view: View, person: str) -> Verdict:
        """Asks for the person's test meeting; without a person the first organizer's."""
        account = person or _first(view)
        if not account:
            return Trial("access-policy").skipped(NO_ORGANIZER)
        trial = Trial("access-policy", Text("Asked Teams for a test meeting of this account"), account)
        try:
            self._meetings.create_or_get(view.connection.tenant, account, RESERVED_ID)
        except GraphRefused as refused:
            return self._no_meeting(trial, refused)
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, CHECK_ACCOUNT))
        return trial.ok(Text("Teams made it."))

    def licence(self, view: View, person: str) -> Verdict:
        """Looks for Teams among the account's licences."""
        account = person or _first(view)
        if not account:
            return Trial("licence").skipped(NO_ORGANIZER)
        trial = Trial("licence", Text("Asked Microsoft 365 for the licences of this account"), account)
        try:
            return _licensed(trial, self._licences.service_plans(view.connection.tenant, account))
        except AntesalaError as error:
            if isinstance(error, GraphRefused) and error.status == 403:
                return _licences_hidden(trial)
            return trial.failed(said(error), remedy_for(error, Text("Check that the account exists.")))

    def browser_link(self, view: View, _: str) -> Verdict:
        """Asks for the link that joins the first organizer's test meeting in the browser."""
        organizer, tenant = _first(view), view.connection.tenant
        if not organizer:
            return Trial("virtual-appointment").skipped(NO_ORGANIZER)
        tried = Text("Asked Teams for the browser link of an organizer's test meeting")
        trial = Trial("virtual-appointment", tried, organizer)
        try:
            meeting = self._meetings.create_or_get(tenant, organizer, RESERVED_ID)
        except AntesalaError:
            return trial.skipped(
                Text("Teams did not make the test meeting; the application access policy's check says why.")
            )
        try:
            url = self._meetings.virtual_join_url(tenant, organizer, meeting.id)
        except AntesalaError as error:
            return trial.warning(said(error), remedy_for(error, CONSENT))
        return trial.ok(Text("Teams gave one.")) if url else _no_browser_link(trial)

    def _no_meeting(self, trial: Trial, refused: GraphRefused) -> Verdict:
        if refused.policy_missing:
            return trial.failed(
                Text("Teams has no application access policy for this account."),
                Text(
                    "A Teams administrator runs these lines once in PowerShell; they take up to 30 minutes "
                    "to work."
                ),
                policy_commands(self._client_id, trial.person),
            )
        if refused.status == 403:
            remedy = Text(
                "Grant this app the application permission %(permission)s, with admin consent.",
                permission="OnlineMeetings.ReadWrite.All",
            )
            return trial.failed(said(refused), remedy)
        return trial.failed(said(refused), remedy_for(refused, CHECK_ACCOUNT))


def policy_commands(client_id: str, account: str) -> tuple[str, ...]:
    """The PowerShell lines (MicrosoftTeams module; graph.md 1.7) that let this app make meetings."""
    return (
        "Connect-MicrosoftTeams",
        (
            f'New-CsApplicationAccessPolicy -Identity {POLICY_NAME} -AppIds "{client_id}" '
            '-Description "Antesala virtual visits"'
        ),
        f'Grant-CsApplicationAccessPolicy -PolicyName {POLICY_NAME} -Identity "{account}"',
    )


def _first(view: View) -> str:
    return next(iter(view.latest.organizers), "")


def _licensed(trial: Trial, plans: Iterable[ServicePlan]) -> Verdict:
    """The best that any of the account's licences gives; a plan nobody has heard of proves nothing."""
    held = list(plans)
    states = {plan.state for plan in held if plan.id in TEAMS_PLANS}
    assign = Text("Assign a licence with Teams to this account in the Microsoft 365 admin center.")
    if "Success" in states:
        return trial.ok(Text("Teams is licensed."))
    if states - {"Disabled"}:
        soon = Text("Wait until Microsoft 365 has finished, then check again.")
        return trial.warning(Text("Teams is licensed, but not ready yet."), soon)
    if states:
        switch_on = Text("Switch Teams on among the apps of the account's licence.")
        return trial.failed(Text("The account's licence has Teams switched off."), switch_on)
    if held:
        return trial.warning(Text("The account has licences, but none that is known to hold Teams."), assign)
    return trial.failed(Text("The account has no licence."), assign)


def _licences_hidden(trial: Trial) -> Verdict:
    remedy = Text(
        "Nothing needs to be done. If licences shall be checked, grant this app the application permission "
        "%(permission)s, with admin consent.",
        permission=PERMISSION,
    )
    return trial.skipped(Text("This app may not read licences, so nothing is known."), remedy)


def _no_browser_link(trial: Trial) -> Verdict:
    return trial.warning(
        Text(
            "Teams gives this app none. Patients get the ordinary join link, which may ask them to install."
        ),
        Text(
            "Grant this app the application permission %(permission)s, with admin consent. National clouds "
            "have no such link.",
            permission="VirtualAppointment.Read.All",
        ),
    )
