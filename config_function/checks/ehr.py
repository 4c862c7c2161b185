"""The EHR's side: does its FHIR base name the approved endpoints, and do we get a token there."""

from urllib.parse import urlsplit

from config_function.access import View
from config_function.checks.verdict import Trial, Verdict, remedy_for, said
from shared.connection import Endpoints
from shared.ehr.scopes import backend_scope, needs_secret
from shared.errors import AntesalaError, Refusal, StatusRefused
from shared.smart.discovery import Discovery, SmartConfiguration
from shared.smart.token import Tokens
from shared.texts import Text

ASK_THE_EHR_TEAM = Text(
    "Ask the EHR team; the connection's FHIR base and its own settings do not fit together."
)

MOVED_REMEDY = Text("If the EHR really moved, edit the connection and approve it again.")


NOBODY_LOOKED = Text("Submit the settings first: until then nobody has seen where the EHR takes tokens.")


def shown_endpoints(view: View) -> Endpoints | None:
    """What was shown to an approver: with the newest revision, else with the approved; None before that.

    A draft has none of its own, and must not make the base's word of the moment count.
    """
    for revision in (view.latest, view.approved):
        if revision is not None and revision.endpoints.token:
            return revision.endpoints
    return None


def endpoints_of(
    discovery: Discovery, view: View, client_id: str, *, anew: bool = False
) -> SmartConfiguration:
    """What the base names; Refusal ``endpoint-changed`` where that is not what an approver was shown.

    Before anything was shown it is just what the base names: good to look at, not to prove ourselves to.
    """
    connection, shown = view.connection, shown_endpoints(view)
    ask = discovery.renew if anew else discovery.get
    found = ask(connection.fhir_base, client_id=client_id, kind=connection.kind)
    return discovery.pinned(found, shown) if shown is not None else found


class EhrProbes:
    """What is tried at the EHR."""

    def __init__(self, discovery: Discovery, tokens: Tokens) -> None:
        self._discovery = discovery
        self._tokens = tokens

    def endpoints(self, view: View, _: str) -> Verdict:
        """Reads the SMART configuration anew."""
        connection, client = view.connection, view.latest.provider
        trial = Trial(
            "discovery", Text("Read the SMART configuration of %(base)s", base=connection.fhir_base)
        )
        try:
            found = endpoints_of(self._discovery, view, client.client_id, anew=True)
        except Refusal as moved:
            return trial.failed(said(moved), MOVED_REMEDY)
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, ASK_THE_EHR_TEAM))
        hosts = {urlsplit(url).netloc for url in (found.authorization_endpoint, found.token_endpoint)}
        return trial.ok(Text("Sign-in at %(hosts)s.", hosts=", ".join(sorted(hosts))))

    def backend_token(self, view: View, _: str) -> Verdict:
        """Asks for the token of the write-back, at an endpoint that an approver was shown only."""
        revision, trial = view.latest, Trial("backend-token")
        client = revision.backend
        if revision.writeback.adapter == "none":
            return trial.skipped(Text("Write-back is switched off."))
        if needs_secret(revision.writeback):
            return trial.skipped(Text("The write-back uses a user name and password, no token."))
        if not client.client_id:
            remedy = Text("Register the backend client and enter its ID.")
            return trial.skipped(Text("There is no client ID yet."), remedy)
        if shown_endpoints(view) is None:
            return trial.skipped(NOBODY_LOOKED)
        trial = Trial(trial.probe, Text("Asked the EHR for a token as %(client)s", client=client.client_id))
        try:
            found = endpoints_of(self._discovery, view, client.client_id)
            scope = backend_scope(revision.writeback)
            self._tokens.backend(found, client, scope, tenant=view.connection.tenant)
        except AntesalaError as error:
            return trial.failed(said(error), _token_remedy(error))
        return trial.ok(Text("The EHR gave one."))


def _token_remedy(error: AntesalaError) -> Text:
    if isinstance(error, Refusal):
        return MOVED_REMEDY if error.reason.code == "endpoint-changed" else Text(error.reason.staff)
    if isinstance(error, StatusRefused) and not error.transient:
        return Text(
            "Compare client ID, JWKS URL, algorithm and scopes with the registration sheet. Changed app "
            "settings can need half an hour to reach the EHR; the client needs an EHR user for auditing."
        )
    return remedy_for(error, ASK_THE_EHR_TEAM)
