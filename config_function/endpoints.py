"""Where a connection's EHR lets people sign in: read anew, to be shown, approved and pinned.

A launch may come with any accepted form of the FHIR base, and is then held against what was approved for the
base itself. A form that names other servers would be refused at every launch, or worse, nobody would have
looked: so it is refused here, before the approver is asked.
"""

from config_function.access import View
from shared.connection import Endpoints
from shared.errors import FieldRefusal, OutsideError, Refusal
from shared.smart.discovery import Discovery, SmartConfiguration
from shared.smart.id_token import IdTokens
from shared.texts import Text


def found(discovery: Discovery, id_tokens: IdTokens, view: View) -> Endpoints:
    """The endpoints of the base; Refusal ehr-unreachable, ehr-answer-invalid or endpoint-changed."""
    configuration = _read(discovery, view, view.connection.fhir_base)
    try:
        return configuration.endpoints(id_tokens.jwks_url(configuration))
    except OutsideError as error:
        raise _refusal(error) from error


def need_same_servers(discovery: Discovery, view: View, endpoints: Endpoints) -> None:
    """Every other form of the base must name the same servers; FieldRefusal ``issuers``."""
    for issuer in view.latest.issuers:
        try:
            discovery.pinned(_read(discovery, view, issuer), endpoints)
        except Refusal as refusal:
            if refusal.reason.code == "ehr-unreachable":
                raise
            raise FieldRefusal({"issuers": _sentence(refusal, issuer)}) from refusal


def _sentence(refusal: Refusal, issuer: str) -> Text:
    if refusal.reason.code == "endpoint-changed":
        return Text("%(issuer)s signs people in at other servers than the FHIR base.", issuer=issuer)
    return Text("The sign-in servers of %(issuer)s cannot be read.", issuer=issuer)


def _read(discovery: Discovery, view: View, base: str) -> SmartConfiguration:
    client_id, kind = view.latest.provider.client_id, view.connection.kind
    try:
        return discovery.renew(base, client_id=client_id, kind=kind)
    except OutsideError as error:
        raise _refusal(error) from error


def _refusal(error: OutsideError) -> Refusal:
    code = "ehr-unreachable" if error.transient else "ehr-answer-invalid"
    return Refusal(code, type(error).__name__)
